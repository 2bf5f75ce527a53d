"""Standard in, standard out."""

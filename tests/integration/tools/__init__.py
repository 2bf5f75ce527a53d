"""The tools against real databases, a real Redis, real child processes and real TLS servers."""

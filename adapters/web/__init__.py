"""The web page as a platform: what it shows is in a shared log, so any process can serve it and any can write to it."""

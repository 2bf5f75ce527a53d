"""Discord as a platform: a gateway session brings events, everything else is HTTP, so that any process can answer."""

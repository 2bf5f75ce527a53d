"""A client of the local servers under test."""

from __future__ import annotations

import httpx2


def plain_client(url: str, *, timeout_s: float = 10.0) -> httpx2.AsyncClient:
    """A browser's page, as far as HTTP goes, at a server without TLS: reading whom to trust costs 30 ms a client."""
    return httpx2.AsyncClient(base_url=url, headers={"origin": url}, timeout=timeout_s, verify=False)

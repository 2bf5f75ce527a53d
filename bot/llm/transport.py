"""The way to an endpoint: the HTTP client beneath the official one, which hands requests to aiohttp as they stand.

There are no redirects (a conversation goes to the configured host and to no other), no cookies and no hooks in between:
asking about them on every request cost as much as sending it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2

CONNECT_TIMEOUT_S = 5.0
CONNECTIONS = 2_000
KEEP_ALIVE_S = 15.0
"""Shorter than what servers in use keep idle connections for, so that a request rarely meets a closing one."""

ERROR_LIMIT_BYTES = 64 * 1024
"""What is read of an error's body; an endless one must not fill the memory."""

_TELLING = "x-stainless-"

RequestContent = bytes | AsyncIterator[bytes]


class PlainClient(httpx2.AsyncClient):
    """Sends requests over kept connections, through the proxy that the environment names, if any.

    Args:
        url: where requests will go.
    """

    def __init__(self, url: str) -> None:
        super().__init__(transport=httpx2.AsyncBaseTransport(), timeout=None)
        self._proxy = _proxy_for(url)
        self._trust = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None

    def build_request(  # type: ignore[override]  # the official client gives these, and an endpoint has no query
        self, method: str, url: str, *, headers: list[tuple[str, str]], content: RequestContent, **_: Any
    ) -> httpx2.Request:
        """A request with the headers that an endpoint needs, without those that tell of this machine."""
        kept = [(name, value) for name, value in headers if not name.lower().startswith(_TELLING)]
        return httpx2.Request(method, url, headers=kept, content=content)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **_: Any) -> httpx2.Response:
        """Send a request; the caller reads the response's body and closes it.

        Raises:
            httpx2.ConnectError: the other side cannot be reached, or ended the connection before it answered.
        """
        if self._session is None:
            self._session = _session(self._trust)
        try:
            answered = await self._session.request(
                request.method,
                str(request.url),
                data=_body(request),
                headers=request.headers,
                allow_redirects=False,
                proxy=self._proxy,
            )
        except aiohttp.ClientError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        body = _Body(answered, None if answered.status < 300 else ERROR_LIMIT_BYTES)
        response = httpx2.Response(answered.status, headers=answered.raw_headers, stream=body, request=request)
        if not stream:
            await response.aread()
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        await super().aclose()


class _Body(httpx2.AsyncByteStream):
    """A response's body, packet by packet, up to a limit."""

    def __init__(self, answered: aiohttp.ClientResponse, limit_bytes: int | None) -> None:
        self._answered = answered
        self._left = limit_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for packet in self._answered.content.iter_any():
            if self._left is None:
                yield packet
                continue
            yield packet[: self._left]
            self._left -= len(packet)
            if self._left <= 0:
                return

    async def aclose(self) -> None:
        self._answered.release()
        await self._answered.wait_for_close()


def _body(request: httpx2.Request) -> bytes | AsyncIterator[bytes] | None:
    try:
        return request.content or None
    except httpx2.RequestNotRead:  # it comes in pieces
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        return aiter(request.stream)


def _session(trust: ssl.SSLContext) -> aiohttp.ClientSession:
    """Made where an event loop runs."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S, ssl=trust),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S),  # readers have limits of their own
    )


def _proxy_for(url: str) -> str | None:
    address, proxies = urlsplit(url), getproxies()
    if not address.hostname or proxy_bypass(address.hostname):
        return None
    return proxies.get(address.scheme) or proxies.get("all")

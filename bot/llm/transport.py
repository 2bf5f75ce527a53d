"""The way to an endpoint: the HTTP client beneath the official one, which hands requests to aiohttp as they stand.

There are no redirects (a conversation goes to the configured host and to no other), no cookies and no hooks in between:
asking about them on every request cost as much as sending it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from copy import copy
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
import yarl

CONNECT_TIMEOUT_S = 5.0
CONNECTIONS = 2_000
KEEP_ALIVE_S = 15.0
"""Shorter than what servers in use keep idle connections for, so that a request rarely meets a closing one."""

ERROR_LIMIT_BYTES = 64 * 1024
"""What is read of an error's body; an endless one must not fill the memory."""

PIECE_BYTES = 256 * 1024
"""Larger bodies are written in pieces of this size, so that one long conversation does not hold up the event loop."""

_TELLING = "x-stainless-"
_UNUSED = httpx2.ByteStream(b"")
"""Bodies go to aiohttp as they stand, not through the request."""


class PlainRequest(httpx2.Request):
    """A request as aiohttp takes it, with the headers that an endpoint needs, without those that tell of this machine.

    Args:
        body: JSON.
    """

    def __init__(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        needed = [(name, value) for name, value in headers if not name.lower().startswith(_TELLING)]
        super().__init__(method, url, headers=needed, stream=_UNUSED)
        self.address = yarl.URL(str(self.url))
        self.fields = dict(needed)
        self.body = body

    def with_body(self, body: bytes) -> PlainRequest:
        """The same request with another body."""
        other = copy(self)
        other.body = body
        return other


class PlainClient(httpx2.AsyncClient):
    """Sends requests over kept connections, through the proxy that the environment names, if any.

    Args:
        url: where requests will go.
    """

    def __init__(self, url: str) -> None:
        super().__init__(transport=httpx2.AsyncBaseTransport(), timeout=None)
        self._proxy = _proxy_for(url)
        self._is_tls = urlsplit(url).scheme == "https"
        self._session: aiohttp.ClientSession | None = None

    def build_request(  # type: ignore[override]  # the official client gives these, and an endpoint has no query
        self, method: str, url: str, *, headers: Sequence[tuple[str, str]], content: bytes, **_: Any
    ) -> PlainRequest:
        """A request with this body."""
        return PlainRequest(method, url, headers, content)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **_: Any) -> httpx2.Response:
        """Send a request; the caller reads the response's body and closes it.

        Raises:
            httpx2.ConnectError: the other side cannot be reached, or ended the connection before it answered.
        """
        assert isinstance(request, PlainRequest)
        if self._session is None:
            self._session = _session(_trust() if self._is_tls else None)
        data: bytes | AsyncIterator[bytes] = request.body
        fields = request.fields
        if len(request.body) > PIECE_BYTES:
            data = _pieces(request.body)
            # Without a length the pieces would go out chunked, which not every endpoint reads.
            fields = {**fields, "Content-Length": str(len(request.body))}
        try:
            answered = await self._session.request(
                request.method, request.address, data=data, headers=fields, allow_redirects=False, proxy=self._proxy
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


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


class _Body(httpx2.AsyncByteStream):
    """A response's body, packet by packet, up to a limit."""

    def __init__(self, answered: aiohttp.ClientResponse, limit_bytes: int | None) -> None:
        self._answered = answered
        self._left = limit_bytes

    async def read(self) -> bytes:
        """What has come, as soon as something has; empty at the end."""
        packet = await self._answered.content.readany()
        if self._left is not None:
            packet = packet[: self._left]
            self._left -= len(packet)
        return packet

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while packet := await self.read():
            yield packet

    async def aclose(self) -> None:
        self._answered.release()
        await self._answered.wait_for_close()


def packets(response: httpx2.Response) -> Callable[[], Awaitable[bytes]]:
    """What reads a response's body packet by packet, empty at its end; uncompressed, without a look at each between."""
    if "content-encoding" in response.headers:
        return partial(anext, response.aiter_bytes(), b"")
    assert isinstance(response.stream, _Body)
    return response.stream.read


@cache
def _trust() -> ssl.SSLContext:
    """Whom this process trusts: reading that takes longer than an answer's first word."""
    return httpx2.create_ssl_context()


def _session(trust: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """Made where an event loop runs."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S, ssl=trust or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S),  # readers have limits of their own
    )


def _proxy_for(url: str) -> str | None:
    address, proxies = urlsplit(url), getproxies()
    if not address.hostname or proxy_bypass(address.hostname):
        return None
    return proxies.get(address.scheme) or proxies.get("all")

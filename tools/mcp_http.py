"""An MCP server behind an address: streamable HTTP, on which each request fails by itself and is read up to a limit.

Left alone, the SDK's transport ends a session with every call in it when one connection breaks, and reads a JSON body
of any length. Below it stands `BoundedTransport`, which turns what goes wrong into JSON-RPC errors of the one request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import orjson
from mcp.client.streamable_http import streamable_http_client
from mcp.types import JSONRPCError

from bot.mounts import RemoteMount
from tools.mcp_wire import MESSAGE_LIMIT_BYTES, Fault, Streams, error, mended

CONNECT_S = 5.0
GOODBYE_S = 2.0
"""How long the end of a session may take; the server may be gone."""

NOT_DONE = frozenset({400, 401, 403, 404, 405, 406, 408, 411, 413, 415, 421, 429, 503})
"""Statuses that say that a request was turned away; after any other error it may have been carried out."""

_EVENTS, _JSON = "text/event-stream", "application/json"


@asynccontextmanager
async def http(mount: RemoteMount) -> AsyncIterator[Streams]:
    """Prepare to speak to the server; nothing is sent yet."""
    # Reading has no limit of its own: a stream of events may be silent for hours, and every call has its time.
    timeout = httpx2.Timeout(None, connect=CONNECT_S, write=10.0, pool=CONNECT_S)
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=15.0)
    async with (
        httpx2.AsyncClient(
            transport=BoundedTransport(httpx2.AsyncHTTPTransport(limits=limits)),
            # A compressed answer could be a thousand times longer than what is counted.
            headers={"Accept-Encoding": "identity", **mount.all_headers()},
            timeout=timeout,
            trust_env=False,
        ) as client,
        streamable_http_client(
            mount.url.get_secret_value(), http_client=client, max_sse_event_size=2 * MESSAGE_LIMIT_BYTES
        ) as streams,
    ):
        yield streams


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Requests whose failures are answers."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and read what may be read at once."""
        if request.method == "DELETE":
            request.extensions = {**request.extensions, "timeout": httpx2.Timeout(GOODBYE_S).as_dict()}
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol):
            return _failed(Fault.UNREACHABLE)
        except httpx2.TransportError:
            return _failed(Fault.LOST)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            return _failed(Fault.LOST)
        if response.status_code < 400 and kind == _EVENTS:
            return httpx2.Response(
                response.status_code, headers=response.headers, stream=_Events(response), extensions=response.extensions
            )
        if response.status_code < 400 and kind != _JSON:
            return response
        try:
            body = await _read(response)
        except httpx2.TransportError:
            return _failed(Fault.LOST)
        if response.status_code >= 400:
            return _refused(request, response, body if kind == _JSON else b"")
        if body is None:
            return _failed(Fault.TOO_LARGE)
        return httpx2.Response(response.status_code, headers=_without_length(response.headers), content=mended(body))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Events(httpx2.AsyncByteStream):
    """A stream of events that passes on whole lines, and one error in the place of a line that is too long."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held: list[bytes] = []
        size = 0
        async for packet in _packets(self._response):
            whole, newline, rest = packet.rpartition(b"\n")
            if size + len(whole or rest) > MESSAGE_LIMIT_BYTES:
                yield b"event: message\ndata: " + _error_body(Fault.TOO_LARGE) + b"\n\n"
                return
            if newline:
                yield b"\n".join(map(_mended_line, b"".join([*held, whole, newline]).split(b"\n")))
                held, size = [], 0
            held.append(rest)
            size += len(rest)
        yield b"".join(held)

    async def aclose(self) -> None:
        await self._response.aclose()


def _mended_line(line: bytes) -> bytes:
    return b"data: " + mended(line[5:].strip()) if line.startswith(b"data:") else line


def _packets(response: httpx2.Response) -> httpx2.AsyncByteStream:
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    return response.stream


async def _read(response: httpx2.Response) -> bytes | None:
    """The body; nothing when it is too long."""
    held = bytearray()
    try:
        async for packet in _packets(response):
            held += packet
            if len(held) > MESSAGE_LIMIT_BYTES:
                return None
        return bytes(held)
    finally:
        await response.aclose()


def _refused(request: httpx2.Request, response: httpx2.Response, body: bytes | None) -> httpx2.Response:
    """An error of the server: its own JSON-RPC error if it wrote one, else what the status says."""
    status = response.status_code
    if status == 404 and "mcp-session-id" in request.headers:
        return _failed(Fault.GONE, status)
    if body and _is_error(body):
        return httpx2.Response(status, headers=_without_length(response.headers), content=body)
    return _failed(Fault.REFUSED if status in NOT_DONE else Fault.LOST, status)


def _is_error(body: bytes) -> bool:
    try:
        JSONRPCError.model_validate_json(body, by_name=False)
    except ValueError:
        return False
    return True


def _failed(fault: Fault, status: int | None = None) -> httpx2.Response:
    return httpx2.Response(status or 502, headers={"content-type": _JSON}, content=_error_body(fault, status))


def _error_body(fault: Fault, status: int | None = None) -> bytes:
    # The id is not known here; the SDK puts that of the request in its place.
    return orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error(fault, status).model_dump()})


def _without_length(headers: httpx2.Headers) -> httpx2.Headers:
    """The same headers for a body that is written anew."""
    kept = httpx2.Headers(headers)
    for name in ("content-length", "transfer-encoding"):
        kept.pop(name, None)
    return kept

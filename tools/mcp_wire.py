"""What crosses the line between Frontdesk and an MCP server: how much of it, and the names of what can go wrong.

The client of the SDK reads answers of any length. Here an answer has a limit before it is parsed (`mcp_stdio`,
`mcp_http`) and before it is validated (`WatchedStream`), so that one call costs no other thread its time or memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import IntEnum
from types import TracebackType
from typing import Protocol, Self, TypeVar

import orjson
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp.types import ErrorData, JSONRPCError, JSONRPCResponse, RequestId

MESSAGE_LIMIT_BYTES = 1024 * 1024
"""One message of a server, as JSON. A tool's result that is longer is refused; nothing else is lost with it."""

STRUCTURED_LIMIT_BYTES = 64 * 1024
"""Structured content, as JSON: it is validated against a schema in Python, which takes about 1 ms for 1 kB."""


class Fault(IntEnum):
    """Codes of ours among the JSON-RPC errors of a session, outside the ranges that servers use."""

    TOO_LARGE = -30_001  # it answered, with more than we read
    UNREACHABLE = -30_002  # nothing was sent
    REFUSED = -30_003  # it was sent, and turned away before anything was done
    LOST = -30_004  # it was sent, and what became of it is not known
    GONE = -30_005  # the server has forgotten the session; nothing was done


def error(fault: Fault, status: int | None = None) -> ErrorData:
    """The error with which a request ends. `status` is the server's, for the log."""
    return ErrorData(code=fault, message=fault.name.lower(), data=status)


Item = SessionMessage | Exception
_T_co = TypeVar("_T_co", covariant=True)
_T_contra = TypeVar("_T_contra", contravariant=True)


class ReadStream(Protocol[_T_co]):
    """What a session reads from; the SDK's own protocol is not part of its public names."""

    async def receive(self) -> _T_co: ...
    async def aclose(self) -> None: ...
    def __aiter__(self) -> ReadStream[_T_co]: ...
    async def __anext__(self) -> _T_co: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...


class WriteStream(Protocol[_T_contra]):
    """What a session writes to."""

    async def send(self, item: _T_contra, /) -> None: ...
    async def aclose(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...


Streams = tuple[ReadStream[Item], WriteStream[SessionMessage]]


class WatchedStream:
    """A session's read stream that says when it has ended, and lets no oversized structured content through.

    Args:
        ended: called once the server will say nothing more.
    """

    def __init__(self, inner: ReadStream[Item], ended: Callable[[], None]) -> None:
        self._inner = inner
        self._ended = ended

    async def receive(self) -> Item:
        """The next message."""
        return await self.__anext__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return _bounded(await self._inner.__anext__())
        except StopAsyncIteration:
            self._ended()
            raise

    async def aclose(self) -> None:
        """Read nothing more."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(kind, value, trace)


@asynccontextmanager
async def watched(transport: AbstractAsyncContextManager[Streams], ended: Callable[[], None]) -> AsyncIterator[Streams]:
    """A transport whose messages are watched."""
    async with transport as (reading, writing):
        yield WatchedStream(reading, ended), writing


def _bounded(item: Item) -> Item:
    if isinstance(item, SessionMessage) and isinstance(item.message, JSONRPCResponse):
        structured = item.message.result.get("structuredContent")
        if structured is not None and _size(structured) > STRUCTURED_LIMIT_BYTES:
            return too_large(item.message.id)
    return item


def _size(value: object) -> int:
    try:
        return len(orjson.dumps(value))
    except TypeError:  # an integer of more than 64 bits
        return len(repr(value))


_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?P<second>\\u[dD][c-fC-F][0-9a-fA-F]{2})?|\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def mended(text: bytes) -> bytes:
    """JSON in whose strings a character may be cut in half (as `text.slice(0, 100)` cuts) -> JSON that parses."""
    if all(found["second"] for found in _SURROGATE.finditer(text)):
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace")
    except (ValueError, RecursionError):
        return text


def too_large(request_id: RequestId) -> SessionMessage:
    """What stands for an answer that is not read."""
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=request_id, error=error(Fault.TOO_LARGE)))


def reason(failure: BaseException) -> str:
    """What went wrong, in a word for the log; never what a server wrote."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    if isinstance(failure, MCPError):
        known = {fault.value: fault.name.lower() for fault in Fault}
        status = failure.data if isinstance(failure.data, int) else None
        return f"{known.get(failure.code, f'error {failure.code}')}{f' (HTTP {status})' if status else ''}"
    if isinstance(failure, ConnectionError) and failure.args and isinstance(failure.args[0], str):
        return failure.args[0]
    return type(failure).__name__

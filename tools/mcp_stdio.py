"""An MCP server that is a program: started, spoken to over its standard input and output, and ended with its children.

The SDK's own transport keeps a line of any length and copies it once per packet, so that a server that prints one long
line stops the event loop of every thread (docs/adr/0007). This one reads lines up to a limit, and answers for a longer
one that it was too long.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from bot.mounts import LocalMount
from tools.mcp_wire import MESSAGE_LIMIT_BYTES, Item, Streams, mended, too_large

ENDURED_BYTES = 16 * MESSAGE_LIMIT_BYTES
"""A line that is longer still ends the session: whoever prints it does not speak the protocol."""

GRACE_S = 1.0
"""How long a server may take to end by itself once its input is closed, and again after SIGTERM."""

LINE_CHARS = 300
"""What is passed on of a line on standard error."""


class Answer(msgspec.Struct):
    """The part of a message that is read without building the rest."""

    id: int | str | None = None
    method: str | None = None


@asynccontextmanager
async def stdio(mount: LocalMount, said: Callable[[str], None]) -> AsyncIterator[Streams]:
    """Start the program and connect to it.

    Args:
        said: gets the lines of its standard error, cut.

    Raises:
        OSError: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        mount.command,
        *mount.args,
        env=get_default_environment() | {name: value.get_secret_value() for name, value in mount.env.items()},
        cwd=mount.cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a group of its own: Ctrl-C is not for it, and its children end with it
        limit=MESSAGE_LIMIT_BYTES,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    to_session, reading = anyio.create_memory_object_stream[Item](0)
    writing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = {
        asyncio.create_task(_read(process.stdout, to_session)),
        asyncio.create_task(_write(process.stdin, from_session, to_session)),
        asyncio.create_task(_hear(process.stderr, said)),
    }
    try:
        yield reading, writing
    finally:
        for stream in (to_session, reading, writing, from_session):
            stream.close()
        try:
            await _stop(process)
        finally:
            _signal(process, signal.SIGKILL)  # what it started and left behind
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _read(stdout: asyncio.StreamReader, to_session: MemoryObjectSendStream[Item]) -> None:
    with to_session, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        while (line := await _line(stdout)) is not None:
            if (message := parsed(line)) is not None:
                await to_session.send(message)
    while await stdout.read(MESSAGE_LIMIT_BYTES):
        pass  # nobody listens any more, and a server that cannot write cannot end


async def _line(stdout: asyncio.StreamReader) -> bytes | None:
    """The next line; nothing at the end, or when it is more than can be endured."""
    held = bytearray()
    while len(held) <= ENDURED_BYTES:
        try:
            rest = await stdout.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError as overrun:
            held += await stdout.readexactly(overrun.consumed)
        else:
            return bytes(held + rest) if held else rest
    return None


def parsed(line: bytes) -> SessionMessage | None:
    """The message on a line; nothing for what some servers print besides."""
    try:
        if len(line) <= MESSAGE_LIMIT_BYTES:
            return SessionMessage(jsonrpc_message_adapter.validate_json(mended(line), by_name=False))
        answer = msgspec.json.decode(line, type=Answer)
    except ValueError:
        return None
    # What has a method is not an answer: its id is the server's, and may be that of a request of ours.
    return None if answer.id is None or answer.method is not None else too_large(answer.id)


async def _write(
    stdin: asyncio.StreamWriter,
    from_session: MemoryObjectReceiveStream[SessionMessage],
    to_session: MemoryObjectSendStream[Item],
) -> None:
    # When it takes nothing more, the session is told by the end of what it reads.
    with to_session, from_session, suppress(ConnectionError):
        async for item in from_session:
            stdin.write(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await stdin.drain()


async def _hear(stderr: asyncio.StreamReader, said: Callable[[str], None]) -> None:
    held = b""
    while packet := await stderr.read(4096):
        *lines, held = (held + packet).split(b"\n")
        held = held[-4096:]
        for line in lines:
            if text := line.decode(errors="replace").strip():
                said(text[:LINE_CHARS])


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Close its input, wait, and be less polite each time.

    Source: https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle#shutdown
    """
    assert process.stdin is not None
    process.stdin.close()
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            _signal(process, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await process.wait()
                return


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)

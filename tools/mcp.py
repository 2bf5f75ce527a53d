"""The tools of MCP servers beside our own: which there are, and what calling one means for the conversation."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import structlog
from mcp import types
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ConfigDict

from bot.conversation import ToolSpec
from bot.errors import ConfigError, ToolError, ToolFailed, ToolInputError
from bot.mounts import Mount
from bot.tool import Tool, ToolContext
from tools.mcp_listing import Listed, shown_names
from tools.mcp_results import to_result
from tools.mcp_session import Session, Unavailable
from tools.mcp_wire import Fault

log = structlog.get_logger(__name__)

TOOLS_LIMIT = 128
"""Tools that a model is told of. Source: the limit of OpenAI's endpoint."""

BEGUN_S = 30 * 86_400.0
"""How long it is remembered that a call was begun: as long as a conversation that rests is kept."""

MARGIN_S = 2.0
"""What a call may take besides the server's time."""


class AnyArguments(BaseModel):
    """An object; what stands in it is for the server to check."""

    model_config = ConfigDict(extra="allow")


class MountedTools:
    """Our own tools and those of the servers; the sessions last as long as the context.

    Args:
        own: keep their names.
        timeout_s: for servers that name no time of their own.
    """

    def __init__(self, mounts: Sequence[Mount], *, own: Sequence[Tool], timeout_s: float) -> None:
        self._own = own
        self._mounts = {mount.name: mount for mount in mounts}
        self._sessions = [Session(mount, timeout_s=mount.timeout_s or timeout_s) for mount in mounts]
        self._listings: list[Sequence[Listed]] = []
        self._tools = own
        self._patience: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._patience is not None:
            self._patience.cancel()
            await asyncio.wait({self._patience})
        await asyncio.gather(*(session.aclose() for session in self._sessions))

    async def tools(self) -> Sequence[Tool]:
        """All tools at this moment; a `ToolSource`. The first who ask wait for the servers, once and for a while."""
        if self._patience is None:
            self._patience = asyncio.create_task(self._wait_for_servers())
        if not self._patience.done():
            await asyncio.wait({self._patience})
        listings = [session.tools for session in self._sessions]
        if len(listings) != len(self._listings) or any(map(_differ, listings, self._listings)):
            self._listings = listings
            self._tools = self._merged()
        return self._tools

    async def _wait_for_servers(self) -> None:
        for session in self._sessions:
            session.start()
        await asyncio.gather(*(_settled(session) for session in self._sessions))

    async def reach(self) -> Mapping[str, int]:
        """Server -> how many tools it has.

        Raises:
            ConfigError: says which servers there is no session with, and why.
        """
        await self.tools()
        if troubled := [session for session in self._sessions if session.trouble]:
            raise ConfigError(
                *(f"MCP_SERVERS: there is no session with {one.name} ({one.trouble})." for one in troubled)
            )
        return {session.name: len(session.tools) for session in self._sessions}

    def _merged(self) -> Sequence[Tool]:
        names = shown_names(
            {session.name: [listed.name for listed in session.tools] for session in self._sessions},
            {tool.spec.name for tool in self._own},
        )
        mounted = [
            self._tool(session, listed, names[session.name, listed.name])
            for session in self._sessions
            for listed in session.tools
        ]
        mounted.sort(key=lambda tool: tool.spec.name)
        if (left := len(self._own) + len(mounted) - TOOLS_LIMIT) > 0:
            log.warning("mcp_too_many_tools", left_out=[tool.spec.name for tool in mounted[-left:]])
            mounted = mounted[:-left]
        return (*self._own, *mounted)

    def _tool(self, session: Session, listed: Listed, name: str) -> Tool:
        mount = self._mounts[session.name]
        once = not (listed.only_reads or listed.repeatable)

        async def function(context: ToolContext, /, **arguments: Any) -> object:
            if once:
                await begin(context)
            try:
                async with asyncio.timeout(session.timeout_s):
                    answer = await session.call(listed.name, arguments)
            except TimeoutError:
                session.doubt()
                raise _unknown() if once else _timed_out() from None
            except Unavailable:
                raise _unavailable() from None
            except MCPError as failure:
                raise mapped(failure, once=once) from None
            except (RuntimeError, ValueError):  # it did answer, against its own schema or the protocol
                raise _unusable() from None
            return to_result(answer, mount.mask)

        return Tool(
            spec=ToolSpec(name=name, description=listed.description, parameters=dict(listed.parameters)),
            arguments=AnyArguments,
            function=function,
            requires=frozenset({"verified"} if mount.verified else ()),
            effect="read" if listed.only_reads else "write",
            timeout_s=session.timeout_s + MARGIN_S,
        )


def _differ(one: object, other: object) -> bool:
    return one is not other


async def _settled(session: Session) -> None:
    """A server that takes longer than a call may take is not waited for; its tools come when it comes."""
    try:
        async with asyncio.timeout(session.timeout_s):
            await session.settled.wait()
    except TimeoutError:
        log.warning("mcp_slow_start", server=session.name)


async def begin(context: ToolContext) -> None:
    """Keep that this call is about to be sent, before it is.

    Raises:
        ToolError: `outcome_unknown`: it was begun before, by a process that died before its result was on record.
        Transient: it could not be kept; nothing was sent.
    """
    key, mark = f"begun/{context.idempotency_key}", secrets.token_bytes(8)
    if await context.state.compare_and_set(key, None, mark, ttl_s=BEGUN_S):
        return
    # The store's client repeats a command whose answer was lost; then the mark that is there is this one.
    if await context.state.get(key) != mark:
        raise _unknown()


def mapped(failure: MCPError, *, once: bool) -> ToolError:
    """What an error of the session means; never its text, which is not ours."""
    match failure.code:
        case Fault.TOO_LARGE:
            return _too_large()
        case Fault.UNREACHABLE | Fault.REFUSED | Fault.GONE:
            return _unavailable()
        case Fault.LOST | types.CONNECTION_CLOSED | types.REQUEST_TIMEOUT | types.PARSE_ERROR:
            return _unknown() if once else _unavailable()
        case types.INVALID_PARAMS:
            return ToolInputError(
                "invalid_arguments", "The tool does not accept these arguments. Correct them by its description."
            )
        case _:
            return ToolFailed("tool_failed", "The tool failed. Do not call it again now; offer to open a ticket.")


def _unknown() -> ToolError:
    return ToolFailed(
        "outcome_unknown",
        "It is not known whether this was done: the connection ended before the result came. Do not call the tool "
        "again. Say honestly that it may or may not have been done, and offer to open a ticket so that a colleague "
        "checks.",
    )


def _unavailable() -> ToolError:
    return ToolFailed(
        "unavailable",
        "The system behind this tool is not available at the moment. Apologise, and offer to open a ticket or to hand "
        "over to a human colleague.",
    )


def _timed_out() -> ToolError:
    return ToolFailed("timed_out", "The tool took too long. Do not call it again now; offer to open a ticket.")


def _too_large() -> ToolError:
    return ToolFailed(
        "result_too_large",
        "The tool did what it was asked to, but its answer is too large to be read. If it only looks something up, ask "
        "for less; else do not call it again.",
    )


def _unusable() -> ToolError:
    return ToolFailed(
        "unusable_result",
        "The tool answered, but its answer cannot be read. Do not call it again; offer to open a ticket.",
    )

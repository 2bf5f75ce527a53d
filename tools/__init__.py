"""What the model may call: one line per tool. A new tool is a module with a `build` function, and a line here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.errors import ToolFailed
from bot.mounts import Mount
from bot.tool import Tool, ToolContext, ToolSource, unchanging
from tools import handover, identity, orders, receipts, tickets
from tools.database import DatabaseUnavailable
from tools.kit import Kit

__all__ = ["Kit", "build", "opened", "reach"]

_BUILDERS: tuple[Callable[[Kit], Tool], ...] = (
    handover.build,
    identity.build,
    orders.build,
    receipts.build,
    tickets.build_create,
    tickets.build_status,
)


def build(kit: Kit) -> tuple[Tool, ...]:
    """The tools, sorted by name, so that what the model is told stays the same from request to request."""
    return tuple(sorted((_shielded(make(kit)) for make in _BUILDERS), key=lambda made: made.spec.name))


@asynccontextmanager
async def opened(kit: Kit, mounts: Sequence[Mount], *, timeout_s: float) -> AsyncIterator[ToolSource]:
    """Everything the model may call while the context lasts, with what MCP servers offer.

    Args:
        timeout_s: for servers that name no time of their own.
    """
    if not mounts:
        yield unchanging(build(kit))
        return
    from tools.mcp import MountedTools  # costs 0.7 s and 20 MB, which only those pay who mount a server

    async with MountedTools(mounts, own=build(kit), timeout_s=timeout_s) as mounted:
        yield mounted.tools


async def reach(mounts: Sequence[Mount], *, timeout_s: float) -> Mapping[str, int]:
    """Open a session with each MCP server and close it: server -> how many tools it has.

    Raises:
        ConfigError: says which could not be opened.
    """
    from tools.mcp import MountedTools

    async with MountedTools(mounts, own=(), timeout_s=timeout_s) as mounted:
        return await mounted.reach()


def _shielded(made: Tool) -> Tool:
    """The same tool; when the database is away it says so, instead of failing the turn."""

    async def function(context: ToolContext, **arguments: object) -> object:
        try:
            return await made.function(context, **arguments)
        except DatabaseUnavailable:
            raise ToolFailed(
                "unavailable",
                "The order system is not available at the moment. Apologise, and offer to open a ticket or to hand "
                "over to a human colleague.",
            ) from None

    return replace(made, function=function)

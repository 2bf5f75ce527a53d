"""Servers mounted as a Frontdesk mounts them, and calls as its loop makes them."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from bot.conversation import ToolCall
from bot.messages import Attachment, Audience, Person, ThreadKey
from bot.mounts import Mount, parse_mounts
from bot.ports import SharedState
from bot.principal import Principal
from bot.store.shared_state import RedisSharedState
from bot.tool import Tool, ToolContext
from bot.toolbox import Ran, Toolbox
from tests.servers.mcp_shop import Ledger
from tools.mcp import MountedTools

ROOT = Path(__file__).parents[3]
TOKEN = "stock-token-5f2b91"
"""What the servers are given as a secret."""


class Mounted:
    """Tools of servers, and calls of them."""

    def __init__(self, tools: MountedTools, state: SharedState) -> None:
        self.mounted = tools
        self.transport = ""
        self.toolbox = Toolbox(tools.tools, timeout_s=10)
        self._state = state

    async def names(self) -> list[str]:
        """What the model is told of in a turn that begins."""
        return [spec.name for spec in (await self.toolbox.take()).specs]

    async def tool(self, name: str) -> Tool:
        """One of the tools."""
        return next(tool for tool in (await self.toolbox.take()).tools if tool.spec.name == name)

    async def run(self, name: str, arguments: Mapping[str, Any] | None = None, *, call: str | None = None) -> Ran:
        """Run a call.

        Args:
            call: the call's id; the same one is the same call, run again.
        """
        call_id = call or str(uuid.uuid4())
        tools = await self.toolbox.take()
        context = self._context(name, call_id)
        return await tools.run(
            ToolCall(id=call_id, name=name, arguments=orjson.dumps(arguments or {}).decode()), context
        )

    async def result(self, name: str, arguments: Mapping[str, Any] | None = None, *, call: str | None = None) -> Any:
        """What the model reads."""
        return orjson.loads((await self.run(name, arguments, call=call)).turn.content)

    def look_again(self) -> None:
        """Do at once what is done every few minutes."""
        for session in self.mounted._sessions:
            session.doubt()

    async def until(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the list of names is as it should be."""
        while not seen(names := await self.names()):
            await asyncio.sleep(0.02)
        return names

    def _context(self, name: str, call_id: str) -> ToolContext:
        thread = ThreadKey(platform="web", space="demo", channel="support", root="T1")

        async def nothing(*_: object) -> Any:
            raise AssertionError("an MCP tool has no business with this")

        async def read(_: Attachment) -> bytes:
            raise AssertionError("an MCP tool opens no attachment")

        return ToolContext(
            tenant="default",
            thread=thread,
            author=Person(id="U1", display_name="Somebody"),
            principal=Principal(person="web:demo:U1"),
            audience=Audience.DIRECT,
            idempotency_key=f"{thread}/1/{call_id}",
            secrets=NoSecrets(),
            read=read,
            wrote=lambda _: False,
            verify=nothing,
            hand_over=nothing,
            state=self._state.within(name),
        )


class NoSecrets:
    """Opens nothing."""

    async def open(self, handle: str, *, used_by: str) -> Any:
        """Never called."""
        raise AssertionError("an MCP tool gets no secret of a customer")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """What the servers of this test did."""
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def state(redis: Redis) -> SharedState:
    """Where it is kept that calls were begun."""
    return RedisSharedState(redis, namespace="tools")


def program(tmp_path: Path, *arguments: str, **more: Any) -> dict[str, Any]:
    """The settings of the warehouse as a program."""
    return {
        "command": sys.executable,
        "args": ["-m", "tests.servers.mcp_shop", *arguments],
        "env": {"LEDGER": str(tmp_path / "ledger"), "STOCK_TOKEN": TOKEN},
        "cwd": str(ROOT),
        **more,
    }


def mounts_of(servers: Mapping[str, Mapping[str, Any]]) -> Sequence[Mount]:
    """What settings say."""
    return parse_mounts(orjson.dumps({"mcpServers": servers}).decode(), {})


@asynccontextmanager
async def mounting(
    servers: Mapping[str, Mapping[str, Any]], state: SharedState, *, own: tuple[Tool, ...] = (), timeout_s: float = 5.0
) -> AsyncIterator[Mounted]:
    """Mount servers by their settings."""
    async with MountedTools(mounts_of(servers), own=own, timeout_s=timeout_s) as tools:
        yield Mounted(tools, state)

"""One warehouse over every transport: what a model is told of it, what its answers become, and that it may change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from bot.ports import SharedState
from bot.tool import RESULT_LIMIT_BYTES
from tests.integration.mcp.conftest import TOKEN, Mounted, mounting, program
from tests.servers.mcp_shop import FORKLIFT, Ledger, serving, stock

HTTP: Mapping[str, Mapping[str, bool]] = {
    "http": {},
    "http-json": {"json": True},
    "http-sessions": {"legacy": True},
    "http-sessions-json": {"legacy": True, "json": True},
    "http-stateless": {"legacy": True, "stateless": True},
    "http-stateless-json": {"legacy": True, "stateless": True, "json": True},
}
TELLS = {"stdio", "stdio-legacy", "http", "http-sessions", "http-sessions-json"}
"""Where a server can say that its tools have changed; elsewhere it is found out later."""


@pytest.fixture(params=["stdio", "stdio-legacy", *HTTP])
async def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, ledger: Ledger, state: SharedState
) -> AsyncIterator[Mounted]:
    """The warehouse behind one kind of transport."""
    async with AsyncExitStack() as stack:
        settings: dict[str, Any]
        if request.param.startswith("stdio"):
            settings = program(tmp_path, *(["legacy"] if request.param.endswith("legacy") else []))
        else:
            kind = HTTP[request.param]
            server = stock(ledger, legacy=kind.get("legacy", False))
            served = serving(server, token=TOKEN, stateless=kind.get("stateless", False), json=kind.get("json", False))
            settings = {"url": await stack.enter_async_context(served), "token": TOKEN}
        mounted = await stack.enter_async_context(mounting({"stock": settings}, state))
        mounted.transport = request.param
        yield mounted


@pytest.mark.behaviour("mcp.transports", "mcp.results", "mcp.large", "mcp.changes", "mcp.errors")
async def test_a_server_behind_any_transport(warehouse: Mounted, ledger: Ledger) -> None:
    names = await warehouse.names()
    assert names == sorted(names)
    assert {"count", "reserve", "label"} <= set(names)
    assert bool(ledger.lines("handshake")) == (warehouse.transport not in ("stdio", "http", "http-json"))
    await assert_effects(warehouse)
    await assert_answers(warehouse)
    await assert_errors(warehouse)
    await assert_large_answers_are_refused(warehouse)
    await assert_changes(warehouse)
    assert await warehouse.result("reserve", {"item": "sled"}) == {"result": "One sled is reserved."}
    assert ledger.lines("reserve") == ["reserve sled"]


async def assert_effects(warehouse: Mounted) -> None:
    effects = {name: (await warehouse.tool(name)).effect for name in ("count", "reserve", "label")}
    assert effects == {"count": "read", "reserve": "write", "label": "write"}
    spec = (await warehouse.tool("count")).spec
    assert spec.description == "Tell how many pieces of an item are in stock."
    assert spec.parameters["required"] == ["item"]


async def assert_answers(warehouse: Mounted) -> None:
    assert await warehouse.result("count", {"item": "sled"}) == {"result": "There are 7 pieces of sled."}
    assert await warehouse.result("structured") == {"result": {"pieces": 7, "shelf": "A"}}
    assert await warehouse.result("parts") == {
        "result": "first\nsecond",
        "parts": [
            {"type": "image", "media_type": "image/png", "size_bytes": 3_000},
            {"type": "resource_link", "name": "manual", "uri": "https://example.com/manual"},
            {"type": "resource", "uri": "file:///shelf.txt"},
        ],
    }
    beginning = await warehouse.run("text", {"kilobytes": 20})
    assert len(beginning.turn.content) <= RESULT_LIMIT_BYTES
    assert not beginning.turn.is_error
    assert '"cut"' in beginning.turn.content


async def assert_errors(warehouse: Mounted) -> None:
    refused = await warehouse.run("refuses", {"item": "sled"})
    assert refused.turn.is_error
    assert refused.rule == "tool_error"
    assert "The shelf of sled is locked." in refused.turn.content
    for name in ("crashes", "refused_by_protocol"):
        failed = await warehouse.run(name)
        assert failed.turn.is_error
        assert FORKLIFT not in failed.turn.content
    wrong = await warehouse.run("count", {"itm": 1})
    assert wrong.turn.is_error
    assert "item" in wrong.turn.content


async def assert_large_answers_are_refused(warehouse: Mounted) -> None:
    """An answer of 5 MB, as text and as rows that have a schema: an error for the model, and nobody waits for it."""
    async with Pulse() as pulse:
        for name, arguments in (("text", {"kilobytes": 5_000}), ("rows", {"number": 8_000})):
            ran = await warehouse.run(name, arguments)
            assert ran.rule == "result_too_large"
            if warehouse.transport.startswith("stdio"):  # elsewhere the server shares this event loop
                assert pulse.longest_s < 0.5
    assert await warehouse.result("count", {"item": "bell"}) == {"result": "There are 7 pieces of bell."}


async def assert_changes(warehouse: Mounted) -> None:
    """A tool that comes later is there in a later turn; a turn that runs keeps what it has."""
    before = await warehouse.toolbox.take()
    assert await warehouse.toolbox.take() is before
    await warehouse.run("learn", {"name": "a_new_trick"})
    if warehouse.transport not in TELLS:
        warehouse.look_again()
    names = await warehouse.until(lambda names: "a_new_trick" in names)
    assert names == sorted(names)
    assert await warehouse.result("a_new_trick") == {"result": "I know a_new_trick."}
    assert "a_new_trick" not in [spec.name for spec in before.specs]


class Pulse:
    """How long the event loop was kept from anything else."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def _beat(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    async def __aenter__(self) -> Self:
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._beating.cancel()
        await asyncio.wait({self._beating})

"""Lists of tools: long, paged, endless, clashing; and many of them called by many at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from bot.conversation import ToolSpec
from bot.errors import ConfigError
from bot.ports import SharedState
from bot.tool import Tool
from tests.integration.mcp.conftest import mounting, mounts_of
from tests.servers.mcp_shop import Ledger, many, paged, serving, stock
from tools import reach
from tools.mcp_listing import PAGES


async def _never(*_: object) -> None:
    raise AssertionError("nobody calls it")


def own(*names: str) -> tuple[Tool, ...]:
    """Tools of ours."""
    return tuple(
        Tool(spec=ToolSpec(name=name, description=name, parameters={}), arguments=BaseModel, function=_never)
        for name in names
    )


@pytest.mark.behaviour("mcp.pages")
async def test_a_list_in_pages_is_read_to_its_end_and_sorted(state: SharedState) -> None:
    async with serving(paged(5)) as url, mounting({"paged": {"url": url}}, state) as mounted:
        assert await mounted.names() == [f"tool_{page}_{at}" for page in range(5) for at in range(2)]
        assert await mounted.result("tool_4_1") == {"result": "tool_4_1"}


@pytest.mark.behaviour("mcp.pages")
async def test_a_list_without_an_end_is_read_for_a_while(state: SharedState) -> None:
    with capture_logs() as log:
        async with serving(paged(None)) as url, mounting({"endless": {"url": url}}, state) as mounted:
            names = await mounted.names()
    assert len(names) == 2 * PAGES
    assert "mcp_list_too_long" in [event["event"] for event in log]


@pytest.mark.behaviour("mcp.pages")
async def test_a_model_is_told_of_as_many_tools_as_endpoints_take(state: SharedState) -> None:
    with capture_logs() as log:
        async with serving(many(150)) as url, mounting({"many": {"url": url}}, state, own=own("zebra")) as mounted:
            names = await mounted.names()
    assert len(names) == 128
    assert "zebra" in names
    assert "mcp_too_many_tools" in [event["event"] for event in log]


@pytest.mark.behaviour("mcp.allowed")
async def test_only_what_is_allowed_is_mounted(ledger: Ledger, state: SharedState) -> None:
    with capture_logs() as log:
        async with (
            serving(stock(ledger)) as url,
            mounting({"stock": {"url": url, "tools": ["count", "label", "no_such"]}}, state) as mounted,
        ):
            assert await mounted.names() == ["count", "label"]
            assert (await mounted.run("reserve", {"item": "sled"})).turn.is_error
    assert ledger.lines("reserve") == []
    (told,) = [event for event in log if event["event"] == "mcp_tools_absent"]
    assert told["tools"] == ["no_such"]


@pytest.mark.behaviour("mcp.allowed")
async def test_a_server_for_verified_people_does_nothing_for_others(ledger: Ledger, state: SharedState) -> None:
    async with serving(stock(ledger)) as url, mounting({"stock": {"url": url, "verified": True}}, state) as mounted:
        assert (await mounted.run("reserve", {"item": "sled"})).rule == "verification_required"
    assert ledger.lines("reserve") == []


@pytest.mark.behaviour("mcp.down")
async def test_the_operator_is_told_which_servers_answer(ledger: Ledger, state: SharedState) -> None:
    async with serving(stock(ledger), token="stock-token-5f2b91") as url:
        right = {"url": url, "token": "stock-token-5f2b91", "tools": ["count", "label"]}
        assert await reach(mounts_of({"stock": right}), timeout_s=5) == {"stock": 2}
        with pytest.raises(ConfigError) as caught:
            await reach(mounts_of({"stock": right, "wrong": {"url": url}, "no": {"command": "/no/such"}}), timeout_s=5)
    assert caught.value.problems == (
        "MCP_SERVERS: there is no session with no (FileNotFoundError).",
        "MCP_SERVERS: there is no session with wrong (refused (HTTP 401)).",
    )


@pytest.mark.behaviour("mcp.names")
async def test_tools_that_would_be_called_the_same_get_their_server_before_their_name(
    ledger: Ledger, state: SharedState
) -> None:
    async with serving(many(2)) as one, serving(many(3)) as two, serving(stock(ledger)) as three:
        servers: dict[str, dict[str, Any]] = {
            "one": {"url": one},
            "the two": {"url": two},
            "stock": {"url": three, "tools": ["count"]},
        }
        async with mounting(servers, state, own=own("count")) as mounted:
            assert await mounted.names() == [
                *["count", "one__tool_00", "one__tool_01", "stock__count"],
                *["the_two__tool_00", "the_two__tool_01", "tool_02"],
            ]
            assert await mounted.result("the_two__tool_01", {"text": "x"}) == {"result": "tool_01 heard x"}
            assert await mounted.result("stock__count", {"item": "x"}) == {"result": "There are 7 pieces of x."}


@pytest.mark.behaviour("mcp.parallel")
@pytest.mark.parametrize(("stateless", "each"), [(False, 30), (True, 10)], ids=["shared", "stateless"])
async def test_thirty_tools_and_twenty_threads_at_once(stateless: bool, each: int, state: SharedState) -> None:
    async with (
        serving(many(30), stateless=stateless) as url,
        mounting({"many": {"url": url, "timeout_s": 20}}, state) as mounted,
    ):

        async def thread(number: int) -> None:
            for at in range(each):
                told = await mounted.result(f"tool_{at:02}", {"text": f"thread {number}"})
                assert told == {"result": f"tool_{at:02} heard thread {number}"}

        with capture_logs() as log:
            await asyncio.gather(*(thread(number) for number in range(20)))
    assert len([event for event in log if event["event"] == "mcp_opened"]) == 1

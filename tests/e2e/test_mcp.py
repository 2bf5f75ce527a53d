"""Tools of MCP servers in a conversation on the page."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.scenarios import relays
from tests.servers.mcp_shop import Ledger, serving, stock
from tests.servers.openai import ScriptedModel, calls, says
from tests.stages.play import assert_whole, calls_of, record, results_of
from tests.stages.search import places_of
from tests.stages.web import web_stage

TOKEN = "stock-token-5f2b91"


def mounting(url: str, **more: object) -> dict[str, str]:
    """The setting that mounts one server."""
    return {"MCP_SERVERS": orjson.dumps({"mcpServers": {"stock": {"url": url, "token": TOKEN, **more}}}).decode()}


@pytest.mark.behaviour("mcp.conversation", "mcp.secrets")
async def test_a_customer_is_answered_with_what_the_tools_of_a_server_said(
    variables: dict[str, str], model: ScriptedModel, tmp_path: Path, redis: Redis
) -> None:
    ledger = Ledger(tmp_path / "ledger")
    wanted = calls(("count", {"item": "sled"}), ("reserve", {"item": "sled"}), ("refuses", {"item": "sled"}))
    with capture_logs() as log:
        async with (
            serving(stock(ledger), token=TOKEN) as url,
            web_stage({**variables, **mounting(url)}) as stage,
        ):
            model.plays(wanted, relays("Well:"))
            await stage.say("Is there a sled? I want one.")
            answer = await stage.answer()
            turns = await record(stage)
    assert "There are 7 pieces of sled." in answer
    assert "One sled is reserved." in answer
    assert "The shelf of sled is locked." in answer
    assert ledger.lines() == ["count sled", "reserve sled"]
    offered = model.requests[0].tools
    assert {"count", "reserve", "get_order_status"} <= set(offered)
    assert offered == sorted(offered)
    assert [call.name for call in calls_of(turns)] == ["count", "reserve", "refuses"]
    assert [result.is_error for result in results_of(turns)] == [False, False, True]
    assert_whole(turns)
    assert await places_of(TOKEN, redis, tmp_path / "data", model, str(log)) == []


@pytest.mark.behaviour("mcp.changes")
async def test_what_a_turn_began_with_it_keeps(variables: dict[str, str], model: ScriptedModel, tmp_path: Path) -> None:
    async with (
        serving(stock(Ledger(tmp_path / "ledger")), token=TOKEN) as url,
        web_stage({**variables, **mounting(url)}) as stage,
    ):
        rounds = [calls(("learn", {"name": "a_new_trick"})), *[calls(("count", {"item": f"{i}"})) for i in range(3)]]
        model.plays(*rounds, says("Learned."))
        await stage.say("Learn something.")
        await stage.answer()
        first = [request.tools for request in model.requests]
        assert len(first) == 5
        assert all(tools == first[0] for tools in first)
        model.forget_prefix()
        while "a_new_trick" not in model.requests[-1].tools:
            model.plays(says("Not yet."))
            await stage.say("And?")
            await stage.answer()
        model.plays(calls(("a_new_trick", {})), relays())
        await stage.say("Show me.")
        assert "I know a_new_trick." in await stage.answer()


@pytest.mark.behaviour("mcp.down", "mcp.conversation")
async def test_without_the_server_the_conversation_goes_on(
    variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    nowhere = mounting("http://127.0.0.1:9/mcp", timeout_s=1)
    async with web_stage({**variables, **nowhere}) as stage:
        model.plays(calls(("count", {"item": "sled"})), relays("Sorry:"))
        await stage.say("Is there a sled?")
        assert "unknown_tool" in await stage.answer()
        assert "count" not in model.requests[0].tools
        assert_whole(await record(stage))

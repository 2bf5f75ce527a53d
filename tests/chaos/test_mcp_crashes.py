"""The process is killed while MCP tools are at work; a fresh one says honestly what is not known."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from tests.chaos.test_crashes import post, settled
from tests.servers.mcp_shop import Ledger, serving, stock
from tests.servers.openai import Reply, Request, ScriptedModel, calls, says
from tests.servers.process import FrontdeskProcess
from tests.stages.play import environment
from tests.stages.web import page_stage

TOOLS = ("reserve", "label", "count")
"""What changes something; what may be repeated; what only reads."""


def does_what_the_name_says(request: Request) -> Reply:
    """A model that calls the tool that the person named, and tells its result."""
    if request.messages[-1]["role"] == "tool":
        return says(f"I was told: {request.results}")
    return calls((request.last_user.strip(), {"item": "sled"}))


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(does_what_the_name_says)
        yield model


@pytest.mark.behaviour("mcp.once", "mcp.unknown_outcome")
@pytest.mark.timeout_s(120)
async def test_a_write_without_a_result_on_record_is_not_repeated_by_who_takes_over(
    model: ScriptedModel, redis_url: str, redis: Redis, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "ledger")
    struck, dead = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        if {"reserve sled", "label sled"} <= set(ledger.lines()):
            struck.set()
        await dead.wait()  # whoever asked is gone by the time this is answered

    async with serving(stock(ledger, then=hold)) as url:
        servers = orjson.dumps({"mcpServers": {"stock": {"url": url, "timeout_s": 20}}}).decode()
        variables = environment(tmp_path, redis_url, model, LEASE_S="1", MCP_SERVERS=servers)
        roots = {name: str(uuid.uuid4()) for name in TOOLS}
        async with FrontdeskProcess(variables, tmp_path) as victim:
            for name in ("reserve", "label"):
                assert await post(victim, roots[name], str(uuid.uuid4()), text=name)
            await struck.wait()
            victim.kill()
            await victim.ended()
        dead.set()
        async with FrontdeskProcess(variables, tmp_path) as heir:
            assert await post(heir, roots["count"], str(uuid.uuid4()), text="count")
            answers: dict[str, str] = {}
            for name in TOOLS:
                async with page_stage(heir.url, roots[name]) as page:
                    answers[name] = await page.answer()
            await settled(redis)
    assert "outcome_unknown" in answers["reserve"]
    assert "offer to open a ticket" in answers["reserve"]
    assert "sled is labelled." in answers["label"]
    assert "There are 7 pieces of sled." in answers["count"]
    assert ledger.lines("reserve") == ["reserve sled"]
    assert ledger.lines("label") == ["label sled", "label sled"]

"""The process is killed at each point where it touches the outside world; a fresh one finishes (acceptance 21)."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from bot.llm.wire import to_wire
from bot.messages import ThreadKey
from bot.ports import Mode
from bot.sentences import HUMAN_CALLED
from bot.store.client import Connections
from bot.store.mailbox import RedisMailbox
from tests.servers.http import plain_client
from tests.servers.openai import Reply, Request, ScriptedModel, calls, says
from tests.servers.patience import WAIT_S
from tests.servers.process import FrontdeskProcess
from tests.servers.redis_proxy import RedisProxy
from tests.stages.play import assert_whole, environment
from tests.stages.web import ADA, ROBIN, page_stage

SCRIPTS = ("put", "reserve", "open", "step", "commit", "done")


def turns_to_a_ticket(request: Request) -> Reply:
    """A model that opens a ticket and names it; what it says depends on nothing but the request."""
    if request.messages[-1]["role"] == "tool":
        return says(f"Your ticket: {request.results}")
    return calls(("create_customer_ticket", {"name": "Omar", "issue": "Unable to log in"}))


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(turns_to_a_ticket)
        yield model


@pytest.fixture
async def proxy(redis_url: str, tmp_path: Path) -> AsyncIterator[RedisProxy]:
    async with RedisProxy(redis_url, tmp_path / "proxy") as proxy:
        yield proxy


POINTS = [(name, 1) for name in SCRIPTS] + [("step", 2)]


@pytest.mark.behaviour("crash.once")
@pytest.mark.timeout_s(120)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("script", "time"), POINTS, ids=[f"{name}-{time}" for name, time in POINTS])
async def test_killed_around_a_script(
    script: str,
    time: int,
    moment: str,
    model: ScriptedModel,
    proxy: RedisProxy,
    redis_url: str,
    redis: Redis,
    tmp_path: Path,
) -> None:
    variables = environment(tmp_path, redis_url, model, LEASE_S="1")
    async with FrontdeskProcess({**variables, "REDIS_URL": proxy.url}, tmp_path) as victim:
        root, message_id = str(uuid.uuid4()), str(uuid.uuid4())
        put: list[int] = []

        def strike(name: str, times: int) -> None:
            if name == "put":
                put.append(proxy.seen[script])
            # Workers look for work before there is any; what counts is what passes once the message was put.
            if put and name == script and times == put[0] + (0 if script == "put" else time):
                victim.kill()

        setattr(proxy, moment, strike)
        await post(victim, root, message_id)
        await victim.ended()
        setattr(proxy, moment, lambda name, times: None)
    await finished_by_a_fresh_one(variables, tmp_path, root, message_id, redis_url, redis)


@pytest.mark.behaviour("crash.once")
@pytest.mark.timeout_s(120)
@pytest.mark.parametrize("request_number", [1, 2])
async def test_killed_while_the_model_is_asked(
    request_number: int, model: ScriptedModel, redis_url: str, redis: Redis, tmp_path: Path
) -> None:
    variables = environment(tmp_path, redis_url, model, LEASE_S="1")
    async with FrontdeskProcess(variables, tmp_path) as victim:

        def strikes(request: Request) -> Reply:
            if len(model.requests) == request_number:
                victim.kill()
            return turns_to_a_ticket(request)

        model.answers(strikes)
        root, message_id = str(uuid.uuid4()), str(uuid.uuid4())
        await post(victim, root, message_id)
        await victim.ended()
    await finished_by_a_fresh_one(variables, tmp_path, root, message_id, redis_url, redis)


@pytest.mark.behaviour("crash.human")
@pytest.mark.timeout_s(120)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_while_a_human_is_called(
    moment: str, model: ScriptedModel, proxy: RedisProxy, redis_url: str, tmp_path: Path
) -> None:
    def calls_a_human(request: Request) -> Reply:
        if request.messages[-1]["role"] == "tool":
            return says(HUMAN_CALLED)
        return calls(("hand_over_to_human", {"reason": "asked for a human"}))

    def strike(name: str, times: int) -> None:
        if name == "order":
            victim.kill()

    model.answers(calls_a_human)
    variables = environment(tmp_path, redis_url, model, LEASE_S="1")
    root, message_id = str(uuid.uuid4()), str(uuid.uuid4())
    async with FrontdeskProcess({**variables, "REDIS_URL": proxy.url}, tmp_path) as victim:
        setattr(proxy, moment, strike)
        await post(victim, root, message_id, text="I want a human")
        await victim.ended()
        setattr(proxy, moment, lambda name, times: None)
    async with FrontdeskProcess(variables, tmp_path) as heir, page_stage(heir.url, root, reads=ROBIN) as page:
        assert await post(heir, root, message_id, text="I want a human")
        assert await page.answer() == HUMAN_CALLED
        cards = [item for item in page.items.values() if item["kind"] == "card"]
    assert len(cards) == 1
    assert "asked for a human" in cards[0]["text"]
    connections = Connections(redis_url)
    mailbox = RedisMailbox(connections, to_wire)
    thread = ThreadKey(platform="web", space="page", channel="main", root=root)
    assert await mailbox.mode(thread) is Mode.HUMAN
    assert_whole([entry.turn for entry in (await mailbox.load(thread)).entries])
    await connections.aclose()


async def post(
    process: FrontdeskProcess, root: str, message_id: str, *, text: str = "I cannot log in. My name is Omar."
) -> bool:
    """Send the message as the page does; whether it was acknowledged."""
    async with plain_client(process.url) as client:
        try:
            response = await client.post(
                f"/api/threads/{root}/messages",
                params={"speaker": ADA},
                json={"id": message_id, "text": text},
            )
        except httpx2.TransportError:
            return False
        return response.is_success


async def finished_by_a_fresh_one(
    variables: dict[str, str], folder: Path, root: str, message_id: str, redis_url: str, redis: Redis
) -> None:
    async with FrontdeskProcess(variables, folder) as heir:
        # The page sends what was not acknowledged again, under the same id; what was, it may send again.
        assert await post(heir, root, message_id)
        async with page_stage(heir.url, root) as page:
            answer = await page.answer()
            await settled(redis)
            answers = page.answers()
    with sqlite3.connect(folder / "data" / "desk.sqlite3") as database:
        numbers = [str(row[0]) for row in database.execute("SELECT number FROM tickets WHERE name = 'Omar'")]
    assert len(numbers) == 1, "one ticket"
    assert numbers[0] in answer
    assert len(answers) == 1, "one answer"
    connections = Connections(redis_url)
    thread = ThreadKey(platform="web", space="page", channel="main", root=root)
    turns = [entry.turn for entry in (await RedisMailbox(connections, to_wire).load(thread)).entries]
    await connections.aclose()
    assert [type(turn).__name__ for turn in turns] == ["UserTurn", "AssistantTurn", "ToolTurn", "AssistantTurn"]
    assert_whole(turns)
    assert int(await redis.get("frontdesk:{0}:open") or 0) == 0


async def settled(redis: Redis) -> None:
    """Wait until nothing is on the agenda."""
    async with asyncio.timeout(WAIT_S):
        while await redis.zcard("frontdesk:{0}:due"):
            await redis.blpop(["never"], timeout=0.02)

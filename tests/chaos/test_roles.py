"""Platforms and workers as processes of their own on one Redis, as they are run in production, restarted under load."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bot.app import open_switch
from bot.config import load
from bot.conversation import AssistantTurn, Note, NoteTurn, Turn
from tests.servers.openai import Reply, Request, ScriptedModel, held, says
from tests.servers.process import FrontdeskProcess, frontdesk
from tests.servers.redis import RedisServer, serving
from tests.stages.customers import Archive, Customer, archive, becomes, echoes, status
from tests.stages.meters import Meters
from tests.stages.play import assert_whole, environment

pytestmark = pytest.mark.timeout_s(90)

TOKEN = "correct-horse-battery"


class Visitor(Customer):
    """A customer of the page in production, where one signs in; the same session serves at every process."""

    cookies: httpx2.Cookies | None = None

    async def chat(self, enough: asyncio.Event) -> None:
        """Say one thing after the other until it is enough."""
        while not enough.is_set():
            await self.say("and another thing")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), 0.4)

    async def _post(self, text: str, message_id: str) -> tuple[int, dict[str, Any]]:
        async with httpx2.AsyncClient(
            base_url=self.url, headers={"origin": self.url}, timeout=10, cookies=self.cookies
        ) as client:
            try:
                if self.cookies is None:
                    await client.post("/login", data={"token": TOKEN, "name": f"Visitor {self.number}"})
                    self.cookies = client.cookies
                response = await client.post(
                    f"/api/threads/{self.root}/messages", json={"id": message_id, "text": text}
                )
            except httpx2.TransportError:
                return 0, {}
            return response.status_code, response.json()


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(echoes)
        yield model


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path / "redis", {"appendfsync": "everysec"})
    with serving(server):
        yield server


@pytest.fixture
def variables(tmp_path: Path, redis_server: RedisServer, model: ScriptedModel) -> dict[str, str]:
    return environment(tmp_path, redis_server.url, model, WEB_TOKEN=TOKEN, DRAIN_S="10", MESSAGES_PER_HOUR="0")


@pytest.fixture
async def kept(redis_server: RedisServer) -> AsyncIterator[Archive]:
    async with archive(redis_server.url) as kept:
        yield kept


def process(role: str, variables: dict[str, str], folder: Path) -> FrontdeskProcess:
    return FrontdeskProcess(variables, folder, command=("run", "--only", role))


@pytest.mark.behaviour("roles.rolling", "roles.split")
async def test_a_rolling_restart_under_load_loses_and_doubles_nothing(
    variables: dict[str, str], kept: Archive, model: ScriptedModel, tmp_path: Path
) -> None:
    async def slowly(request: Request) -> Reply:
        await asyncio.sleep(0.15)  # a model takes its time, so that turns are running when somebody has to stop
        return says(f"Re: {request.last_user}")

    model.answers(slowly)
    async with AsyncExitStack() as stack:
        old = await started(stack, variables, tmp_path)
        customers = [Visitor(old[0].url) for _ in range(5)]
        enough = asyncio.Event()
        talks = [asyncio.create_task(customer.chat(enough)) for customer in customers]
        await becomes(lambda: sum(len(customer.accepted) for customer in customers) >= len(customers))
        new = await started(stack, variables, tmp_path)
        for customer in customers:
            customer.url = new[0].url
        for left in old:
            left.signal(signal.SIGTERM)
        assert list(await asyncio.gather(*(left.ended() for left in old))) == [0, 0]
        meters = Meters(new[1].url)
        async with asyncio.timeout(30):
            while await meters.value("frontdesk_turns_total", outcome="answered") < len(customers):
                await asyncio.sleep(0.1)
        enough.set()
        await asyncio.gather(*talks)
        await kept.assert_answered(customers)
        assert await meters.value("frontdesk_takeovers_total") == 0, "whoever left gave back"
    for left in (*old, *new):
        assert "fenced" not in left.printed
        assert "Traceback" not in left.printed


async def started(
    stack: AsyncExitStack, variables: dict[str, str], folder: Path
) -> tuple[FrontdeskProcess, FrontdeskProcess]:
    """A process with the platforms and one with a worker."""
    door, worker = await asyncio.gather(
        *(stack.enter_async_context(process(role, variables, folder)) for role in ("platforms", "workers"))
    )
    return door, worker


@pytest.mark.behaviour("roles.split", "roles.workers_away")
async def test_each_role_does_its_part_and_what_came_before_the_workers_is_answered_in_order(
    variables: dict[str, str], kept: Archive, model: ScriptedModel, tmp_path: Path
) -> None:
    no_key = {name: value for name, value in variables.items() if not name.startswith("OPENAI")}
    async with process("platforms", no_key, tmp_path) as door:
        customers = [Visitor(door.url) for _ in range(4)]
        await asyncio.gather(*(customer.talk(3) for customer in customers))
        assert await status(door.url, "/readyz") == 200
        meters = Meters(door.url)
        assert await meters.value("frontdesk_queue_ready") == 4
        assert await meters.value("frontdesk_queue_open") == 12
        assert await meters.value("frontdesk_queue_oldest_seconds") > 0
        assert model.requests == []
        async with process("workers", variables, tmp_path) as worker:
            await kept.assert_answered(customers)
            assert await status(worker.url, "/readyz") == 200
            assert await status(worker.url, "/login") == 404, "a worker serves no page"
            assert await Meters(worker.url).value("frontdesk_turns_total", outcome="answered") >= 4
        assert await meters.value("frontdesk_queue_ready") == 0


@pytest.mark.behaviour("roles.switch")
async def test_the_switch_ends_running_answers_on_every_worker_within_a_second(
    variables: dict[str, str], kept: Archive, model: ScriptedModel, tmp_path: Path
) -> None:
    alone = {**variables, "WORKER_CONCURRENCY": "1"}
    running = [held("Let me ", "go on."), held("Let me ", "go on.")]
    model.plays(*running)
    async with AsyncExitStack() as stack:
        door, worker = await started(stack, alone, tmp_path)
        other = await stack.enter_async_context(process("workers", alone, tmp_path))
        customers = [Visitor(door.url) for _ in range(2)]
        await asyncio.gather(*(customer.say("Hi") for customer in customers))
        async with asyncio.timeout(20):
            for reply in running:
                await reply.pauses[0].reached.wait()
        for one in (worker, other):
            assert await Meters(one.url).value("frontdesk_turns_running") == 1, "each worker has one of the two"
        switch = await stack.enter_async_context(open_switch(load(alone)))
        ordered = datetime.now(UTC)
        await switch.off()
        for customer in customers:
            async with asyncio.timeout(20):
                while not (paused := await pauses(kept, customer)):
                    await asyncio.sleep(0.02)
            assert (paused[0] - ordered).total_seconds() < 1, "told by the transcript"
        model.answers(echoes)
        assert await switch.on() == 2
        async with asyncio.timeout(20):
            for customer in customers:
                while not is_answered(await kept.turns(customer)):
                    await asyncio.sleep(0.05)
        assert_whole(await kept.turns(customers[0]))


async def pauses(kept: Archive, customer: Visitor) -> list[datetime]:
    """When answers of a conversation were cut short, as its record tells."""
    turns = await kept.turns(customer)
    return [turn.at for turn in turns if isinstance(turn, NoteTurn) and turn.note is Note.PAUSED]


def is_answered(turns: list[Turn]) -> bool:
    return isinstance(turns[-1], AssistantTurn) and turns[-1].text.startswith("Re:")


@pytest.mark.behaviour("roles.refused")
async def test_a_role_of_its_own_needs_a_redis_that_others_can_use(tmp_path: Path) -> None:
    alone = {"FRONTDESK_DATA_DIR": str(tmp_path / "data"), "WEB_TOKEN": TOKEN, "HTTP_PORT": "0"}
    ran = await frontdesk("run", "--only", "workers", folder=tmp_path, **alone)
    assert ran.status == 2
    assert "REDIS_URL is not set; `--only` is for several processes" in ran.err
    assert "Traceback" not in ran.err

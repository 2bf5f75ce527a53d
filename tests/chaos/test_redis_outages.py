"""Redis is killed, frozen, emptied, full, demoted, or forgets its scripts, while people talk (F07-F10, F14, F22)."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from bot.conversation import AssistantTurn
from bot.sentences import STATE_LOST
from bot.store.client import ANSWER_S
from bot.store.keys import Partition
from tests.servers.openai import ScriptedModel, held
from tests.servers.process import FrontdeskProcess
from tests.servers.redis import RedisServer, serving
from tests.stages.customers import Archive, Customer, archive, becomes, echoes, status
from tests.stages.play import environment, played
from tests.stages.slack import slack_stage
from tests.stages.web import page_stage

ACKNOWLEDGED_S = 2.0
"""Slack takes an event for lost after three."""

pytestmark = pytest.mark.timeout_s(120)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(echoes)
        yield model


@pytest.fixture
def fsync() -> str:
    return "always"


@pytest.fixture
async def server(tmp_path: Path, fsync: str) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path / "redis", {"appendfsync": fsync})
    with serving(server):
        yield server


@pytest.fixture
async def process(server: RedisServer, model: ScriptedModel, tmp_path: Path) -> AsyncIterator[FrontdeskProcess]:
    async with FrontdeskProcess(environment(tmp_path, server.url, model), tmp_path) as process:
        yield process


@pytest.fixture
async def kept(server: RedisServer) -> AsyncIterator[Archive]:
    async with archive(server.url) as kept:
        yield kept


def said(customers: list[Customer]) -> int:
    return sum(len(customer.accepted) for customer in customers)


def refusals(customers: list[Customer]) -> set[int]:
    return {status for customer in customers for status in customer.refused}


@pytest.mark.behaviour("machines.killed")
@pytest.mark.parametrize("fsync", ["always", "everysec"])
async def test_redis_is_killed_and_started_again_and_nothing_is_lost(
    server: RedisServer, process: FrontdeskProcess, kept: Archive
) -> None:
    customers = [Customer(process.url) for _ in range(6)]
    talks = [asyncio.create_task(customer.talk(5)) for customer in customers]
    await becomes(lambda: said(customers) >= 8)
    server.kill()
    await becomes(lambda: bool(refusals(customers)))
    server.start()
    await asyncio.to_thread(server.wait)
    await asyncio.gather(*talks)
    assert refusals(customers) == {503}
    await kept.assert_answered(customers)
    assert "Traceback" not in process.printed


@pytest.mark.behaviour("machines.frozen")
async def test_while_redis_is_frozen_everybody_is_refused_in_time(
    server: RedisServer, process: FrontdeskProcess, kept: Archive
) -> None:
    customers = [Customer(process.url) for _ in range(6)]
    talks = [asyncio.create_task(customer.talk(4)) for customer in customers]
    await becomes(lambda: said(customers) >= 4)
    server.freeze()
    await becomes(lambda: all(customer.refused for customer in customers))
    assert await status(process.url, "/readyz") == 503
    assert await status(process.url, "/healthz") == 200
    server.thaw()
    await asyncio.gather(*talks)
    assert refusals(customers) == {503}
    assert ANSWER_S < max(customer.slowest_s for customer in customers) < ACKNOWLEDGED_S
    await kept.assert_answered(customers)
    assert await status(process.url, "/readyz") == 200


@pytest.mark.behaviour("machines.emptied")
async def test_redis_is_emptied_in_the_middle_of_a_turn_and_the_thread_works_afterwards(
    server: RedisServer, process: FrontdeskProcess, kept: Archive, model: ScriptedModel
) -> None:
    slow = held("Half of ", "an answer.")
    model.plays(slow)
    customer = Customer(process.url)
    await customer.say("first")
    await slow.pause.reached.wait()
    with server.client() as client:
        client.flushall()
    for pause in slow.pauses:
        pause.release()
    await becomes(lambda: re.search(r'"outcome": ?"state_lost"', process.printed) is not None)
    customer.accepted.clear()
    await customer.say("second")
    await kept.assert_answered([customer])
    assert "crashed" not in process.printed
    assert "Traceback" not in process.printed


@pytest.mark.behaviour("machines.emptied")
async def test_whoever_waited_for_an_answer_when_redis_was_emptied_is_asked_to_repeat(
    server: RedisServer, model: ScriptedModel, tmp_path: Path
) -> None:
    slow = held("Half of ", "an answer.")
    model.plays(slow)
    async with slack_stage(environment(tmp_path, server.url, model)) as stage:
        await stage.say("first")
        await slow.pause.reached.wait()
        with server.client() as client:
            client.flushall()
        for pause in slow.pauses:
            pause.release()
        await stage.slack.until(lambda: STATE_LOST in stage.shown())
        await stage.write("@Frontdesk second")
        await stage.slack.until(lambda: any(shown.startswith("Re: ") for shown in stage.shown()))
        assert stage.shown().count(STATE_LOST) == 1
        assert not any("an answer." in shown for shown in stage.shown())


@pytest.mark.behaviour("machines.readonly")
async def test_a_master_that_is_demoted_is_left_until_it_is_one_again(
    server: RedisServer, process: FrontdeskProcess, kept: Archive
) -> None:
    customers = [Customer(process.url) for _ in range(4)]
    talks = [asyncio.create_task(customer.talk(4)) for customer in customers]
    await becomes(lambda: said(customers) >= 4)
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        await becomes(lambda: all(customer.refused for customer in customers))
        assert await status(process.url, "/readyz") == 503
        client.replicaof("NO", "ONE")
    await asyncio.gather(*talks)
    assert refusals(customers) == {503}
    await kept.assert_answered(customers)


@pytest.mark.behaviour("machines.scripts")
async def test_scripts_that_are_forgotten_under_load_are_not_missed(
    server: RedisServer, process: FrontdeskProcess, kept: Archive
) -> None:
    customers = [Customer(process.url) for _ in range(6)]
    talks = asyncio.gather(*(customer.talk(5) for customer in customers))
    with server.client() as client:
        while not talks.done():
            client.script_flush()
            await asyncio.wait({talks}, timeout=0.01)
    await talks
    assert not refusals(customers)
    await kept.assert_answered(customers)


@pytest.mark.behaviour("machines.busy")
async def test_a_redis_that_is_held_up_by_a_script_is_waited_for(
    server: RedisServer, process: FrontdeskProcess, kept: Archive, model: ScriptedModel
) -> None:
    slow = held("Half of ", "an answer.")
    model.plays(slow)
    first, others = Customer(process.url), [Customer(process.url) for _ in range(4)]
    await first.say("hello")
    await slow.pause.reached.wait()
    with server.client() as client, server.client() as watchman:
        client.config_set("busy-reply-threshold", 10)
        endless = asyncio.create_task(asyncio.to_thread(refused_by, client, "while true do end"))
        await becomes(lambda: refused_by(watchman, "return 1") == "BUSY")
        # The running turn has to be committed while everybody is told to wait.
        for pause in slow.pauses:
            pause.release()
        talks = [asyncio.create_task(other.talk(2)) for other in others]
        await becomes(lambda: all(other.refused for other in others))
        watchman.script_kill()
        await endless
    await asyncio.gather(*talks)
    assert refusals(others) == {503}
    await kept.assert_answered([first, *others])
    (answer,) = [turn.text for turn in await kept.turns(first) if isinstance(turn, AssistantTurn)]
    assert answer == "Half of an answer."
    assert "Traceback" not in process.printed


@pytest.mark.behaviour("machines.loading")
async def test_a_redis_that_loads_a_large_file_is_waited_for(
    server: RedisServer, process: FrontdeskProcess, kept: Archive
) -> None:
    await asyncio.to_thread(fill, server)
    with server.client() as client:
        await becomes(lambda: has_rewritten(client))
    customers = [Customer(process.url) for _ in range(4)]
    talks = [asyncio.create_task(customer.talk(4)) for customer in customers]
    await becomes(lambda: said(customers) >= 4)
    server.kill()
    server.start({"key-load-delay": "10000"})  # microseconds: as if the file had gigabytes
    with server.client() as client:
        await becomes(lambda: is_loading(client))
        assert await status(process.url, "/readyz") == 503
        await becomes(lambda: all(customer.refused for customer in customers))
    await asyncio.gather(*talks)
    assert refusals(customers) == {503}
    await kept.assert_answered(customers)
    assert "Traceback" not in process.printed


@pytest.mark.behaviour("machines.clock")
@pytest.mark.parametrize(("jump_s", "lease_s"), [(61, 60), (-60, 3)])
async def test_the_clock_of_redis_jumps_and_nobody_is_answered_twice(
    jump_s: int, lease_s: int, server: RedisServer, kept: Archive, model: ScriptedModel, tmp_path: Path
) -> None:
    slow = held("Half of ", "an answer.")
    model.plays(slow)
    variables = environment(tmp_path, server.url, model, LEASE_S=str(lease_s))
    async with played(variables) as app, played(variables):
        customer, other = Customer(app.url), Customer(app.url)
        await customer.say("before")
        await slow.pause.reached.wait()
        with server.client() as client:
            jump(client, jump_s)
            if jump_s > 0:  # somebody takes over, long before the next heartbeat of the one who works
                await model.asked(2)
            else:  # a heartbeat counts from the clock as it is, or a worker that dies would be missed for a minute
                await becomes(lambda: 0 <= lasts_s(client, customer) <= lease_s)
        for pause in slow.pauses:
            pause.release()
        await other.talk(2)
        await kept.assert_answered([customer, other])
        async with page_stage(app.url, customer.root) as page:
            answer = await page.answer()
            assert page.answers() == [answer]


def jump(client: Redis, seconds: int) -> None:
    """The clock jumps: by it, all that is planned is that much nearer, or farther off; no other times are kept."""
    planned: Any = client.zrange(Partition(0).due, 0, -1)
    for thread in planned:
        client.zincrby(Partition(0).due, -seconds * 1000, thread)


def refused_by(client: Redis, script: str) -> str:
    """What Redis says to a script, in its first word; nothing when it runs it."""
    try:
        client.eval(script, 0)
    except ResponseError as error:
        return str(error).split(maxsplit=1)[0]
    return ""


def fill(server: RedisServer) -> None:
    """Give it much to load.

    While it loads, Redis looks at its connections only once in 2 MB of a snapshot, or once in 1,024 commands of a log,
    and a question that waits until the load has ended is answered as if nothing had been: so large
    values, in a snapshot.
    """
    with server.client() as client:
        for number in range(400):
            client.set(f"ballast:{number}", os.urandom(64 * 1024))  # random, because what it can it compresses
        client.bgrewriteaof()


def has_rewritten(client: Redis) -> bool:
    told: dict[str, int] = client.info("persistence")
    return not told["aof_rewrite_in_progress"] and not told["aof_rewrite_scheduled"]


def is_loading(client: Redis) -> bool:
    try:
        client.ping()
    except BusyLoadingError:
        return True
    except RedisConnectionError:
        return False
    raise AssertionError("it loaded faster than it could be asked")


def lasts_s(client: Redis, customer: Customer) -> float:
    """How long a thread is somebody's, by the clock of Redis."""
    score = client.zscore(Partition(0).due, str(customer.thread))
    seconds, microseconds = client.time()
    return 0.0 if score is None else score / 1000 - seconds - microseconds / 1e6


@pytest.mark.behaviour("machines.full_disk")
@pytest.mark.parametrize("fsync", ["everysec"])
async def test_a_redis_that_cannot_write_is_refused_until_it_can(
    server: RedisServer, process: FrontdeskProcess, kept: Archive
) -> None:
    customers = [Customer(process.url) for _ in range(4)]
    await asyncio.gather(*(customer.talk(1) for customer in customers))
    server.limit_files(max(path.stat().st_size for path in server.folder.rglob("*") if path.is_file()))
    talks = [asyncio.create_task(customer.talk(4)) for customer in customers]
    await becomes(lambda: all(customer.refused for customer in customers))
    assert await status(process.url, "/readyz") == 503
    server.limit_files(-1)
    await asyncio.gather(*talks)
    assert refusals(customers) == {503}
    await kept.assert_answered(customers)
    assert await status(process.url, "/readyz") == 200


@pytest.mark.behaviour("crash.drain")
async def test_a_worker_that_is_told_to_stop_while_redis_is_away_still_stops(
    server: RedisServer, process: FrontdeskProcess, model: ScriptedModel
) -> None:
    slow = held("Half of ", "an answer.")
    model.plays(slow)
    await Customer(process.url).say("hello")
    await slow.pause.reached.wait()
    server.kill()
    process.signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        await process.ended()
    for pause in slow.pauses:
        pause.release()

"""Redis is killed, frozen, emptied, full, demoted, or forgets its scripts, while people talk (F07-F10, F14, F22)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.client import ANSWER_S
from tests.servers.openai import ScriptedModel, held
from tests.servers.process import FrontdeskProcess
from tests.servers.redis import RedisServer, serving
from tests.stages.customers import Archive, Customer, archive, becomes, echoes, status
from tests.stages.play import environment

ACKNOWLEDGED_S = 2.0
"""Slack takes an event for lost after three."""

pytestmark = pytest.mark.timeout_s(60)


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
    await becomes(lambda: '"fenced"' in process.printed)
    customer.accepted.clear()
    await customer.say("second")
    await kept.assert_answered([customer])
    assert "crashed" not in process.printed
    assert "Traceback" not in process.printed


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

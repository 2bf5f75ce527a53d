"""Several processes on one Redis: one is paused, one is told to stop, one is deployed over another."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.chaos.test_crashes import post, settled
from tests.servers.openai import ScriptedModel, held, says, waits
from tests.servers.process import FrontdeskProcess
from tests.stages.play import environment
from tests.stages.web import page_stage


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.mark.behaviour("crash.zombie")
@pytest.mark.timeout_s(120)
async def test_a_paused_worker_that_wakes_up_writes_nothing_and_posts_nothing(
    model: ScriptedModel, redis_url: str, redis: Redis, tmp_path: Path
) -> None:
    variables = environment(tmp_path, redis_url, model, LEASE_S="1")
    slow = held("From the ", "zombie.")
    root = str(uuid.uuid4())
    async with FrontdeskProcess(variables, tmp_path) as zombie:
        model.plays(slow, says("From the heir."))
        assert await post(zombie, root, str(uuid.uuid4()))
        await slow.pause.reached.wait()
        zombie.signal(signal.SIGSTOP)
        async with FrontdeskProcess(variables, tmp_path) as heir, page_stage(heir.url, root) as page:
            assert await page.answer() == "From the heir."
            await settled(redis)
            for pause in slow.pauses:
                pause.release()
            zombie.signal(signal.SIGCONT)
            # It is awake when it has come to the end of its turn and says so in its log.
            async with asyncio.timeout(20):
                while "fenced" not in zombie.printed:
                    await redis.blpop(["never"], timeout=0.05)
            assert page.answers() == ["From the heir."]
            assert page.live == ""


@pytest.mark.behaviour("crash.drain")
@pytest.mark.timeout_s(120)
async def test_a_worker_that_is_told_to_stop_completes_its_answer_and_exits_with_0(
    model: ScriptedModel, redis_url: str, redis: Redis, tmp_path: Path
) -> None:
    variables = environment(tmp_path, redis_url, model, DRAIN_S="10")
    slow = held("A whole ", "answer.")
    root = str(uuid.uuid4())
    async with FrontdeskProcess(variables, tmp_path) as process:
        model.plays(slow)
        assert await post(process, root, str(uuid.uuid4()))
        await slow.pause.reached.wait()
        process.signal(signal.SIGTERM)
        for pause in slow.pauses:
            pause.release()
        assert await process.ended() == 0
    assert await redis.zcard("frontdesk:{0}:due") == 0
    async with FrontdeskProcess(variables, tmp_path) as heir, page_stage(heir.url, root) as page:
        assert await page.answer() == "A whole answer."
    assert len(model.requests) == 1


@pytest.mark.behaviour("crash.drain")
@pytest.mark.timeout_s(120)
async def test_what_is_not_done_in_time_is_given_back_without_counting(
    model: ScriptedModel, redis_url: str, redis: Redis, tmp_path: Path
) -> None:
    variables = environment(tmp_path, redis_url, model, DRAIN_S="0.2", MAX_ATTEMPTS="1")
    slow = waits(says("never"))
    root = str(uuid.uuid4())
    async with FrontdeskProcess(variables, tmp_path) as process:
        model.plays(slow, says("From the next one."))
        assert await post(process, root, str(uuid.uuid4()))
        await slow.pause.reached.wait()
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
    async with FrontdeskProcess(variables, tmp_path) as heir, page_stage(heir.url, root) as page:
        assert await page.answer() == "From the next one."
    slow.pause.release()


@pytest.mark.behaviour("crash.many")
@pytest.mark.timeout_s(120)
async def test_two_processes_share_the_work_and_answer_each_message_once(
    model: ScriptedModel, redis_url: str, redis: Redis, tmp_path: Path
) -> None:
    variables = environment(tmp_path, redis_url, model)
    model.answers(says("Hello."))
    async with FrontdeskProcess(variables, tmp_path) as one, FrontdeskProcess(variables, tmp_path) as two:
        roots = [str(uuid.uuid4()) for _ in range(20)]
        ids = [str(uuid.uuid4()) for _ in roots]
        for process in (one, two, one):
            sent = await asyncio.gather(*(post(process, root, id) for root, id in zip(roots, ids, strict=True)))
            assert all(sent)
        await settled(redis)
        for root in roots[:5]:
            async with page_stage(two.url, root) as page:
                assert await page.answer() == "Hello."
                assert page.answers() == ["Hello."]
    assert len(model.requests) == len(roots)

"""On Discord a process dies, is stopped or pauses in the middle of an answer: there is one answer, and it is whole."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from adapters.discord.permissions import invite_url
from bot.conversation import AssistantTurn
from tests.chaos.test_crashes import settled
from tests.servers.discord import DiscordServer
from tests.servers.discord.faults import held_after
from tests.servers.openai import ScriptedModel, held, says, waits
from tests.servers.process import FrontdeskProcess
from tests.stages.customers import archive
from tests.stages.discord import BEN, Talk, Town
from tests.stages.play import environment

pytestmark = pytest.mark.timeout_s(120)

MESSAGES, THREADS = r"/channels/\d+/messages", r".*/threads"


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with DiscordServer() as server:
        yield Town(server)


@pytest.fixture
def variables(tmp_path: Path, redis_url: str, model: ScriptedModel, town: Town) -> dict[str, str]:
    return {**environment(tmp_path, redis_url, model, LEASE_S="1"), **town.variables()}


@asynccontextmanager
async def process(variables: dict[str, str], folder: Path, town: Town) -> AsyncIterator[FrontdeskProcess]:
    """`frontdesk run`, connected."""
    before = len(town.server.gateway.connected)
    async with FrontdeskProcess(variables, folder, command=("run",)) as running:
        async with asyncio.timeout(20):
            await town.server.gateway.until_connected(before + 1)
        yield running


# --------------------------------------------------------------------------------------------------------- killed


@pytest.mark.behaviour("crash.once", "discord.once")
@pytest.mark.parametrize(("method", "path"), [("POST", THREADS), ("POST", MESSAGES)], ids=["thread", "message"])
async def test_killed_between_sending_and_storing(
    method: str,
    path: str,
    variables: dict[str, str],
    town: Town,
    model: ScriptedModel,
    redis: Redis,
    tmp_path: Path,
) -> None:
    """What the platform has is found again."""
    fault = town.server.faults.next(method, path, held_after())
    talk = Talk(town)
    async with process(variables, tmp_path, town) as victim:
        slow = held("The whole ", "answer.")
        model.plays(slow)
        await talk.say("Hi")
        await slow.pause.reached.wait()
        for pause in slow.pauses:
            pause.release()
        await fault.reached.wait()
        victim.kill()
        await victim.ended()
        fault.release()
    await town.server.gateway.until_left()
    model.answers(says("The whole answer."))
    async with process(variables, tmp_path, town):
        assert await talk.answer() == "The whole answer."
        await settled(redis)
        assert town.server.answers(talk.place) == ["The whole answer."]
    assert len([channel for channel in town.server.world.channels.values() if channel.is_thread]) == 1


@pytest.mark.behaviour("crash.once")
async def test_killed_while_a_committed_answer_stands_with_the_button_of_one_that_is_being_written(
    variables: dict[str, str], redis_url: str, town: Town, model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    fault = town.server.faults.next("POST", MESSAGES, held_after())
    talk = Talk(town)
    whole = held("The whole answer. ", "")
    async with process(variables, tmp_path, town) as victim, archive(redis_url) as kept:
        model.plays(whole)
        await talk.say("Hi")
        await fault.reached.wait()
        for pause in whole.pauses:
            pause.release()
        while not any(
            isinstance(entry.turn, AssistantTurn) for entry in (await kept.mailbox.load(talk.thread)).entries
        ):
            await redis.blpop(["never"], timeout=0.02)
        victim.kill()
        await victim.ended()
        fault.release()
    await town.server.gateway.until_left()
    async with process(variables, tmp_path, town):
        assert await talk.answer() == "The whole answer."
        await settled(redis)
    assert town.server.answers(talk.place) == ["The whole answer."]


@pytest.mark.behaviour("crash.once", "discord.long")
async def test_killed_between_two_parts_repeats_none(
    variables: dict[str, str], town: Town, model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    text = "\n\n".join(f"Paragraph {number}. {'word ' * 100}".strip() for number in range(10))
    talk = Talk(town)
    async with process(variables, tmp_path, town) as victim:
        model.plays(says("Hello."))
        await talk.say("Hi")
        await talk.answer()
        model.plays(says(text))
        first = town.server.faults.next("POST", MESSAGES, held_after())
        second = town.server.faults.next("POST", MESSAGES, held_after())
        await talk.say("tell me everything")
        await first.reached.wait()
        first.release()
        await second.reached.wait()
        victim.kill()
        await victim.ended()
        second.release()
    await town.server.gateway.until_left()
    model.answers(says(text))
    async with process(variables, tmp_path, town):
        parts = await talk.parts()
        await settled(redis)
    whole = "\n".join(part.content for part in parts)
    assert [whole.count(f"Paragraph {number}.") for number in range(10)] == [1] * 10
    assert len(town.server.answers(talk.place)) == 1 + len(parts)


@pytest.mark.behaviour("crash.many", "discord.instances")
async def test_another_instance_of_the_token_goes_on_where_one_was_killed(
    variables: dict[str, str], town: Town, model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    talks = [Talk(town), Talk(town, reads=BEN)]
    slow = [held("First ", "half."), held("First ", "half.")]
    async with process(variables, tmp_path, town) as victim, process(variables, tmp_path, town):
        model.plays(*slow)
        await asyncio.gather(*(talk.say("Hi") for talk in talks))
        await asyncio.gather(*(reply.pause.reached.wait() for reply in slow))
        model.answers(says("First half."))
        victim.kill()
        for pause in (pause for reply in slow for pause in reply.pauses):
            pause.release()
        for talk in talks:
            assert await talk.answer() == "First half."
        await settled(redis)
        for talk in talks:
            assert town.server.answers(talk.place) == ["First half."]


# -------------------------------------------------------------------------------------------------- told to stop


@pytest.mark.behaviour("crash.drain")
async def test_told_to_stop_in_mid_answer_it_completes_the_answer_and_says_good_bye(
    variables: dict[str, str], town: Town, model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    talk = Talk(town)
    slow = held("A whole ", "answer.")
    async with process({**variables, "DRAIN_S": "10"}, tmp_path, town) as leaving:
        model.plays(slow)
        await talk.say("Hi")
        await talk.shown("A whole")
        leaving.signal(signal.SIGTERM)
        for pause in slow.pauses:
            pause.release()
        assert await leaving.ended() == 0
        assert await talk.answer() == "A whole answer."
        assert town.server.answers(talk.place) == ["A whole answer."]
        await town.server.gateway.until_left()
        assert 1000 in town.server.gateway.closed
        assert invite_url(str(town.server.world.app.id)) in leaving.printed
    assert await redis.zcard("frontdesk:{0}:due") == 0


@pytest.mark.behaviour("crash.drain")
async def test_what_is_not_done_in_time_is_answered_by_the_next_one_in_the_same_message(
    variables: dict[str, str], town: Town, model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    talk = Talk(town)
    slow = held("Half of ", "never.")
    async with process({**variables, "DRAIN_S": "0.2"}, tmp_path, town) as leaving:
        model.plays(slow)
        await talk.say("Hi")
        await talk.shown("Half of")
        leaving.signal(signal.SIGTERM)
        assert await leaving.ended() == 0
    model.answers(says("From the next one."))
    async with process(variables, tmp_path, town):
        assert await talk.answer() == "From the next one."
        await settled(redis)
    assert town.server.answers(talk.place) == ["From the next one."]
    for pause in slow.pauses:
        pause.release()


@pytest.mark.behaviour("crash.zombie")
async def test_one_that_was_paused_wakes_up_and_changes_nothing(
    variables: dict[str, str], town: Town, model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    talk = Talk(town)
    slow = waits(says("From the zombie."))
    async with process(variables, tmp_path, town) as zombie:
        model.plays(slow, says("From the heir."))
        await talk.say("Hi")
        await slow.pause.reached.wait()
        zombie.signal(signal.SIGSTOP)
        async with FrontdeskProcess(variables, tmp_path, command=("run",)):
            assert await talk.answer() == "From the heir."
            await settled(redis)
            slow.pause.release()
            zombie.signal(signal.SIGCONT)
            async with asyncio.timeout(20):
                while "fenced" not in zombie.printed:
                    await redis.blpop(["never"], timeout=0.05)
            assert town.server.answers(talk.place) == ["From the heir."]

"""Many people at once on Discord: every text right, every limit kept, every press answered in time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.discord import DiscordServer, Message
from tests.servers.discord.buckets import Limit
from tests.servers.openai import Reply, Request, ScriptedModel, says
from tests.stages.discord import ADA, DiscordStage, Town, discord_stage
from tests.stages.play import environment

THREADS = 20


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.fixture
def variables(tmp_path: Path, redis_url: str, model: ScriptedModel) -> dict[str, str]:
    return environment(tmp_path, redis_url, model, WORKER_CONCURRENCY="20", LEASE_S="10")


def story(number: int) -> list[str]:
    """What thread `number` is told, piece by piece."""
    return [f"thread{number}-word{place} " for place in range(100)]


def tells(request: Request) -> Reply:
    found = re.search(r"story (\d+)", request.last_user)
    assert found is not None
    return says(*story(int(found[1])))


@pytest.mark.behaviour("discord.crowd", "discord.limits")
@pytest.mark.timeout_s(120)
async def test_twenty_threads_stream_at_once_and_every_final_text_is_right(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    model.answers(tells)
    async with DiscordServer() as server:
        town = Town(server)
        server.buckets.overall = Limit(50, 1.0)
        async with discord_stage(variables, town=town) as first:
            people = [server.person(f"Person {number}", town.guild) for number in range(THREADS)]
            asked = [
                person.write(town.channel, f"{server.mention} story {number}") for number, person in enumerate(people)
            ]

            def finished(message: Message) -> bool:
                thread = server.world.channels.get(message.id)
                return thread is not None and any(len(part.buttons) > 1 for part in thread.messages.values())

            await server.until(lambda: all(finished(message) for message in asked), within_s=50)
            for number, message in enumerate(asked):
                thread = server.world.channels[message.id]
                assert "".join(server.answers(thread)) == "".join(story(number)).strip()
            assert server.buckets.refused.total() <= THREADS, server.buckets.refused
            assert await first.app.mailbox.dead_letters() == []
    assert len(model.requests) == THREADS


@pytest.mark.behaviour("discord.in_time")
@pytest.mark.timeout_s(120)
async def test_presses_and_commands_are_answered_in_time_while_many_answers_are_written(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    model.answers(says("Hello."))
    async with DiscordServer() as server:
        town = Town(server)
        async with discord_stage(variables, town=town) as stage:
            await stage.say("Hi")
            (answer,) = await stage.parts()
            model.answers(lambda request: says(*story(1)))
            people = [server.person(f"Person {number}", town.guild) for number in range(THREADS)]
            for person in people:
                person.write(town.channel, f"{server.mention} story 1")
            ada = town.people[ADA]
            (up,) = [b["custom_id"] for b in answer.buttons if (b.get("emoji") or {}).get("name") == "👍"]
            pressed = [person.press_id(answer, up) for person in [ada, *people]]
            given = [ada.command(stage.place, "support")]
            await asyncio.gather(*(it.answered() for it in [*pressed, *given]))
            assert max(it.took_s for it in [*pressed, *given]) < 3.0
            await server.until(lambda: _answered(stage) >= THREADS + 1, within_s=45)


def _answered(stage: DiscordStage) -> int:
    threads = [channel for channel in stage.server.world.channels.values() if channel.is_thread]
    return sum(1 for thread in threads for message in thread.messages.values() if len(message.buttons) > 1)

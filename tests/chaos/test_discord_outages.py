"""Redis is frozen while people press and ask on Discord: each of them is told in time (issue 5, answers)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.discord.callers import BUSY
from tests.servers.discord import DiscordServer
from tests.servers.openai import ScriptedModel, says
from tests.servers.redis import RedisServer, serving
from tests.stages.discord import Town, as_read, discord_stage
from tests.stages.play import environment


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.mark.behaviour("discord.in_time")
@pytest.mark.timeout_s(120)
async def test_while_redis_is_frozen_who_presses_or_asks_is_told_within_three_seconds(
    tmp_path: Path, model: ScriptedModel
) -> None:
    redis = RedisServer(tmp_path / "redis")
    with serving(redis):
        async with DiscordServer() as server:
            town = Town(server)
            async with discord_stage(environment(tmp_path, redis.url, model), town=town) as stage:
                model.plays(says("Hello!"))
                await stage.say("Hi")
                (answer,) = await stage.parts()
                (up,) = [b["custom_id"] for b in answer.buttons if (b.get("emoji") or {}).get("name") == "👍"]
                redis.freeze()
                try:
                    given = [
                        stage.me.press_id(answer, up),
                        stage.me.command(stage.place, "support"),
                        stage.me.command(town.channel, "ask", question="Are you there?"),
                    ]
                    told = await asyncio.gather(*(it.says() for it in given))
                finally:
                    redis.thaw()
                assert [as_read(text) for text in told] == [as_read(BUSY)] * 3
                assert max(it.took_s for it in given) < 3.0
                model.plays(says("Here again."))
                await stage.say("and now?")
                assert await stage.answer() == "Here again."
                assert len(model.requests) == 2

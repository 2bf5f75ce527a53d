"""Discord without the Message Content intent: what is hidden is not missed, and there are other ways in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.servers.discord import DiscordServer
from tests.servers.discord.values import Intent
from tests.servers.openai import ScriptedModel, says
from tests.stages.discord import DiscordStage, Town, discord_stage

pytestmark = pytest.mark.behaviour("discord.unprivileged")


@pytest.fixture
def own(variables: dict[str, str]) -> dict[str, str]:
    return {**variables, "DISCORD_MESSAGE_CONTENT": "false"}


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with DiscordServer() as server:
        yield Town(server)


async def test_a_mention_a_direct_message_and_a_command_are_answered(
    own: dict[str, str], model: ScriptedModel, town: Town
) -> None:
    town.server.world.app.intents = Intent(0)
    async with discord_stage(own, town=town) as stage:
        model.plays(says("Hello!"), says("Again!"), says("Directly!"), says("By command!"))
        await stage.say("hi")
        assert await stage.answer() == "Hello!"
        await stage.say("this is hidden from the bot")
        await stage.say(f"{town.server.mention} and this is not")
        assert await stage.answer() == "Again!"
        assert "hidden from the bot" not in str(model.requests[-1].messages)
        direct = DiscordStage(stage.app, town, direct=True)
        await direct.say("hello")
        assert await direct.answer() == "Directly!"
        asked = stage.me.command(town.channel, "ask", question="and so?")
        assert "thread" in await asked.says()
        await town.server.until(
            lambda: [c for c in town.server.world.channels.values() if "By command!" in town.server.answers(c)]
        )

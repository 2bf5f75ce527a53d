"""Discord with less than everything: without the Message Content intent, or without the right to make threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.messages import ThreadKey
from tests.servers.discord import DiscordServer
from tests.servers.discord.values import ChannelType, Intent, Message, P
from tests.servers.openai import ScriptedModel, says
from tests.servers.patience import WAIT_S
from tests.stages.discord import BEN, DiscordStage, Town, discord_stage, is_finished


@pytest.fixture
def own(variables: dict[str, str]) -> dict[str, str]:
    return {**variables, "DISCORD_MESSAGE_CONTENT": "false"}


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with DiscordServer() as server:
        yield Town(server)


@pytest.mark.behaviour("discord.unprivileged")
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


@pytest.mark.behaviour("discord.places")
async def test_where_there_can_be_no_thread_a_reply_goes_on_with_the_conversation(
    variables: dict[str, str], model: ScriptedModel, town: Town
) -> None:
    town.server.world.forbid(town.channel, P.CREATE_PUBLIC_THREADS)
    async with discord_stage(variables, town=town) as stage:
        model.plays(says("Which order?"), says("It is on its way."), says("Hello!"))
        ada = stage.me
        question = ada.write(town.channel, f"{town.server.mention} where is it?")
        asked = (await town.server.until(lambda: _answers(town, "Which order?")))[0]
        reply = ada.write(town.channel, "123123", replies_to=asked)
        await town.server.until(lambda: _answers(town, "It is on its way."))
        assert "where is it?" in str(model.requests[-1].messages)
        ada.edit(reply, "123124")
        key = ThreadKey(
            platform="discord", space=str(town.guild.id), channel=str(town.channel.id), root=str(question.id)
        )
        async with asyncio.timeout(WAIT_S):
            while "123124" not in str([entry.turn for entry in (await stage.app.mailbox.load(key)).entries]):
                await asyncio.sleep(0.02)
        ada.write(town.channel, f"{town.server.mention} something else")
        await town.server.until(lambda: _answers(town, "Hello!"))
        assert "where is it?" not in str(model.requests[-1].messages)
        assert not [channel for channel in town.server.world.channels.values() if channel.is_thread]


@pytest.mark.behaviour("discord.places", "discord.private")
async def test_who_replies_in_the_channel_to_what_went_on_in_private_begins_a_conversation_of_his_own(
    variables: dict[str, str], model: ScriptedModel, town: Town
) -> None:
    town.server.world.forbid(town.channel, P.CREATE_PUBLIC_THREADS)
    async with discord_stage(variables, town=town) as stage:
        model.plays(says("Which order?"))
        stage.me.write(town.channel, f"{town.server.mention} where is it?")
        asked = (await town.server.until(lambda: _answers(town, "Which order?")))[0]
        await stage.me.press(asked, "privately").answered()
        (private,) = await town.server.until(
            lambda: [c for c in town.server.world.channels.values() if c.type is ChannelType.PRIVATE_THREAD]
        )
        model.plays(says("Between us."), says("Hello Ben!"))
        await town.server.until(lambda: "please go on" in stage.me.reads(private))
        stage.me.write(private, "order 123123")
        await town.server.until(lambda: "Between us." in stage.me.reads(private))
        town.people[BEN].write(town.channel, "and mine?", replies_to=asked)
        await town.server.until(lambda: _answers(town, "Hello Ben!"))
        assert "123123" not in str(model.requests[-1].messages)


def _answers(town: Town, text: str) -> list[Message]:
    """Answers that stand finished in the channel and read so."""
    return [
        message
        for _, message in sorted(town.channel.messages.items())
        if message.content == text and is_finished(message)
    ]

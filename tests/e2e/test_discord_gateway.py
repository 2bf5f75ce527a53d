"""The gateway and all that happens to it (F50, F54, issue 5): nothing is lost, nothing is answered twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from adapters.discord import gateway, identify, session
from bot.app import App, running
from bot.config import load
from bot.conversation import UserTurn
from bot.errors import ConfigError, Transient
from tests.servers.discord import Channel, ChannelType, DiscordServer, P
from tests.servers.discord.values import Intent
from tests.servers.openai import ScriptedModel, says
from tests.servers.patience import WAIT_S
from tests.stages.customers import echoes
from tests.stages.discord import ADA, BEN, REGISTRY, ROBIN, DiscordStage, Town, discord_stage, frontdesk
from tests.stages.play import played, record


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that spare the platform, in proportion to this one."""
    monkeypatch.setattr(gateway, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(session, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(identify, "IDENTIFY_S", 0.2)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@pytest.fixture
def town(server: DiscordServer) -> Town:
    return Town(server)


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own pause between two tries to connect is a second and more."""
    monkeypatch.setattr("discord.backoff.ExponentialBackoff.delay", lambda _: 0.05)


async def greeted(stage: DiscordStage, model: ScriptedModel) -> None:
    """A conversation is under way."""
    model.plays(says("Hello!"))
    await stage.say("Hi")
    assert await stage.answer() == "Hello!"


def answers_to(channel: Channel, town: Town) -> list[str]:
    return town.server.answers(channel)


async def until_ready(app: App, wanted: bool) -> None:
    """Wait until `/readyz` would say so of Discord."""
    async with asyncio.timeout(WAIT_S):
        while bool(await not_ready(app)) == wanted:
            await asyncio.sleep(0.02)


async def not_ready(app: App) -> str:
    """Why events cannot come in; nothing when they can."""
    try:
        await app.platforms["discord"].ping()
    except Transient as error:
        return error.reason
    return ""


# --------------------------------------------------------------------------------------------------- interruptions


@pytest.mark.behaviour("discord.resume")
@pytest.mark.parametrize("how", ["drop", "reconnect", "invalid, resumable", "4000", "4005", "4009"])
async def test_what_was_missed_in_an_interruption_is_answered_once(
    how: str, variables: dict[str, str], town: Town, model: ScriptedModel, no_backoff: None
) -> None:
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        live = town.server.gateway
        match how:
            case "drop":
                live.drop()
            case "reconnect":
                live.reconnect()
            case "invalid, resumable":
                live.invalidate(resumable=True)
            case _:
                await live.close(int(how))
        model.plays(says("I am back."))
        await stage.say("are you there?")
        assert await stage.answer() == "I am back."
        await live.until_resumed(1)
        assert len(live.identified) == 1
        assert stage.answers() == ["Hello!", "I am back."]


@pytest.mark.behaviour("discord.backfill")
async def test_what_was_said_while_no_session_was_kept_is_read_again_in_order(
    variables: dict[str, str], town: Town, model: ScriptedModel, no_backoff: None
) -> None:
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        model.answers(echoes)
        live = town.server.gateway
        live.forget()
        live.drop()
        await stage.say("one")
        await stage.say("two")
        asked = stage.me.write(town.channel, f"{town.server.mention} three")
        await live.until_identified(2)
        thread = await town.server.until(lambda: town.server.world.channels.get(asked.id))
        assert thread is not None
        await town.server.until(lambda: answers_to(thread, town))
        await stage.server.until(lambda: any("two" in answer for answer in stage.answers()))
        said = [request.messages for request in model.requests]
        assert [m["content"].partition("\n")[2] for m in said[-1] if m["role"] == "user"][-1] in ("three", "two")
        together = "\n".join(stage.answers())
        assert together.count("two") == 1


@pytest.mark.behaviour("discord.backfill")
async def test_an_invalid_session_begins_anew_and_answers_nothing_twice(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        live = town.server.gateway
        live.invalidate()
        await live.until_identified(2)
        await live.until_connected()
        model.plays(says("Still here."))
        await stage.say("still there?")
        assert await stage.answer() == "Still here."
        assert len(model.requests) == 2
        assert len(stage.server.answers(stage.place)) == 2


@pytest.mark.behaviour("discord.backfill")
async def test_what_was_said_while_nothing_ran_is_answered_after_the_start(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        talk = stage
    model.answers(echoes)
    await talk.say("while you slept")
    async with frontdesk(town, variables):
        assert "while you slept" in await talk.answer()
    assert len(talk.answers()) == 2


@pytest.mark.behaviour("discord.backfill", "discord.begins")
async def test_what_was_posted_in_a_forum_while_nothing_ran_is_answered_after_the_start(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    forum = town.server.world.channel(town.guild, "questions", ChannelType.FORUM)
    robin, ada = town.people[ROBIN], town.people[ADA]
    async with discord_stage(variables, town=town):
        await town.server.until(lambda: town.server.world.app.syncs)
        rules = robin.open_thread(forum, "Read this first", "Here the bot helps.")
        assert await robin.command(rules.channel, "support", command="channel everything").says()
    model.answers(echoes)
    post = ada.open_thread(forum, "My sled", "Where is my sled?")
    async with frontdesk(town, variables):
        await town.server.until(lambda: any("Where is my sled?" in text for text in answers_to(post.channel, town)))
    assert town.server.rest.made("GET", f"/channels/{forum.id}/messages") == [], "a forum itself has no messages"
    assert len(model.requests) == 1


@pytest.mark.behaviour("discord.restart")
async def test_an_edit_and_a_delete_count_for_messages_from_before_a_restart(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        model.plays(says("Noted."), says("Noted too."))
        secret = await stage.write("my number is 555-0100")
        await stage.answer()
        colour = await stage.write("the red one")
        await stage.answer()
        talk = stage
    async with frontdesk(town, variables):
        talk.me.delete(secret)
        talk.me.edit(colour, "the blue one")
        model.forget_prefix()
        model.plays(says("Blue."))
        await talk.say("what did I say?")
        assert await talk.answer() == "Blue."
    asked = str(model.requests[-1].messages)
    assert "555-0100" not in asked
    assert "the blue one" in asked


@pytest.mark.behaviour("discord.supervised")
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("MESSAGE_CREATE", {}),
        ("MESSAGE_CREATE", {"id": "1", "channel_id": "1", "author": None, "content": 5, "type": "?"}),
        ("THREAD_CREATE", {"guild_id": "nobody"}),
        ("GUILD_CREATE", {"id": "7", "channels": [{"id": "8"}]}),
        ("INTERACTION_CREATE", {"id": "9", "type": 3}),
        ("MESSAGE_DELETE", {"id": "9"}),
        ("NOBODY_KNOWS", {"id": "9"}),
    ],
)
async def test_an_event_that_is_not_as_documented_ends_nothing(
    name: str, data: dict[str, object], variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    async with discord_stage(variables, town=town) as stage:
        town.server.gateway.malformed(name, data)
        await greeted(stage, model)
        assert len(town.server.gateway.identified) == 1
        assert town.server.gateway.resumed == []


@pytest.mark.behaviour("discord.supervised")
async def test_an_outage_at_the_start_is_waited_for_and_costs_no_identify(
    variables: dict[str, str], town: Town, model: ScriptedModel, no_backoff: None
) -> None:
    await town.server.stop()
    settings = {**town.variables(), **variables}
    async with played(settings, registry=REGISTRY, http=False) as app:
        await until_ready(app, False)
        town.server.gateway.refuses = 3
        await town.server.start()
        async with asyncio.timeout(WAIT_S):
            await town.server.gateway.until_connected()
        await greeted(DiscordStage(app, town), model)
        assert len(town.server.gateway.identified) == 1


@pytest.mark.behaviour("discord.supervised")
async def test_an_outage_in_between_is_survived(
    variables: dict[str, str], town: Town, model: ScriptedModel, no_backoff: None
) -> None:
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        await town.server.stop()
        town.server.gateway.forget()
        said = stage.me.write(stage.place, "hello?")
        await town.server.start()
        model.plays(says("Back again."))
        assert await stage.answer() == "Back again."
        assert said.id in stage.place.messages
        assert len(model.requests) == 2


@pytest.mark.behaviour("discord.supervised")
async def test_who_is_ended_while_waiting_to_identify_leaves_no_thread_behind(
    variables: dict[str, str], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identify, "IDENTIFY_S", 60.0)
    async with frontdesk(town, variables):
        settings = {**town.variables(), **variables}
        async with played(settings, registry=REGISTRY, http=False):
            await town.server.until(lambda: town.server.gateway.heartbeats == 2)
        assert len(town.server.gateway.identified) == 1
    kept = [thread for thread in threading.enumerate() if thread.name.startswith("keep-alive")]
    for thread in kept:  # one that was told to end ends soon
        await asyncio.to_thread(thread.join, WAIT_S)
    assert not any(thread.is_alive() for thread in kept)


# ------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.behaviour("discord.refused")
async def test_an_intent_that_is_not_granted_is_told_with_the_switch_to_set(
    variables: dict[str, str], town: Town
) -> None:
    town.server.world.app.intents = Intent(0)
    settings = {**town.variables(), **variables}
    async with running(load(settings), settings, registry=REGISTRY, is_demo=True, http=False) as app:
        with pytest.raises(ConfigError, match="Message Content Intent"):
            await app.run()
    assert len(town.server.gateway.identified) == 1


@pytest.mark.behaviour("discord.refused")
async def test_a_token_that_was_reset_is_not_tried_again_and_readiness_tells(
    variables: dict[str, str], town: Town, model: ScriptedModel, no_backoff: None
) -> None:
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        town.server.world.app.token = "another"
        town.server.gateway.drop()

        async with asyncio.timeout(WAIT_S):
            while "refused" not in await not_ready(stage.app):
                await asyncio.sleep(0.02)
        asked = len(town.server.rest.calls)
        tries = town.server.buckets.invalid
        assert tries <= 5
        await stage.app.mailbox.load(stage.thread)
        assert len(town.server.rest.calls) == asked


@pytest.mark.behaviour("discord.readyz")
async def test_readiness_follows_the_gateway(variables: dict[str, str], town: Town, model: ScriptedModel) -> None:
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        await stage.app.platforms["discord"].ping()
        await town.server.stop()

        await until_ready(stage.app, False)
        await town.server.start()
        await until_ready(stage.app, True)


@pytest.mark.behaviour("discord.refused")
async def test_check_names_each_missing_switch_and_permission_with_its_mend(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    async with frontdesk(town, variables) as app:
        platform = app.platforms["discord"]
        whole = await platform.examine()
        assert list(whole.problems) == []
        (invite,) = [fact for fact in whole.facts if "oauth2/authorize" in fact]
        granted = int(invite.partition("permissions=")[2].partition("&")[0])
        assert granted & BOT_NEEDS == BOT_NEEDS
        assert not granted & P.ADMINISTRATOR
        world = town.server.world
        world.app.intents = Intent(0)
        world.forbid(town.channel, P.CREATE_PUBLIC_THREADS | P.SEND_MESSAGES_IN_THREADS)
        world.forbid(town.team, P.VIEW_CHANNEL)
        told = "\n".join((await platform.examine()).problems)
        assert "Message Content Intent" in told
        assert "#help" in told
        assert "HANDOVER_CHANNEL_DISCORD" in told


BOT_NEEDS = (
    P.VIEW_CHANNEL | P.SEND_MESSAGES | P.SEND_MESSAGES_IN_THREADS | P.CREATE_PUBLIC_THREADS | P.READ_MESSAGE_HISTORY
)


# ------------------------------------------------------------------------------------------------- several of us


@pytest.mark.behaviour("discord.instances")
async def test_two_instances_of_one_token_answer_each_message_once(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    model.answers(echoes)
    async with frontdesk(town, variables) as one, frontdesk(town, variables):
        assert len(town.server.gateway.connected) == 2
        ada, ben = DiscordStage(one, town), DiscordStage(one, town, reads=BEN)
        for text in ("first", "second"):
            await asyncio.gather(ada.say(text), ben.say(text))
            assert text in await ada.answer()
            assert text in await ben.answer()
        for talk in (ada, ben):
            assert len(town.server.answers(talk.place)) == 2
            said = [turn.text for turn in await record(talk) if isinstance(turn, UserTurn)]
            assert said == ["first", "second"]
        threads = [channel for channel in town.server.world.channels.values() if channel.is_thread]
        assert len(threads) == 2
    assert len(model.requests) == 4


@pytest.mark.behaviour("discord.shards")
async def test_shards_may_run_in_several_processes(
    variables: dict[str, str], server: DiscordServer, model: ScriptedModel
) -> None:
    model.answers(echoes)
    towns = [Town(server, server.world.guild(f"shard {number}", shard=(number, 2))) for number in range(2)]
    shared = {"DISCORD_SHARD_COUNT": "2"}
    async with (
        frontdesk(towns[0], variables, DISCORD_SHARD_IDS="0", **shared) as app,
        frontdesk(towns[1], variables, DISCORD_SHARD_IDS="1", **shared),
    ):
        assert sorted(server.gateway.identified) == [(0, 2), (1, 2)]
        for number, town in enumerate(towns):
            talk = DiscordStage(app, town)
            await talk.say(f"on shard {number}")
            assert f"on shard {number}" in await talk.answer()
        direct = DiscordStage(app, towns[1], direct=True)
        await direct.say("directly")
        assert "directly" in await direct.answer()
    assert len(model.requests) == 3


@pytest.mark.behaviour("discord.shards")
async def test_one_process_runs_as_many_shards_as_the_platform_asks_for(
    variables: dict[str, str], server: DiscordServer, model: ScriptedModel
) -> None:
    model.answers(echoes)
    server.routes.shards = 3
    towns = [Town(server, server.world.guild(f"shard {number}", shard=(number, 3))) for number in range(3)]
    async with frontdesk(towns[0], variables) as app:
        async with asyncio.timeout(WAIT_S):
            await server.gateway.until_connected(3)
        assert sorted(server.gateway.identified) == [(0, 3), (1, 3), (2, 3)]
        talk = DiscordStage(app, towns[2])
        await talk.say("on the last one")
        assert "on the last one" in await talk.answer()

"""Commands, menus, buttons and forms on Discord (issue 5): ways in without a message, and what a restart leaves."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from adapters.discord import identify
from adapters.discord.exchange import FILE_TOO_LARGE
from adapters.discord.interactions import NOT_HERE
from bot.app import App
from bot.conversation import NoteTurn, UserTurn
from bot.messages import ThreadKey
from tests.scenarios import RECEIPT, reads_attachment
from tests.servers.discord import Channel, ChannelType, DiscordServer, Message, interactions
from tests.servers.discord.cdn import Odd
from tests.servers.discord.faults import fails, held_after, lost
from tests.servers.discord.interactions import Callback, Interaction
from tests.servers.discord.people import Person
from tests.servers.discord.values import MessageFlag
from tests.servers.openai import ScriptedModel, calls, held, reads, says
from tests.stages.discord import ADA, BEN, ROBIN, DiscordStage, Talk, Town, as_read, discord_stage, frontdesk
from tests.stages.play import record, results_of

TICKET = ("get_ticket_status", {"ticket_id": "12345"})
ABOUT = "Ask support about this"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identify, "IDENTIFY_S", 0.2)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@pytest.fixture
def town(server: DiscordServer) -> Town:
    return Town(server)


@pytest.fixture
async def stage(variables: dict[str, str], town: Town) -> AsyncIterator[DiscordStage]:
    async with discord_stage(variables, town=town) as stage:
        await town.server.until(lambda: town.server.world.app.syncs)
        yield stage


def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (300, 400), "white").save(data, "PNG")
    return data.getvalue()


async def thread_with(town: Town, text: str, kind: ChannelType = ChannelType.PUBLIC_THREAD) -> Channel:
    """Wait for a thread with this answer in it."""

    def found() -> list[Channel]:
        threads = [channel for channel in town.server.world.channels.values() if channel.type is kind]
        return [thread for thread in threads if any(text in said for said in town.server.answers(thread))]

    (thread,) = await town.server.until(found)
    return thread


def was_quiet(it: Interaction) -> None:
    """Nobody else saw what the person was told."""
    assert it.original is None or MessageFlag.EPHEMERAL in it.original.flags or it.original is it.message


# ------------------------------------------------------------------------------------------------------ registration


@pytest.mark.behaviour("discord.commands")
async def test_commands_are_registered_once_and_again_when_they_changed(variables: dict[str, str], town: Town) -> None:
    app = town.server.world.app
    async with frontdesk(town, variables):
        await town.server.until(lambda: app.syncs)
        town.server.gateway.drop()
        await town.server.gateway.until_resumed(1)
    async with frontdesk(town, variables), frontdesk(town, variables):
        pass
    assert len(app.syncs) == 1
    async with frontdesk(town, {**variables, "ADMINS_DISCORD": ""}):
        await town.server.until(lambda: len(app.syncs) == 2)


# -------------------------------------------------------------------------------------------------- commands, menus


@pytest.mark.behaviour("discord.ask", "discord.in_time")
async def test_a_question_by_command_begins_a_thread_that_names_who_asked(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(says("It is on its way."), says("You're welcome."))
    asked = stage.me.command(stage.town.channel, "ask", question="where is my [sled](https://evil.example)? @everyone")
    assert await asked.says()
    assert asked.took_s < 3.0
    was_quiet(asked)
    thread = await thread_with(stage.town, "It is on its way.")
    starter = stage.town.channel.messages[thread.id]
    assert stage.me.mention in starter.content
    assert "where is my [sled] (https://evil.example)?" in starter.content, "nothing hides where a link leads"
    assert not starter.pings.everyone
    stage.me.write(thread, "thanks")
    await thread_with(stage.town, "You're welcome.")


@pytest.mark.behaviour("discord.ask", "discord.private")
async def test_a_private_question_is_read_by_nobody_else(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Between us: it is late."))
    asked = stage.me.command(stage.town.channel, "ask", question="my order 123123 is late", private=True)
    await asked.says()
    was_quiet(asked)
    thread = await thread_with(stage.town, "Between us", ChannelType.PRIVATE_THREAD)
    assert stage.me.user.id in thread.members
    ben = stage.town.people[BEN]
    assert ben.sees(thread) == []
    assert "123123" not in ben.reads(stage.town.channel)
    assert "123123" not in "".join(
        channel.name for channel in stage.town.guild.channels.values() if channel is not thread
    )


@pytest.mark.behaviour("discord.ask")
async def test_a_question_in_direct_messages_and_one_in_a_thread_are_answered_there(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(says("Here, directly."), says("Hello."), says("Here, in the thread."))
    direct = stage.server.world.dm(stage.me.user)
    await stage.me.command(direct, "ask", question="are you there?").says()
    await stage.server.until(lambda: any("Here, directly." in text for text in stage.server.answers(direct)))
    await stage.say("Hi")
    await stage.answer()
    await stage.me.command(stage.place, "ask", question="and here?").says()
    assert await stage.answer() == "Here, in the thread."
    assert "Hi" in str(model.requests[-1].messages)


@pytest.mark.behaviour("discord.ask")
async def test_the_menu_on_a_message_asks_about_it(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("I read it."))
    message = stage.me.write(stage.town.channel, "my sled came without bells")
    told = stage.me.menu(message, ABOUT)
    await told.says()
    was_quiet(told)
    thread = await thread_with(stage.town, "I read it.")
    assert thread.id == message.id
    assert "my sled came without bells" in model.requests[0].last_user


@pytest.mark.behaviour("discord.ask", "discord.files")
async def test_a_receipt_by_form_is_kept_before_it_is_acknowledged(stage: DiscordStage, model: ScriptedModel) -> None:
    running = held("One ", "moment.")
    model.plays(running)
    await stage.say("Hi")
    await stage.shown("One")
    opened = stage.me.command(stage.place, "receipt")
    modal = await opened.opens()
    labels = [row["label"] for row in modal["components"] if row["type"] == 18]
    (upload, question) = labels
    sent = stage.me.submit(opened, {question: "what is this?"}, files={upload: (("receipt.png", picture()),)})
    assert await sent.says()
    was_quiet(sent)
    for file in stage.server.world.files.values():
        stage.server.cdn.odd[file.id] = Odd(status=404)  # the platform serves it to nobody any more
    model.plays(reads_attachment, says("Four items."))
    model.sees(reads(RECEIPT))
    for pause in running.pauses:
        pause.release()
    await stage.answer()
    assert await stage.answer() == "Four items."
    assert "2724" in results_of(await record(stage))[-1].content


@pytest.mark.behaviour("discord.ask", "discord.files")
async def test_a_question_with_a_file_by_command(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(reads_attachment, says("A receipt."))
    model.sees(reads(RECEIPT))
    asked = stage.me.command(stage.town.channel, "ask", question="what is this?", attachment=("receipt.png", picture()))
    await asked.says()
    await thread_with(stage.town, "A receipt.")
    assert any(request.is_vision for request in model.requests)


@pytest.mark.behaviour("discord.ask")
async def test_an_answer_that_comes_after_the_interaction_ended_is_a_message(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    slow = held("At ", "last.")
    model.plays(slow)
    await stage.me.command(stage.town.channel, "ask", question="take your time").says()
    await slow.pause.reached.wait()
    stage.server.world.clock.advance(20 * 60)
    for pause in slow.pauses:
        pause.release()
    await thread_with(stage.town, "At last.")


@pytest.mark.behaviour("discord.in_time")
async def test_what_is_told_after_the_interaction_ended_comes_directly(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    held_up = stage.server.faults.next("POST", "/interactions/.*", held_after())
    robin = stage.town.people[ROBIN]
    robin.command(stage.town.channel, "support", command="status")
    await held_up.reached.wait()
    stage.server.world.clock.advance(16 * 60)
    held_up.release()
    direct = stage.server.world.dm(robin.user)
    (told,) = await stage.server.until(lambda: stage.server.answers(direct))
    assert told
    assert stage.server.answers(stage.town.channel) == []


@pytest.mark.behaviour("discord.in_time")
async def test_a_file_that_is_too_large_for_the_platform_is_told_instead_of_nothing(
    stage: DiscordStage, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.plays(says("Hello!"))
    await stage.say("Hi")
    await stage.answer()
    robin = stage.town.people[ROBIN]
    whole = robin.command(stage.place, "support", command="transcript")
    assert FILE_TOO_LARGE not in as_read(await whole.says())
    assert whole.original is not None
    assert whole.original.files
    monkeypatch.setattr(interactions, "FILE_LIMIT_BYTES", 100)
    assert FILE_TOO_LARGE in as_read(await robin.command(stage.place, "support", command="transcript").says())


@pytest.mark.behaviour("discord.in_time")
async def test_who_presses_when_the_first_answer_cannot_be_given_is_told_directly(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"))
    await stage.say("Hi")
    (answer,) = await stage.parts()
    (private,) = [b["custom_id"] for b in answer.buttons if "privately" in str(b.get("label", ""))]
    stale = private.replace("private", "sold out")
    answer.components[0]["components"][-1]["custom_id"] = stale
    assert as_read(await stage.me.press_id(answer, stale).says()) == NOT_HERE
    assert as_read(await stage.me.press_id(answer, private).says()) == NOT_HERE, "it does not stand there"
    stage.server.faults.next("POST", "/interactions/.*", fails(10062))
    stage.me.press_id(answer, stale)
    direct = stage.server.world.dm(stage.me.user)
    await stage.server.until(lambda: [as_read(text) for text in stage.server.answers(direct)] == [NOT_HERE])


@pytest.mark.behaviour("discord.ask", "discord.instances")
async def test_of_two_instances_one_takes_a_command_and_a_lost_acknowledgement_costs_nothing(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    model.answers(says("Once."))
    async with frontdesk(town, variables), frontdesk(town, variables):
        await town.server.until(lambda: town.server.world.app.syncs)
        ada = town.people[ADA]
        await ada.command(town.channel, "ask", question="first").says()
        await thread_with(town, "Once.")
        town.server.faults.next("POST", "/interactions/.*", lost())
        ada.command(town.channel, "ask", question="second")
        await town.server.until(lambda: sum("Once." in "".join(town.server.answers(c)) for c in _threads(town)) == 2)
    assert len(model.requests) == 2
    assert len(_threads(town)) == 2


def _threads(town: Town) -> list[Channel]:
    return [channel for channel in town.server.world.channels.values() if channel.is_thread]


@pytest.mark.behaviour("people.staff_only", "discord.buttons")
async def test_the_teams_card_has_buttons_for_the_team_alone(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(calls(("hand_over_to_human", {"reason": "asked for a human"})), says("A colleague will come."))
    await stage.say("I want a human")
    await stage.answer()
    team = stage.town.team
    (card,) = await stage.server.until(lambda: [m for m in team.messages.values() if m.buttons])
    ben, robin = stage.town.people[BEN], stage.town.people[ROBIN]
    actions = [button for button in card.buttons if "custom_id" in button]
    refused = await ben.press(card, actions[0]["custom_id"]).says()
    assert "Only people who work here" in refused
    pressed = await robin.press(card, actions[0]["custom_id"]).answered()
    was_quiet(pressed)
    await stage.say("anybody?")
    await stage.say("@Frontdesk are you there?", by=ROBIN)
    assert not card.pings.everyone


# --------------------------------------------------------------------------------------------------- after a restart


@pytest.mark.behaviour("discord.restart", "people.form")
async def test_a_form_that_was_opened_before_a_restart_still_counts(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    async with discord_stage(variables, town=town) as stage:
        model.plays(calls(TICKET), says("There is a form for you."))
        await stage.say("status of 12345 please")
        await stage.answer()
        opened = await stage.open_form()
        talk = stage
    async with frontdesk(town, variables) as app:
        model.plays(calls(TICKET), says("It is Open: Billing Query."))
        told = await talk.me.submit(opened, {"username": "john_doe", "api_key": "key"}).says()
        assert "verified as john_doe" in told
        assert "Billing Query" in await talk.answer()
        assert await _notes(app, talk.thread) == 1
    everything = "".join(
        m.content for c in town.server.world.channels.values() for m in c.messages.values() if m.only_for is None
    )
    assert "verified as" not in everything


@pytest.mark.behaviour("discord.restart", "people.form")
async def test_a_form_is_refused_to_others_and_in_another_server(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    async with discord_stage(variables, town=town) as stage:
        model.plays(calls(TICKET), says("There is a form for you."))
        await stage.say("status of 12345 please")
        await stage.answer()
        opened = await stage.open_form()
        filled = {"username": "john_doe", "api_key": "key"}
        assert "somebody else" in await stage.town.people[BEN].submit(opened, filled).says()
        elsewhere = town.server.world.guild("Elsewhere")
        there = town.server.world.channel(elsewhere, "general")
        stage.me.join(elsewhere)
        opened.channel, opened.message = there, None
        assert "verified" not in await stage.me.submit(opened, filled).says()
        assert await _notes(stage.app, stage.thread) == 0


@pytest.mark.behaviour("discord.buttons")
async def test_buttons_work_after_a_restart_and_talk_to_a_human_calls_the_team(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    async with discord_stage(variables, town=town) as stage:
        model.plays(says("Hello!"))
        await stage.say("Hi")
        (answer,) = await stage.parts()
        talk: Talk = stage
    async with frontdesk(town, variables):
        (down,) = [b["custom_id"] for b in answer.buttons if (b.get("emoji") or {}).get("name") == "👎"]
        assert "Thank you" in await talk.me.press(answer, down).says()
        pressed = await talk.me.press(answer, "human").answered()
        assert pressed.first in (Callback.DEFERRED_UPDATE, Callback.DEFERRED_MESSAGE, Callback.MESSAGE)
        await town.server.until(lambda: town.team.messages)
        await town.server.until(lambda: _is_told(talk.me, talk.place, pressed))


def _is_told(person: Person, place: Channel, pressed: Interaction) -> bool:
    """Whether the person sees that a human was called."""
    seen: list[Message] = person.sees(place)
    return bool(pressed.told) or "colleague" in "".join(message.content for message in seen)


async def _notes(app: App, thread: ThreadKey) -> int:
    turns = [entry.turn for entry in (await app.mailbox.load(thread)).entries]
    assert any(isinstance(turn, UserTurn) for turn in turns)
    return sum(isinstance(turn, NoteTurn) for turn in turns)


@pytest.mark.behaviour("discord.stops")
async def test_what_somebody_asks_while_the_process_stops_is_answered_by_the_next(
    variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    ada = town.people[ADA]
    model.plays(says("It is on its way."))
    async with frontdesk(town, variables):
        await town.server.until(lambda: town.server.world.app.commands)
        answering = town.server.faults.next("POST", "/interactions/.*", held_after())
        asked = ada.command(town.channel, "ask", question="where is my sled?")
        await answering.reached.wait()
        asyncio.get_running_loop().call_later(0.5, answering.release)
    assert "Thank you" in await asked.says()
    async with frontdesk(town, variables):
        await thread_with(town, "It is on its way.")

"""Whom the bot hears on Slack, and how often (acceptance 7, 9, 11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from bot.conversation import StaffTurn, UserTurn
from tests.servers.openai import ScriptedModel, held, says
from tests.servers.slack import BEN, OTHER_BOT, ROBIN, SHARED
from tests.stages.play import record
from tests.stages.slack import SlackStage, slack_stage


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[SlackStage]:
    async with slack_stage(variables) as stage:
        yield stage


def spoken(turns: Sequence[object]) -> list[str]:
    """What people said, as it is kept."""
    return [turn.text for turn in turns if isinstance(turn, UserTurn | StaffTurn)]


@pytest.mark.behaviour("slack.once")
@pytest.mark.parametrize("mode", ["socket", "http"])
@pytest.mark.parametrize("mention_first", [False, True], ids=["message-first", "mention-first"])
async def test_a_message_and_its_mention_are_one_turn_of_one_customer(
    mode: str, mention_first: bool, variables: dict[str, str], model: ScriptedModel
) -> None:
    """The two events have different ids, and tell the speaker's organisation in different places, or not at all."""
    async with slack_stage(variables, mode=mode, customer=BEN) as stage:
        model.plays(says("Hello!"), says("Yes."))
        await stage.write("hello", mention_first=mention_first)
        assert await stage.answer() == "Hello!"
        await stage.write("@Frontdesk are you there?", mention_first=mention_first)
        assert await stage.answer() == "Yes."
        turns = [turn for turn in await record(stage) if isinstance(turn, UserTurn)]
        assert [turn.author.id for turn in turns] == [BEN.id, BEN.id]
        assert {turn.author.organisation for turn in turns} <= {BEN.team, BEN.enterprise}
        assert not any(turn.author.is_staff for turn in turns)
    assert len(model.requests) == 2


@pytest.mark.behaviour("slack.twins_at_once")
async def test_twins_retries_and_resent_events_that_come_at_once_are_one_turn(
    stage: SlackStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"))
    ada, slack = stage.person(), stage.slack
    message = ada.writes("@Frontdesk hello", client_msg_id="")  # not every program of Slack's sends one
    bodies = ada.events(message) * 3
    bodies += [{**body, "event_id": slack.event_id()} for body in ada.events(message)]  # resent after a reconnect
    receipts = await asyncio.gather(*(slack.delivery.event(body) for body in bodies))
    assert all(receipt.statuses == [200] for receipt in receipts)
    stage.root = message.ts
    assert await stage.answer() == "Hello!"
    assert spoken(await record(stage)) == ["hello"] or spoken(await record(stage)) == ["@Frontdesk hello"]
    assert len(model.requests) == 1


@pytest.mark.behaviour("slack.once")
async def test_the_same_words_with_another_time_and_the_same_client_id_are_one_message(
    stage: SlackStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"), says("Bye!"))
    await stage.write("hello", client_msg_id="one-and-the-same")
    assert await stage.answer() == "Hello!"
    again = await stage.person().say("hello", SHARED, thread=stage.root, client_msg_id="one-and-the-same")
    assert again.acknowledged
    await stage.write("bye")
    assert await stage.answer() == "Bye!"
    assert len(model.requests) == 2


@pytest.mark.behaviour("slack.thread")
async def test_a_thread_goes_on_without_a_mention_and_a_channel_does_not_begin_without(
    stage: SlackStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"), says("Still here."))
    idle = await stage.person().say("does anybody know?", SHARED)
    assert idle.acknowledged
    await stage.write("hello")
    assert await stage.answer() == "Hello!"
    await stage.write("are you there?")
    assert await stage.answer() == "Still here."
    assert stage.slack.answers(SHARED, idle.root) == []
    assert len(model.requests) == 2


@pytest.mark.behaviour("slack.direct")
@pytest.mark.parametrize("streaming", ["auto", "off"])
async def test_a_direct_message_needs_no_mention(
    streaming: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    async with slack_stage(variables, channel="im", streaming=streaming) as stage:
        model.plays(says("Hello Ada!"), says("Sure."))
        await stage.write("hi")
        assert await stage.answer() == "Hello Ada!"
        await stage.write("can you help?")
        assert await stage.answer() == "Sure."
    assert len(model.requests) == 2


@pytest.mark.behaviour("slack.humans")
async def test_people_who_talk_to_each_other_are_left_alone(stage: SlackStage, model: ScriptedModel) -> None:
    model.plays(says("Hello!"), says("Sure."))
    await stage.write("Hi")
    await stage.answer()
    for text, by in (("@Ben did you see this?", ""), ("no, what is it?", BEN.id), ("I am looking", ROBIN.id)):
        await stage.write(text, by=by)
    await stage.write("can you help?")
    assert await stage.answer() == "Sure."
    assert [text.removeprefix("@Frontdesk ") for text in spoken(await record(stage))] == ["Hi", "can you help?"]
    assert len(model.requests) == 2


@pytest.mark.behaviour("slack.bots")
async def test_other_bots_and_our_own_messages_are_never_answered(stage: SlackStage, model: ScriptedModel) -> None:
    """An echo bot that repeats every answer, with a mention; and our own messages, which Slack tells us of."""
    model.plays(says("Hello!"), says("Bye!"))
    robot = stage.slack.person(OTHER_BOT)
    await stage.write("Hi")
    answer = await stage.answer()
    for text in (answer, f"@Frontdesk {answer}"):
        assert (await robot.say(text, SHARED, thread=stage.root)).acknowledged
    assert (await robot.say("@Frontdesk hello from a bot", SHARED)).acknowledged
    await stage.write("bye")
    assert await stage.answer() == "Bye!"
    assert len(model.requests) == 2
    assert len(spoken(await record(stage))) == 2


@pytest.mark.behaviour("slack.order")
async def test_messages_that_come_in_another_order_are_each_answered_once(
    stage: SlackStage, model: ScriptedModel
) -> None:
    """Slack may bring a later message first; what is answered together is read as it was written."""
    running = held("Hello ", "there.")
    model.plays(running, says("Noted."))
    await stage.write("hello")
    await stage.slack.shows(SHARED, stage.root, "Hello")
    ada, slack = stage.person(), stage.slack
    messages = [ada.writes(f"part {number}", SHARED, thread=stage.root) for number in range(4)]
    for message in reversed(messages):
        assert (await slack.delivery.event(ada.events(message)[0])).acknowledged
    for pause in running.pauses:
        pause.release()
    await slack.shows(SHARED, stage.root, "Noted.")
    await stage.settled()
    assert spoken(await record(stage))[1:] == [f"part {number}" for number in range(4)]


@pytest.mark.behaviour("slack.typed")
async def test_markup_is_undone_on_the_way_in(stage: SlackStage, model: ScriptedModel) -> None:
    model.plays(says("Thanks."))
    await stage.write("mail me at a&b: santa@clau.se, see https://shop.example/x?a=1&b=2 <3 @Ben")
    await stage.answer()
    (text,) = spoken(await record(stage))
    assert "mail me at a&b: santa@clau.se, see https://shop.example/x?a=1&b=2 <3 @Ben" in text

"""A server's own rules about words and pace (error 200000, 200001, 240000, 20016) on Discord: whatever they hold back
ends in an honest sentence in its place, a direct message, or a dead letter with the reason; never in silence."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY as METRICS
from redis.asyncio import Redis

from adapters.discord.render import HELD_BACK, MILD_TITLE, PLAIN_TITLE
from bot.sentences import BLOCKED, HUMAN_CALLED
from tests.chaos.test_crashes import settled
from tests.servers.discord import Channel, ChannelType, Message
from tests.servers.discord.faults import slow_mode
from tests.servers.openai import ScriptedModel, calls, held, says
from tests.servers.patience import WAIT_S
from tests.stages.customers import becomes
from tests.stages.discord import ROBIN, DiscordStage, as_read, discord_stage

MESSAGES = r"/channels/\d+/messages"
MINE = re.escape(HELD_BACK[:30])
"""A pattern that takes our own word for what was held back, too."""


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[DiscordStage]:
    async with discord_stage({**variables, "LINK_HOSTS": "example.com"}) as stage:
        yield stage


async def greeted(stage: DiscordStage, model: ScriptedModel) -> Message:
    """A first answer stands."""
    model.plays(says("Hello!"))
    await stage.say("Hi")
    (answer,) = await stage.parts()
    return answer


async def letter(stage: DiscordStage) -> str:
    """Wait for the one dead letter; its reason."""
    async with asyncio.timeout(WAIT_S):
        while not (found := await stage.app.mailbox.dead_letters()):
            await asyncio.sleep(0.05)
    (only,) = found
    return only.reason


def said(stage: DiscordStage, place: Channel) -> list[str]:
    """What the bot wrote there, as it is read."""
    return [as_read(text) for text in stage.server.answers(place)]


def directly(stage: DiscordStage) -> list[str]:
    """What the bot wrote to Ada alone."""
    return said(stage, stage.server.world.dm(stage.me.user))


# --------------------------------------------------------------------------------------------------------- answers


@pytest.mark.behaviour("discord.filtered")
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("by", ["automod", "link_filter"])
async def test_what_a_filter_takes_is_told_to_the_customer_and_the_operator(
    by: str, streams: bool, stage: DiscordStage, model: ScriptedModel
) -> None:
    await greeted(stage, model)
    world, words = stage.server.world, ("A ", "look at https://example.com/forbidden ")
    if by == "automod":
        world.blocked = "forbidden"
    else:
        world.harmful = "example.com/forbidden"
    running = held(*words)
    model.plays(running if streams else says(*words))
    await stage.say("say it")
    if streams:
        await stage.shown("A")
        for pause in running.pauses:
            pause.release()
    assert await letter(stage) == f"undeliverable: discord_blocked_by_{by}"
    _, told = said(stage, stage.place)
    assert told == HELD_BACK
    (message,) = [m for m in stage.place.messages.values() if as_read(m.content) == told]
    assert message.buttons == []
    model.plays(says("A word."))
    stage.me.write(stage.place, "and now?")
    assert await stage.answer() == "A word."
    assert len(model.requests) == 3


@pytest.mark.behaviour("discord.filtered")
@pytest.mark.parametrize("streams", [False, True])
async def test_where_a_filter_takes_that_sentence_too_it_is_told_directly(
    streams: bool, stage: DiscordStage, model: ScriptedModel
) -> None:
    await greeted(stage, model)
    stage.server.world.blocked = f"forbidden|{MINE}"
    running = held("A ", "forbidden word.")
    model.plays(running if streams else says("A forbidden word."))
    await stage.say("say it")
    if streams:
        await stage.shown("A")
        for pause in running.pauses:
            pause.release()
    assert await letter(stage) == "undeliverable: discord_blocked_by_automod"
    assert directly(stage) == [HELD_BACK]
    assert said(stage, stage.place) == ["Hello!"], "no half an answer is left standing"


@pytest.mark.behaviour("discord.filtered")
async def test_of_an_answer_in_parts_what_stands_before_the_taken_one_stays(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    await greeted(stage, model)
    stage.server.world.blocked = "forbidden"
    good = "\n\n".join(f"Paragraph {number}. {'word ' * 60}".strip() for number in range(7))
    model.plays(says(f"{good}\n\nA forbidden word.\n\n{good.replace('Paragraph', 'Later')}"))
    await stage.say("say it all")
    assert await letter(stage) == "undeliverable: discord_blocked_by_automod"
    _, first, last = said(stage, stage.place)
    assert "Paragraph 0." in first
    assert last == HELD_BACK


# ------------------------------------------------------------------------------------------ the desk's own words


@pytest.mark.behaviour("discord.filtered")
@pytest.mark.parametrize("mild", [True, False], ids=["in its place", "directly"])
async def test_what_the_desk_says_is_replaced_or_told_directly(
    mild: bool, stage: DiscordStage, model: ScriptedModel, redis: Redis
) -> None:
    answer = await greeted(stage, model)
    stage.server.world.blocked = "human colleague" if mild else f"human colleague|{MINE}"
    await stage.me.press(answer, "human").answered()
    if mild:
        await stage.server.until(lambda: said(stage, stage.place) == ["Hello!", HELD_BACK])
        assert directly(stage) == []
    else:
        await stage.server.until(lambda: directly(stage) == [HUMAN_CALLED])
        assert said(stage, stage.place) == ["Hello!"]
    await stage.server.until(lambda: stage.town.team.messages)
    assert await nothing_left_to_say(redis)


async def nothing_left_to_say(redis: Redis) -> bool:
    """Wait until no announcement is tried again."""
    async with asyncio.timeout(WAIT_S):
        while any([await redis.zcard(key) for key in await redis.keys("*agenda/*")]):
            await asyncio.sleep(0.05)
    return True


@pytest.mark.behaviour("discord.filtered")
async def test_a_card_for_the_team_keeps_its_buttons_and_loses_its_words(
    stage: DiscordStage, model: ScriptedModel, redis: Redis
) -> None:
    await greeted(stage, model)
    world, team, robin = stage.server.world, stage.town.team, stage.town.people[ROBIN]
    world.blocked = "darn"
    model.plays(calls(("hand_over_to_human", {"reason": "a darn broken sled"})), says("Somebody will come."))
    await stage.say("get me a human")
    assert await stage.answer() == "Somebody will come."
    (card,) = await stage.server.until(lambda: list(team.messages.values()))
    assert card.embeds[0]["title"] == MILD_TITLE
    assert any("/channels/" in str(button.get("url")) for button in card.buttons)
    (take, *_) = [button["custom_id"] for button in card.buttons if "custom_id" in button]
    assert await robin.press(card, take).says()
    await stage.server.until(lambda: any("Robin" in text for text in said(stage, stage.place)))
    assert await nothing_left_to_say(redis)
    assert [message for message in team.messages.values() if message.only_for is None] == [card]


@pytest.mark.behaviour("discord.filtered")
async def test_a_card_that_no_filter_lets_stand_is_not_tried_for_ever(
    stage: DiscordStage, model: ScriptedModel, redis: Redis
) -> None:
    answer = await greeted(stage, model)
    stage.server.world.blocked = f"asked for a human|{MILD_TITLE}"
    await stage.me.press(answer, "human").answered()
    await stage.server.until(lambda: HUMAN_CALLED in said(stage, stage.place))
    assert await nothing_left_to_say(redis)
    assert len(stage.server.rest.made("POST", f"/channels/{stage.town.team.id}/messages")) == 2


@pytest.mark.behaviour("discord.filtered", "people.form")
@pytest.mark.parametrize("mild", [True, False], ids=["in its place", "directly"])
async def test_a_form_can_be_opened_also_where_its_words_are_taken(
    mild: bool, stage: DiscordStage, model: ScriptedModel
) -> None:
    ticket = ("get_ticket_status", {"ticket_id": "12345"})
    stage.server.world.blocked = "Verify" if mild else "Verify|^<@"
    model.plays(calls(ticket), says("There is a form for you."), calls(ticket), says("It is Open."))
    await stage.say("status of 12345 please")
    await stage.answer()
    where = stage.place if mild else stage.server.world.dm(stage.me.user)
    (offer,) = await stage.server.until(lambda: [m for m in stage.me.sees(where) if len(m.buttons) == 1])
    opened = await stage.me.press_id(offer, offer.buttons[0]["custom_id"]).answered()
    told = await stage.me.submit(opened, {"username": "john_doe", "api_key": "key"}).says()
    assert "verified as john_doe" in as_read(told)
    assert await stage.answer() == "It is Open."


@pytest.mark.behaviour("discord.filtered")
async def test_who_is_refused_hears_it_directly_where_the_sentence_is_taken(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    await greeted(stage, model)
    await stage.server.until(lambda: stage.server.world.app.syncs)
    stage.server.world.blocked = "not answered here"
    robin = stage.town.people[ROBIN]
    assert await robin.command(stage.place, "support", command=f"block {stage.me.mention}").says()
    await stage.write("hello?")
    await stage.server.until(lambda: directly(stage) == [BLOCKED])
    assert said(stage, stage.place) == ["Hello!"]


# ------------------------------------------------------------------------------------------- threads and questions


@pytest.mark.behaviour("discord.filtered", "discord.begins")
async def test_a_question_with_a_word_that_no_thread_may_be_called_gets_its_thread(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    world = stage.server.world
    world.blocked = "darn"
    model.plays(says("I see."))
    await stage.say("my darn sled")
    assert await stage.answer() == "I see."
    assert stage.place.is_thread
    assert stage.place.name == PLAIN_TITLE


@pytest.mark.behaviour("discord.filtered", "discord.ask", "discord.private")
@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
async def test_a_question_by_command_with_such_a_word_is_answered_in_a_thread(
    private: bool, stage: DiscordStage, model: ScriptedModel
) -> None:
    world = stage.server.world
    await stage.server.until(lambda: world.app.syncs)
    world.blocked = "darn"
    model.plays(says("I see."))
    assert await stage.me.command(stage.town.channel, "ask", question="my darn sled", private=private).says()
    kind = ChannelType.PRIVATE_THREAD if private else ChannelType.PUBLIC_THREAD
    (thread,) = await stage.server.until(lambda: [c for c in world.channels.values() if c.type is kind])
    await stage.server.until(lambda: "I see." in said(stage, thread))
    assert thread.name == PLAIN_TITLE
    assert not any("darn" in text for text in said(stage, stage.town.channel))


# ------------------------------------------------------------------------------------------------------- slow mode


@pytest.mark.behaviour("discord.slow_mode")
async def test_an_answer_in_parts_stands_whole_in_a_channel_with_slow_mode(
    stage: DiscordStage, model: ScriptedModel, redis: Redis
) -> None:
    await greeted(stage, model)
    stage.place.slow_s = 0.4
    text = "\n\n".join(f"Paragraph {number}. {'word ' * 70}".strip() for number in range(12))
    model.plays(says(text))
    await stage.say("tell me everything")
    parts = await stage.parts()
    assert len(parts) > 1
    whole = "\n".join(part.content for part in parts)
    assert [whole.count(f"Paragraph {number}.") for number in range(12)] == [1] * 12
    await settled(redis)
    assert len(stage.server.answers(stage.place)) == 1 + len(parts)


@pytest.mark.behaviour("discord.slow_mode")
async def test_a_long_wait_is_not_asked_through_and_the_answer_comes_after_it(
    stage: DiscordStage, model: ScriptedModel, redis: Redis
) -> None:
    """A minute between two messages: longer than a request may take, so that the thread is put away until then."""
    await greeted(stage, model)
    before, posted = undelivered(), len(stage.server.rest.made("POST", MESSAGES))
    stage.server.faults.next("POST", MESSAGES, slow_mode(60.0))
    model.plays(says("In a minute."))
    await stage.say("now?")
    await becomes(lambda: undelivered() == before + 1, within_s=WAIT_S)
    backlog = await stage.app.mailbox.backlog()
    assert (backlog.ready, backlog.open, backlog.dead) == (0, 1, 0)
    assert len(stage.server.rest.made("POST", MESSAGES)) - posted == 1
    ((_, due_ms),) = await due(redis)
    assert 40 < due_ms / 1_000 - int((await redis.time())[0]) <= 61
    await a_minute_passes(redis)
    assert await stage.answer() == "In a minute."
    await settled(redis)
    assert len(model.requests) == 2, "what the model said is delivered, not asked for again"
    assert said(stage, stage.place) == ["Hello!", "In a minute."]


async def a_minute_passes(redis: Redis) -> None:
    """What waits for a moment in this minute is due, and the note of the empty bucket is over."""
    for key in await redis.keys("*empty/*"):
        await redis.delete(key)
    for thread, _ in await due(redis):
        await redis.zadd("frontdesk:{0}:due", {thread: 0})


async def due(redis: Redis) -> list[tuple[bytes, float]]:
    """When which thread is due."""
    found: Any = await redis.zrange("frontdesk:{0}:due", 0, -1, withscores=True)
    return [(bytes(thread), float(at_ms)) for thread, at_ms in found]


def undelivered() -> float:
    """Turns whose answer waits to be delivered."""
    return METRICS.get_sample_value("frontdesk_turns_total", {"outcome": "undelivered"}) or 0.0

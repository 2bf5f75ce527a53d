"""The HTTP interface says no, or says nothing (F51-F53, F55-F57, F61): the answer stands once, or somebody is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY as METRICS
from redis.asyncio import Redis

from adapters.discord import delivery, identify, limits
from adapters.discord.interactions import NO_PRIVATE
from tests.chaos.test_crashes import settled
from tests.servers.discord import DiscordServer, P
from tests.servers.discord.buckets import Limit
from tests.servers.discord.faults import Fault, dropped, fails, lost, ratelimited, unavailable
from tests.servers.discord.values import ChannelType
from tests.servers.openai import ScriptedModel, held, says
from tests.servers.patience import WAIT_S
from tests.stages.customers import becomes
from tests.stages.discord import DiscordStage, Town, as_read, discord_stage, frontdesk
from tests.stages.meters import Meters

MESSAGES, MESSAGE, THREADS = r"/channels/\d+/messages", r"/channels/\d+/messages/\d+", r".*/threads"
QUICK = {"LEASE_S": "2", "MAX_ATTEMPTS": "3"}


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[DiscordStage]:
    async with discord_stage({**variables, **QUICK}) as stage:
        yield stage


async def greeted(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Hello!"))
    await stage.say("Hi")
    assert await stage.answer() == "Hello!"


async def letters(stage: DiscordStage, count: int) -> list[str]:
    """Wait for so many dead letters; their reasons."""
    async with asyncio.timeout(WAIT_S):
        while len(found := await stage.app.mailbox.dead_letters()) < count:
            await asyncio.sleep(0.05)
    return [letter.reason for letter in found]


# ---------------------------------------------------------------------------------------------- nothing comes back


@pytest.mark.behaviour("discord.once")
@pytest.mark.parametrize(
    ("method", "path", "faults"),
    [
        ("POST", MESSAGES, (lost(),)),
        ("POST", MESSAGES, (lost(), lost())),
        ("POST", MESSAGES, (dropped(),)),
        ("POST", MESSAGES, (unavailable(503),)),
        ("POST", MESSAGES, (Fault(html=403),)),
        ("PATCH", MESSAGE, (lost(),)),
        ("PATCH", MESSAGE, (unavailable(503), dropped())),
        ("POST", THREADS, (lost(),)),
        ("POST", THREADS, (dropped(),)),
        ("POST", THREADS, (fails(160004),)),
    ],
    ids=[
        "post lost", "post lost twice", "post dropped", "post 503", "post html",
        "edit lost", "edit fails", "thread lost", "thread dropped", "thread exists",
    ],
)  # fmt: skip
async def test_an_answer_whose_way_was_bad_stands_once(
    method: str, path: str, faults: tuple[Fault, ...], stage: DiscordStage, model: ScriptedModel, redis: Redis
) -> None:
    if path == THREADS and faults[0].error is not None:
        root = stage.me.write(stage.town.channel, "not yet")
        stage.server.world.thread(stage.town.channel, "by somebody else", stage.me.user, starter=root)
        stage.root = root
        model.plays(says("Hello there, this is the answer."))
        await stage.say("@Frontdesk hi")
    else:
        stage.server.faults.next(method, path, *faults)
        model.plays(says("Hello there, ", "this is ", "the answer."))
        await stage.say("Hi")
    assert await stage.answer() == "Hello there, this is the answer."
    await settled(redis)
    assert len(model.requests) == 1
    assert len(stage.server.answers(stage.place)) == 1
    assert len([c for c in stage.server.world.channels.values() if c.is_thread]) == 1
    assert await stage.app.mailbox.dead_letters() == []


@pytest.mark.behaviour("discord.once")
async def test_after_the_nonces_window_a_posted_answer_is_found_by_looking(
    stage: DiscordStage, model: ScriptedModel, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "NONCE_S", 0.0)
    await greeted(stage, model)
    first = stage.server.faults.next("POST", MESSAGES, lost())
    stage.server.world.nonces.clear()
    model.plays(says("This is the answer."))
    await stage.say("and?")
    await stage.server.until(lambda: any("This is" in text for text in stage.server.answers(stage.place)))
    stage.server.world.nonces.clear()  # a few minutes have passed
    assert first.lost
    assert await stage.answer() == "This is the answer."
    await settled(redis)
    assert stage.answers() == ["Hello!", "This is the answer."]
    assert len(stage.server.answers(stage.place)) == 2


@pytest.mark.behaviour("discord.once")
async def test_a_message_that_was_taken_away_while_it_was_written_is_posted_anew(
    stage: DiscordStage, model: ScriptedModel, redis: Redis
) -> None:
    running = held("A first half ", "and a second.")
    model.plays(running)
    await stage.say("Hi")
    await stage.shown("A first half")
    (shown,) = [m for m in stage.me.sees(stage.place) if m.author is stage.server.world.app.bot]
    stage.server.world.remove(shown)
    for pause in running.pauses:
        pause.release()
    assert await stage.answer() == "A first half and a second."
    await settled(redis)
    assert len(stage.server.answers(stage.place)) == 1


@pytest.mark.behaviour("discord.once")
async def test_a_question_that_is_gone_fails_no_answer(stage: DiscordStage, model: ScriptedModel) -> None:
    await greeted(stage, model)
    running = held("Let me ", "see.")
    model.plays(running)
    asked = await stage.write("and this?")
    await running.pause.reached.wait()
    stage.server.world.remove(asked)
    for pause in running.pauses:
        pause.release()
    assert await stage.answer() == "Let me see."


# ---------------------------------------------------------------------------------------------------------- limits


@pytest.mark.behaviour("discord.limits", "operate.waits")
@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_429_is_waited_for(scope: str, stage: DiscordStage, model: ScriptedModel) -> None:
    await greeted(stage, model)
    meters = Meters()
    await meters.begin()
    stage.server.faults.next("POST", MESSAGES, ratelimited(0.3, scope=scope))
    stage.server.faults.next("PATCH", MESSAGE, ratelimited(0.3, scope=scope))
    model.plays(says("Patience."))
    await stage.say("quickly!")
    assert await stage.answer() == "Patience."
    assert await meters.added("frontdesk_rate_limit_waits_total", where="discord") >= 1
    assert await meters.added("frontdesk_rate_limit_wait_seconds_total", where="discord") > 0.1
    assert stage.server.buckets.invalid <= 2
    assert len(stage.server.answers(stage.place)) == 2


@pytest.mark.behaviour("discord.limits")
async def test_a_bucket_that_fills_up_in_minutes_is_used_while_there_is_room_in_it(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    """Two threads in five minutes, say: two questions are answered at once, the third as soon as there is room."""
    stage.server.buckets.routes["POST threads"] = Limit(2, 300.0)
    model.answers(says("Hello."))
    before = undelivered()
    people = [stage.server.person(f"Person {number}", stage.town.guild) for number in range(3)]

    def answered() -> list[str]:
        threads = [c for c in stage.server.world.channels.values() if c.is_thread]
        return [text for thread in threads for text in stage.server.answers(thread)]

    people[0].write(stage.town.channel, f"{stage.server.mention} hi")
    await stage.server.until(lambda: answered() == ["Hello."])
    people[1].write(stage.town.channel, f"{stage.server.mention} hi")
    await stage.server.until(lambda: answered() == ["Hello."] * 2)
    people[2].write(stage.town.channel, f"{stage.server.mention} hi")
    await becomes(lambda: undelivered() == before + 1, within_s=WAIT_S)
    assert stage.server.buckets.refused.total() == 0
    assert answered() == ["Hello."] * 2
    assert await stage.app.mailbox.dead_letters() == []


@pytest.mark.behaviour("discord.limits")
async def test_an_answer_is_edited_at_the_pace_of_its_place(stage: DiscordStage, model: ScriptedModel) -> None:
    stage.server.buckets.routes["PATCH messages"] = Limit(5, 2.0)
    words = [f"word{number} " for number in range(200)]
    model.plays(says(*words))
    await stage.say("talk a lot")
    answer = await stage.answer()
    assert answer == "".join(words).strip()
    assert stage.server.buckets.refused.total() == 0
    (message,) = [m for m in stage.me.sees(stage.place) if m.author is stage.server.world.app.bot]
    assert len(message.shown) < 20


@pytest.mark.behaviour("discord.limits", "discord.places")
async def test_what_is_forbidden_is_not_hammered(stage: DiscordStage, model: ScriptedModel) -> None:
    await greeted(stage, model)
    for channel in (stage.town.channel,):
        stage.server.world.forbid(channel, P.SEND_MESSAGES | P.SEND_MESSAGES_IN_THREADS)
    stage.me.user.takes_dms = False
    before = stage.server.buckets.invalid
    model.plays(says("Nobody will read this."))
    await stage.say("hello?")
    (reason,) = await letters(stage, 1)
    assert "undeliverable" in reason or "discord_5" in reason
    assert stage.server.buckets.invalid - before <= 12
    stage.server.world.forbid(stage.town.team, P.SEND_MESSAGES)
    assert len(model.requests) == 2


@pytest.mark.behaviour("discord.limits")
async def test_before_the_address_is_shut_out_nothing_more_is_asked(
    stage: DiscordStage, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand refusals in ten minutes and the platform answers nobody here; half of ten is enough for a test."""
    await greeted(stage, model)
    monkeypatch.setattr(limits, "INVALID_LIMIT", 5)
    stage.server.buckets.banned_at = 10
    stage.server.faults.always("POST", MESSAGES, fails(50013))
    stage.server.faults.always("PATCH", MESSAGE, fails(50013))
    model.answers(says("Nobody will read this."))
    for number in range(6):
        person = stage.server.person(f"Person {number}", stage.town.guild)
        person.write(stage.town.channel, f"{stage.server.mention} hello {number}?")
        await model.asked(number + 2)
    await becomes(lambda: stage.server.buckets.invalid >= 5, within_s=WAIT_S)
    model.answers(says("Nor this."))
    stage.me.write(stage.town.channel, f"{stage.server.mention} anybody?")
    await model.asked(8)
    assert stage.server.buckets.invalid < 10
    assert not stage.server.buckets.is_banned


# ---------------------------------------------------------------------------------------------------------- places


@pytest.mark.behaviour("discord.places")
@pytest.mark.parametrize("when", ["before", "while"])
async def test_an_archived_thread_is_woken(when: str, stage: DiscordStage, model: ScriptedModel) -> None:
    await greeted(stage, model)
    running = held("Good ", "morning.")
    model.plays(running)
    await stage.say("wake up")
    if when == "before":
        await running.pause.reached.wait()
    else:
        await stage.shown("Good")
    stage.server.world.change_thread(stage.place, archived=True)
    for pause in running.pauses:
        pause.release()
    assert await stage.answer() == "Good morning."
    assert len(stage.server.answers(stage.place)) == 2


@pytest.mark.behaviour("discord.places")
async def test_an_archived_thread_is_known_after_a_restart(
    variables: dict[str, str], model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identify, "IDENTIFY_S", 0.2)
    async with DiscordServer() as server:
        town = Town(server)
        async with discord_stage(variables, town=town) as talk:
            await greeted(talk, model)
            server.world.change_thread(talk.place, archived=True)
        async with frontdesk(town, variables):
            model.plays(says("I remember."))
            await talk.say("do you?")
            assert await talk.answer() == "I remember."
    assert "Hi" in str(model.requests[-1].messages)


@pytest.mark.behaviour("discord.places")
@pytest.mark.parametrize("how", ["locked", "deleted", "forbidden"])
async def test_where_a_thread_is_closed_the_answer_stands_in_its_channel(
    how: str, stage: DiscordStage, model: ScriptedModel
) -> None:
    await greeted(stage, model)
    running = waits_for_release = held("Here ", "instead.")
    model.plays(running)
    await stage.say("hello?")
    await waits_for_release.pause.reached.wait()
    thread = stage.place
    match how:
        case "locked":
            stage.server.world.forbid(stage.town.channel, P.MANAGE_THREADS)
            stage.server.world.change_thread(thread, locked=True, archived=True)
        case "deleted":
            stage.server.world.delete_channel(thread)
        case _:
            stage.server.world.forbid(stage.town.channel, P.SEND_MESSAGES_IN_THREADS)
    for pause in running.pauses:
        pause.release()
    await stage.server.until(lambda: any("instead." in text for text in stage.server.answers(stage.town.channel)))
    (message,) = [m for m in stage.town.channel.messages.values() if "instead." in m.content]
    assert as_read(message.content).endswith("Here instead.")
    assert not message.pings.everyone
    assert await stage.app.mailbox.dead_letters() == []


@pytest.mark.behaviour("discord.places")
async def test_without_the_right_to_make_threads_the_channel_has_the_answer(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    stage.server.world.forbid(stage.town.channel, P.CREATE_PUBLIC_THREADS)
    model.plays(says("No thread, but an answer."))
    root = stage.me.write(stage.town.channel, f"{stage.server.mention} hi")
    await stage.server.until(lambda: stage.server.answers(stage.town.channel) == ["No thread, but an answer."])
    (answer,) = [m for m in stage.town.channel.messages.values() if m.author is stage.server.world.app.bot]
    assert answer.replies_to is root


@pytest.mark.behaviour("discord.places")
async def test_a_channel_that_is_gone_is_answered_directly_or_a_dead_letter(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    running = held("Where ", "are you?")
    model.plays(running)
    await stage.say("Hi")
    await stage.shown("Where")
    stage.server.world.delete_channel(stage.town.channel)
    for pause in running.pauses:
        pause.release()
    direct = stage.server.world.dm(stage.me.user)

    def told() -> bool:
        return any("Where are you?" in text for text in stage.server.answers(direct))

    async with asyncio.timeout(WAIT_S):
        while not told() and not await stage.app.mailbox.dead_letters():
            await asyncio.sleep(0.05)
    assert stage.server.buckets.invalid <= 12


@pytest.mark.behaviour("discord.places", "discord.private")
async def test_who_cannot_be_let_into_a_private_thread_is_answered_directly(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    await stage.server.until(lambda: stage.server.world.app.syncs)
    stage.server.faults.always("PUT", r"/channels/\d+/thread-members/\d+", fails(50013))
    model.plays(says("Between us."))
    await stage.me.command(stage.town.channel, "ask", question="where is it?", private=True).says()
    direct = stage.server.world.dm(stage.me.user)
    await stage.server.until(lambda: any("Between us." in text for text in stage.server.answers(direct)))
    (private,) = [c for c in stage.server.world.channels.values() if c.type is ChannelType.PRIVATE_THREAD]
    assert stage.server.answers(private) == []


@pytest.mark.behaviour("discord.places", "discord.private")
async def test_a_conversation_does_not_move_to_where_its_person_is_not(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"), says("Still here."))
    await stage.say("Hi")
    (answer,) = await stage.parts()
    stage.server.faults.always("PUT", r"/channels/\d+/thread-members/\d+", fails(50013))
    assert as_read(await stage.me.press(answer, "privately").says()) == NO_PRIVATE
    await stage.say("are you still there?")
    assert await stage.answer() == "Still here."


@pytest.mark.behaviour("discord.places")
async def test_who_takes_no_direct_messages_costs_one_dead_letter(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    async with discord_stage({**variables, **QUICK}, direct=True) as stage:
        await stage_direct(stage, model)
        stage.me.user.takes_dms = False
        model.plays(says("Nobody will read this."))
        stage.me.write(stage.place, "hello?")
        (reason,) = await letters(stage, 1)
        assert "50007" in reason
        assert stage.server.buckets.invalid <= 12


def undelivered() -> float:
    """Turns whose answer waits to be delivered."""
    return METRICS.get_sample_value("frontdesk_turns_total", {"outcome": "undelivered"}) or 0.0


async def stage_direct(stage: DiscordStage, model: ScriptedModel) -> None:
    assert stage.place.type is ChannelType.DM
    await greeted(stage, model)

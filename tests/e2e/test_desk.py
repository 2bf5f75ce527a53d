"""People who work here: hand-overs, pauses, tickets, reminders, reports (acceptance 11, 20)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from prometheus_client import REGISTRY as METRICS
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import casework, ending
from bot.app import open_desk, open_switch
from bot.config import load
from bot.conversation import AssistantTurn, Note, NoteTurn, StaffTurn, Turn, UserTurn
from bot.german import GERMAN
from bot.messages import Attachment, ThreadKey
from bot.ports import AuditEntry, Mode, Verdict
from bot.sentences import APOLOGY, BLOCKED, CASE_CLOSED, HUMAN_CALLED, PAUSED, PAUSED_HERE, STAFF_ONLY, STILL_WAITING
from bot.store.keys import Partition
from tests.servers.openai import ScriptedModel, calls, fails, held, says
from tests.stages.play import assert_whole
from tests.stages.search import redis_bytes
from tests.stages.square import (
    ADMIN,
    COLLEAGUE,
    CUSTOMER,
    EXTERNAL,
    MEMBER,
    TWIN,
    Square,
    SquareStage,
    a_message,
    a_place,
    square_stage,
)
from tools.tables import votes

CHANNEL = a_place()
THREAD = a_place("t1")
TICKET = ("create_customer_ticket", {"name": "Ada", "issue": "Unable to log in"})


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[SquareStage]:
    async with square_stage(variables) as stage:
        yield stage


async def turns(stage: SquareStage, thread: ThreadKey = THREAD) -> list[Turn]:
    return [entry.turn for entry in (await stage.app.mailbox.load(thread)).entries]


async def opened(stage: SquareStage, model: ScriptedModel) -> str:
    """A conversation with a ticket; its number."""
    model.plays(calls(TICKET), says("I opened a ticket."))
    await stage.say("I cannot log in, I am Ada", at=THREAD)
    await stage.answered(THREAD, 1)
    listed = (await stage.order("tickets", at=THREAD)).text
    return listed.partition("**")[2].partition("**")[0]


async def audited(variables: dict[str, str]) -> Sequence[AuditEntry]:
    async with open_desk(load(variables)) as desk:
        return await desk.read_audit()


# ------------------------------------------------------------------------------------------------- a human takes over


@pytest.mark.behaviour("desk.human")
async def test_anybody_calls_a_human_by_a_button(stage: SquareStage, model: ScriptedModel) -> None:
    model.plays(calls(("get_order_status", {"order_id": "1", "email": "a@b.example"})), says("I cannot find it."))
    await stage.say("Where is **my** order, <@U999>?", at=THREAD)
    await stage.answered(THREAD, 1)
    outcome = await stage.press("human", at=THREAD)
    assert (outcome.verdict, outcome.text) == (Verdict.DONE, "")
    assert stage.said(THREAD) == [HUMAN_CALLED]
    (card,) = stage.square.cards.values()
    assert card.thread == THREAD
    assert "Ada (Acme)" in card.title
    assert "get_order_status" in card.text
    assert "not\\_found" in card.text
    assert "\\*\\*my\\*\\*" in card.text
    assert "<@U999>" not in card.text
    assert list(card.buttons) == ["takeover", "handback", "close"]
    assert await stage.app.mailbox.mode(THREAD) is Mode.HUMAN
    again = await stage.press("human", at=THREAD)
    assert "already" in again.text
    assert len(stage.square.cards) == len(stage.said(THREAD)) == 1


@pytest.mark.behaviour("desk.human")
async def test_the_card_follows_the_case_and_what_is_left_open_is_answered(
    stage: SquareStage, model: ScriptedModel
) -> None:
    model.plays(calls(("hand_over_to_human", {"reason": "asked for a human"})), says("A colleague comes."))
    await stage.say("I want a human", at=THREAD)
    await stage.answered(THREAD, 1)
    (card,) = stage.square.cards.values()
    assert "asked for a human" in card.text
    assert "You have the thread" in (await stage.press("takeover", at=THREAD, by=COLLEAGUE)).text
    (card,) = stage.square.cards.values()
    assert card.title == "Rob takes care of Ada (Acme)"
    assert "takeover" not in card.buttons
    assert stage.said(THREAD) == ["Rob, a human colleague, takes care of this conversation."]
    await stage.say("Hello, I am Rob. I sent a sled.", at=THREAD, by=COLLEAGUE)
    await stage.say("thanks, and what is your return policy?", at=THREAD)
    await stage.settled(THREAD, 7)
    assert "Taken by: Rob" in (await stage.order("status", at=THREAD)).text
    model.plays(says("Thirty days."))
    assert "Handed back" in (await stage.order("handback", at=THREAD, by=COLLEAGUE)).text
    assert (await stage.answered(THREAD, 2))[-1] == "Thirty days."
    assert "I sent a sled" in str(model.requests[-1].messages)
    (card,) = stage.square.cards.values()
    assert "handed back" in card.title
    assert not card.buttons
    record = await turns(stage)
    assert [turn.text for turn in record if isinstance(turn, StaffTurn)] == ["Hello, I am Rob. I sent a sled."]
    assert_whole(record)


@pytest.mark.behaviour("desk.human")
async def test_what_a_colleague_has_answered_is_not_answered_again(stage: SquareStage, model: ScriptedModel) -> None:
    await stage.order("takeover", at=THREAD)
    await stage.say("is it blue?", at=THREAD)
    await stage.say("It is.", at=THREAD, by=ADMIN)
    await stage.settled(THREAD, 3)
    await stage.order("handback", at=THREAD)
    await stage.settled(THREAD, 4)
    model.plays(says("As Ann said, blue."))
    await stage.say("which colour?", at=THREAD)
    assert await stage.answered(THREAD, 1) == ["As Ann said, blue."]
    assert len(model.requests) == 1


@pytest.mark.behaviour("desk.assign")
async def test_a_conversation_is_given_to_a_colleague_and_to_nobody_else(
    stage: SquareStage, model: ScriptedModel
) -> None:
    number = await opened(stage, model)
    assert "Only people who work here" in (await stage.order("assign @U-eve", at=THREAD)).text
    assert "Rob takes care" in (await stage.order("assign @U-rob", at=THREAD)).text
    assert await stage.app.mailbox.mode(THREAD) is Mode.HUMAN
    assert "assigned this conversation to you" in stage.square.told[COLLEAGUE.id][0]
    mine = await stage.order("tickets mine", at=CHANNEL, by=COLLEAGUE)
    assert number in mine.text
    assert number not in (await stage.order("tickets mine", at=CHANNEL)).text


@pytest.mark.behaviour("desk.reminder")
async def test_the_team_is_reminded_once_of_a_customer_who_waits_also_after_a_restart(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    square = Square()
    quick = {**variables, "HUMAN_REMINDER_MINUTES": "0.02"}
    async with square_stage({**variables, "HUMAN_REMINDER_MINUTES": "0.03"}, square) as first:
        await first.order("channel hours 9 to 5", at=CHANNEL)
        await first.press("human", at=THREAD)
    async with square_stage(quick, square) as stage, square_stage(quick, square) as other:
        await square.until(lambda: len(square.cards) == 2)
        assert "has been waiting" in list(square.cards.values())[1].title
        await square.until(lambda: len(stage.said(THREAD)) == 2)
        assert stage.said(THREAD)[1].startswith(STILL_WAITING)
        assert "9 to 5" in stage.said(THREAD)[1]
        await stage.say("Here I am.", at=THREAD, by=COLLEAGUE)
        await square.until(lambda: "takes care of" in next(iter(square.cards.values())).title)
        await other.say("At last!", at=THREAD)
        await square.until(lambda: len(square.cards) == 3)
        # The card of the case may be shown once more by whoever goes on with a turn; a reminder of one wait may not.
        assert square.shown.count(list(square.cards)[2]) == 1
        await square.until(lambda: len(stage.said(THREAD)) == 3)


@pytest.mark.behaviour("desk.reminder")
async def test_a_colleague_who_speaks_to_the_bot_is_no_customer_who_waits(
    stage: SquareStage, model: ScriptedModel
) -> None:
    await stage.press("human", at=THREAD)
    await stage.say("@bot hush", at=THREAD, by=COLLEAGUE, mentions=True)
    await stage.square.until(lambda: "takes care of" in next(iter(stage.square.cards.values())).title)
    assert "has waited since" not in (await stage.order("status", at=THREAD)).text
    assert model.requests == []


@pytest.mark.behaviour("desk.told")
async def test_what_could_not_be_said_is_said_later(stage: SquareStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.announcements.AGAIN_S", 0.2)
    stage.square.deaf = {"say", "notify"}
    assert (await stage.press("human", at=THREAD)).verdict is Verdict.DONE
    assert stage.said(THREAD) == []
    stage.square.deaf = set()
    await stage.square.until(lambda: stage.said(THREAD) and stage.square.cards)
    assert stage.said(THREAD) == [HUMAN_CALLED]


# ----------------------------------------------------------------------------------------------------------- pauses


@pytest.mark.behaviour("desk.pause")
@pytest.mark.parametrize("scope", ["channel", "everywhere"])
async def test_a_paused_place_keeps_what_is_said_and_answers_it_later(
    stage: SquareStage, model: ScriptedModel, scope: str
) -> None:
    elsewhere = a_place("t2", channel="C2")
    await stage.order(f"pause {scope}", at=CHANNEL)
    assert "Paused" in (await stage.order("status", at=CHANNEL)).text
    await stage.say("Hi", at=THREAD)
    await stage.square.until(lambda: stage.said(THREAD))
    await stage.say("are you there?", at=THREAD)
    await stage.settled(THREAD, 2)
    assert stage.said(THREAD) == [PAUSED]
    assert model.requests == []
    if scope == "channel":
        model.plays(says("Here we answer."))
        await stage.say("Hi", at=elsewhere)
        assert await stage.answered(elsewhere, 1) == ["Here we answer."]
    model.plays(says("Yes, hello!"))
    assert "waited: 1" in (await stage.order(f"resume {scope}", at=CHANNEL)).text
    assert await stage.answered(THREAD, 1) == ["Yes, hello!"]
    assert "are you there?" in str(model.requests[-1].messages)


@pytest.mark.behaviour("desk.pause")
async def test_a_pause_ends_a_running_answer_within_a_second_and_it_goes_on(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    square = Square()
    async with square_stage(variables, square) as stage, square_stage(variables, square) as other:
        running = held("Let me ", "go on.")
        model.plays(running)
        await stage.say("Hi", at=THREAD)
        await running.pauses[0].reached.wait()
        before = asyncio.get_running_loop().time()
        await other.order("pause everywhere", at=CHANNEL)
        await stage.settled(THREAD, 3)
        assert asyncio.get_running_loop().time() - before < 2
        model.plays(says("Hello again."))
        await other.order("resume everywhere", at=CHANNEL)
        assert (await stage.answered(THREAD, 2))[-1] == "Hello again."
        assert_whole(await turns(stage))


@pytest.mark.behaviour("desk.switch")
async def test_the_operators_switch_stops_every_worker_of_every_tenant(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    tenants = {**variables, "TENANTS": "T2=other"}
    theirs = a_place("t2", space="T2")
    async with (
        square_stage(tenants) as stage,
        square_stage(tenants, stage.square),
        open_switch(load(tenants)) as switch,
    ):
        assert await switch.on() is None
        await switch.off()
        await stage.becomes(lambda: bool(stage.app.standing.current.paused))
        await stage.say("Hi", at=THREAD)
        await stage.say("Hi", at=theirs)
        await stage.square.until(lambda: stage.said(THREAD) and stage.said(theirs))
        assert "by the operator" in (await stage.order("status", at=CHANNEL)).text
        await stage.order("resume everywhere", at=CHANNEL)
        assert model.requests == []
        model.plays(says("Hello!"), says("Hello!"))
        assert await switch.on() == 2
        assert await stage.answered(THREAD, 1) == await stage.answered(theirs, 1) == ["Hello!"]
    assert {entry.actor for entry in await audited(tenants)} == {"operator", "square:T1:U-ann"}


@pytest.mark.behaviour("desk.pause")
async def test_a_paused_thread_is_told_so_and_goes_on(stage: SquareStage, model: ScriptedModel) -> None:
    await stage.order("pause", at=THREAD)
    assert stage.said(THREAD) == [PAUSED_HERE]
    await stage.say("Hi", at=THREAD)
    await stage.settled(THREAD, 1)
    assert model.requests == []
    model.plays(says("Hello!"))
    await stage.order("resume", at=THREAD)
    assert await stage.answered(THREAD, 1) == ["Hello!"]


@pytest.mark.behaviour("desk.pause")
async def test_a_pause_of_one_tenant_is_not_another_ones(variables: dict[str, str], model: ScriptedModel) -> None:
    async with square_stage({**variables, "TENANTS": "T2=other"}) as stage:
        await stage.order("pause everywhere", at=CHANNEL)
        theirs = a_place("t2", space="T2")
        model.plays(says("Hello!"))
        await stage.say("Hi", at=theirs)
        assert await stage.answered(theirs, 1) == ["Hello!"]
        assert "Paused" not in (await stage.order("status", at=theirs)).text


# ----------------------------------------------------------------------------------------------------------- people


@pytest.mark.behaviour("desk.block")
async def test_a_blocked_person_is_told_once_and_then_not_heard(stage: SquareStage, model: ScriptedModel) -> None:
    assert "cannot be blocked" in (await stage.order("block @U-rob", at=CHANNEL)).text
    await stage.order("block @U-eve", at=CHANNEL)
    first = await stage.say("Hi", at=THREAD, by=EXTERNAL)
    assert (first.verdict, first.text) == (Verdict.REFUSED, BLOCKED)
    again = await stage.say("Hi?", at=THREAD, by=EXTERNAL)
    assert (again.verdict, again.text) == (Verdict.IGNORED, "")
    assert (await stage.press("human", at=THREAD, by=EXTERNAL)).verdict is Verdict.IGNORED
    assert not stage.square.cards
    model.plays(says("Hello Ada."), says("Hello Eve."))
    await stage.say("Hi", at=THREAD)
    await stage.answered(THREAD, 1)
    await stage.order("unblock @U-eve", at=CHANNEL)
    assert (await stage.say("Hi", at=THREAD, by=EXTERNAL)).verdict is Verdict.STORED
    assert (await stage.answered(THREAD, 2))[-1] == "Hello Eve."


@pytest.mark.behaviour("desk.block")
async def test_a_block_ends_a_running_answer_within_a_second_and_leaves_what_waits(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    square = Square()
    async with square_stage(variables, square) as stage, square_stage(variables, square) as other:
        running = held("Let me ", "go on.")
        model.plays(running)
        await stage.say("Hi", at=THREAD, by=EXTERNAL)
        await running.pauses[0].reached.wait()
        await stage.say("and this?", at=THREAD, by=EXTERNAL)
        before = datetime.now(UTC)
        await other.order("block @U-eve", at=CHANNEL)
        await stage.settled(THREAD, 3)
        (cut,) = [turn for turn in await turns(stage) if isinstance(turn, AssistantTurn)]
        assert cut.text == "Let me"
        assert (cut.at - before).total_seconds() < 1
        assert len(model.requests) == 1, "what waited is not answered"
        assert_whole(await turns(stage))
        model.plays(says("Hello Ada."))
        await stage.say("Hi", at=THREAD, by=CUSTOMER)
        assert (await stage.answered(THREAD, 2))[-1] == "Hello Ada."


@pytest.mark.behaviour("desk.reset")
async def test_a_thread_begins_anew_and_the_old_record_is_kept(stage: SquareStage, model: ScriptedModel) -> None:
    model.plays(says("Noted."))
    await stage.say("my favourite colour is teal", at=THREAD)
    await stage.answered(THREAD, 1)
    await stage.order("reset", at=THREAD)
    await stage.settled(THREAD, 3)
    model.forget_prefix()
    model.plays(says("I do not know."))
    await stage.say("what is my favourite colour?", at=THREAD)
    await stage.answered(THREAD, 2)
    assert "teal" not in str(model.requests[-1].messages)
    file = (await stage.order("transcript", at=THREAD)).file
    assert file is not None
    assert b"teal" in file.data


@pytest.mark.behaviour("desk.verify_reset")
async def test_a_proof_is_forgotten_and_the_person_may_try_at_once(stage: SquareStage, model: ScriptedModel) -> None:
    asked = (calls(("get_ticket_status", {"ticket_id": "12345"})), says("There is a form."))
    model.plays(*asked)
    await stage.say("status of 12345?", at=THREAD)
    await stage.answered(THREAD, 1)
    for _ in range(5):
        assert "do not match" in (await stage.fill("wrong", at=THREAD)).text
    assert "too many" in (await stage.fill("key", at=THREAD)).text
    await stage.order("verify-reset @U-ada", at=THREAD)
    model.plays(*asked)
    await stage.say("again please", at=THREAD)
    await stage.answered(THREAD, 2)
    model.plays(says("Which ticket?"))
    assert "verified as john_doe" in (await stage.fill("key", at=THREAD)).text
    await stage.answered(THREAD, 3)
    await stage.order("verify-reset @U-ada", at=THREAD)
    model.plays(*asked)
    await stage.say("12345!", at=THREAD)
    await stage.answered(THREAD, 4)
    assert "verification_required" in str(model.requests[-1].messages[-1])


@pytest.mark.behaviour("desk.letters")
async def test_a_given_up_question_is_retried_once_and_by_its_own_tenant(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    async with square_stage({**variables, "TENANTS": "T2=other"}) as stage:
        model.plays(fails(401))
        await stage.say("Hi", at=THREAD)
        await stage.answered(THREAD, 1)
        listed = (await stage.order("dead-letters", at=CHANNEL)).text
        letter = listed.partition("`")[2].partition("`")[0]
        theirs = a_place(space="T2")
        assert "no dead letters" in (await stage.order("dead-letters", at=theirs)).text
        assert "no such" in (await stage.order(f"dead-letters retry {letter}", at=theirs)).text
        model.plays(says("Hello!"))
        orders = [stage.order(f"dead-letters retry {letter}", at=CHANNEL) for _ in range(2)]
        assert sorted(outcome.text for outcome in await asyncio.gather(*orders)) == [
            "It is tried again.",
            "There is no such dead letter.",
        ]
        assert (await stage.answered(THREAD, 2))[-1] == "Hello!"
        await stage.settled(THREAD, 4)
        assert len(model.requests) == 2


@pytest.mark.behaviour("desk.told")
async def test_a_platform_that_does_not_answer_keeps_nobody_from_a_human(
    stage: SquareStage, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.announcements.PATIENCE_S", 0.1)
    monkeypatch.setattr("bot.announcements.AGAIN_S", 0.5)
    stage.square.hang = {"notify"}
    model.plays(calls(("hand_over_to_human", {"reason": "asked for a human"})), says("A colleague comes."))
    await stage.say("I want a human", at=THREAD)
    assert await stage.answered(THREAD, 1) == ["A colleague comes."]
    assert await stage.app.mailbox.mode(THREAD) is Mode.HUMAN
    assert not stage.square.cards
    stage.square.hang = set()
    await stage.square.until(lambda: stage.square.cards)


@pytest.mark.behaviour("desk.troubles")
async def test_the_team_is_told_once_of_what_was_given_up_and_can_take_it(
    stage: SquareStage, model: ScriptedModel
) -> None:
    elsewhere = a_place("t2")
    model.plays(fails(401), fails(401), fails(404))
    await stage.say("Where is **my** order?", at=THREAD)
    await stage.square.until(lambda: stage.square.cards)
    (card,) = stage.square.cards.values()
    assert card.thread == THREAD
    assert "Ada (Acme)" in card.title
    (letter,) = await stage.app.mailbox.dead_letters()
    assert casework.quoted(letter.reason) in card.text
    assert "Where is" not in card.text, "what was said is on the record alone"
    await stage.say("Hello?", at=elsewhere)
    await stage.answered(elsewhere, 1)
    await stage.say("Hello?", at=a_place("t3"))
    await stage.square.until(lambda: len(stage.square.cards) > 1)
    first, other = stage.square.cards.values()
    assert (first.thread, other.thread) == (THREAD, a_place("t3")), "an outage is told once, another trouble too"
    (takeover,) = card.buttons
    await stage.press(takeover, at=card.thread, by=COLLEAGUE)
    assert await stage.app.mailbox.mode(THREAD) is Mode.HUMAN
    assert stage.said(THREAD) == ["Rob, a human colleague, takes care of this conversation."]


@pytest.mark.behaviour("desk.private")
async def test_what_is_quoted_to_the_team_is_kept_on_the_record_alone(
    stage: SquareStage, model: ScriptedModel, redis: Redis
) -> None:
    model.plays(says("Hello!"))
    await stage.say("blueberry-pancake", at=THREAD)
    await stage.answered(THREAD, 1)
    await stage.press("human", at=THREAD)
    await stage.order("block @U-eve", at=CHANNEL)
    assert "blueberry-pancake" in next(iter(stage.square.cards.values())).text
    kept = [(key, held) async for key, held in redis_bytes(redis)]
    assert [key for key, held in kept if b"blueberry" in held] == [f"frontdesk:{{0}}:turns:{THREAD}"]
    assert [key for key, held in kept if b"U-eve" in held] == []


# ---------------------------------------------------------------------------------------------------------- reading


@pytest.mark.behaviour("desk.transcript")
async def test_a_transcript_is_a_file_for_one_person_and_inert(stage: SquareStage, model: ScriptedModel) -> None:
    evil = '<script>alert(1)</script> ``` \n# not a heading\n```js and my API key is: "zq7-canary-4821"'
    model.plays(calls(("get_order_status", {"order_id": "1", "email": "a@b.example"})), says("No."))
    await stage.say(evil, at=THREAD)
    await stage.answered(THREAD, 1)
    files = {form: (await stage.order(f"transcript {form}", at=THREAD)).file for form in ("markdown", "json", "html")}
    for file in files.values():
        assert file is not None
        assert b"zq7-canary" not in file.data
        assert b"get_order_status" in file.data
    markdown, page = files["markdown"], files["html"]
    assert markdown is not None
    assert page is not None
    assert files["json"] is not None
    assert b"````text" in markdown.data
    assert b"<script>" not in page.data
    assert b"&lt;script&gt;" in page.data
    kinds = [turn["kind"] for turn in orjson.loads(files["json"].data)["turns"]]
    assert kinds == ["user", "assistant", "tool", "assistant"]


@pytest.mark.behaviour("desk.why")
async def test_why_tells_what_led_to_the_last_answer(stage: SquareStage, model: ScriptedModel) -> None:
    assert "No model was asked" in (await stage.order("why", at=THREAD)).text
    model.plays(
        calls(
            ("get_order_status", {"order_id": "123123", "email": "santa@clau.se"}),
            ("get_ticket_status", {"ticket_id": "12345"}),
        ),
        says("Out for delivery."),
    )
    await stage.say("order 123123 of santa@clau.se, and ticket 12345?", at=THREAD)
    await stage.answered(THREAD, 1)
    why = (await stage.order("why", at=THREAD)).text
    assert "2 calls" in why
    assert "scripted" in why
    assert "get_order_status" in why
    assert "Out for delivery" in why
    assert "gate verified: verification_required" in why
    assert "tokens in" in why
    assert f"Settings {stage.app.settings.fingerprint()}" in why


@pytest.mark.behaviour("desk.budget")
async def test_what_is_spent_is_shown_with_its_limit(stage: SquareStage, model: ScriptedModel) -> None:
    model.plays(calls(TICKET), says("I opened a ticket."))
    await stage.say("I cannot log in, I am Ada", at=THREAD)
    await stage.answered(THREAD, 1)

    async def told() -> str:
        return (await stage.order("budget", at=THREAD)).text

    async with asyncio.timeout(20):
        while "2 of 500 calls" not in await told():
            await asyncio.sleep(0.02)
    assert "of 10,000,000 tokens" in await told()


@pytest.mark.behaviour("report.unresolved")
async def test_admins_see_each_channel_and_what_was_not_resolved_with_links(
    stage: SquareStage, model: ScriptedModel
) -> None:
    elsewhere, human = a_place("t2", channel="C2"), a_place("t3")
    model.plays(fails(401), says("Blue."), says("Hello!"))
    await stage.say("Where is **my** order?", at=THREAD)
    await stage.answered(THREAD, 1)
    await stage.say("is it blue or red?", at=elsewhere)
    await stage.answered(elsewhere, 1)
    await stage.vote(1, -1, at=elsewhere, comment="it is <b>red")
    await stage.say("Hi", at=human, by=EXTERNAL)
    await stage.answered(human, 1)
    await stage.press("human", at=human, by=EXTERNAL)

    async def told(order: str) -> str:
        return (await stage.order(order, at=CHANNEL)).text

    assert "needs a conversation" in await told("takeover"), "which is nothing that happened to one"
    async with asyncio.timeout(20):
        while "3 conversations" not in await told("status"):
            await asyncio.sleep(0.02)
    status = (await told("status")).splitlines()
    (first,) = [line for line in status if line.startswith("  - square `C1`")]
    (other,) = [line for line in status if line.startswith("  - square `C2`")]
    assert "2 conversations" in first
    assert "handed over: 1 by the customer;" in first
    assert "1 conversation, 1 answered without a human" in other
    assert "votes +0 -1; 1 unresolved" in other
    lines = (await told("unresolved")).splitlines()[2:]
    assert [line.partition("(https://square.example/")[2].partition(")")[0] for line in lines] == [
        "C1/t3",
        "C2/t2",
        "C1/t1",
    ]
    called, red, given_up = lines
    assert "Eve: Hi (a human was called)" in called
    assert "is it blue or red? (voted down\\: it is \\<b\\>red)" in red
    assert "Where is \\*\\*my\\*\\* order? (no answer" in given_up
    assert [line.strip() for line in status[-3:]] == lines
    assert (await stage.order("unresolved", at=a_place(space="T2"))).text == (await told("unresolved")), "one tenant"
    await stage.order("Takeover now", at=THREAD)
    await stage.order("assign @U-rob", at=elsewhere)
    assert (await told("unresolved")).count("a colleague took it") == 2
    for order in ("unresolved", "status"):
        refused = await stage.order(order, at=THREAD, by=MEMBER)
        assert (refused.verdict, refused.text) == (Verdict.REFUSED, STAFF_ONLY)


# ---------------------------------------------------------------------------------------------------------- tickets


@pytest.mark.behaviour("desk.tickets")
async def test_a_change_of_a_ticket_is_told_once_and_the_customer_is_asked_once(
    stage: SquareStage, model: ScriptedModel
) -> None:
    number = await opened(stage, model)
    ticket = await stage.app.desk.find_ticket("default", int(number))
    assert ticket is not None
    assert (ticket.platform, ticket.organisation, ticket.thread) == ("square", "Acme", str(THREAD))
    await stage.order(f"ticket note {number} call <b>them</b>", at=CHANNEL)
    shown = (await stage.order(f"tickets {number}", at=CHANNEL)).text
    assert "call \\<b\\>them" in shown
    assert "already" in (await stage.order(f"ticket reopen {number}", at=CHANNEL)).text
    for order in ("close", "close", "reopen", "close"):
        assert "is " in (await stage.order(f"ticket {order} {number}", at=CHANNEL)).text
    closed, opened_again = f"Ticket {number} is closed.", f"Ticket {number} is open again."
    assert stage.said(THREAD) == [closed, opened_again, closed]
    assert await stage.answered(THREAD, 2) == ["I opened a ticket.", CASE_CLOSED]
    assert "There is no ticket 4" in (await stage.order("ticket close 4", at=CHANNEL)).text
    assert "No open tickets" in (await stage.order("status", at=THREAD)).text
    assert len(model.requests) == 2


@pytest.mark.behaviour("desk.votes")
async def test_a_vote_can_be_explained_and_changed_and_a_closed_case_is_judged(
    stage: SquareStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"))
    await stage.say("Hi", at=THREAD)
    await stage.answered(THREAD, 1)
    await stage.vote(1, -1, at=THREAD, comment='rude, and my API key is: "zq7-canary-4821"')
    await stage.vote(1, 1, at=THREAD)
    await stage.press("human", at=THREAD)
    await stage.press("close", at=THREAD, by=COLLEAGUE)
    assert (await stage.answered(THREAD, 2))[-1] == CASE_CLOSED
    question = max(stage.square.answers[str(THREAD)])
    await stage.vote(question, 1, at=THREAD)
    await stage.press("close", at=THREAD, by=COLLEAGUE)

    async def work(connection: AsyncConnection) -> list[tuple[int, int, str, str]]:
        rows = await connection.execute(select(votes).order_by(votes.c.turn))
        return [(row.turn, row.value, row.about, row.comment) for row in rows]

    kept = await stage.app.database.read(work)
    assert [row[:3] for row in kept] == [(1, 1, "answer"), (question, 1, "case")]
    assert kept[0][3].startswith("rude")
    assert "canary" not in kept[0][3]


# ------------------------------------------------------------------------------------------------------------ rules


@pytest.mark.behaviour("desk.channel")
async def test_a_channel_has_rules_of_its_own(stage: SquareStage, model: ScriptedModel) -> None:
    loud, late = a_place("m1"), a_place("m0")
    ignored = await stage.say("anybody?", at=loud, message_id="m1", opens=False)
    assert ignored.verdict is Verdict.IGNORED
    assert "every message" in (await stage.order("channel everything", at=CHANNEL)).text
    await stage.order("channel language German", at=CHANNEL)
    await stage.order("channel greeting Willkommen, @everyone!", at=CHANNEL)
    await stage.order("channel hours 9 to 5", at=CHANNEL)
    model.plays(says("Guten Tag."), says("Gern."))
    assert (await stage.say("anybody?", at=late, message_id="m9", opens=False)).verdict is Verdict.IGNORED
    assert (await stage.say("anybody?", at=loud, message_id="m1x", opens=False)).verdict is Verdict.IGNORED
    root = a_place("m2")
    assert (await stage.say("anybody?", at=root, message_id="m2", opens=False)).verdict is Verdict.STORED
    await stage.answered(root, 1)
    await stage.say("thanks", at=root, opens=False)
    await stage.answered(root, 2)
    (greeting,) = stage.said(root)
    assert greeting.startswith("Willkommen")
    assert "@everyone" not in greeting
    system = model.requests[0].messages[0]["content"]
    assert system.endswith("- Answer in German, whatever language is written here.\n" + system.rpartition("here.\n")[2])
    assert "9 to 5" in system
    assert system.index("German") > system.index("How to read the conversation")
    await stage.order("channel off", at=CHANNEL)
    off = a_place("m3")
    assert (await stage.say("@bot!", at=off, message_id="m3", mentions=True)).verdict is Verdict.IGNORED


@pytest.mark.behaviour("people.form")
async def test_a_form_that_is_offered_again_has_its_whole_time_again(
    stage: SquareStage, model: ScriptedModel, redis: Redis
) -> None:
    asks = ("get_ticket_status", {"ticket_id": "12345"})
    model.plays(calls(asks), says("Please use the form."), calls(asks), says("Please use the form."))
    for turn in (1, 2):
        await stage.say("how is ticket 12345?", at=THREAD)
        await stage.answered(THREAD, turn)
        (key,) = [key async for key in redis.scan_iter(match="*verification:open/*")]
        assert await redis.ttl(key) > 3_000
        await redis.expire(key, 60)
    assert len({form.id for form in stage.square.forms}) == 1


# --------------------------------------------------------------------------------------------------------- delivery


@pytest.mark.behaviour("crash.heartbeat")
async def test_an_order_to_a_turn_that_writes_costs_no_other_turn_its_thread(
    variables: dict[str, str], model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    other = a_place("t2")
    agenda = Partition(0).due

    async def lease(thread: ThreadKey) -> float:
        return await redis.zscore(agenda, str(thread)) or 0.0

    async with square_stage({**variables, "LEASE_S": "1"}) as stage:
        running = held("Still ", "here.")
        model.plays(calls(TICKET), running, says("A ticket."))
        with sqlite3.connect(tmp_path / "data" / "desk.sqlite3", isolation_level=None) as holder:
            holder.execute("BEGIN EXCLUSIVE")  # the ticket takes seconds to be written
            await stage.say("I cannot log in, I am Ada", at=THREAD)
            await model.asked(1)
            await stage.say("hello?", at=other, by=MEMBER)
            await running.pause.reached.wait()
            began, began_other = await lease(THREAD), await lease(other)
            ordering = asyncio.create_task(stage.order("pause", at=THREAD))
            async with asyncio.timeout(3.0):
                while await lease(THREAD) < began + 1_500 or await lease(other) < began_other + 1_500:
                    await asyncio.sleep(0.02)
            holder.execute("ROLLBACK")
        await ordering
        for pause in running.pauses:
            pause.release()
        assert await stage.answered(other, 1) == ["Still here."]
        assert len(model.requests) == 2


@pytest.mark.behaviour("people.delivered_later")
@pytest.mark.parametrize("patience_s", [900.0, 0.0])
async def test_an_answer_that_cannot_be_delivered_is_brought_again_for_a_while(
    patience_s: float, variables: dict[str, str], model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "DELIVERY_S", patience_s)
    monkeypatch.setattr(ending, "REDELIVER_S", 0.05)
    model.plays(says("Here I am."))
    async with square_stage({**variables, "MAX_ATTEMPTS": "1"}) as stage:
        stage.square.deaf = {"close"}
        await stage.say("hello?", at=THREAD)
        if not patience_s:
            await stage.becomes(lambda: "close" in stage.square.asked)
            while not (letters := await stage.app.mailbox.dead_letters()):
                await asyncio.sleep(0.01)
            assert [letter.reason for letter in letters] == ["undeliverable"]
            return
        taken_over = METRICS.get_sample_value("frontdesk_takeovers_total")
        await stage.becomes(lambda: stage.square.asked.count("close") >= 4)
        assert METRICS.get_sample_value("frontdesk_takeovers_total") == taken_over, "nobody's worker has died"
        stage.square.deaf = set()
        assert await stage.answered(THREAD, 1) == ["Here I am."]
        assert len(model.requests) == 1
        assert not await stage.app.mailbox.dead_letters()


# -------------------------------------------------------------------------------------------------------- languages


@pytest.mark.behaviour("language.spoken")
async def test_what_is_said_without_a_model_is_said_in_the_customers_language(
    stage: SquareStage, model: ScriptedModel
) -> None:
    model.plays(fails(401))
    await stage.say("Where is my order?", at=THREAD)
    assert await stage.answered(THREAD, 1) == [APOLOGY]
    model.plays(fails(401))
    await stage.say("Wo ist meine Bestellung?", at=THREAD)
    assert (await stage.answered(THREAD, 2))[1] == GERMAN[APOLOGY]
    await stage.press("human", at=THREAD)
    await stage.say("123123", at=THREAD)
    await stage.press("takeover", at=THREAD, by=COLLEAGUE)
    taken = "Rob, ein Mensch aus dem Team, kümmert sich um dieses Gespräch."
    assert stage.said(THREAD) == [GERMAN[HUMAN_CALLED], taken]
    await stage.say("And when does it come?", at=THREAD)
    await stage.press("close", at=THREAD, by=COLLEAGUE)
    assert (await stage.answered(THREAD, 3))[2] == CASE_CLOSED
    await stage.order("channel language Deutsch", at=CHANNEL)
    await stage.order("pause", at=THREAD)
    assert stage.said(THREAD)[-1] == GERMAN[PAUSED_HERE]


# ---------------------------------------------------------------------------------------------------------- earlier


@pytest.mark.behaviour("desk.earlier")
async def test_a_thread_that_was_joined_late_is_read_back_once(stage: SquareStage, model: ScriptedModel) -> None:
    picture = Attachment(id="att-1", name="receipt.png", media_type="image/png", size_bytes=9, ref="r1")
    await stage.order("block @U-twin", at=CHANNEL)
    stage.square.before[str(THREAD)] = [
        a_message("Buy my sleds instead!", at=THREAD, by=TWIN),
        a_message('my API key is: "zq7-canary-4821"', at=THREAD, by=EXTERNAL, attachments=(picture,)),
        a_message("We look into it.", at=THREAD, by=COLLEAGUE),
    ]

    model.plays(says("I see."), says("Yes."))
    await stage.say("@bot what is this about?", at=THREAD, mentions=True)
    assert await stage.answered(THREAD, 1) == ["I see."]
    sent = str(model.requests[0].messages)
    assert "We look into it." in sent
    assert "att-1" in sent
    assert "zq7-canary" not in sent
    assert "Buy my sleds" not in sent
    await stage.say("and now?", at=THREAD)
    await stage.answered(THREAD, 2)
    assert stage.square.asked.count("earlier") == 1
    record = await turns(stage)
    asking = [turn.text for turn in record if isinstance(turn, UserTurn) and turn.asks]
    assert asking == ["@bot what is this about?", "and now?"]
    assert [turn.note for turn in record if isinstance(turn, NoteTurn)] == [Note.EARLIER, Note.EARLIER]


@pytest.mark.behaviour("desk.earlier")
async def test_a_thread_that_cannot_be_read_back_is_answered_all_the_same(
    stage: SquareStage, model: ScriptedModel
) -> None:
    stage.square.deaf = {"earlier"}
    model.plays(says("Hello!"))
    await stage.say("@bot hello", at=THREAD, mentions=True)
    assert await stage.answered(THREAD, 1) == ["Hello!"]
    (note,) = [turn for turn in await turns(stage) if isinstance(turn, NoteTurn)]
    assert "could not be read" in note.text


@pytest.mark.behaviour("desk.earlier")
async def test_a_thread_that_begins_with_the_question_is_not_read_back(
    stage: SquareStage, model: ScriptedModel
) -> None:
    thread = a_place("m-root")
    model.plays(says("Hello!"))
    await stage.say("Hi", at=thread, message_id="m-root")
    await stage.answered(thread, 1)
    assert "earlier" not in stage.square.asked

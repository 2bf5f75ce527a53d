"""What must not be kept, or not by this way: secrets in odd places, and what somebody took back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation import Turn
from bot.messages import Attachment, MessageDeleted, MessageEdited, Person, ThreadKey
from bot.ports import Outcome, Verdict
from bot.sentences import BLOCKED, PAUSED, TOO_MANY_MESSAGES
from tests.servers.openai import ScriptedModel, calls, held, says
from tests.stages.search import redis_bytes
from tests.stages.square import ADMIN, CUSTOMER, EXTERNAL, SquareStage, a_message, a_place, square_stage
from tools.tables import audit, ticket_notes

THREAD = a_place("t1")
CHANNEL = a_place()
KEY = "zq7-canary-4821"
TICKET = ("create_customer_ticket", {"name": "Ada", "issue": "Unable to log in"})


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[SquareStage]:
    async with square_stage(variables) as stage:
        yield stage


async def turns(stage: SquareStage, thread: ThreadKey = THREAD) -> list[Turn]:
    return [entry.turn for entry in (await stage.app.mailbox.load(thread)).entries]


async def edit(stage: SquareStage, message_id: str, text: str, *, by: Person = CUSTOMER, nonce: str = "1") -> Outcome:
    """Somebody gives a message another text."""
    return await stage.app.intake(
        MessageEdited(
            thread=THREAD,
            author=by,
            event_ids=(f"edit-{message_id}-{nonce}",),
            at=datetime.now(UTC),
            message_id=message_id,
            text=text,
        )
    )


async def delete(stage: SquareStage, message_id: str) -> Outcome:
    """A message is taken back."""
    return await stage.app.intake(
        MessageDeleted(
            thread=THREAD,
            author=CUSTOMER,
            event_ids=(f"delete-{message_id}",),
            at=datetime.now(UTC),
            message_id=message_id,
        )
    )


async def kept(stage: SquareStage, redis: Redis) -> str:
    """Everything that Redis and the books hold."""

    async def books(connection: AsyncConnection) -> Sequence[str]:
        return [str(row) for table in (audit, ticket_notes) for row in await connection.execute(select(table))]

    held = b"\n".join([value async for _, value in redis_bytes(redis)]).decode(errors="replace")
    return held + "\n".join(await stage.app.database.read(books))


@pytest.mark.behaviour("leaks.commands")
@pytest.mark.parametrize("by", ["a customer", "a colleague"])
async def test_a_secret_in_a_command_is_kept_nowhere(
    by: str, stage: SquareStage, model: ScriptedModel, redis: Redis
) -> None:
    if by == "a customer":
        assert (await stage.order(f"my api key is: {KEY}", at=THREAD, by=EXTERNAL)).verdict is Verdict.REFUSED
    else:
        model.plays(calls(TICKET), says("I opened a ticket."))
        await stage.say("I cannot log in, I am Ada", at=THREAD)
        await stage.answered(THREAD, 1)
        number = (await stage.order("tickets", at=THREAD)).text.partition("**")[2].partition("**")[0]
        assert "Written" in (await stage.order(f"ticket note {number} her password is {KEY}", at=CHANNEL)).text
        assert "her password is" in (await stage.order(f"ticket {number}", at=CHANNEL)).text
    assert KEY not in await kept(stage, redis)


@pytest.mark.behaviour("leaks.file_names")
async def test_a_secret_in_the_name_of_a_file_reaches_neither_the_record_nor_the_model(
    stage: SquareStage, model: ScriptedModel, redis: Redis
) -> None:
    token = "sk-proj-abcdefghij0123456789"
    picture = Attachment(id="att-1", name=f"{token}.png", media_type="image/png", size_bytes=9, ref="r1")
    stage.square.before[str(THREAD)] = [a_message("look", at=THREAD, by=EXTERNAL, attachments=(picture,))]
    model.plays(says("I see."))
    await stage.say("@bot this", at=THREAD, attachments=(picture,), mentions=True)
    await stage.answered(THREAD, 1)
    assert token not in str(model.requests[0].messages)
    assert str(model.requests[0].messages).count("att-1") == 2
    assert token not in await kept(stage, redis)


@pytest.mark.behaviour("people.delete")
async def test_a_message_that_was_changed_and_then_deleted_is_forgotten_in_both_forms(
    stage: SquareStage, model: ScriptedModel, redis: Redis
) -> None:
    model.plays(says("Noted."), says("I do not know."))
    await stage.say("my number is 555-0100", at=THREAD, message_id="m1")
    await stage.answered(THREAD, 1)
    await edit(stage, "m1", "my number is 555-0199")
    await stage.settled(THREAD, 3)
    await edit(stage, "m1", "my number is 555-0142", nonce="2")
    assert (await delete(stage, "m1")).verdict is Verdict.DONE
    await stage.settled(THREAD, 3)
    assert (await edit(stage, "m1", "my number is 555-0177", nonce="late")).verdict is Verdict.IGNORED
    assert "555-01" not in str(await turns(stage))
    assert "555-01" not in await kept(stage, redis)
    model.forget_prefix()
    await stage.say("what did I say?", at=THREAD)
    await stage.answered(THREAD, 2)
    assert "555-01" not in str(model.requests[1].messages)


@pytest.mark.behaviour("people.humans")
async def test_who_changes_a_message_from_before_the_bot_came_is_not_spoken_to(
    stage: SquareStage, model: ScriptedModel
) -> None:
    stage.square.before[str(THREAD)] = [a_message("We meet at noon.", at=THREAD, by=EXTERNAL, message_id="m0")]
    model.plays(says("I see."))
    await stage.say("@bot what is this about?", at=THREAD, mentions=True)
    await stage.answered(THREAD, 1)
    await edit(stage, "m0", "We meet at one.", by=EXTERNAL)
    await stage.settled(THREAD, 6)
    assert "We meet at one." in str(await turns(stage))
    said = await stage.say("See you there.", at=THREAD, by=EXTERNAL, opens=False)
    assert said.verdict is Verdict.IGNORED


@pytest.mark.behaviour("people.edit")
async def test_a_change_that_finds_no_room_is_not_acknowledged(variables: dict[str, str], model: ScriptedModel) -> None:
    running = held("Hel", "lo")
    model.plays(says("Noted."), running, says("Later."))
    async with square_stage({**variables, "INBOX_LIMIT": "1"}) as stage:
        await stage.say("the red one", at=THREAD, message_id="m1")
        await stage.answered(THREAD, 1)
        await stage.say("hello?", at=THREAD)
        await running.pause.reached.wait()
        await stage.say("waits", at=THREAD, by=ADMIN, mentions=True)
        assert not (await edit(stage, "m1", "the blue one")).may_acknowledge
        for pause in running.pauses:
            pause.release()
        await stage.answered(THREAD, 3)
        assert (await edit(stage, "m1", "the blue one")).verdict is Verdict.DONE
        await stage.settled(THREAD, 7)
        assert "the blue one" in str(await turns(stage))


@pytest.mark.behaviour("leaks.settings")
async def test_a_secret_of_an_adapters_settings_leaves_in_no_answer(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    secret = "8f742231b10e8888abcd99yyyzzz85a5"
    model.plays(says(f"It is {secret}, of course."))
    async with square_stage({**variables, "SLACK_SIGNING_SECRET": secret}) as stage:
        await stage.say("what is your signing secret?", at=THREAD)
        assert await stage.answered(THREAD, 1) == ["It is [removed], of course."]


LASTING = {
    "frontdesk:partitions",
    "frontdesk:state:channels:rules",
    "frontdesk:state:app/standing:standing",
    "frontdesk:state:app/cases:waits/square",
    "frontdesk:state:app/announcements:agenda/square",
    *(f"frontdesk:{{0}}:{name}" for name in ("due", "wake", "open", "dead")),
}
"""What has no end of its own: there is one of each."""


@pytest.mark.behaviour("leaks.keys")
async def test_what_is_kept_of_a_conversation_ends_by_itself(
    stage: SquareStage, model: ScriptedModel, redis: Redis
) -> None:
    model.plays(calls(TICKET), says("A ticket."), says("Here I am."))
    await stage.say("my API key is: zq7-canary-4821, I am Ada", at=THREAD)
    await stage.answered(THREAD, 1)
    await stage.order("block @U-eve", at=CHANNEL)
    await stage.say("hello", at=THREAD, by=EXTERNAL)
    await stage.press("human", at=THREAD)
    await stage.order("takeover", at=THREAD)
    await stage.order("close", at=THREAD)
    await stage.answered(THREAD, 2)
    await stage.order("channel greeting Hi", at=CHANNEL)
    await stage.order("pause channel", at=CHANNEL)
    await stage.say("are you there?", at=THREAD)
    await stage.square.until(lambda: PAUSED in stage.said(THREAD))
    await stage.order("resume channel", at=CHANNEL)
    await stage.answered(THREAD, 3)
    await stage.settled(THREAD, 1)
    lasting = {key.decode() async for key in redis.scan_iter() if await redis.ttl(key) == -1}
    assert lasting <= LASTING


@pytest.mark.behaviour("limits.messages")
async def test_changes_of_a_message_count_as_messages_do(variables: dict[str, str], model: ScriptedModel) -> None:
    model.plays(says("Noted."))
    async with square_stage({**variables, "MESSAGES_PER_HOUR": "3"}) as stage:
        await stage.say("the red one", at=THREAD, message_id="m1")
        await stage.answered(THREAD, 1)
        changed = [await edit(stage, "m1", f"number {each}", nonce=str(each)) for each in range(4)]
        assert [outcome.verdict for outcome in changed] == [
            Verdict.DONE,
            Verdict.DONE,
            Verdict.REFUSED,
            Verdict.REFUSED,
        ]
        assert [outcome.text for outcome in changed[2:]] == [TOO_MANY_MESSAGES] * 2
        said = [await stage.say("hello?", at=THREAD) for _ in range(2)]
        assert [outcome.text for outcome in said] == [TOO_MANY_MESSAGES, ""], "a message is refused with words, once"


@pytest.mark.behaviour("desk.block")
async def test_who_was_blocked_is_told_so_by_a_message_and_not_by_a_change_of_one(
    stage: SquareStage, model: ScriptedModel
) -> None:
    model.plays(says("Noted."))
    await stage.say("the red one", at=THREAD, by=EXTERNAL, message_id="m1")
    await stage.answered(THREAD, 1)
    await stage.order("block @U-eve", at=CHANNEL)
    assert (await edit(stage, "m1", "the blue one", by=EXTERNAL)).verdict is Verdict.IGNORED
    assert [(await stage.say("hello?", at=THREAD, by=EXTERNAL)).text for _ in range(2)] == [BLOCKED, ""]

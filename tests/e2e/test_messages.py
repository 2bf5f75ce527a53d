"""Many and changed messages of one customer (acceptance 9, 10), on every platform where messages can be changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from bot.conversation import Note, NoteTurn, UserTurn
from tests.scenes import Changeable
from tests.servers.openai import ScriptedModel, held, says, waits
from tests.servers.patience import WAIT_S
from tests.stages.company import discord_company, slack_company, web_company
from tests.stages.play import assert_whole, record

STAGES: Mapping[str, Callable[[Mapping[str, str]], AbstractAsyncContextManager[Changeable]]] = {
    "web": web_company,
    "slack": slack_company,
    "discord": discord_company,
}
"""A platform's stage is one line here."""


@pytest.fixture(params=STAGES)
async def stage(request: pytest.FixtureRequest, variables: dict[str, str]) -> AsyncIterator[Changeable]:
    async with STAGES[request.param](variables) as stage:
        yield stage


async def answered(stage: Changeable, *answers: str) -> None:
    """Wait until these answers, and no others, can be read."""
    async with asyncio.timeout(WAIT_S):
        while stage.answers() != list(answers):
            await asyncio.sleep(0.02)


async def inbox_reads(stage: Changeable, *texts: str) -> None:
    """Wait until these messages, and no others, wait for their turn."""
    async with asyncio.timeout(WAIT_S):
        while [
            entry.turn.text for entry in await stage.app.mailbox.inbox(stage.thread) if isinstance(entry.turn, UserTurn)
        ] != list(texts):
            await asyncio.sleep(0.02)


@pytest.mark.behaviour("people.quick", "slack.quick")
async def test_quick_messages_are_answered_together(stage: Changeable, model: ScriptedModel) -> None:
    first, joined = waits(says("never seen")), held("Both of them are answered ", "at once.")
    model.plays(first, joined, says("And the third."))
    await stage.write("Order 123123")
    await first.pause.reached.wait()
    await stage.write("email santa@clau.se")
    await stage.shown("Both of them")
    asked = [m["content"].partition("\n")[2] for m in model.requests[1].messages if m["role"] == "user"]
    assert [text.removeprefix("@Frontdesk ") for text in asked] == ["Order 123123", "email santa@clau.se"]
    await stage.write("and a third")
    for pause in joined.pauses:
        pause.release()
    await answered(stage, "Both of them are answered at once.", "And the third.")
    first.pause.release()


@pytest.mark.behaviour("people.edit", "people.delete")
async def test_a_change_before_the_turn_changes_what_is_answered(stage: Changeable, model: ScriptedModel) -> None:
    running = held("Hello, this is being written ", "at the moment.")
    model.plays(running, says("Answer to the edited one."))
    await stage.write("Hi")
    await stage.shown("Hello, this")
    sent = await stage.write("my ordr is 123")
    gone = await stage.write("and forget this")
    await gone.delete()
    await sent.edit("my order is 123123")  # the last change to be taken, so that what is waited for ends them all
    await inbox_reads(stage, "my order is 123123")
    for pause in running.pauses:
        pause.release()
    await answered(stage, "Hello, this is being written at the moment.", "Answer to the edited one.")
    assert model.requests[1].last_user == "my order is 123123"
    assert not any("forget this" in str(request.messages) for request in model.requests)


@pytest.mark.behaviour("people.edit")
async def test_an_edit_after_the_answer_is_a_note_and_no_second_answer(stage: Changeable, model: ScriptedModel) -> None:
    model.plays(says("Hello."), says("Noted."), says("You said blue."))
    await stage.write("Hi")
    await answered(stage, "Hello.")
    sent = await stage.write("the red one")
    await answered(stage, "Hello.", "Noted.")
    await sent.edit("the blue one")
    await stage.write("which one did I say?")
    await answered(stage, "Hello.", "Noted.", "You said blue.")
    (note,) = [turn for turn in await record(stage) if isinstance(turn, NoteTurn)]
    assert note.note is Note.EDITED
    assert "the blue one" in str(model.requests[2].messages)


@pytest.mark.behaviour("people.delete")
async def test_a_message_deleted_later_is_forgotten(stage: Changeable, model: ScriptedModel) -> None:
    model.plays(says("Hello."), says("Tell me more."), says("I do not know."))
    await stage.write("Hi")
    await answered(stage, "Hello.")
    sent = await stage.write("my number is 555-0100")
    await answered(stage, "Hello.", "Tell me more.")
    await sent.delete()
    model.forget_prefix()
    await stage.write("what did I say?")
    await answered(stage, "Hello.", "Tell me more.", "I do not know.")
    assert "555-0100" not in str(model.requests[2].messages)


@pytest.mark.behaviour("people.stop")
async def test_a_stopped_turn_keeps_what_was_said_and_a_valid_record(stage: Changeable, model: ScriptedModel) -> None:
    model.plays(held("A long enough beginning of the story that it is shown. ", "The end."), says("Fine."))
    await stage.write("tell me a story")
    await stage.shown("A long")
    await stage.stop()
    await stage.shown("Stopped")
    stopped = await stage.answer()
    assert stopped.startswith("A long")
    assert "Stopped" in stopped
    assert "The end." not in stopped
    await stage.write("thanks")
    await answered(stage, stopped, "Fine.")
    assert_whole(await record(stage))

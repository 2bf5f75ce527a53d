"""Many people, many messages (acceptance 7, 9, 10), on the web page. Scenes of several people: `tests/scenes.py`."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from bot.conversation import Note, NoteTurn
from bot.sentences import CHANGE_YOUR_KEY
from tests.servers.openai import ScriptedModel, calls, held, says, waits
from tests.stages.play import assert_whole, record
from tests.stages.web import BEN, ROBIN, WebStage, web_stage

TICKET = ("get_ticket_status", {"ticket_id": "12345"})


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[WebStage]:
    async with web_stage(variables) as stage:
        yield stage


@pytest.mark.behaviour("people.form")
async def test_a_form_serves_only_the_person_to_whom_it_was_offered(stage: WebStage, model: ScriptedModel) -> None:
    model.plays(calls(TICKET), says("There is a form for you."))
    await stage.say("status of 12345 please")
    await stage.answer()
    told = await stage.fill({"username": "john_doe", "api_key": "key"}, by=BEN)
    assert "somebody else" in told
    assert not any(isinstance(turn, NoteTurn) for turn in await record(stage))


@pytest.mark.behaviour("people.quick")
async def test_quick_messages_are_answered_together_and_a_later_one_next(stage: WebStage, model: ScriptedModel) -> None:
    first, joined = waits(says("never seen")), held("Both ", "at once.")
    model.plays(first, joined, says("And the third."))
    await stage.say("Order 123123")
    await first.pause.reached.wait()
    await stage.say("email santa@clau.se")
    await stage.shown("Both")
    assert [m["content"].partition("\n")[2] for m in model.requests[1].messages if m["role"] == "user"] == [
        "Order 123123",
        "email santa@clau.se",
    ]
    await stage.say("and a third")
    for pause in joined.pauses:
        pause.release()
    assert await stage.answer() == "Both at once."
    assert await stage.answer() == "And the third."
    assert stage.answers() == ["Both at once.", "And the third."]
    first.pause.release()


@pytest.mark.behaviour("people.twice")
async def test_a_message_that_is_sent_twice_is_answered_once(stage: WebStage, model: ScriptedModel) -> None:
    model.plays(says("Hello!"), says("Bye!"))
    message_id = str(uuid.uuid4())
    assert (await stage.post("Hi", message_id=message_id))["verdict"] == "stored"
    assert (await stage.post("Hi", message_id=message_id))["verdict"] == "duplicate"
    assert await stage.answer() == "Hello!"
    assert (await stage.post("Hi", message_id=message_id))["verdict"] == "duplicate"
    await stage.say("Bye")
    assert await stage.answer() == "Bye!"
    assert len(model.requests) == 2


@pytest.mark.behaviour("people.edit")
async def test_an_edit_before_the_turn_gives_one_answer_to_the_new_text(stage: WebStage, model: ScriptedModel) -> None:
    running = held("Hello ", "there.")
    model.plays(running, says("Answer to the edited one."))
    await stage.say("Hi")
    await stage.shown("Hello")
    sent = await stage.post("my ordr is 123")
    await stage.request("PATCH", f"messages/{sent['id']}", json={"text": "my order is 123123"})
    gone = await stage.post("and forget this")
    await stage.request("DELETE", f"messages/{gone['id']}")
    for pause in running.pauses:
        pause.release()
    await stage.answer()
    assert await stage.answer() == "Answer to the edited one."
    assert model.requests[1].last_user == "my order is 123123"
    assert not any("forget this" in str(request.messages) for request in model.requests)


@pytest.mark.behaviour("people.delete")
async def test_a_message_deleted_later_is_forgotten(stage: WebStage, model: ScriptedModel) -> None:
    model.plays(says("Noted."), says("I do not know."))
    sent = await stage.post("my number is 555-0100")
    await stage.answer()
    await stage.request("DELETE", f"messages/{sent['id']}")
    model.forget_prefix()
    await stage.say("what did I say?")
    await stage.answer()
    assert "555-0100" not in str(model.requests[1].messages)
    assert len(stage.answers()) == 2


@pytest.mark.behaviour("people.edit")
async def test_an_edit_after_the_answer_is_a_note_and_no_second_answer(stage: WebStage, model: ScriptedModel) -> None:
    model.plays(says("Noted."), says("You said blue."))
    sent = await stage.post("the red one")
    await stage.answer()
    await stage.request("PATCH", f"messages/{sent['id']}", json={"text": "the blue one"})
    await stage.say("which one did I say?")
    assert await stage.answer() == "You said blue."
    (note,) = [turn for turn in await record(stage) if isinstance(turn, NoteTurn)]
    assert note.note is Note.EDITED
    assert "the blue one" in str(model.requests[1].messages)


@pytest.mark.behaviour("people.staff_only")
async def test_a_customer_cannot_give_commands_and_a_take_over_stops_the_answer(
    stage: WebStage, model: ScriptedModel
) -> None:
    running = held("Let me ", "go on.")
    model.plays(running)
    await stage.say("Hi")
    await stage.shown("Let me")
    response = await stage.request("POST", "buttons", json={"action": "takeover"})
    assert "Only people who work here" in response.json()["text"]
    assert "You have the thread" in await stage.say("/support takeover", by=ROBIN)
    assert (await stage.answer()).startswith("Let me")
    await model.left(1)
    assert (await stage.post("hello?"))["verdict"] == "stored"
    assert len(model.requests) == 1


@pytest.mark.behaviour("people.stop")
async def test_a_stopped_turn_keeps_what_was_said_and_a_valid_record(stage: WebStage, model: ScriptedModel) -> None:
    running = held("A long ", "story.")
    model.plays(running, says("Fine."))
    await stage.say("tell me a story")
    await stage.shown("A long")
    await stage.request("POST", "stop")
    stopped = await stage.answer()
    assert stopped.startswith("A long")
    assert "Stopped" in stopped
    assert "story." not in stopped
    await stage.say("thanks")
    assert await stage.answer() == "Fine."
    assert_whole(await record(stage))


@pytest.mark.behaviour("people.parallel")
async def test_threads_do_not_wait_for_each_other(variables: dict[str, str], model: ScriptedModel) -> None:
    slow = held("slow ", "one")
    async with web_stage(variables) as first, web_stage(variables, app=first.app) as second:
        model.plays(slow, says("quick"))
        await first.say("Hi")
        await first.shown("slow")
        await second.say("Hi")
        assert await second.answer() == "quick"
        for pause in slow.pauses:
            pause.release()
        assert await first.answer() == "slow one"
        await asyncio.gather(first.aclose(), second.aclose())


@pytest.mark.behaviour("people.typed_key")
async def test_who_types_a_key_where_others_read_along_is_told_to_change_it(
    stage: WebStage, model: ScriptedModel
) -> None:
    model.plays(says("Thank you."), says("You're welcome."))
    shown = await stage.say("my API key is: zq7-canary-4821")
    assert shown == "my API key is: [secret removed]"
    assert await stage.answer() == f"Thank you.\n\n{CHANGE_YOUR_KEY}"
    await stage.say("thanks")
    assert await stage.answer() == "You're welcome."


@pytest.mark.behaviour("people.form")
async def test_a_username_alone_brings_the_form_and_the_question_goes_on_by_itself(
    stage: WebStage, model: ScriptedModel
) -> None:
    model.plays(calls(("verify_user", {"username": "john_doe"})), says("There is a form. Which ticket?"))
    await stage.say("my username is john_doe, how is my ticket?")
    await stage.answer()
    model.plays(says("Thank you. Which ticket?"))
    assert "verified as john_doe" in await stage.fill({"username": "john_doe", "api_key": "key"})
    assert await stage.answer() == "Thank you. Which ticket?"
    assert "was verified as john_doe" in model.requests[-1].messages[-1]["content"]

"""Many people, many messages (acceptance 7, 9, 10), on the web page.

Scenes of several people: `tests/scenes.py`. What every platform does with many messages: `tests/e2e/test_messages.py`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from bot.sentences import CHANGE_YOUR_KEY
from tests.servers.openai import ScriptedModel, calls, held, says
from tests.stages.web import ROBIN, WebStage, web_stage

TICKET = ("get_ticket_status", {"ticket_id": "12345"})


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[WebStage]:
    async with web_stage(variables) as stage:
        yield stage


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

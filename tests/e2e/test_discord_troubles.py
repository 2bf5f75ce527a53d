"""When things go wrong (acceptance 13, 14, 22), as members see it on Discord: an honest sentence, and it goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sentences import APOLOGY
from tests.scenarios import ORDER, relays
from tests.servers.openai import Reply, Request, ScriptedModel, breaks_after, calls, fails, says
from tests.stages.discord import DiscordStage, as_read, discord_stage
from tests.stages.play import assert_whole, record


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[DiscordStage]:
    async with discord_stage(variables) as stage:
        yield stage


@pytest.mark.behaviour("faults.tool")
async def test_a_tool_that_takes_too_long_is_an_honest_result_and_no_exception(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    ticket = ("create_customer_ticket", {"name": "Omar", "issue": "Unable to log in"})
    async with discord_stage({**variables, "TOOL_TIMEOUT_S": "0.3"}) as stage:
        model.plays(says("Hello!"))
        await stage.say("Hi")
        assert await stage.answer() == "Hello!"
        path = Path(variables["FRONTDESK_DATA_DIR"]) / "desk.sqlite3"
        with sqlite3.connect(path, isolation_level=None) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            model.plays(calls(ticket), relays("Sorry:"))
            await stage.say("I cannot log in, my name is Omar")
            answer = await stage.answer()
            holder.execute("ROLLBACK")
        assert "timed_out" in answer
        assert "locked" not in answer
        model.plays(says("Welcome."))
        await stage.say("thanks")
        assert await stage.answer() == "Welcome."
        assert_whole(await record(stage))


@pytest.mark.behaviour("faults.loop")
async def test_the_same_call_again_and_again_is_stopped(stage: DiscordStage, model: ScriptedModel) -> None:
    def stubborn(request: Request) -> Reply:
        return says("It is on its way.") if request.json.get("tool_choice") == "none" else calls(ORDER)

    model.answers(stubborn)
    await stage.say("Order 123123 of santa@clau.se")
    assert await stage.answer() == "It is on its way."
    model.answers(says("You're welcome."))
    await stage.say("thanks")
    assert await stage.answer() == "You're welcome."
    assert_whole(await record(stage))


@pytest.mark.behaviour("faults.model_down")
async def test_after_several_tries_one_apology_and_the_message_can_be_answered_later(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(*[fails(500)] * 4)
    await stage.say("Where is my order?")
    assert await stage.answer() == as_read(APOLOGY)
    (letter,) = await stage.app.mailbox.dead_letters()
    assert letter.reason.startswith("model_")
    model.plays(says("It is on its way."))
    assert await stage.app.mailbox.retry(letter.id)
    assert await stage.answer() == "It is on its way."
    assert stage.answers() == [as_read(APOLOGY), "It is on its way."]


@pytest.mark.behaviour("faults.model_retried")
async def test_a_stream_that_breaks_in_the_middle_of_a_word_is_begun_again_and_stands_once(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(breaks_after("It is on its w"), says("It is on its way."))
    await stage.say("Where is my order?")
    assert await stage.answer() == "It is on its way."
    assert stage.answers() == ["It is on its way."]
    assert len(stage.server.answers(stage.place)) == 1

"""Messages on Slack that are edited or deleted (F41, acceptance 10)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.conversation import Note, NoteTurn
from tests.servers.openai import ScriptedModel, held, says
from tests.servers.slack import SHARED
from tests.stages.play import record
from tests.stages.slack import SlackStage, slack_stage


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[SlackStage]:
    async with slack_stage(variables) as stage:
        yield stage


@pytest.mark.behaviour("slack.edit")
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_an_edit_or_delete_before_the_turn_changes_what_is_answered(
    mode: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    async with slack_stage(variables, mode=mode) as stage:
        running = held("Hello ", "there.")
        model.plays(running, says("Answer to the edited one."))
        ada = stage.person()
        await stage.write("Hi")
        await stage.slack.shows(SHARED, stage.root, "Hello")
        sent = await stage.write("my ordr is 123")
        assert (await ada.edit(sent.message, "my order is 123123")).acknowledged
        gone = await stage.write("and forget this")
        assert (await ada.delete(gone.message)).acknowledged
        for pause in running.pauses:
            pause.release()
        await stage.slack.shows(SHARED, stage.root, "Answer to the edited one.")
        assert (await stage.answer()).split("\n") == ["Hello there.", "Answer to the edited one."]
    assert model.requests[1].last_user == "my order is 123123"
    assert not any("forget this" in str(request.messages) for request in model.requests)


@pytest.mark.behaviour("slack.edit")
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_mention_that_is_written_into_a_message_makes_a_question_of_it_once(
    mode: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    async with slack_stage(variables, mode=mode) as stage:
        running = held("Your order is on its way, and it will ", "come tomorrow.")
        model.plays(running)
        ada = stage.person()
        said = await ada.say("where is my order?", SHARED)
        for text in ("@Ben where is my order?", "@Frontdesk where is my order?"):
            assert (await ada.edit(said.message, text)).acknowledged
        stage.root = said.ts
        await stage.slack.shows(SHARED, stage.root, "Your order")
        assert (await ada.edit(said.message, "@Frontdesk where is my order now?")).acknowledged
        for pause in running.pauses:
            pause.release()
        assert await stage.answer() == "Your order is on its way, and it will come tomorrow."
        await ada.edit(said.message, "@Frontdesk where is it?")
        await stage.settled()
        assert len(stage.screen()) == 1
    assert len(model.requests) == 1


@pytest.mark.behaviour("slack.edit")
async def test_an_edit_while_its_answer_is_written_changes_nothing_of_it(
    stage: SlackStage, model: ScriptedModel
) -> None:
    running = held("The answer to what was asked at first ", "is this.")
    model.plays(running, says("The blue one."))
    sent = await stage.write("the red one")
    await stage.slack.shows(SHARED, stage.root, "The answer")
    await stage.person().edit(sent.message, "@Frontdesk the blue one")
    for pause in running.pauses:
        pause.release()
    await stage.slack.shows(SHARED, stage.root, "is this.")
    await stage.settled()
    assert stage.shown() == ["The answer to what was asked at first is this."]
    await stage.write("which one?")
    await stage.slack.shows(SHARED, stage.root, "The blue one.")
    assert "the blue one" in str(model.requests[1].messages)
    assert len(model.requests) == 2


@pytest.mark.behaviour("slack.edit")
async def test_an_edit_after_the_answer_is_a_note_and_a_delete_forgets(stage: SlackStage, model: ScriptedModel) -> None:
    model.plays(says("Noted."), says("You said blue."), says("I do not know."))
    ada = stage.person()
    first = await stage.write("the red one")
    await stage.answer()
    await ada.unfurled(first.message)
    await ada.edit(first.message, "@Frontdesk the blue one")
    second = await stage.write("which one did I say? my number is 555-0100")
    assert await stage.answer() == "You said blue."
    (note,) = [turn for turn in await record(stage) if isinstance(turn, NoteTurn)]
    assert note.note is Note.EDITED
    await ada.delete(second.message)
    model.forget_prefix()
    await stage.write("what did I say?")
    assert await stage.answer() == "I do not know."
    assert "555-0100" not in str(model.requests[-1].messages)
    assert len(model.requests) == 3

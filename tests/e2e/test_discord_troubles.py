"""When things go wrong (acceptance 22), as members see it on Discord: an honest sentence, and it goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.sentences import APOLOGY
from tests.servers.openai import ScriptedModel, breaks_after, fails, says
from tests.stages.discord import DiscordStage, as_read, discord_stage


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[DiscordStage]:
    async with discord_stage(variables) as stage:
        yield stage


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

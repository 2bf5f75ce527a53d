"""Buttons, forms, votes and commands on Slack (acceptance 5, 7, 20; F70)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.conversation import StaffTurn
from bot.sentences import BACK, HUMAN_CALLED, STAFF_ONLY
from tests.servers.openai import ScriptedModel, calls, held, says
from tests.servers.slack import ADA, BEN, HOME, PLAIN, ROBIN, SHARED, TEAM, Member
from tests.stages.play import assert_whole, record, results_of
from tests.stages.slack import SlackStage, slack_stage

TICKET = ("get_ticket_status", {"ticket_id": "12345"})
KEY = {"username": "john_doe", "api_key": "key"}


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[SlackStage]:
    async with slack_stage(variables) as stage:
        yield stage


async def verified(stage: SlackStage, model: ScriptedModel) -> None:
    """Ada proves to be john_doe."""
    model.plays(calls(TICKET), says("There is a form for you."), calls(TICKET), says("It is Open: Billing Query."))
    await stage.say("status of 12345 please")
    await stage.answer()
    assert "verified as john_doe" in await stage.fill(KEY)
    assert "Billing Query" in await stage.answer()


@pytest.mark.behaviour("slack.form")
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_somebody_else_is_not_served_with_a_verification(
    mode: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    async with slack_stage(variables, mode=mode) as stage:
        await verified(stage, model)
        model.plays(calls(TICKET), says("I cannot tell you."))
        await stage.write("@Frontdesk and what's the status of 12345?", by=BEN.id)
        await stage.answer()
        refusal = results_of(await record(stage))[-1]
        assert "verification_required" in refusal.content
        assert "Billing" not in refusal.content
        model.plays(calls(TICKET), says("Still open."))
        await stage.write("and mine?")
        await stage.answer()
        assert "Billing Query" in results_of(await record(stage))[-1].content
        assert_whole(await record(stage))


@pytest.mark.behaviour("slack.form")
@pytest.mark.parametrize("theirs", [False, True], ids=["our-team", "their-team"])
async def test_the_button_opens_the_form_for_one_person_only(
    theirs: bool, stage: SlackStage, model: ScriptedModel
) -> None:
    model.plays(calls(TICKET), says("There is a form for you."), calls(TICKET), says("It is Open: Billing Query."))
    await stage.write("status of 12345 please")
    await stage.answer()
    (offer,) = stage.offers()
    ben, ada = stage.person(BEN.id), stage.person()
    assert (await ben.press(offer, stage.button(offer), theirs=theirs)).acknowledged
    await stage.slack.until(ben.ephemerals)
    assert "somebody else" in ben.ephemerals()[-1].shown or "for another person" in ben.ephemerals()[-1].shown
    assert ben.view is None
    assert (await ada.press(offer, stage.button(offer), theirs=theirs)).acknowledged
    await stage.slack.until(lambda: ada.view)
    assert "verified as john_doe" in await stage.fill(KEY)
    assert "Billing Query" in await stage.answer()
    hidden = str([message.to_json() for message in stage.slack.world.messages.values()])
    assert "api_key" not in hidden or '"key"' not in hidden


@pytest.mark.behaviour("slack.form")
async def test_a_form_that_is_offered_again_takes_the_place_of_the_first(
    stage: SlackStage, model: ScriptedModel
) -> None:
    """Slack refuses nothing meanwhile: what is taken away was never a stream."""
    model.plays(calls(TICKET), says("There is a form for you."), calls(TICKET), says("The form waits."))
    await stage.write("status of 12345 please")
    await stage.answer()
    (first,) = stage.offers()
    await stage.write("hello? what about it")
    await stage.answer()
    await stage.slack.until(lambda: first.deleted)
    (second,) = stage.offers()
    assert second.ts != first.ts


@pytest.mark.behaviour("slack.form")
async def test_a_wrong_key_may_be_corrected_in_the_form_and_a_used_form_opens_nothing(
    stage: SlackStage, model: ScriptedModel
) -> None:
    model.plays(calls(TICKET), says("There is a form for you."), says("Welcome."))
    await stage.write("status of 12345 please")
    await stage.answer()
    assert "do not match" in await stage.fill({**KEY, "api_key": "nope"})
    assert "verified as john_doe" in await stage.fill(KEY)
    await stage.answer()
    ada, said = stage.person(), len(model.requests)
    for offer in stage.offers():
        await ada.press(offer, stage.button(offer))
    if ada.view is not None:
        told = await ada.submit(KEY)
        assert "verified" not in " ".join(told.words)
    assert len(model.requests) == said


@pytest.mark.behaviour("slack.human")
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_customer_asks_for_a_human_and_the_team_takes_over_and_hands_back(
    mode: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    async with slack_stage(variables, mode=mode) as stage:
        slack, robin = stage.slack, stage.person(ROBIN.id)
        model.plays(says("Hello! How can I help?"))
        await stage.write("my sled is broken")
        await stage.answer()
        (answer,) = stage.screen()
        assert (await stage.person().press(answer, "Talk to a human")).acknowledged
        assert HUMAN_CALLED in await slack.shows(SHARED, stage.root, HUMAN_CALLED)
        card = await slack.until(lambda: next(iter(slack.world.history(TEAM)), None))
        assert "is waiting for a human" in card.shown
        assert "my sled is broken" in card.shown
        assert stage.root.replace(".", "") in str(card.blocks), "the card leads to the thread"
        await stage.write("anybody?")
        # A customer who comes across the card can do nothing with it.
        assert (await stage.person().press(card, "Hand back to Frontdesk")).acknowledged
        await slack.until(lambda: STAFF_ONLY in str([one.shown for one in stage.person().ephemerals()]))
        assert (await robin.press(card, "Take it")).acknowledged
        await slack.until(lambda: "takes care of Ada" in card.shown)
        await stage.write("Hello, Robin here. I sent a new one.", by=ROBIN.id)
        assert len(model.requests) == 1, "nobody but the human answers"
        assert (await robin.press(card, "Hand back to Frontdesk")).acknowledged
        await slack.shows(SHARED, stage.root, BACK)
        assert [message.ts for message in slack.world.history(TEAM)] == [card.ts], "one card through all its stages"
        model.plays(says("Robin sent you a new one."))
        await stage.write("so what happens next?")
        await slack.shows(SHARED, stage.root, "Robin sent you a new one.")
        await stage.settled()
        turns = await record(stage)
        (staff,) = [turn for turn in turns if isinstance(turn, StaffTurn)]
        assert staff.text == "Hello, Robin here. I sent a new one."
        assert "I sent a new one" in str(model.requests[-1].messages)
        assert_whole(turns)


@pytest.mark.behaviour("slack.vote")
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_vote_is_kept_with_its_turn_and_can_be_changed(
    mode: str, variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    async with slack_stage(variables, mode=mode) as stage:
        model.plays(says("Hello!"), says("Bye!"))
        await stage.write("Hi")
        await stage.answer()
        await stage.write("Bye")
        await stage.answer()
        first, second = (message for message in stage.screen() if message.shown in ("Hello!", "Bye!"))
        ada = stage.person()
        assert (await ada.vote(first, up=True)).acknowledged
        assert (await ada.vote(second, up=True)).acknowledged
        assert (await ada.vote(second, up=False)).acknowledged
        assert (await stage.person(BEN.id).vote(second, up=True)).acknowledged

        def votes() -> list[tuple[int, str, int]]:
            with sqlite3.connect(tmp_path / "data" / "desk.sqlite3") as database:
                rows = database.execute("SELECT turn, person, value FROM votes ORDER BY turn, value").fetchall()
            return [(int(turn), str(person).rpartition(":")[2], int(value)) for turn, person, value in rows]

        await stage.becomes(lambda: len(votes()) == 3)
        assert votes() == [(1, ADA.id, 1), (2, ADA.id, -1), (2, BEN.id, 1)]
        assert first.shown == "Hello!", "a vote changes no answer"
        await stage.becomes(lambda: ada.view is not None)
        assert (await ada.submit({"comment": "it did not say when"})).closed

        def comments() -> list[str]:
            with sqlite3.connect(tmp_path / "data" / "desk.sqlite3") as database:
                return [row[0] for row in database.execute("SELECT comment FROM votes WHERE value < 0")]

        await stage.becomes(lambda: comments() == ["it did not say when"])
        assert len(votes()) == 3


@pytest.mark.behaviour("slack.stop")
@pytest.mark.parametrize(("streaming", "channel"), [("auto", SHARED), ("off", SHARED), ("auto", "im")])
async def test_the_stop_button_ends_the_turn_and_keeps_what_was_said(
    streaming: str, channel: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    async with slack_stage(variables, streaming=streaming, channel=channel) as stage:
        slack = stage.slack
        slack.may_refuse.add("message_not_in_streaming_state")  # Slack closes the stream of a stopped session itself
        running = held("A long enough beginning of the story that it is shown. ", "The end.")
        model.plays(running, says("Fine."))
        await stage.write("tell me a story")
        await slack.shows(stage.channel, stage.root, "A long")
        assert (await stage.person().stop(stage.channel, stage.root)).acknowledged
        await slack.shows(stage.channel, stage.root, "Stopped")
        stopped = await stage.answer()
        assert stopped.startswith("A long")
        assert "The end." not in stopped
        assert stopped.count("A long") == 1
        await stage.write("thanks")
        assert await stage.answer() == "Fine."
        assert_whole(await record(stage))


@pytest.mark.behaviour("slack.commands")
async def test_who_is_in_the_admins_group_is_an_admin_unless_they_come_from_outside(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    group = "S0ADMINS1"
    async with slack_stage(variables, ADMINS_SLACK=group) as stage:
        slack, robin, ada = stage.slack, stage.person(ROBIN.id), stage.person()
        slack.world.groups[group] = [ROBIN.id, ADA.id]
        model.plays(says("Hello!"))
        said = await stage.write("Hi")
        await stage.answer()
        assert (await robin.command("status", PLAIN)).acknowledged
        await slack.until(lambda: "Today:" in str([one.shown for one in robin.ephemerals()]))
        assert (await ada.choose(said.message, "support")).acknowledged
        await slack.until(lambda: STAFF_ONLY in str([one.shown for one in ada.ephemerals()]))
        assert ada.view is None


@pytest.mark.behaviour("slack.commands")
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_admins_give_commands_and_choose_them_from_a_menu(
    mode: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    """People of other organisations have no commands; a member who is no admin is refused, whatever the name."""
    twin = Member(id="U0TWIN0001", name="Robin", team=HOME)
    async with slack_stage(variables, mode=mode) as stage:
        slack, robin, other = stage.slack, stage.person(ROBIN.id), stage.slack.person(twin)
        model.plays(says("Hello!"))
        said = await stage.write("Hi")
        await stage.answer()
        assert (await other.command("takeover", PLAIN)).acknowledged
        await slack.until(lambda: STAFF_ONLY in str([one.shown for one in other.ephemerals()]))
        assert (await robin.command("help", PLAIN)).acknowledged
        await slack.until(lambda: "handback" in str([one.shown for one in robin.ephemerals()]))
        assert (await other.choose(said.message, "support")).acknowledged
        assert other.view is None
        assert (await robin.choose(said.message, "support")).acknowledged
        await slack.until(lambda: robin.view)
        assert (await robin.submit({"action": "takeover"})).closed
        await slack.until(lambda: "takes care of Ada" in str([card.shown for card in slack.world.history(TEAM)]))
        await stage.write("are you there?")
        assert len(model.requests) == 1

"""What goes wrong while an answer is on its way to Slack's screen: it stands once all the same (F46-F49)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from adapters.slack import part, posts, status
from tests.servers.openai import ScriptedModel, held, says, waits
from tests.servers.slack import SHARED, Fault
from tests.stages.meters import Meters
from tests.stages.play import assert_whole, record
from tests.stages.slack import SlackStage, once, slack_stage, written

MODES = pytest.mark.parametrize("mode", ["socket", "http"])
WAYS = pytest.mark.parametrize("streaming", ["auto", "off"], ids=["streaming", "updates"])

MORE = "Some more of it, so that there is something to append. "
END = "And the end."
FIRST = "This is the first half of an answer that is long enough to be shown. "


@pytest.fixture
def mode() -> str:
    """How Slack brings events; faults of what goes out are played with either."""
    return "socket"


@pytest.fixture
async def stage(variables: dict[str, str], streaming: str, mode: str) -> AsyncIterator[SlackStage]:
    async with slack_stage(variables, streaming=streaming, mode=mode) as stage:
        yield stage


@pytest.mark.behaviour("slack.post_once")
@pytest.mark.parametrize(
    ("streaming", "method"),
    [
        ("auto", "chat.startStream"),
        ("auto", "chat.appendStream"),
        ("auto", "chat.stopStream"),
        ("off", "chat.postMessage"),
        ("off", "chat.update"),
    ],
)
@pytest.mark.parametrize(("fault", "mode"), [("loses", "socket"), ("loses", "http"), ("drops", "http")])
async def test_a_call_whose_answer_is_lost_leaves_one_answer(
    method: str, fault: str, stage: SlackStage, model: ScriptedModel
) -> None:
    stage.slack.may_refuse |= {"message_not_in_streaming_state", "streaming_state_conflict"}
    running = held(FIRST, MORE, END)
    model.plays(running)
    model.answers(says("Fine."))
    stage.slack.faults.plan(method, Fault(**{fault: True}))  # type: ignore[arg-type]  # one of its switches
    await stage.write("tell me")
    await written(stage, running)
    await stage.slack.shows(SHARED, stage.root, END, within_s=20)
    await stage.settled()
    once(stage, FIRST + MORE + END)
    assert stage.slack.faults.left == {}
    await stage.write("thanks")
    assert await stage.slack.shows(SHARED, stage.root, "Fine.")


@pytest.mark.behaviour("slack.falls_back")
@pytest.mark.parametrize("streaming", ["auto"])
@pytest.mark.parametrize(
    ("word", "mode"),
    [("channel_type_not_supported", "socket"), ("unknown_method", "http"), ("feature_not_enabled", "socket")],
)
async def test_where_nothing_can_be_streamed_the_answer_is_posted(
    word: str, stage: SlackStage, model: ScriptedModel
) -> None:
    stage.slack.faults.always("chat.startStream", Fault(error=word))
    running = held(FIRST, MORE, END)
    model.plays(running, says("Fine."))
    await stage.write("tell me")
    await written(stage, running)
    await stage.slack.shows(SHARED, stage.root, END)
    await stage.settled()
    once(stage, FIRST + MORE + END)
    assert 1 <= len(stage.slack.calls_of("chat.startStream")) <= 3


@pytest.mark.behaviour("slack.expires")
@pytest.mark.parametrize("streaming", ["auto"])
async def test_a_stream_that_slack_closed_is_finished_as_a_message(stage: SlackStage, model: ScriptedModel) -> None:
    stage.slack.may_refuse.add("message_not_in_streaming_state")
    running = held(FIRST, "The rest came five minutes later.")
    model.plays(running)
    await stage.write("tell me")
    await stage.slack.shows(SHARED, stage.root, FIRST.strip())
    await stage.slack.expire_streams()
    for pause in running.pauses:
        pause.release()
    assert await stage.answer() == FIRST + "The rest came five minutes later."
    once(stage, FIRST + "The rest came five minutes later.")


@pytest.mark.behaviour("slack.expires")
@pytest.mark.parametrize("streaming", ["auto"])
async def test_a_stream_is_left_before_slack_closes_it(
    stage: SlackStage, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "ROTATE_S", 0.0)
    running = held(FIRST, MORE, END)
    model.plays(running)
    await stage.write("tell me")
    await written(stage, running)
    await stage.slack.shows(SHARED, stage.root, END)
    await stage.settled()
    once(stage, FIRST + MORE + END)
    assert len(stage.slack.calls_of("chat.stopStream")) == 1
    assert stage.slack.calls_of("chat.update")


@pytest.mark.behaviour("slack.status")
@pytest.mark.parametrize("streaming", ["auto"])
async def test_a_status_is_set_again_before_slack_takes_it_away(
    stage: SlackStage, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "AGAIN_S", 0.1)
    slow = waits(says("Done."))
    model.plays(slow)
    await stage.write("take your time")
    await stage.slack.called("assistant.threads.setStatus", 3)
    slow.pause.release()
    assert await stage.answer() == "Done."


@pytest.mark.behaviour("slack.status")
@pytest.mark.parametrize("streaming", ["auto"])
@pytest.mark.parametrize("fault", [Fault(status=503), Fault(drops=True)], ids=["refused", "dropped"])
async def test_a_status_that_cannot_be_cleared_at_once_is_cleared_soon(
    fault: Fault, stage: SlackStage, model: ScriptedModel
) -> None:
    held_back = waits(says("Done."))
    model.plays(held_back)
    await stage.write("take your time")
    world, faults = stage.slack.world, stage.slack.faults
    await stage.slack.until(lambda: "processing" in world.sessions.values() and world.told_statuses)
    for method in ("assistant.threads.setStatus", "agents.sessions.setStatus"):
        faults.plan(method, fault)
    held_back.pause.release()
    assert await stage.answer() == "Done."
    assert not faults.left, "the calls that were to fail were never made"
    assert world.told_statuses[-1][-1] == ""


@pytest.mark.behaviour("slack.rate")
@WAYS
async def test_many_words_are_few_calls(stage: SlackStage, model: ScriptedModel, streaming: str) -> None:
    model.plays(says(*(f"word {number} " for number in range(2_000))))
    await stage.write("talk")
    await stage.slack.shows(SHARED, stage.root, "word 1999")
    await stage.settled()
    shown = stage.slack.calls_of("chat.appendStream") + stage.slack.calls_of("chat.update")
    assert len(shown) <= 12


@pytest.mark.behaviour("slack.rate")
@pytest.mark.parametrize("streaming", ["off"])
async def test_posts_into_one_channel_keep_slacks_pace(
    stage: SlackStage, model: ScriptedModel, variables: dict[str, str]
) -> None:
    """A few at once, then one a second, whichever process posts; other channels do not wait."""
    model.answers(says("Here."))
    ada = stage.person()
    async with slack_stage(variables, streaming="off", slack=stage.slack):
        said = [ada.writes(f"@Frontdesk question {number}", SHARED) for number in range(6)]
        bodies = [body for message in said for body in ada.events(message)]
        begun = time.monotonic()
        await asyncio.gather(*(stage.slack.delivery.event(body) for body in bodies))
        (room,) = stage.slack.world.rooms(1)
        aside = await ada.say("@Frontdesk and here", room)
        await stage.slack.shows(room, aside.root, "Here.")
        assert not all(stage.slack.answers(SHARED, message.ts) for message in said), "the other channel did not wait"
        for message in said:
            await stage.slack.shows(SHARED, message.ts, "Here.")
        await stage.settled()
    times = [call.at for call in stage.slack.calls_of("chat.postMessage") if call.arguments["channel"] == SHARED]
    # However late each of them was: the third may come at once, and each one after it a second later.
    assert all(at - begun >= number - posts.BURST + 0.9 for number, at in enumerate(times)), times
    assert len(times) == len(said)


@pytest.mark.behaviour("slack.deleted")
@MODES
@WAYS
async def test_an_answer_that_somebody_deletes_while_it_is_written_is_posted_anew_once(
    stage: SlackStage, model: ScriptedModel, streaming: str
) -> None:
    stage.slack.may_refuse |= {"message_not_found", "cant_update_message", "message_not_in_streaming_state"}
    running = held(FIRST, "And the rest.")
    model.plays(running, says("Fine."))
    await stage.write("tell me")
    await stage.slack.shows(SHARED, stage.root, FIRST.strip())
    for message in stage.screen():
        message.deleted = True
    for pause in running.pauses:
        pause.release()
    await stage.slack.shows(SHARED, stage.root, "And the rest.")
    await stage.settled()
    once(stage, FIRST + "And the rest.")
    await stage.write("thanks")
    await stage.slack.shows(SHARED, stage.root, "Fine.")


@pytest.mark.behaviour("operate.waits", "slack.rate")
@pytest.mark.parametrize(
    ("streaming", "method", "mode"),
    [
        ("auto", "chat.startStream", "socket"),
        ("auto", "chat.stopStream", "http"),
        ("off", "chat.postMessage", "http"),
        ("off", "chat.update", "socket"),
    ],
)
async def test_when_slack_asks_to_wait_it_is_waited(method: str, stage: SlackStage, model: ScriptedModel) -> None:
    meters = Meters(stage.app.url)
    await meters.begin()
    stage.slack.faults.plan(method, Fault(retry_after_s=1))
    running = held(FIRST, MORE, END)
    model.plays(running)
    await stage.write("tell me")
    await written(stage, running)
    await stage.slack.shows(SHARED, stage.root, END)
    await stage.settled()
    once(stage, FIRST + MORE + END)
    assert stage.slack.faults.left == {}
    first, *later = stage.slack.calls_of(method)
    assert all(call.at - first.at >= 1.0 for call in later)
    assert await meters.added("frontdesk_rate_limit_waits_total", where="slack") == 1
    assert await meters.added("frontdesk_rate_limit_wait_seconds_total", where="slack") == pytest.approx(1)


@pytest.mark.behaviour("slack.undeliverable")
@pytest.mark.parametrize(
    ("word", "streaming", "mode"),
    [
        ("is_archived", "auto", "socket"),
        ("is_archived", "off", "http"),
        ("not_in_channel", "auto", "http"),
        ("not_in_channel", "off", "socket"),
        ("token_revoked", "auto", "socket"),
        ("token_revoked", "off", "http"),
        ("http_403", "auto", "http"),
    ],
)
async def test_what_can_never_be_delivered_is_a_dead_letter_and_no_loop(
    word: str, stage: SlackStage, model: ScriptedModel, streaming: str
) -> None:
    fault = Fault(status=403) if word == "http_403" else Fault(error=word)
    methods = ("chat.postMessage", "chat.startStream", "chat.update", "assistant.threads.setStatus")
    for method in (*methods, "agents.sessions.setStatus"):
        stage.slack.faults.always(method, fault)
    model.plays(says("Nobody reads this."))
    await stage.write("hi")

    async def letters() -> list[str]:
        return [letter.reason for letter in await stage.app.mailbox.dead_letters()]

    async with asyncio.timeout(20):
        while not await letters():
            await asyncio.sleep(0.02)
    assert await letters() == [f"undeliverable: {word}"]
    tried = len(stage.slack.calls_of("chat.postMessage")) + len(stage.slack.calls_of("chat.startStream"))
    assert tried <= 4
    for method in (*methods, "agents.sessions.setStatus"):
        stage.slack.faults.always(method, None)
    model.plays(says("Here again."))
    await stage.write("and now?")
    assert await stage.answer() == "Here again."
    assert_whole(await record(stage))


@pytest.mark.behaviour("slack.away")
@pytest.mark.parametrize(("streaming", "mode"), [("auto", "socket"), ("off", "http")])
async def test_when_slack_is_away_for_a_while_the_answer_comes_afterwards_once(
    stage: SlackStage, model: ScriptedModel, streaming: str
) -> None:
    for method in ("chat.postMessage", "chat.startStream", "chat.update", "conversations.replies"):
        stage.slack.faults.plan(method, Fault(status=503))
    running = held(FIRST, MORE, END)
    model.plays(running)
    await stage.write("hi")
    await written(stage, running)
    await stage.slack.shows(SHARED, stage.root, END, within_s=20)
    await stage.settled()
    once(stage, FIRST + MORE + END)
    assert len(model.requests) == 1

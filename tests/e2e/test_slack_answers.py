"""Answers on Slack's screen: streamed, updated, split, limited; each stands once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from tests.servers.openai import ScriptedModel, calls, held, says, waits
from tests.servers.slack import ADA, BEN, BOT, HOME, SHARED, Fault, Slack
from tests.servers.slack.world import ACME, GRID, OTHER
from tests.stages.slack import SlackStage, once, slack_stage

WAYS = pytest.mark.parametrize("streaming", ["auto", "off"], ids=["streaming", "updates"])

FIRST = "This is the first half of an answer that is long enough to be shown. "


@pytest.fixture
async def stage(variables: dict[str, str], streaming: str) -> AsyncIterator[SlackStage]:
    async with slack_stage(variables, streaming=streaming) as stage:
        yield stage


@pytest.mark.behaviour("slack.streams")
@WAYS
async def test_an_answer_is_seen_while_it_is_written(stage: SlackStage, model: ScriptedModel, streaming: str) -> None:
    running = held(FIRST, "And this is the second half.")
    model.plays(running)
    await stage.write("tell me")
    await stage.slack.shows(SHARED, stage.root, FIRST.strip())
    for pause in running.pauses:
        pause.release()
    assert await stage.answer() == FIRST + "And this is the second half."
    once(stage, FIRST + "And this is the second half.")
    started = stage.slack.calls_of("chat.startStream")
    assert len(started) == (1 if streaming == "auto" else 0)


@pytest.mark.behaviour("slack.recipient")
@pytest.mark.parametrize("streaming", ["auto"])
@pytest.mark.parametrize("who", [ADA, BEN], ids=["team", "grid"])
async def test_a_stream_is_for_the_person_who_asked_and_carries_their_organisation(
    who: object, stage: SlackStage, model: ScriptedModel
) -> None:
    running = held(FIRST, "More.")
    model.plays(running)
    assert who in (ADA, BEN)
    person = ADA if who is ADA else BEN
    await stage.write("tell me", by=person.id)
    await stage.slack.shows(SHARED, stage.root, FIRST.strip())
    for pause in running.pauses:
        pause.release()
    await stage.answer()
    (started,) = stage.slack.calls_of("chat.startStream")
    assert started.arguments["recipient_user_id"] == person.id
    assert started.arguments["recipient_team_id"] in {ACME, OTHER, GRID} - {HOME}
    assert "missing_recipient" not in str(stage.slack.refused)


@pytest.mark.behaviour("slack.status")
@WAYS
async def test_a_status_stands_while_tools_run_and_is_gone_afterwards(
    stage: SlackStage, model: ScriptedModel, streaming: str
) -> None:
    last = waits(says("It is out for delivery."))
    model.plays(calls(("get_order_status", {"order_id": "123123", "email": "santa@clau.se"})), last)
    await stage.write("order 123123, santa@clau.se")
    await last.pause.reached.wait()
    await stage.slack.until(lambda: "processing" in stage.slack.world.sessions.values())  # the stop button is there
    await stage.slack.until(lambda: any(status for *_, status in stage.slack.world.told_statuses))
    last.pause.release()
    assert await stage.answer() == "It is out for delivery."
    stage.slack.assert_at_rest()
    shown = " ".join(status for *_, status in stage.slack.world.told_statuses)
    assert "get_order_status" not in shown, "a customer reads words, not names of functions"


@pytest.mark.behaviour("slack.unfurls")
@WAYS
async def test_nothing_is_unfurled_and_nobody_is_called(
    stage: SlackStage, model: ScriptedModel, streaming: str
) -> None:
    model.plays(
        says("Hello <!channel>, <@U0BEN0001>, @here: see https://evil.example/x?d=1 or [this](https://evil.example)")
    )
    await stage.write("greet")
    answer = await stage.answer()
    for word in ("<!channel>", "<@U0BEN0001>", "@here", "https://evil.example", "<!here"):
        assert word not in answer
    raw = str([call.arguments for call in stage.slack.calls if call.method.startswith("chat.")])
    for word in ("<!channel>", "<@U0BEN0001>", "<!here"):
        assert word not in raw
    for call in stage.slack.calls_of("chat.postMessage"):
        assert (call.arguments["unfurl_links"], call.arguments["unfurl_media"]) == (False, False)


LONG = "\n\n".join(
    [
        "Here is everything about it, step by step. " + "The sled is red and has bells. " * 70,
        "```python\n"
        + "\n".join(f"print({number})  # a line of code that says {number}" for number in range(60))
        + "\n```",
        "| item | price |\n|---|---|\n" + "\n".join(f"| thing {number} | {number}.00 |" for number in range(40)),
        "\n".join(f"- point {number} 🙂 with some words" for number in range(40)),
        "And this is the very end of it 🙏🏽.",
    ]
)


@pytest.mark.behaviour("slack.long")
@pytest.mark.parametrize("times", [1, 4], ids=["6500", "26000"])
@WAYS
async def test_a_long_answer_is_whole_in_order_and_within_the_limits(
    times: int, stage: SlackStage, model: ScriptedModel, streaming: str
) -> None:
    text = "\n\n".join(f"Part {number}. {LONG}" for number in range(times))
    assert len(text) > 6_500 * times
    model.plays(says(text))
    await stage.write("everything")
    answer = await stage.answer()
    words = re.findall(r"point \d+|thing \d+|print\(\d+\)|Part \d|very end", answer)
    assert words == re.findall(r"point \d+|thing \d+|print\(\d+\)|Part \d|very end", text)
    for message in stage.screen():
        assert message.shown.count("```") % 2 == 0, "a fence that is open at the end of a message"
    assert stage.slack.refused == []


@pytest.mark.behaviour("slack.long")
@pytest.mark.parametrize("streaming", ["off"])
async def test_a_crash_between_two_parts_repeats_none(stage: SlackStage, model: ScriptedModel) -> None:
    """The second part's post is lost on its way back; delivering again finds both."""
    text = "\n\n".join(f"Part {number}. {LONG}" for number in range(4))
    model.plays(says(text))
    stage.slack.faults.plan("chat.postMessage", Fault(), Fault(loses=True))
    await stage.write("everything")
    await stage.slack.shows(SHARED, stage.root, "Part 3", within_s=20)
    await stage.settled()
    answer = "\n".join(stage.shown())
    assert [answer.count(f"Part {number}.") for number in range(4)] == [1] * 4, stage.slack.picture()
    assert {message.user for message in stage.screen()} == {BOT}


@pytest.mark.behaviour("slack.threads")
@pytest.mark.parametrize("streaming", ["auto"])
async def test_threads_of_one_channel_do_not_mix(
    stage: SlackStage, model: ScriptedModel, variables: dict[str, str]
) -> None:
    slow = held("The slow one is being written at this moment. ", "Done slowly.")
    model.plays(slow, says("The quick one."))
    await stage.write("slow")
    await stage.slack.shows(SHARED, stage.root, "The slow one")
    quick = await stage.slack.person(BEN).say("@Frontdesk quick")
    assert await stage.slack.shows(SHARED, quick.root, "The quick one.") == "The quick one."
    for pause in slow.pauses:
        pause.release()
    assert await stage.answer() == "The slow one is being written at this moment. Done slowly."
    assert isinstance(stage.slack, Slack)

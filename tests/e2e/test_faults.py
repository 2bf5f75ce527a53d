"""When things go wrong (acceptance 13, 14, 22): an answer or an honest sentence, and the thread goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from bot.conversation import AssistantTurn, UserTurn
from bot.sentences import APOLOGY, CUT_SHORT, STEP_LIMIT, TIME_LIMIT, WITHHELD
from tests.scenarios import ORDER, relays
from tests.servers.openai import (
    Reply,
    Request,
    ScriptedModel,
    breaks_after,
    calls,
    ends_after,
    fails,
    hangs,
    held,
    says,
)
from tests.stages.play import assert_whole, calls_of, record, results_of
from tests.stages.web import WebStage, web_stage


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[WebStage]:
    async with web_stage(variables) as stage:
        yield stage


@pytest.mark.behaviour("faults.model_retried")
@pytest.mark.parametrize(
    "fault",
    [
        fails(429, retry_after=0.1),
        fails(500),
        fails(503),
        breaks_after("Hel"),
        ends_after("Hel"),
        Reply(steps=(b"<html>Sign in</html>",), headers={"content-type": "text/html"}),
        says(""),
    ],
    ids=["429", "500", "503", "breaks", "unfinished", "html", "empty"],
)
async def test_a_fault_of_the_model_is_tried_again_and_nothing_is_doubled(
    fault: Reply, stage: WebStage, model: ScriptedModel
) -> None:
    model.plays(fault, says("Hello there."))
    await stage.say("Hi")
    assert await stage.answer() == "Hello there."
    turns = await record(stage)
    assert [type(turn) for turn in turns] == [UserTurn, AssistantTurn]
    assert await stage.app.mailbox.dead_letters() == []


@pytest.mark.behaviour("faults.model_down")
async def test_after_several_tries_one_apology_and_the_message_can_be_answered_later(
    stage: WebStage, model: ScriptedModel
) -> None:
    model.plays(*[fails(500)] * 4)
    await stage.say("Where is my order?")
    assert await stage.answer() == APOLOGY
    (letter,) = await stage.app.mailbox.dead_letters()
    assert letter.reason.startswith("model_")
    model.plays(says("It is on its way."))
    assert await stage.app.mailbox.retry(letter.id)
    assert await stage.answer() == "It is on its way."
    assert len(model.requests) == 5
    assert "Where is my order?" in str(model.requests[4].messages)
    assert await stage.app.mailbox.dead_letters() == []


@pytest.mark.behaviour("faults.model_down")
@pytest.mark.parametrize("fault", [fails(401), fails(404), fails(429, retry_after=3600)], ids=["401", "404", "hours"])
async def test_what_cannot_pass_soon_is_not_tried_again(fault: Reply, stage: WebStage, model: ScriptedModel) -> None:
    model.plays(fault, says("Fine."))
    await stage.say("Hi")
    assert await stage.answer() == APOLOGY
    await stage.say("still there?")
    assert await stage.answer() == "Fine."
    assert len(model.requests) == 2
    assert_whole(await record(stage))


@pytest.mark.behaviour("faults.model_hangs")
async def test_a_model_that_falls_silent_is_left(variables: dict[str, str], model: ScriptedModel) -> None:
    async with web_stage({**variables, "MODEL_STALL_TIMEOUT_S": "0.3"}) as stage:
        model.plays(hangs("Half a"), says("A whole answer."))
        await stage.say("Hi")
        assert await stage.answer() == "A whole answer."
        await model.left(1)


@pytest.mark.behaviour("faults.turn_time")
async def test_a_turn_that_takes_too_long_ends_with_an_honest_sentence(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    async with web_stage({**variables, "TURN_TIMEOUT_S": "0.5"}) as stage:
        endless = held("I am ", "thinking.")
        model.plays(endless, says("Fine."))
        await stage.say("Hi")
        assert await stage.answer() == TIME_LIMIT
        await stage.say("again?")
        assert await stage.answer() == "Fine."
        assert_whole(await record(stage))


@pytest.mark.behaviour("faults.loop")
async def test_the_same_call_again_and_again_is_stopped(stage: WebStage, model: ScriptedModel) -> None:
    def stubborn(request: Request) -> Reply:
        return says("It is on its way.") if request.json.get("tool_choice") == "none" else calls(ORDER)

    model.answers(stubborn)
    await stage.say("Order 123123 of santa@clau.se")
    assert await stage.answer() == "It is on its way."
    codes = [orjson.loads(result.content).get("error") for result in results_of(await record(stage))]
    assert codes == [None, None, "repeated_call", "repeated_call"]
    model.answers(says("You're welcome."))
    await stage.say("thanks")
    assert await stage.answer() == "You're welcome."


@pytest.mark.behaviour("faults.loop")
async def test_ever_new_calls_are_stopped_at_the_limit(variables: dict[str, str], model: ScriptedModel) -> None:
    async with web_stage({**variables, "MAX_STEPS": "3"}) as stage:
        model.answers(lambda _: calls(("get_order_status", {"order_id": str(len(model.requests)), "email": "a@b.c"})))
        await stage.say("try them all")
        assert await stage.answer() == STEP_LIMIT
        turns = await record(stage)
        assert len(calls_of(turns)) == 3
        assert_whole(turns)
        model.answers(says("Fine."))
        await stage.say("stop it")
        assert await stage.answer() == "Fine."


@pytest.mark.behaviour("faults.many_calls")
async def test_of_a_hundred_calls_at_once_eight_run(stage: WebStage, model: ScriptedModel) -> None:
    many = [("get_order_status", {"order_id": f"12312{i}", "email": "santa@clau.se"}) for i in range(100)]
    model.plays(calls(*many), says("Enough."))
    await stage.say("look at all of them")
    assert await stage.answer() == "Enough."
    turns = await record(stage)
    codes = [orjson.loads(result.content).get("error") for result in results_of(turns)]
    assert codes.count("over_limit") == 92
    assert "over_limit" not in codes[:8]
    assert_whole(turns)


@pytest.mark.behaviour("faults.finish")
@pytest.mark.parametrize(
    ("finish", "answer"),
    [("length", f"Once upon\n\n{CUT_SHORT}"), ("content_filter", WITHHELD)],
)
async def test_an_answer_that_was_cut_or_withheld_says_so(
    finish: str, answer: str, stage: WebStage, model: ScriptedModel
) -> None:
    model.plays(says("Once upon", finish=finish))
    await stage.say("tell me a story")
    assert await stage.answer() == answer


@pytest.mark.behaviour("faults.tool")
async def test_a_database_that_does_not_answer_is_an_honest_result(
    variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    async with web_stage(variables) as stage:
        with sqlite3.connect(tmp_path / "data" / "desk.sqlite3", isolation_level=None) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            model.plays(
                calls(("create_customer_ticket", {"name": "Omar", "issue": "Unable to log in"})), relays("Sorry:")
            )
            await stage.say("I cannot log in, my name is Omar")
            answer = await stage.answer()
            holder.execute("ROLLBACK")
        assert "unavailable" in answer
        assert "locked" not in answer
        model.plays(calls(("create_customer_ticket", {"name": "Omar", "issue": "Unable to log in"})), relays())
        await stage.say("try again")
        assert "ticket_id" in await stage.answer()
        assert_whole(await record(stage))


@pytest.mark.behaviour("faults.tool")
async def test_a_tool_that_takes_too_long_is_left(
    variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    async with web_stage({**variables, "TOOL_TIMEOUT_S": "0.3"}) as stage:
        with sqlite3.connect(tmp_path / "data" / "desk.sqlite3", isolation_level=None) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            model.plays(
                calls(("create_customer_ticket", {"name": "Omar", "issue": "Unable to log in"})), relays("Sorry:")
            )
            await stage.say("I cannot log in, my name is Omar")
            assert "timed_out" in await stage.answer()
            holder.execute("ROLLBACK")
        assert_whole(await record(stage))


@pytest.mark.behaviour("faults.window")
async def test_a_model_that_reads_less_than_we_thought_is_asked_with_less(
    stage: WebStage, model: ScriptedModel
) -> None:
    for number in range(4):
        model.plays(says(f"answer {number}"))
        await stage.say(f"question {number} {'x' * 500}")
        await stage.answer()
    model.plays(fails(400, code="context_length_exceeded", message="too long"), says("Still here."))
    await stage.say("one more")
    assert await stage.answer() == "Still here."
    whole, less = model.requests[-2].messages, model.requests[-1].messages
    assert len(less) < len(whole)
    assert less[0] == whole[0]
    assert less[1]["role"] == "user"
    assert less[-1] == whole[-1]


@pytest.mark.behaviour("history.counted")
async def test_a_model_that_counts_more_tokens_than_was_thought_is_sent_less(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    """Each answer is told to have cost a token for every byte; a tenth of the budget is talked in each turn."""
    budget = 6_000
    model.answers(lambda request: says("I see.", usage={"prompt_tokens": len(request.body), "completion_tokens": 1}))
    async with web_stage({**variables, "HISTORY_TOKENS": str(budget)}) as stage:
        for number in range(14):
            await stage.say(f"{number}: {'words ' * 100}")
            await stage.answer()
        sent = [b",".join(orjson.dumps(message) for message in request.messages[1:]) for request in model.requests]
        assert max(map(len, sent)) <= budget
        starts = [request.messages[1]["content"].partition("\n")[2].partition(":")[0] for request in model.requests]
        assert len(set(starts)) == 3, "the window moved in large steps, and what comes before its end stayed the same"
        # Thrice as much is within the budget by the estimate.
        assert len(await record(stage)) * len(sent[0]) > budget

"""Reports as values: turns, votes and calls for a human in, lines per day and channel out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.admin.render import CHANNELS, TOLD_CHARS, today, unresolved
from bot.messages import ThreadKey
from bot.ports import Unresolved
from bot.questions import Question, asked, to_questions
from bot.report import render, render_questions, summary, to_csv
from tests.talk import ADA, ANN, said
from tools.report import Happened, to_report

DAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVE = datetime(2026, 11, 19, 23, 59, tzinfo=UTC)
ONE, TWO, ELSEWHERE = "slack:T1:C1:1", "slack:T1:C1:2", "web:page:main:9"


def turn(thread: str, number: int = 1, outcome: str = "answered", at: datetime = DAY, **more: object) -> Happened:
    values = {"response_ms": 1_000, "tokens": 100, "millionths": 2_500_000, "handed_over": False, **more}
    return Happened(thread=thread, turn=number, at=at, outcome=outcome, **values)  # type: ignore[arg-type]  # by name


HAPPENED = [
    turn(ONE, at=EVE, response_ms=500),
    turn(ONE, 2),
    turn(TWO, response_ms=3_000),
    turn(TWO, 2, "given_up"),
    turn(TWO, 3, handed_over=True),
    turn(ELSEWHERE, outcome="limited", response_ms=None),
]


@pytest.mark.behaviour("report.numbers")
def test_what_happened_is_counted_per_day_and_channel() -> None:
    votes = [(ONE, 2, DAY, -1), (TWO, 1, DAY, 1)]
    before, slack, web = to_report(HAPPENED, votes, [(ELSEWHERE, DAY, "colleague")])
    assert (before.day, before.conversations, before.first_response_ms) == (date(2026, 11, 19), 1, [500])
    assert (slack.platform, slack.channel, slack.conversations, slack.turns) == ("slack", "C1", 2, 4)
    assert (slack.alone, slack.handed_over) == (1, {"bot": 1})
    assert slack.first_response_ms == [3_000], "of conversations that began on this day"
    assert (slack.votes_up, slack.votes_down) == (1, 1)
    assert slack.unresolved == 2, "one that was given up, and one that was voted down"
    assert (slack.tokens, slack.money) == (400, 10.0)
    assert (web.conversations, web.alone, web.handed_over, web.unresolved) == (1, 0, {"colleague": 1}, 1)


@pytest.mark.behaviour("report.command")
def test_a_report_is_a_table_a_file_and_a_sentence() -> None:
    lines = to_report(HAPPENED, [], [])
    table = render(lines, "EUR").splitlines()
    assert table[0].split()[:3] == ["day", "platform", "channel"]
    assert len(table) == 5
    assert table[-1].startswith("together")
    assert "15.00 EUR" in table[-1]
    assert render([], "EUR") == "Nothing happened in this time."
    rows = to_csv(lines, "EUR").splitlines()
    assert rows[0].startswith("day,platform,channel,conversations,alone,handed_over_bot,first_response_median_ms")
    assert len({row.count(",") for row in rows}) == 1
    assert "4 conversations" in summary(lines, DAY.date(), "EUR")


@pytest.mark.behaviour("report.unresolved")
def test_a_question_is_told_once_with_all_that_happened_to_it() -> None:
    one, two = (ThreadKey.parse(name) for name in (ONE, TWO))
    first, second = replace(said("first"), at=EVE), replace(said("second"), at=DAY)
    records = {one: [first, second], two: ()}
    happened = [(two, DAY, "taken"), (one, DAY, "given up"), (one, EVE, "voted down"), (one, EVE, "given up")]
    happened.append((two, EVE, "handed over"))
    found = [Unresolved(thread=thread, at=at, why=why) for thread, at, why in happened]
    questions = to_questions(found, records, 5)
    assert [(question.thread, question.at, question.text, question.whys) for question in questions] == [
        (two, DAY, "", ("taken", "handed over")),
        (one, DAY, "second", ("given up",)),
        (one, EVE, "first", ("voted down", "given up")),
    ]
    assert to_questions(found, records, 1) == questions[:1]


@pytest.mark.behaviour("report.unresolved")
def test_a_question_is_what_was_said_before() -> None:
    first, second = replace(said("first"), at=EVE), replace(said("second"), at=DAY)
    data = replace(said("as data"), at=DAY, asks=False)
    turns = [first, replace(said("I look into it", by=ANN), at=EVE), second, data]
    assert asked(turns, DAY) == second
    assert asked(turns, DAY - timedelta(seconds=1)) == first
    assert asked(turns, EVE - timedelta(days=1)) == first, "a platform's clock may be ahead"
    assert asked([], DAY) is None


@pytest.mark.behaviour("report.unresolved")
def test_a_list_of_questions_is_short_and_inert() -> None:
    kept = Question(thread=ThreadKey.parse(ONE), at=DAY, whys=("given up",))
    loud = replace(kept, author=ADA, text="\x1b[2J@everyone **where**\nis [it](x)? " + "long " * 9_000)
    told, printed = unresolved([(loud, "")] * 99, 7, is_cut=False), render_questions([loud])
    assert "\x1b" not in told + printed
    assert len(printed.splitlines()) == 3
    assert len(told) < TOLD_CHARS + 200
    assert told.endswith("`frontdesk report` lists it.")
    assert "\\@everyone \\*\\*where\\*\\* is \\[it" in told
    assert ONE in told
    assert unresolved([], 1, is_cut=False) == "Nothing was left unresolved today."
    assert "no longer on record" in render_questions([kept])


@pytest.mark.behaviour("report.unresolved")
def test_a_day_tells_the_busiest_channels_and_how_many_there_are() -> None:
    lines = to_report([turn(f"slack:T1:C{number}:1") for number in range(CHANNELS + 3)], [], [])
    told = today(lines, [], DAY.date(), "EUR").splitlines()
    assert len(told) == 1 + CHANNELS + 1
    assert told[-1] == "  - 3 more channels: `frontdesk report`"
    (only,) = today(lines[:1], [], DAY.date(), "EUR").splitlines()
    assert "slack `C0`" in only
    assert "1 conversation," in only


@pytest.mark.behaviour("report.command")
def test_a_channel_is_no_formula_in_a_spreadsheet() -> None:
    (line,) = to_report([turn("slack:T1:%3DCMD():1")], [], [])
    assert ",'=CMD()," in to_csv([line], "EUR")

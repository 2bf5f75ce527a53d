"""Reports as values: turns, votes and calls for a human in, lines per day and channel out."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bot.report import render, summary, to_csv
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


@pytest.mark.behaviour("report.command")
def test_a_channel_is_no_formula_in_a_spreadsheet() -> None:
    (line,) = to_report([turn("slack:T1:%3DCMD():1")], [], [])
    assert ",'=CMD()," in to_csv([line], "EUR")

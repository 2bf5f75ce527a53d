"""Reports as text: what was asked and answered, per day and channel, for a terminal or a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from bot.ports import ReportLine
from bot.questions import Question
from bot.text import scrub

_NONE = "–"

COLUMNS = (
    "day",
    "platform",
    "channel",
    "conversations",
    "answered without a human",
    "handed over",
    "first response",
    "votes",
    "unresolved",
    "turns",
    "tokens",
    "cost",
)


def total(lines: Sequence[ReportLine], day: date) -> ReportLine:
    """All lines as one; a conversation that went on for two days counts on both."""
    handed: Counter[str] = Counter()
    for line in lines:
        handed.update(line.handed_over)
    return ReportLine(
        day=day,
        platform="all",
        channel="",
        conversations=sum(line.conversations for line in lines),
        turns=sum(line.turns for line in lines),
        alone=sum(line.alone for line in lines),
        handed_over=handed,
        first_response_ms=sorted(each for line in lines for each in line.first_response_ms),
        votes_up=sum(line.votes_up for line in lines),
        votes_down=sum(line.votes_down for line in lines),
        unresolved=sum(line.unresolved for line in lines),
        tokens=sum(line.tokens for line in lines),
        money=sum(line.money for line in lines),
    )


def render(lines: Sequence[ReportLine], currency: str) -> str:
    """A table for a terminal, with a line for everything together."""
    if not lines:
        return "Nothing happened in this time."
    rows = [list(COLUMNS), *(_cells(line, currency) for line in lines)]
    if len(lines) > 1:
        whole = _cells(replace(total(lines, lines[-1].day), channel=""), currency)
        rows.append(["together", "", "", *whole[3:]])
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def to_csv(lines: Sequence[ReportLine], currency: str) -> str:
    """The lines for a spreadsheet, numbers as they are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    causes = sorted({why for line in lines for why in line.handed_over})
    before, after = (
        ("day", "platform", "channel", "conversations", "alone"),
        (
            "first_response_median_ms",
            "first_response_p95_ms",
            "votes_up",
            "votes_down",
            "unresolved",
            "turns",
            "tokens",
            f"cost_{currency}",
        ),
    )
    writer.writerow([*before, *(f"handed_over_{why}" for why in causes), *after])
    for line in lines:
        responses = line.first_response_ms
        counted = (line.votes_up, line.votes_down, line.unresolved, line.turns, line.tokens, f"{line.money:.6f}")
        writer.writerow(
            [
                *(line.day, line.platform, _inert(line.channel), line.conversations, line.alone),
                *(line.handed_over.get(why, 0) for why in causes),
                *(_quantile(responses, 0.5), _quantile(responses, 0.95), *counted),
            ]
        )
    return out.getvalue()


def render_questions(found: Sequence[Question]) -> str:
    """A list for a terminal: when, what happened, what was asked, and the thread, which `frontdesk replay` prints."""
    lines = ["Not resolved by Frontdesk alone, youngest first (`frontdesk replay THREAD` prints one):"]
    for one in found:
        at, thread = f"{one.at:%Y-%m-%d %H:%M} UTC", one.thread
        lines.append(f"  {at}  {thread}  {_line('; '.join(one.whys), 160)}")
        lines.append(f'    "{_line(one.text, 100)}"' if one.author else "    (no longer on record)")
    return "\n".join(lines)


def _line(text: str, limit_chars: int) -> str:
    words = " ".join(scrub(text, limit_chars * 2).split())
    return words if len(words) <= limit_chars else f"{words[: limit_chars - 1]}…"


def summary(lines: Sequence[ReportLine], day: date, currency: str) -> str:
    """All lines as one sentence, for `/support status`."""
    whole = total(lines, day)
    cells = dict(zip(COLUMNS, _cells(whole, currency), strict=True))
    conversations = f"{whole.conversations} conversation{'s' * (whole.conversations != 1)}"
    return (
        f"{conversations}, {whole.alone} answered without a human, handed over: {cells['handed over']}; "
        f"first response {cells['first response']}; votes {cells['votes']}; {whole.unresolved} unresolved; "
        f"{cells['tokens']} tokens, {cells['cost']}."
    )


def _cells(line: ReportLine, currency: str) -> list[str]:
    return [
        line.day.isoformat(),
        line.platform,
        line.channel,
        str(line.conversations),
        str(line.alone),
        _causes(line.handed_over),
        _seconds(line.first_response_ms),
        f"+{line.votes_up} -{line.votes_down}",
        str(line.unresolved),
        str(line.turns),
        f"{line.tokens:,}",
        f"{line.money:.2f} {currency}",
    ]


def _causes(handed: Mapping[str, int]) -> str:
    return ", ".join(f"{count} by the {why}" for why, count in sorted(handed.items())) or "0"


def _seconds(responses_ms: Sequence[int]) -> str:
    median, late = _quantile(responses_ms, 0.5), _quantile(responses_ms, 0.95)
    return _NONE if median is None or late is None else f"{median / 1000:.1f} s (95 %: {late / 1000:.1f} s)"


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell

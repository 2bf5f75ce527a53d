"""Turns, kept to be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from bot.messages import ThreadKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """A turn as reports count it; nothing of what was said is in it.

    Args:
        person: `platform:space:person id`.
        response_ms: from the customer's message to the first text of the answer; nothing when there was none.
        handed_over: a human was called in this turn.
        money: in the currency of the settings.
    """

    tenant: str
    thread: ThreadKey
    turn: int
    person: str
    outcome: str
    at: datetime
    duration_ms: int
    response_ms: int | None = None
    calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    money: float = 0.0
    handed_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One day in one channel; times are UTC.

    Args:
        conversations: threads in which somebody was answered.
        alone: those of them that no human was called to.
        handed_over: why -> conversations: `bot` (the model, or a customer's words to it), `customer` (a button),
            `colleague` (who took it).
        first_response_ms: of each conversation that began on this day, sorted.
        unresolved: questions that got no answer, or one that the customer voted down.
        tokens: read and written.
    """

    day: date
    platform: str
    channel: str
    conversations: int
    turns: int
    alone: int
    handed_over: Mapping[str, int]
    first_response_ms: Sequence[int]
    votes_up: int
    votes_down: int
    unresolved: int
    tokens: int
    money: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A sign that a customer was not helped by Frontdesk alone; what they asked is on the record, not here.

    Args:
        at: when it began: what was asked before led to it.
        why: what happened, in words.
    """

    thread: ThreadKey
    at: datetime
    why: str


class TurnLog(Protocol):
    """Turns, one row each, for reports."""

    async def record(self, rows: Sequence[TurnRow]) -> None:
        """Keep rows; a turn that was tried again adds what that cost to its row.

        Raises:
            Transient: nothing was kept.
        """

    async def report(self, tenant: str, since: datetime, until: datetime) -> Sequence[ReportLine]:
        """Every day and channel in which something happened, oldest first."""

    async def unresolved(self, tenant: str, since: datetime, until: datetime, limit: int) -> Sequence[Unresolved]:
        """What got no answer or a thumb down, and what went to a human, youngest first."""

"""Turns on their way into reports: noted at once, brought to the database together, once a second."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime

import structlog

from bot.budget import Spending
from bot.claimed import ClaimedTurn
from bot.conversation import AssistantTurn, NoteTurn, ToolTurn, UserTurn
from bot.errors import Transient
from bot.ports import TurnLog, TurnRow
from bot.principal import person_ref

log = structlog.get_logger(__name__)

FLUSH_S = 1.0

KEPT = 20_000
"""Rows that wait while the database is away; the oldest are lost to reports beyond it, and to nothing else."""

AT_ONCE = 500
"""Rows of one transaction."""


UNCOUNTED = frozenset({"recorded", "paused", "not_ours"})
"""Ends of turns in which nobody was to be answered here."""

HAND_OVER = "hand_over_to_human"


def to_row(
    turn: ClaimedTurn,
    tenant: str,
    outcome: str,
    spending: Spending,
    ended_at: datetime,
    *,
    duration_s: float,
    first_text_at: datetime | None,
) -> TurnRow:
    """What reports count of a turn. Pure."""
    entries, thread = turn.turns(), turn.lease.thread
    asked_at = min((said.at for said in entries if isinstance(said, UserTurn | NoteTurn)), default=ended_at)
    calls = [call for said in entries if isinstance(said, AssistantTurn) for call in said.tool_calls]
    worked = {result.call_id for result in entries if isinstance(result, ToolTurn) and not result.is_error}
    spoke = first_text_at or (ended_at if turn.lease.committed is not None and turn.lease.committed.text else None)
    return TurnRow(
        tenant=tenant,
        thread=thread,
        turn=turn.number,
        person=person_ref(thread, turn.author.id),
        outcome=outcome,
        at=ended_at,
        duration_ms=round(duration_s * 1000),
        response_ms=None if spoke is None else max(0, round((spoke - asked_at).total_seconds() * 1000)),
        calls=spending.calls,
        tool_calls=len(calls),
        input_tokens=spending.input_tokens,
        cached_tokens=spending.cached_tokens,
        output_tokens=spending.output_tokens,
        money=spending.money,
        handed_over=any(call.name == HAND_OVER and call.id in worked for call in calls),
    )


class Journal:
    """Notes turns.

    Args:
        turns: where the rows are kept.
    """

    def __init__(self, turns: TurnLog) -> None:
        self._turns = turns
        self._waiting: deque[TurnRow] = deque(maxlen=KEPT)

    def note(self, row: TurnRow) -> None:
        """Keep a turn, soon. Never waits."""
        self._waiting.append(row)

    async def run(self) -> None:
        """Bring what waits to the database, until cancelled; the last of it as well."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Bring what waits; what cannot be brought waits on."""
        while self._waiting:
            rows = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            try:
                await self._turns.record(rows)
            except Transient as failure:
                log.warning("turns_not_kept", reason=failure.reason, rows=len(rows))
                self._waiting.extendleft(reversed(rows))
                return
            except Exception as failure:  # reports may miss rows that cannot be kept; nothing else may suffer for it
                log.error("turns_lost", exc_info=failure, rows=len(rows))

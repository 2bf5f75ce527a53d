"""Turns in SQL, and the reports that are made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import ThreadKey
from bot.ports import ReportLine, TurnRow, Unresolved
from tools.database import Database, insert
from tools.tables import audit, turns, votes
from tools.unresolved import CALLED, CAME, UNANSWERED, read_unresolved

MILLION = 1_000_000

PASSING = ("fenced", "retried", "drained", "crashed", "undelivered", "not_ours")
"""Ends of an attempt after which the turn goes on somewhere; they take no other end's place."""

_ADDED = ("calls", "input_tokens", "cached_tokens", "output_tokens", "millionths", "duration_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One turn as a report reads it."""

    thread: str
    turn: int
    at: datetime
    outcome: str
    response_ms: int | None
    tokens: int
    millionths: int
    handed_over: bool


@dataclass(slots=True)
class _Cell:
    """A day in a channel while it is being counted."""

    threads: set[str] = field(default_factory=set)
    turns: int = 0
    handed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    responses: list[int] = field(default_factory=list)
    up: int = 0
    down: int = 0
    unresolved: set[tuple[str, int]] = field(default_factory=set)
    tokens: int = 0
    millionths: int = 0


def to_report(
    happened: Iterable[Happened],
    votes: Iterable[tuple[str, int, datetime, int]],
    calls: Iterable[tuple[str, datetime, str]],
) -> Sequence[ReportLine]:
    """Count. Pure.

    Args:
        votes: (thread, turn, at, value).
        calls: (thread, at, `customer` or `colleague`): a human was called, or came, by other ways than a turn.
    """
    cells: dict[tuple[date, str, str], _Cell] = defaultdict(_Cell)

    def cell(thread: str, at: datetime) -> _Cell:
        key = ThreadKey.parse(thread)
        return cells[at.date(), key.platform, key.channel]

    for turn in happened:
        day = cell(turn.thread, turn.at)
        day.threads.add(turn.thread)
        day.turns += 1
        day.tokens += turn.tokens
        day.millionths += turn.millionths
        if turn.turn == 1 and turn.response_ms is not None:
            day.responses.append(turn.response_ms)
        if turn.handed_over:
            day.handed["bot"].add(turn.thread)
        if turn.outcome in UNANSWERED:
            day.unresolved.add((turn.thread, turn.turn))
    for thread, number, at, value in votes:
        day = cell(thread, at)
        day.up += value > 0
        day.down += value < 0
        if value < 0:
            day.unresolved.add((thread, number))
    for thread, at, why in calls:
        cell(thread, at).handed[why].add(thread)
    return [_line(*key, cells[key]) for key in sorted(cells)]


def _line(day: date, platform: str, channel: str, cell: _Cell) -> ReportLine:
    with_humans = set[str]().union(*cell.handed.values())
    return ReportLine(
        day=day,
        platform=platform,
        channel=channel,
        conversations=len(cell.threads),
        turns=cell.turns,
        alone=len(cell.threads - with_humans),
        handed_over={why: len(threads) for why, threads in sorted(cell.handed.items())},
        first_response_ms=sorted(cell.responses),
        votes_up=cell.up,
        votes_down=cell.down,
        unresolved=len(cell.unresolved),
        tokens=cell.tokens,
        money=cell.millionths / MILLION,
    )


class SqlTurnLog:
    """See `bot.ports.TurnLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, rows: Sequence[TurnRow]) -> None:
        """Keep rows; a turn that was tried again adds what that cost to its row."""
        values = [_values(row) for row in rows]

        async def work(connection: AsyncConnection) -> None:
            statement = insert(connection, turns)
            fresh = statement.excluded
            goes_on = or_(*(fresh.outcome == passing for passing in PASSING))  # many rows at once take no list
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["tenant", "thread", "turn"],
                    set_={
                        "outcome": case((goes_on, turns.c.outcome), else_=fresh.outcome),
                        "at": case((goes_on, turns.c.at), else_=fresh.at),
                        "response_ms": func.coalesce(turns.c.response_ms, fresh.response_ms),
                        "handed_over": or_(turns.c.handed_over, fresh.handed_over),
                        "tool_calls": fresh.tool_calls,
                        **{name: turns.c[name] + fresh[name] for name in _ADDED},
                    },
                ),
                values,
            )

        await self._database.write(work)

    async def report(self, tenant: str, since: datetime, until: datetime) -> Sequence[ReportLine]:
        """Every day and channel in which something happened, oldest first."""
        tokens = turns.c.input_tokens + turns.c.output_tokens
        happened = select(
            turns.c.thread,
            turns.c.turn,
            turns.c.at,
            turns.c.outcome,
            turns.c.response_ms,
            tokens.label("tokens"),
            turns.c.millionths,
            turns.c.handed_over,
        ).where(turns.c.tenant == tenant, turns.c.at >= since, turns.c.at < until, turns.c.outcome.not_in(PASSING))
        cast_votes = select(votes.c.thread, votes.c.turn, votes.c.at, votes.c.value).where(
            votes.c.tenant == tenant, votes.c.at >= since, votes.c.at < until, votes.c.about == "answer"
        )
        calls = select(audit.c.target, audit.c.at, case((CALLED, "customer"), else_="colleague").label("why")).where(
            audit.c.tenant == tenant, audit.c.at >= since, audit.c.at < until, or_(CALLED, CAME)
        )

        async def work(connection: AsyncConnection) -> Sequence[ReportLine]:
            found = [Happened(**row) for row in (await connection.execute(happened)).mappings()]
            voted = [tuple(row) for row in await connection.execute(cast_votes)]
            came = [tuple(row) for row in await connection.execute(calls)]
            return to_report(found, voted, came)

        return await self._database.read(work)

    async def unresolved(self, tenant: str, since: datetime, until: datetime, limit: int) -> Sequence[Unresolved]:
        """What got no answer or a thumb down, and what went to a human, youngest first."""
        return await self._database.read(lambda connection: read_unresolved(connection, tenant, since, until, limit))


def _values(row: TurnRow) -> Mapping[str, object]:
    return {
        "tenant": row.tenant,
        "thread": str(row.thread),
        "turn": row.turn,
        "person": row.person,
        "outcome": row.outcome,
        "at": row.at,
        "duration_ms": row.duration_ms,
        "response_ms": row.response_ms,
        "calls": row.calls,
        "tool_calls": row.tool_calls,
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens,
        "millionths": round(row.money * MILLION),
        "handed_over": row.handed_over,
    }

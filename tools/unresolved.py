"""Which conversations somebody should look at: unanswered, voted down, or given to a human."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import ThreadKey
from bot.ports import Unresolved
from tools.tables import audit, turns, votes
from tools.text import scrub_line

UNANSWERED = {
    "given_up": "given up after several tries",
    "state_lost": "lost with the state of Redis",
    "time_limit": "it took too long",
    "turn_budget": "it cost too much for one question",
    "limited": "a limit was reached",
    "undeliverable": "the answer could not be delivered",
}
"""Ends of a question that was not answered -> the same in words."""

COMMENT_CHARS = 120
"""Of what somebody wrote with a thumb down."""

CALLED = and_(audit.c.action == "human", audit.c.result == "handed_over")
CAME = and_(audit.c.action == "takeover", audit.c.result.not_like("refused%"))
"""A human was called by a button, or took the conversation: what the turns do not tell."""


def to_unresolved(rows: Iterable[tuple[str, datetime, str]], limit: int) -> Sequence[Unresolved]:
    """One value a conversation, the youngest first. Pure.

    Args:
        rows: (thread, when it began, why).
    """
    found: dict[str, Unresolved] = {}
    for thread, at, why in sorted(rows, key=lambda row: row[1], reverse=True):
        known = found.get(thread)
        if known is None:
            found[thread] = Unresolved(thread=ThreadKey.parse(thread), at=at, whys=(why,))
        elif why not in known.whys:
            found[thread] = Unresolved(thread=known.thread, at=known.at, whys=(*known.whys, why))
    return list(found.values())[:limit]


async def read_unresolved(
    connection: AsyncConnection, tenant: str, since: datetime, until: datetime, limit: int
) -> Sequence[Unresolved]:
    """Read them; of each kind the youngest rows, several times as many as there may be conversations."""
    most = limit * 5
    ended = (
        select(turns.c.thread, turns.c.at, turns.c.duration_ms, turns.c.outcome, turns.c.handed_over)
        .where(turns.c.tenant == tenant, turns.c.at >= since, turns.c.at < until)
        .where(or_(turns.c.outcome.in_(UNANSWERED), turns.c.handed_over))
        .order_by(turns.c.at.desc())
        .limit(most)
    )
    same = and_(turns.c.tenant == votes.c.tenant, turns.c.thread == votes.c.thread, turns.c.turn == votes.c.turn)
    down = (
        select(votes.c.thread, votes.c.at, votes.c.comment, turns.c.at.label("ended"), turns.c.duration_ms)
        .join_from(votes, turns, same, isouter=True)
        .where(votes.c.tenant == tenant, votes.c.at >= since, votes.c.at < until)
        .where(votes.c.about == "answer", votes.c.value < 0)
        .order_by(votes.c.at.desc())
        .limit(most)
    )
    called = (
        select(audit.c.target, audit.c.at, audit.c.action)
        .where(audit.c.tenant == tenant, audit.c.at >= since, audit.c.at < until, or_(CALLED, CAME))
        .order_by(audit.c.at.desc())
        .limit(most)
    )
    rows: list[tuple[str, datetime, str]] = []
    for row in await connection.execute(ended):
        began = row.at - timedelta(milliseconds=row.duration_ms)
        if row.outcome in UNANSWERED:
            rows.append((row.thread, began, f"no answer: {UNANSWERED[row.outcome]}"))
        if row.handed_over:
            rows.append((row.thread, began, "handed over by the bot"))
    for row in await connection.execute(down):
        began = row.at if row.ended is None else row.ended - timedelta(milliseconds=row.duration_ms)
        comment = scrub_line(row.comment or "", COMMENT_CHARS)
        rows.append((row.thread, began, f"voted down: {comment}" if comment else "voted down"))
    how = {"human": "a human was called", "takeover": "a colleague took it"}
    rows += [(row.target, row.at, how[row.action]) for row in await connection.execute(called)]
    return to_unresolved(rows, limit)

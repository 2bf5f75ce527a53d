"""What somebody should look at: unanswered, voted down, or given to a human."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
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
CAME = or_(
    and_(func.lower(audit.c.action).like("takeover%"), audit.c.result == "done"), audit.c.result.like("assigned to %")
)
"""A human was called by a button, or took the conversation or was given it: what the turns do not tell."""


async def read_unresolved(
    connection: AsyncConnection, tenant: str, since: datetime, until: datetime, limit: int
) -> Sequence[Unresolved]:
    """The youngest of each kind, and of all kinds together."""
    ended = (
        select(turns.c.thread, turns.c.at, turns.c.duration_ms, turns.c.outcome, turns.c.handed_over)
        .where(turns.c.tenant == tenant, turns.c.at >= since, turns.c.at < until)
        .where(or_(turns.c.outcome.in_(UNANSWERED), turns.c.handed_over))
        .order_by(turns.c.at.desc())
        .limit(limit)
    )
    same = and_(turns.c.tenant == votes.c.tenant, turns.c.thread == votes.c.thread, turns.c.turn == votes.c.turn)
    down = (
        select(votes.c.thread, votes.c.at, votes.c.comment, turns.c.at.label("ended"), turns.c.duration_ms)
        .join_from(votes, turns, same, isouter=True)
        .where(votes.c.tenant == tenant, votes.c.at >= since, votes.c.at < until)
        .where(votes.c.about == "answer", votes.c.value < 0)
        .order_by(votes.c.at.desc())
        .limit(limit)
    )
    called = (
        select(audit.c.target, audit.c.at, audit.c.action)
        .where(audit.c.tenant == tenant, audit.c.at >= since, audit.c.at < until, or_(CALLED, CAME))
        .order_by(audit.c.at.desc())
        .limit(limit)
    )
    found: list[Unresolved] = []

    def tell(thread: str, at: datetime, why: str) -> None:
        found.append(Unresolved(thread=ThreadKey.parse(thread), at=at, why=why))

    for row in await connection.execute(ended):
        began = row.at - timedelta(milliseconds=row.duration_ms)
        if row.outcome in UNANSWERED:
            tell(row.thread, began, f"no answer: {UNANSWERED[row.outcome]}")
        if row.handed_over:
            tell(row.thread, began, "handed over by the bot")
    for row in await connection.execute(down):
        began = row.at if row.ended is None else row.ended - timedelta(milliseconds=row.duration_ms)
        comment = scrub_line(row.comment or "", COMMENT_CHARS)
        tell(row.thread, began, f"voted down: {comment}" if comment else "voted down")
    for entry in await connection.execute(called):
        tell(entry.target, entry.at, "a human was called" if entry.action == "human" else "a colleague took it")
    return sorted(found, key=lambda one: one.at, reverse=True)[:limit]

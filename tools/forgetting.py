"""One person is forgotten in SQL; and what is too old is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Table, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import PersonRef
from bot.ports import Searched
from tools.database import Database
from tools.tables import audit, receipts, ticket_notes, tickets, turns, uploads, votes

FORGOTTEN = "[forgotten]"
NOBODY = "forgotten:::"
"""A thread that is none, in the form of one."""

_OWNED: tuple[Table, ...] = (receipts, uploads, votes, turns)
"""Rows of which nothing is left when their person goes."""

BATCH = 1_000
"""Rows that one transaction deletes, so that writers wait for a moment at most."""


class SqlForgetting:
    """See `bot.ports.Forgetting`; across all tenants, because a person's name is unique among them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, person: PersonRef) -> dict[str, int]:
        """Forget; how much of what there was. Tickets keep their number, status and date: they are the desk's books."""
        ref = str(person)

        async def work(connection: AsyncConnection) -> dict[str, int]:
            done: dict[str, int] = {}
            for table in _OWNED:
                done[table.name] = (await connection.execute(delete(table).where(table.c.person == ref))).rowcount
            own = select(tickets.c.tenant, tickets.c.number).where(tickets.c.person == ref)
            numbers = [tuple(row) for row in await connection.execute(own)]
            for tenant, number in numbers:
                notes = (ticket_notes.c.tenant == tenant) & (ticket_notes.c.number == number)
                await connection.execute(delete(ticket_notes).where(notes))
                this = (tickets.c.tenant == tenant) & (tickets.c.number == number)
                await connection.execute(
                    update(tickets)
                    .where(this)
                    .values(
                        name=FORGOTTEN,
                        issue=FORGOTTEN,
                        person=FORGOTTEN,
                        customer=None,
                        thread=NOBODY,
                        organisation="",
                        receipt=None,
                        idempotency_key=f"forgotten/{number}",
                    )
                )
            return done | {"tickets": len(numbers)}

        return await self._database.write(work)

    async def search(self, person: PersonRef) -> dict[str, Searched]:
        """Look at every table that can name a person."""
        ref = str(person)
        named: Mapping[Table, ColumnElement[bool]] = {
            **{table: table.c.person == ref for table in (*_OWNED, tickets)},
            ticket_notes: ticket_notes.c.author == ref,
            audit: or_(audit.c.actor == ref, audit.c.target == ref),
        }

        async def work(connection: AsyncConnection) -> dict[str, Searched]:
            found = {}
            for table, condition in named.items():
                rows = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                hits = (await connection.execute(select(func.count()).select_from(table).where(condition))).scalar_one()
                found[table.name] = Searched(looked_at=rows, found=hits)
            return found

        return await self._database.read(work)

    async def purge(self, now: datetime, before: datetime) -> dict[str, int]:
        """Delete what is older than `before`, and uploads whose time is over; how many rows of which table."""
        old: Mapping[Table, ColumnElement[bool]] = {
            uploads: uploads.c.expires_at <= now,
            receipts: receipts.c.created_at < before,
            turns: turns.c.at < before,
            votes: votes.c.at < before,
        }
        return {table.name: await self._delete(table, condition) for table, condition in old.items()}

    async def _delete(self, table: Table, condition: ColumnElement[bool]) -> int:
        keys = list(table.primary_key.columns)
        deleted = 0

        async def work(connection: AsyncConnection) -> int:
            rows = [tuple(row) for row in await connection.execute(select(*keys).where(condition).limit(BATCH))]
            for row in rows:
                own = [column == value for column, value in zip(keys, row, strict=True)]
                await connection.execute(delete(table).where(*own, condition))
            return len(rows)

        while count := await self._database.write(work):
            deleted += count
        return deleted

"""The desk's tickets after they were opened: listed, given to colleagues, written on, closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import Ticket, TicketChange, TicketNote
from tools.database import Database, insert
from tools.tables import receipts, ticket_notes, tickets
from tools.text import scrub

NOTE_LIMIT_CHARS = 4_000


class Casebook:
    """Reads and changes tickets; `tools.desk.SqlDesk` opens them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, tenant: str, *, status: str | None, assignee: str | None, thread: str | None, limit: int
    ) -> Sequence[Ticket]:
        """The youngest tickets that fit, youngest first."""
        query = select(tickets).where(tickets.c.tenant == tenant)
        for column, value in ((tickets.c.status, status), (tickets.c.assignee, assignee), (tickets.c.thread, thread)):
            if value is not None:
                query = query.where(column == value)
        query = query.order_by(tickets.c.created_at.desc(), tickets.c.number.desc()).limit(limit)

        async def work(connection: AsyncConnection) -> Sequence[Ticket]:
            return [to_ticket(row) for row in await connection.execute(query)]

        return await self._database.read(work)

    async def set(self, tenant: str, number: int, status: str) -> TicketChange | None:
        """Give a ticket another status; nothing when there is no such ticket."""
        own = (tickets.c.tenant == tenant) & (tickets.c.number == number)

        async def work(connection: AsyncConnection) -> TicketChange | None:
            row = (await connection.execute(select(tickets).where(own).with_for_update())).one_or_none()
            if row is None:
                return None
            changes = row.changes + (row.status != status)
            await connection.execute(update(tickets).where(own).values(status=status, changes=changes))
            return TicketChange(ticket=replace(to_ticket(row), status=status), before=row.status, changes=changes)

        return await self._database.write(work)

    async def assign(self, tenant: str, thread: str, assignee: str) -> None:
        """Have a colleague take care of the open tickets of a thread."""
        change = (
            update(tickets)
            .where(tickets.c.tenant == tenant, tickets.c.thread == thread, tickets.c.status == "Open")
            .values(assignee=assignee)
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(change)

        await self._database.write(work)

    async def note(self, tenant: str, number: int, *, note_id: str, author: str, text: str, at: datetime) -> bool:
        """Write on a ticket, once per id; whether there is such a ticket."""
        query = select(tickets.c.number).where(tickets.c.tenant == tenant, tickets.c.number == number)

        async def work(connection: AsyncConnection) -> bool:
            if (await connection.execute(query)).one_or_none() is None:
                return False
            row = insert(connection, ticket_notes).values(
                tenant=tenant, id=note_id, number=number, author=author, text=scrub(text, NOTE_LIMIT_CHARS), at=at
            )
            await connection.execute(row.on_conflict_do_nothing())
            return True

        return await self._database.write(work)

    async def notes(self, tenant: str, number: int) -> Sequence[TicketNote]:
        """What was written on a ticket, oldest first."""
        query = (
            select(ticket_notes)
            .where(ticket_notes.c.tenant == tenant, ticket_notes.c.number == number)
            .order_by(ticket_notes.c.at)
        )

        async def work(connection: AsyncConnection) -> Sequence[TicketNote]:
            return [TicketNote(author=row.author, text=row.text, at=row.at) for row in await connection.execute(query)]

        return await self._database.read(work)


async def last_receipt(connection: AsyncConnection, tenant: str, thread: str, person: str) -> str | None:
    """The receipt that this person showed last in this thread."""
    query = (
        select(receipts.c.sha256)
        .where(receipts.c.tenant == tenant, receipts.c.thread == thread, receipts.c.person == person)
        .order_by(receipts.c.created_at.desc())
        .limit(1)
    )
    return (await connection.execute(query)).scalar()


def to_ticket(row: Row[tuple[object, ...]]) -> Ticket:
    """A row as a value."""
    return Ticket(
        number=row.number,
        status=row.status,
        name=row.name,
        issue=row.issue,
        customer=row.customer,
        person=row.person,
        thread=row.thread,
        created_at=row.created_at,
        platform=row.platform,
        organisation=row.organisation,
        receipt=row.receipt,
        assignee=row.assignee,
    )

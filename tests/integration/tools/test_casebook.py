"""What the desk keeps of its cases: tickets that are listed, given away, written on and closed; votes; the audit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import Ticket
from tools.database import Database
from tools.desk import SqlDesk
from tools.tables import receipts

START = datetime(2024, 11, 8, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that goes a minute whenever somebody looks."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at


@pytest.fixture
def desk(database: Database) -> SqlDesk:
    return SqlDesk(database, now=Clock())


async def opened(desk: SqlDesk, key: str, *, tenant: str = "default", thread: str = "slack:T:C:1") -> Ticket:
    return await desk.open_ticket(
        tenant,
        name="Ada",
        issue="No light",
        person="slack:T:U1",
        customer=None,
        thread=thread,
        idempotency_key=key,
        organisation="Acme\u202e",
    )


@pytest.mark.behaviour("desk.tickets")
async def test_a_ticket_keeps_where_it_comes_from_and_the_receipt_that_was_shown(
    desk: SqlDesk, database: Database
) -> None:
    async def showed(connection: AsyncConnection) -> None:
        for number, digest in enumerate(("old", "young")):
            row = receipts.insert().values(
                tenant="default",
                thread="slack:T:C:1",
                sha256=digest,
                person="slack:T:U1",
                content="{}",
                created_at=START + timedelta(seconds=number),
            )
            await connection.execute(row)

    await database.write(showed)
    ticket = await opened(desk, "a")
    assert (ticket.platform, ticket.organisation, ticket.receipt, ticket.assignee) == ("slack", "Acme", "young", None)
    assert (await opened(desk, "b", thread="slack:T:C:2")).receipt is None
    assert await desk.find_ticket("default", ticket.number) == ticket


@pytest.mark.behaviour("desk.tickets")
async def test_tickets_are_listed_youngest_first_and_by_tenant(desk: SqlDesk) -> None:
    first, second = await opened(desk, "a"), await opened(desk, "b", thread="slack:T:C:2")
    await opened(desk, "c", tenant="other")
    assert [one.number for one in await desk.list_tickets("default")] == [second.number, first.number]
    assert [one.number for one in await desk.list_tickets("default", limit=1)] == [second.number]
    assert [one.number for one in await desk.list_tickets("default", thread="slack:T:C:1")] == [first.number]
    await desk.assign_tickets("default", "slack:T:C:1", "slack:T:U9")
    assert [one.number for one in await desk.list_tickets("default", assignee="slack:T:U9")] == [first.number]
    await desk.set_ticket("default", first.number, "Closed")
    assert [one.number for one in await desk.list_tickets("default", status="Open")] == [second.number]
    await desk.assign_tickets("default", "slack:T:C:1", "slack:T:U8")
    assert await desk.list_tickets("default", assignee="slack:T:U8") == [], "who closed it keeps it"


@pytest.mark.behaviour("desk.tickets")
async def test_changes_are_counted_and_a_repeated_one_is_none(desk: SqlDesk) -> None:
    ticket = await opened(desk, "a")
    seen = []
    for status in ("Open", "Closed", "Closed", "Open"):
        changed = await desk.set_ticket("default", ticket.number, status)
        assert changed is not None
        assert changed.ticket.status == status
        seen.append((changed.before, changed.changes))
    assert seen == [("Open", 0), ("Open", 1), ("Closed", 1), ("Closed", 2)]
    assert await desk.set_ticket("default", 7, "Closed") is None
    assert await desk.set_ticket("other", ticket.number, "Closed") is None
    again = await asyncio.gather(*(desk.set_ticket("default", ticket.number, "Closed") for _ in range(5)))
    assert {one.changes for one in again if one} == {3}


@pytest.mark.behaviour("desk.tickets")
async def test_a_note_is_written_once_and_only_on_a_ticket_of_the_tenant(desk: SqlDesk) -> None:
    ticket = await opened(desk, "a")
    for _ in range(2):
        assert await desk.note_ticket("default", ticket.number, note_id="n1", author="slack:T:U9", text="call them")
    assert await desk.note_ticket("default", ticket.number, note_id="n2", author="slack:T:U9", text="called")
    assert not await desk.note_ticket("other", ticket.number, note_id="n3", author="slack:T:U9", text="no")
    notes = await desk.ticket_notes("default", ticket.number)
    assert [(note.author, note.text) for note in notes] == [("slack:T:U9", "call them"), ("slack:T:U9", "called")]
    assert await desk.ticket_notes("other", ticket.number) == []


@pytest.mark.behaviour("desk.staff_only")
async def test_the_audit_is_read_oldest_first_and_cannot_be_changed(desk: SqlDesk, database: Database) -> None:
    for number in range(3):
        await desk.record_audit("default", actor="a", action=f"order {number}", target="t", result="done")
    await desk.record_audit("other", actor="a", action="theirs", target="t", result="done")
    read = await desk.read_audit(tenant="default", limit=2)
    assert [entry.action for entry in read] == ["order 1", "order 2"]
    assert [entry.tenant for entry in await desk.read_audit()] == ["default"] * 3 + ["other"]
    for order in ("UPDATE audit SET result = 'x'", "DELETE FROM audit"):

        async def change(connection: AsyncConnection, order: str = order) -> None:
            await connection.execute(text(order))

        with pytest.raises(DBAPIError, match="append-only"):
            await database.write(change)

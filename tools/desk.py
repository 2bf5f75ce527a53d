"""The `Desk` port over SQL: tickets, customers, uploads, audit, votes."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import ToolDenied, ToolFailed
from bot.ports import About, AuditEntry, Ticket, TicketChange, TicketNote, Upload
from tools.casebook import Casebook, last_receipt, to_ticket
from tools.database import Database, insert
from tools.tables import FIRST_TICKET_NUMBER, audit, counters, customers, tickets, uploads, votes
from tools.text import scrub, scrub_line

UPLOAD_LIMIT_BYTES = 10 * 1024 * 1024
UPLOAD_LASTS = timedelta(hours=24)

PERSON_LIMIT_BYTES = 100 * 1024 * 1024
"""What is kept of one person's files at a time."""

COMMENT_LIMIT_CHARS = 2_000

_DAY = timedelta(days=1)

_KEY_LIMIT_CHARS = 1024
"""A longer key is wrong without being hashed; hashing costs time in proportion."""

HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=2)
"""Argon2id, about 100 ms and 64 MiB a check."""

_CHECKS_AT_ONCE = 2
"""Bounds the memory that checks of keys take together."""


class SqlDesk:
    """The desk.

    Args:
        database: entered by whoever made it.
        now: the clock, aware UTC.
        hasher: what a check of a key costs.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        hasher: PasswordHasher = HASHER,
    ) -> None:
        self._database = database
        self._now = now
        self._hasher = hasher
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)
        self._casebook = Casebook(database)

    async def open_ticket(
        self,
        tenant: str,
        *,
        name: str,
        issue: str,
        person: str,
        customer: str | None,
        thread: str,
        idempotency_key: str,
        organisation: str = "",
        per_day: int | None = None,
    ) -> Ticket:
        """Open a ticket, once per key: the same key gives the same ticket.

        Args:
            per_day: how many this person may open in 24 hours; no limit when absent.

        Raises:
            ToolDenied: `too_many_tickets`.
        """
        by_key = select(tickets).where(tickets.c.tenant == tenant, tickets.c.idempotency_key == idempotency_key)

        async def work(connection: AsyncConnection) -> Ticket:
            if (known := (await connection.execute(by_key)).one_or_none()) is not None:
                return to_ticket(known)
            # Taking a number makes the tenant's writers queue at its counter: from here on this one sees all the
            # tickets that others opened, so neither the key nor the limit can be raced.
            number = await _next_number(connection, tenant)
            if (known := (await connection.execute(by_key)).one_or_none()) is not None:
                return to_ticket(known)
            now = self._now()
            if per_day is not None and await _opened_since(connection, tenant, person, now - _DAY) >= per_day:
                raise ToolDenied(
                    "too_many_tickets",
                    f"This person has opened {per_day} tickets within a day, which is the limit. Offer to hand over "
                    "to a human colleague.",
                )
            row = tickets.insert().values(
                tenant=tenant,
                number=number,
                status="Open",
                name=name,
                issue=issue,
                customer=customer,
                person=person,
                thread=thread,
                idempotency_key=idempotency_key,
                created_at=now,
                platform=thread.partition(":")[0],
                organisation=scrub_line(organisation, 80),
                receipt=await last_receipt(connection, tenant, thread, person),
            )
            await connection.execute(row)
            return to_ticket((await connection.execute(by_key)).one())

        return await self._database.write(work)

    async def find_ticket(self, tenant: str, number: int) -> Ticket | None:
        """The ticket with this number, whoever it belongs to; telling it to somebody is the caller's to decide."""
        query = select(tickets).where(tickets.c.tenant == tenant, tickets.c.number == number)

        async def work(connection: AsyncConnection) -> Ticket | None:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else to_ticket(row)

        return await self._database.read(work)

    async def list_tickets(
        self,
        tenant: str,
        *,
        status: str | None = None,
        assignee: str | None = None,
        thread: str | None = None,
        limit: int = 20,
    ) -> Sequence[Ticket]:
        """The youngest tickets that fit, youngest first."""
        return await self._casebook.list(tenant, status=status, assignee=assignee, thread=thread, limit=limit)

    async def set_ticket(self, tenant: str, number: int, status: str) -> TicketChange | None:
        """Give a ticket another status; nothing when there is no such ticket."""
        return await self._casebook.set(tenant, number, status)

    async def assign_tickets(self, tenant: str, thread: str, assignee: str) -> None:
        """Have a colleague take care of the open tickets of a thread."""
        await self._casebook.assign(tenant, thread, assignee)

    async def note_ticket(self, tenant: str, number: int, *, note_id: str, author: str, text: str) -> bool:
        """Write on a ticket, once per id; whether there is such a ticket."""
        return await self._casebook.note(tenant, number, note_id=note_id, author=author, text=text, at=self._now())

    async def ticket_notes(self, tenant: str, number: int) -> Sequence[TicketNote]:
        """What was written on a ticket, oldest first."""
        return await self._casebook.notes(tenant, number)

    async def check_customer(self, tenant: str, username: str, key: str) -> str | None:
        """The username as registered when the key is right, else nothing; takes as long for an unknown username."""
        query = select(customers.c.username, customers.c.key_hash).where(
            customers.c.tenant == tenant, customers.c.folded == fold_username(username)
        )

        async def work(connection: AsyncConnection) -> tuple[str, str] | None:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else (row.username, row.key_hash)

        found = await self._database.read(work)
        async with self._checks:
            fits = await asyncio.to_thread(_key_fits, self._hasher, found[1] if found else None, key)
        return found[0] if found and fits else None

    async def save_upload(self, tenant: str, upload: Upload) -> None:
        """Keep bytes for 24 hours; saving the same id again changes nothing.

        Raises:
            ToolFailed: `too_large`: more than 10 MiB; `too_many_files`: with those that are kept of this person, more
                than `PERSON_LIMIT_BYTES`.
        """
        if len(upload.data) > UPLOAD_LIMIT_BYTES:
            raise ToolFailed("too_large", "The file is larger than 10 MB. Ask for a smaller one.")

        async def work(connection: AsyncConnection) -> None:
            now = self._now()
            await connection.execute(delete(uploads).where(uploads.c.tenant == tenant, uploads.c.expires_at <= now))
            if await _kept_bytes(connection, tenant, upload) + len(upload.data) > PERSON_LIMIT_BYTES:
                raise ToolFailed("too_many_files", "This person has sent as many files as are kept within a day.")
            row = insert(connection, uploads).values(
                tenant=tenant,
                id=upload.id,
                thread=upload.thread,
                person=upload.person,
                name=scrub_line(upload.name, 400),
                media_type=scrub_line(upload.media_type, 200),
                data=upload.data,
                expires_at=now + UPLOAD_LASTS,
            )
            await connection.execute(row.on_conflict_do_nothing())

        await self._database.write(work)

    async def read_upload(self, tenant: str, upload_id: str) -> Upload | None:
        """What was uploaded within the last 24 hours."""
        query = select(uploads).where(
            uploads.c.tenant == tenant, uploads.c.id == upload_id, uploads.c.expires_at > self._now()
        )

        async def work(connection: AsyncConnection) -> Upload | None:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                return None
            return Upload(
                id=row.id, thread=row.thread, person=row.person, name=row.name, media_type=row.media_type, data=row.data
            )

        return await self._database.read(work)

    async def record_audit(self, tenant: str, *, actor: str, action: str, target: str, result: str) -> None:
        """Write down who did what to which thing, and how it ended. Nothing changes or deletes a row."""
        # The id is made here, once, so that a transaction that is tried again writes one row.
        values = {
            "tenant": tenant,
            "id": secrets.token_hex(16),
            "at": self._now(),
            "actor": scrub_line(actor, 400),
            "action": scrub_line(action, 80),
            "target": scrub_line(target, 400),
            "result": scrub_line(result, 80),
        }

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(connection, audit).values(values).on_conflict_do_nothing())

        await self._database.write(work)

    async def read_audit(self, *, tenant: str | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """The last entries, oldest first; of every tenant when none is named."""
        query = select(audit).order_by(audit.c.at.desc(), audit.c.id).limit(limit)
        if tenant is not None:
            query = query.where(audit.c.tenant == tenant)

        async def work(connection: AsyncConnection) -> Sequence[AuditEntry]:
            rows = (await connection.execute(query)).all()
            return [
                AuditEntry(
                    at=row.at,
                    actor=row.actor,
                    action=row.action,
                    target=row.target,
                    result=row.result,
                    tenant=row.tenant,
                )
                for row in reversed(rows)
            ]

        return await self._database.read(work)

    async def record_vote(
        self,
        tenant: str,
        *,
        thread: str,
        turn: int,
        person: str,
        value: int,
        comment: str = "",
        about: About = About.ANSWER,
    ) -> None:
        """Keep a vote; a later one of the same person on the same turn replaces it, its words only by other words."""
        said = scrub(comment, COMMENT_LIMIT_CHARS)

        async def work(connection: AsyncConnection) -> None:
            row = insert(connection, votes).values(
                tenant=tenant,
                thread=thread,
                turn=turn,
                person=person,
                value=value,
                at=self._now(),
                comment=said,
                about=about.value,
            )
            fresh = {"value": row.excluded.value, "at": row.excluded.at, "about": row.excluded.about}
            if said:
                fresh["comment"] = row.excluded.comment
            await connection.execute(
                row.on_conflict_do_update(index_elements=["tenant", "thread", "turn", "person"], set_=fresh)
            )

        await self._database.write(work)


def fold_username(username: str) -> str:
    """The form by which a customer is found, however it is written."""
    return username.strip().casefold()


def hash_key(key: str) -> str:
    """What is kept of a customer's key."""
    return HASHER.hash(key)


@functools.cache
def _decoy(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_urlsafe())


def _key_fits(hasher: PasswordHasher, stored: str | None, key: str) -> bool:
    """Whether the key is right; does the same work when nobody has this name, so that time does not tell names."""
    decoy = _decoy(hasher)
    try:
        hasher.verify(stored or decoy, key[:_KEY_LIMIT_CHARS])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None and len(key) <= _KEY_LIMIT_CHARS


async def _next_number(connection: AsyncConnection, tenant: str) -> int:
    row = insert(connection, counters).values(tenant=tenant, name="ticket", value=FIRST_TICKET_NUMBER)
    counted = await connection.execute(
        row.on_conflict_do_update(index_elements=["tenant", "name"], set_={"value": counters.c.value + 1}).returning(
            counters.c.value
        )
    )
    return int(counted.scalar_one())


async def _kept_bytes(connection: AsyncConnection, tenant: str, upload: Upload) -> int:
    """The size of the other files that are kept of the same person."""
    query = select(func.coalesce(func.sum(func.length(uploads.c.data)), 0)).where(
        uploads.c.tenant == tenant, uploads.c.person == upload.person, uploads.c.id != upload.id
    )
    return int((await connection.execute(query)).scalar_one())


async def _opened_since(connection: AsyncConnection, tenant: str, person: str, start: datetime) -> int:
    query = select(func.count()).where(
        tickets.c.tenant == tenant, tickets.c.person == person, tickets.c.created_at > start
    )
    return int((await connection.execute(query)).scalar_one())

"""The business: tickets, customers, votes, uploads, the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A row of the desk.

    Args:
        status: `Open` or `Closed`.
        customer: username of the verified customer, if any.
        person: who opened it, as `platform:space:person id`.
        receipt: SHA-256 of the picture of the receipt that it is about.
        assignee: the colleague who takes care, as `platform:space:person id`.
    """

    number: int
    status: str
    name: str
    issue: str
    customer: str | None
    person: str
    thread: str
    created_at: datetime
    platform: str = ""
    organisation: str = ""
    receipt: str | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketNote:
    """What a colleague wrote on a ticket; customers never see it."""

    author: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketChange:
    """A ticket that was given a status; `changes` counts those that changed something, so that it names each."""

    ticket: Ticket
    before: str
    changes: int


class About(StrEnum):
    """What a vote judges."""

    ANSWER = "answer"
    CASE = "case"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to which thing, when, and how it ended."""

    at: datetime
    actor: str
    action: str
    target: str
    result: str
    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Bytes that the platform cannot serve again (page uploads, a form's file), kept 24 h."""

    id: str
    thread: str
    person: str
    name: str
    media_type: str
    data: bytes = field(repr=False)


class Desk(Protocol):
    """Business data over SQL; every row and query has the tenant. `person` is `platform:space:person id`."""

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

    async def find_ticket(self, tenant: str, number: int) -> Ticket | None: ...

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

    async def set_ticket(self, tenant: str, number: int, status: str) -> TicketChange | None:
        """Give a ticket another status; nothing when there is no such ticket."""

    async def assign_tickets(self, tenant: str, thread: str, assignee: str) -> None:
        """Have a colleague take care of the open tickets of a thread."""

    async def note_ticket(self, tenant: str, number: int, *, note_id: str, author: str, text: str) -> bool:
        """Write on a ticket, once per id; whether there is such a ticket."""

    async def ticket_notes(self, tenant: str, number: int) -> Sequence[TicketNote]:
        """What was written on a ticket, oldest first."""

    async def check_customer(self, tenant: str, username: str, key: str) -> str | None:
        """The customer's registered username when the key is right; takes as long when there is no such customer."""

    async def save_upload(self, tenant: str, upload: Upload) -> None: ...

    async def read_upload(self, tenant: str, upload_id: str) -> Upload | None: ...

    async def record_audit(self, tenant: str, *, actor: str, action: str, target: str, result: str) -> None: ...

    async def read_audit(self, *, tenant: str | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """The last entries, oldest first; of every tenant when none is named."""

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
        """Keep a vote; a later one of the same person on the same turn replaces it."""

"""Everything that orders reach, and what several of them do alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from hashlib import blake2b

import structlog

from bot.accounts import Accounts
from bot.announcements import Announcements
from bot.cases import Cases
from bot.channels import ChannelBook
from bot.conversation import Note, NoteTurn
from bot.llm.wire import shown_name
from bot.messages import Audience, ButtonPressed, CommandGiven, Person, ThreadKey
from bot.pauses import asker_of
from bot.ports import Budgets, Desk, File, Mailbox, Platform, Put, SharedState, TurnLog
from bot.principal import person_ref
from bot.standing import StandingOrders
from bot.verification import Verification

log = structlog.get_logger(__name__)

Ordered = CommandGiven | ButtonPressed

_ASKED_S = 90 * 86_400.0
"""As long as a case is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The end of an order: what the person who gave it is told, and what the audit keeps."""

    told: str
    result: str = "done"
    file: File | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the office works with.

    Args:
        state: a namespace of its own.
        platforms: those of this process.
        tenants: space -> tenant.
        budgets: what is spent.
        turns: what reports are made of.
        currency: of what is spent.
    """

    state: SharedState
    mailbox: Mailbox
    desk: Desk
    platforms: Mapping[str, Platform]
    tenants: Callable[[str], str]
    verification: Verification
    announcements: Announcements
    cases: Cases
    standing: StandingOrders
    channels: ChannelBook
    accounts: Accounts
    budgets: Budgets
    turns: TurnLog
    currency: str

    def tenant(self, event: Ordered) -> str:
        """Whose business it is."""
        return self.tenants(event.thread.space)

    async def audit(self, event: Ordered, action: str, result: str) -> None:
        """Write down who did what to which thing, and how it ended."""
        actor = person_ref(event.thread, event.author.id)
        await self.desk.record_audit(
            self.tenant(event), actor=actor, action=action, target=str(event.thread), result=result
        )

    async def customer(self, thread: ThreadKey) -> Person | None:
        """The customer who asked last in this thread."""
        return await asker_of(self.mailbox, thread, is_customer=True)

    async def note(
        self, event: Ordered, thread: ThreadKey, note: Note, author: Person, text: str, *, asks: bool = False
    ) -> None:
        """Put on the record what was done, once for an event; `author` is the person whom it concerns."""
        turn = NoteTurn(
            note=note, author=author, text=text, audience=Audience.PUBLIC, at=event.at.astimezone(UTC), asks=asks
        )
        put = await self.mailbox.put(thread, turn, event_ids=(f"{note}/{event.event_ids[0]}/{thread}",))
        if put in (Put.FULL, Put.BUSY):
            log.warning("note_refused", note=note, put=put)

    async def ask_once(self, event: Ordered, thread: ThreadKey, case: str) -> None:
        """Have the customer of a closed case asked how it was; nobody is asked twice about the same."""
        customer = await self.customer(thread)
        if customer is not None and await self.state.compare_and_set(
            f"asked/{thread}/{case}", None, b"1", ttl_s=_ASKED_S
        ):
            await self.note(event, thread, Note.CLOSED, customer, "The case was closed by a colleague.", asks=True)


def short(event: Ordered) -> str:
    """A name for what an event begins, the same when it comes again."""
    return blake2b(event.event_ids[0].encode(), digest_size=8).hexdigest()


def named(person: Person) -> str:
    """A name that cannot break out of a line."""
    return shown_name(person)

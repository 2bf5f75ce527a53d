"""What happens to an event before its platform is acknowledged: is it for us, is it clean, is it stored.

Nothing here waits for a model. A message is scrubbed, its secrets are sealed, and it is put into the mailbox in one
step; only then may the adapter acknowledge it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC
from typing import TypeVar

import structlog

from bot.cases import Cases
from bot.channels import ChannelBook
from bot.conversation import Note, NoteTurn, StaffTurn, Turn, UserTurn
from bot.errors import Rejected, Transient
from bot.interpreter import spoken
from bot.languages import heard
from bot.llm.wire import shown_name
from bot.messages import (
    Audience,
    ButtonPressed,
    CommandGiven,
    Event,
    FormSubmitted,
    IncomingMessage,
    MessageDeleted,
    MessageEdited,
    Person,
    StopRequested,
    VoteCast,
)
from bot.observe import EVENTS
from bot.office import HUMAN, Clerk
from bot.ports import Address, ChannelRules, Desk, Listening, Mailbox, Order, Outcome, Put, Verdict
from bot.principal import person_ref
from bot.secrets import Caught, Vault, mask, named_safely
from bot.sentences import BLOCKED, BUSY, THREAD_FULL
from bot.standing import StandingOrders
from bot.text import scrub
from bot.verification import Verification

log = structlog.get_logger(__name__)

TEXT_LIMIT_CHARS = 40_000

STORE_S = 1.5
"""Longest time that something may take into the mailbox: platforms wait three seconds for their acknowledgement."""

_T = TypeVar("_T")


class IntakeDesk:
    """Takes events from every adapter; called as `bot.ports.Intake`.

    Args:
        tenant_of: space -> tenant.
        clerk: carries out what people who work here order.
        standing: who is not listened to.
        channels: what admins set for channels.
        cases: knows which answers ask how a case was.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        vault: Vault,
        verification: Verification,
        desk: Desk,
        tenant_of: Callable[[str], str],
        clerk: Clerk,
        standing: StandingOrders,
        channels: ChannelBook,
        cases: Cases,
    ) -> None:
        self._mailbox = mailbox
        self._vault = vault
        self._verification = verification
        self._desk = desk
        self._tenant_of = tenant_of
        self._clerk = clerk
        self._standing = standing
        self._channels = channels
        self._cases = cases

    async def __call__(self, event: Event) -> Outcome:
        """Settle an event or bring it into the mailbox.

        Raises:
            Transient: it could not be stored; do not acknowledge.
        """
        try:
            outcome = await self._take(event)
        except Rejected as rejected:
            log.info("event_rejected", reason=rejected.reason)
            outcome = Outcome(verdict=Verdict.IGNORED)
        EVENTS.labels(kind=type(event).__name__, verdict=outcome.verdict).inc()
        return outcome

    async def _take(self, event: Event) -> Outcome:
        if not isinstance(event, MessageDeleted) and (refusal := await self._refusal(event)):
            return refusal
        match event:
            case IncomingMessage():
                return await _in_time(self._message(event))
            case MessageEdited():
                return await _in_time(self._edited(event))
            case MessageDeleted():
                await _in_time(self._mailbox.erase(event.thread, event.message_id))
                return Outcome(verdict=Verdict.DONE)
            case FormSubmitted():
                return await self._form(event)
            case CommandGiven():
                return await self._clerk.order(event, mask(event.text))
            case ButtonPressed(action=action) if action == HUMAN:
                return await self._clerk.call_human(event)
            case ButtonPressed():
                return await self._clerk.order(event, mask(f"{event.action} {event.value}".strip()))
            case VoteCast():
                return await _in_time(self._vote(event))
            case StopRequested():
                await _in_time(self._mailbox.order(event.thread, Order.STOP))
                return Outcome(verdict=Verdict.DONE)

    async def _refusal(self, event: Event) -> Outcome | None:
        """What a blocked person gets: one sentence, and then silence."""
        person = person_ref(event.thread, event.author.id)
        if event.author.is_staff or (block := self._standing.block_of(person)) is None:
            return None
        is_told = not isinstance(event, MessageEdited | StopRequested)  # nobody is answered who changes or stops
        if is_told and await self._standing.first_refusal(person, block):
            language = heard(event.text) if isinstance(event, IncomingMessage) else None
            return Outcome(verdict=Verdict.REFUSED, text=spoken(BLOCKED, language))
        return Outcome(verdict=Verdict.IGNORED)

    async def _message(self, event: IncomingMessage) -> Outcome:
        text = scrub(event.text, TEXT_LIMIT_CHARS)
        if not text.strip() and not event.attachments:
            raise Rejected("empty")
        caught = await self._vault.catch(event.thread, event.author.id, text)
        rules = await self._channels.rules(event.thread)
        put = await self._mailbox.put(
            event.thread, _turn(event, caught), event_ids=event.event_ids, address=_address(event, rules)
        )
        verdict, told = _VERDICTS[put]
        told = spoken(told, heard(text)) or caught.shown
        return Outcome(verdict=verdict, text=told, secrets=len(caught.handles))

    async def _edited(self, event: MessageEdited) -> Outcome:
        """Before a turn took it the message itself changes; after, a note on the record tells the text."""
        text = scrub(event.text, TEXT_LIMIT_CHARS)
        caught = await self._vault.catch(event.thread, event.author.id, text)
        shown = Outcome(verdict=Verdict.DONE, text=caught.shown, secrets=len(caught.handles))
        found = await self._mailbox.find(event.thread, event.message_id)
        if found is None or _is_erased(old := found.entry.turn):  # a change may come after the end of its message
            return replace(shown, verdict=Verdict.IGNORED)
        if isinstance(old, UserTurn):
            changed = replace(old, text=caught.text, secrets=caught.handles)
            if await self._mailbox.edit(event.thread, found, changed):
                return shown
        note = NoteTurn(
            note=Note.EDITED,
            author=event.author,
            text=f"{shown_name(event.author)} changed an earlier message. It reads: {caught.text}",
            audience=Audience.PUBLIC,
            at=event.at.astimezone(UTC),
            message_ids=(event.message_id,),
        )
        put = await self._mailbox.put(event.thread, note, event_ids=event.event_ids, address=Address.DESK)
        return replace(shown, verdict=Verdict.BUSY, text=BUSY) if put in (Put.BUSY, Put.FULL) else shown

    async def _form(self, event: FormSubmitted) -> Outcome:
        checked = await self._verification.submit(event, self._tenant_of(event.thread.space))
        principal = checked.principal
        if principal is None or principal.until is None:
            return Outcome(verdict=Verdict.REFUSED, text=checked.told)
        told = f"verified as {principal.customer} until {principal.until:%H:%M} UTC"
        note = NoteTurn(
            note=Note.VERIFIED,
            author=event.author,
            text=f"{shown_name(event.author)} was {told}. Answer what they asked.",
            audience=event.audience,
            at=event.at.astimezone(UTC),
            asks=True,
        )
        put = await _in_time(self._mailbox.put(event.thread, note, event_ids=event.event_ids))
        if put in (Put.BUSY, Put.FULL):
            return Outcome(verdict=Verdict.BUSY, text=BUSY)
        await self._verification.close(event)
        return Outcome(verdict=Verdict.DONE, text=f"Thank you. You are {told}.")

    async def _vote(self, event: VoteCast) -> Outcome:
        person = person_ref(event.thread, event.author.id)
        await self._desk.record_vote(
            self._tenant_of(event.thread.space),
            thread=str(event.thread),
            turn=event.turn,
            person=person,
            value=max(-1, min(1, event.value)),
            comment=(await self._vault.catch(event.thread, event.author.id, event.comment)).shown,
            about=await self._cases.judged_by(event.thread, event.turn),
        )
        return Outcome(verdict=Verdict.DONE, text="Thank you.")


def _is_erased(turn: Turn) -> bool:
    return not getattr(turn, "text", "") and not getattr(turn, "attachments", ())


async def _in_time(storing: Awaitable[_T]) -> _T:
    """What is stored within `STORE_S`; storing is idempotent, so that what was cut off may come again.

    Raises:
        Transient: it took longer.
    """
    try:
        async with asyncio.timeout(STORE_S):
            return await storing
    except TimeoutError:
        raise Transient("store_slow") from None


_VERDICTS = {
    Put.STORED: (Verdict.STORED, ""),
    Put.DUPLICATE: (Verdict.DUPLICATE, ""),
    Put.IGNORED: (Verdict.IGNORED, ""),
    Put.FULL: (Verdict.REFUSED, THREAD_FULL),
    Put.BUSY: (Verdict.BUSY, BUSY),
}


def _address(event: IncomingMessage, rules: ChannelRules) -> Address:
    """Whom a message is for. Staff are answered only on mention; people who talk to each other are left alone."""
    if rules.listening is Listening.NOTHING:
        return Address.OTHERS
    if event.mentions_bot:
        return Address.BOT
    if event.mentions_people or event.author.is_staff:
        return Address.OTHERS
    opens = event.opens or (rules.listening is Listening.EVERYTHING and event.message_id == event.thread.root)
    return Address.BOT if opens else Address.PARTY


def _turn(event: IncomingMessage, caught: Caught) -> UserTurn | StaffTurn:
    at = event.at.astimezone(UTC)
    author = _known(event.author)
    if event.author.is_staff and not event.mentions_bot:
        return StaffTurn(message_ids=(event.message_id,), author=author, text=caught.text, at=at)
    return UserTurn(
        message_ids=(event.message_id,),
        author=author,
        text=caught.text,
        audience=event.audience,
        at=at,
        attachments=tuple(map(named_safely, event.attachments)),
        secrets=caught.handles,
    )


def _known(person: Person) -> Person:
    return replace(person, display_name=scrub(person.display_name, 80), organisation=scrub(person.organisation, 80))

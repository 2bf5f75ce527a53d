"""Orders that only read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from bot import transcript as transcripts
from bot.admin import effects, render
from bot.errors import BotError
from bot.office.room import Done, Ordered, Room
from bot.principal import person_ref
from bot.questions import SEVERAL, Question, read_questions
from bot.standing import EVERYTHING, channel_of, everywhere

LISTED = 20
"""Tickets, or questions, that are listed."""

GLIMPSE = 3
"""Unresolved questions that `status` shows."""


async def status(room: Room, event: Ordered, _: effects.ShowStatus) -> Done:
    """How the thread and the desk stand."""
    thread, tenant = event.thread, room.tenant(event)
    standing = await room.standing.load()
    places = {
        EVERYTHING: "by the operator",
        everywhere(tenant): "everywhere",
        channel_of(thread): "in this channel",
    }
    here = f"{thread.platform}:{thread.space}:"
    told = render.status(
        await room.mailbox.mode(thread) if thread.root else None,
        await room.cases.find(thread) if thread.root else None,
        paused=[words for place, words in places.items() if place in standing.paused],
        tickets=await room.desk.list_tickets(
            tenant, status="Open", thread=str(thread) if thread.root else None, limit=LISTED
        ),
        letters=sum(room.tenants(one.thread.space) == tenant for one in await room.mailbox.dead_letters()),
        blocked=sum(person.startswith(here) for person in standing.blocked),
    )
    return Done(told=f"{told}\n{await _today(room, tenant)}")


async def _today(room: Room, tenant: str) -> str:
    now = datetime.now(UTC)
    since = _days(now, 1)
    lines = await room.turns.report(tenant, since, now)
    return render.today(lines, await _questions(room, tenant, since, now, GLIMPSE), now.date(), room.currency)


async def unresolved(room: Room, event: Ordered, effect: effects.ShowUnresolved) -> Done:
    """What was asked and not resolved, with links."""
    now = datetime.now(UTC)
    found = await _questions(room, room.tenant(event), _days(now, effect.days), now, LISTED)
    return Done(told=render.unresolved(found, effect.days, is_cut=len(found) == LISTED))


def _days(now: datetime, days: int) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)


async def _questions(
    room: Room, tenant: str, since: datetime, until: datetime, limit: int
) -> Sequence[tuple[Question, str]]:
    """Each with where it is opened; a platform that cannot tell that at the moment leaves the thread's name."""

    async def link(one: Question) -> str:
        platform = room.platforms.get(one.thread.platform)
        with suppress(BotError):
            return await platform.link(one.thread) if platform else ""
        return ""

    found = await room.turns.unresolved(tenant, since, until, limit * SEVERAL)
    questions = await read_questions(room.mailbox, found, limit)
    return list(zip(questions, await asyncio.gather(*map(link, questions)), strict=True))


async def transcript(room: Room, event: Ordered, effect: effects.ShowTranscript) -> Done:
    """The whole record as a file."""
    kept = await room.mailbox.load(event.thread)
    entries = [*kept.entries, *await room.mailbox.inbox(event.thread)]
    if not entries:
        return Done(told="Nothing was said here that was for Frontdesk.")
    file = transcripts.transcript(event.thread, entries, effect.form)
    return Done(told="Here is the conversation. It is for you alone.", file=file)


async def tickets(room: Room, event: Ordered, effect: effects.ShowTickets) -> Done:
    """The youngest tickets."""
    found = await room.desk.list_tickets(
        room.tenant(event),
        status="Open" if effect.which == "open" else None,
        assignee=person_ref(event.thread, event.author.id) if effect.which == "mine" else None,
        limit=LISTED,
    )
    return Done(told=render.tickets(found))


async def ticket(room: Room, event: Ordered, effect: effects.ShowTicket) -> Done:
    """One ticket with its notes."""
    tenant = room.tenant(event)
    found = await room.desk.find_ticket(tenant, effect.number)
    if found is None:
        return Done(told=f"There is no ticket {effect.number}.", result="not found")
    return Done(told=render.ticket(found, await room.desk.ticket_notes(tenant, effect.number)))


async def why(room: Room, event: Ordered, _: effects.ShowWhy) -> Done:
    """What led to the last answer."""
    account = await room.accounts.find(event.thread)
    if account is None:
        return Done(told="No model was asked in this thread, or it is too long ago.")
    kept = await room.mailbox.load(event.thread, account.begins)
    return Done(told=render.why(account, kept.entries[: account.ends - account.begins]))


async def rules(room: Room, event: Ordered, _: effects.ShowRules) -> Done:
    """What is set for the channel."""
    return Done(told=render.rules(await room.channels.rules(event.thread)))


async def budgets(room: Room, event: Ordered, _: effects.ShowBudgets) -> Done:
    """What is spent, and of how much."""
    return Done(told=render.budgets(await room.budgets.status(event.thread)))


async def letters(room: Room, event: Ordered, _: effects.ShowLetters) -> Done:
    """Turns that were given up."""
    tenant = room.tenant(event)
    found = [letter for letter in await room.mailbox.dead_letters() if room.tenants(letter.thread.space) == tenant]
    return Done(told=render.letters(found))

"""Orders that change tickets, channels, persons and dead letters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.admin import effects, render
from bot.conversation import Note
from bot.messages import Person, ThreadKey
from bot.office.room import Done, Ordered, Room, short
from bot.ports import Mode, Ticket
from bot.principal import person_ref
from bot.sentences import TICKET_CLOSED, TICKET_REOPENED


async def set_ticket(room: Room, event: Ordered, effect: effects.SetTicket) -> Done:
    """Another status for a ticket; its customer is told in the thread, once for each change."""
    number = effect.number
    changed = await room.desk.set_ticket(room.tenant(event), number, effect.status)
    if changed is None:
        return Done(told=f"There is no ticket {number}.", result="not found")
    if changed.changes == 0:
        return Done(told=f"Ticket {number} is {effect.status} already.", result="no change")
    thread = _thread_of(changed.ticket)
    if thread is not None:
        sentence = TICKET_CLOSED if effect.status == "Closed" else TICKET_REOPENED
        await room.announcements.say(thread, sentence, key=f"ticket/{number}/{changed.changes}", number=number)
        customer = await room.customer(thread) or Person(id=changed.ticket.person, display_name=changed.ticket.name)
        await room.note(event, thread, Note.TICKET, customer, sentence.format(number=number))
        if effect.status == "Closed" and await room.mailbox.mode(thread) is Mode.BOT:
            await room.ask_once(event, thread, f"ticket/{number}")
    was = f" (it was {changed.before})" if changed.before != effect.status else " already"
    return Done(told=f"Ticket {number} is {effect.status}{was}.", result=f"{changed.before} to {effect.status}")


def _thread_of(ticket: Ticket) -> ThreadKey | None:
    """Where a ticket was opened; one that a shop brought along has no thread."""
    try:
        return ThreadKey.parse(ticket.thread)
    except ValueError:
        return None


async def note_ticket(room: Room, event: Ordered, effect: effects.NoteTicket) -> Done:
    """A colleague's note; customers never see it."""
    author = person_ref(event.thread, event.author.id)
    there = await room.desk.note_ticket(
        room.tenant(event), effect.number, note_id=short(event), author=author, text=effect.text
    )
    if not there:
        return Done(told=f"There is no ticket {effect.number}.", result="not found")
    return Done(told=f"Written on ticket {effect.number}.")


async def set_rules(room: Room, event: Ordered, effect: effects.SetRules) -> Done:
    """Other rules for the channel."""
    changes: dict[str, Any] = dict(effect.changes)
    rules = await room.channels.change(event.thread, lambda rules: replace(rules, **changes))
    return Done(told=f"From now on:\n{render.rules(rules)}")


async def block(room: Room, event: Ordered, effect: effects.Block) -> Done:
    """A person is not listened to; colleagues cannot be blocked."""
    thread = event.thread
    platform = room.platforms.get(thread.platform)
    if effect.person == event.author.id or (
        platform is not None and (await platform.describe(thread.space, effect.person)).is_staff
    ):
        return Done(told="People who work here cannot be blocked.", result="refused: a colleague")
    fresh = await room.standing.block(person_ref(thread, effect.person))
    return Done(
        told="They are not listened to from now on, and told so once." if fresh else "They are blocked already."
    )


async def unblock(room: Room, event: Ordered, effect: effects.Unblock) -> Done:
    """A person is listened to again."""
    was = await room.standing.unblock(person_ref(event.thread, effect.person))
    return Done(told="They are listened to again." if was else "They are not blocked.")


async def forget_proof(room: Room, event: Ordered, effect: effects.ForgetProof) -> Done:
    """A person has to prove anew who they are, and may try at once."""
    await room.verification.forget(event.thread, effect.person, room.tenant(event))
    where = "in this thread " if event.thread.root else ""
    return Done(told=f"They have to prove anew who they are {where}and may try at once.")


async def retry_letter(room: Room, event: Ordered, effect: effects.RetryLetter) -> Done:
    """A given-up turn is tried again, once."""
    there = await _is_ours(room, event, effect.letter) and await room.mailbox.retry(effect.letter)
    return Done(told="It is tried again." if there else "There is no such dead letter.")


async def drop_letter(room: Room, event: Ordered, effect: effects.DropLetter) -> Done:
    """A given-up turn is thrown away; what was written stays on the record."""
    there = await _is_ours(room, event, effect.letter) and await room.mailbox.drop(effect.letter)
    return Done(told="It is dropped." if there else "There is no such dead letter.")


async def _is_ours(room: Room, event: Ordered, letter_id: str) -> bool:
    return any(
        letter.id == letter_id and room.tenants(letter.thread.space) == room.tenant(event)
        for letter in await room.mailbox.dead_letters()
    )

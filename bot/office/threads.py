"""Orders about who answers: taking over, handing back, pausing, beginning anew."""

from __future__ import annotations

from contextlib import suppress

from bot.admin import effects
from bot.admin.effects import Scope
from bot.casework import Stage
from bot.conversation import Note, UserTurn
from bot.errors import BotError
from bot.messages import Person, ThreadKey
from bot.office.room import Done, Ordered, Room, named, short
from bot.pauses import asker_of, lift
from bot.ports import Order
from bot.principal import person_ref
from bot.sentences import BACK, PAUSED_HERE, TAKEN_BY
from bot.standing import channel_of, everywhere


async def take_over(room: Room, event: Ordered, _: effects.TakeOver) -> Done:
    """The actor has the thread, and the customer is told so."""
    await _give_to(room, event, event.author)
    return Done(
        told="You have the thread. Frontdesk is silent until you hand it back: by the card's button or `handback`."
    )


async def assign(room: Room, event: Ordered, effect: effects.Assign) -> Done:
    """A colleague has the thread and its open tickets, and is told so."""
    thread = event.thread
    platform = room.platforms.get(thread.platform)
    person = await platform.describe(thread.space, effect.person) if platform else None
    if platform is None or person is None or not person.is_staff:
        return Done(told="Only people who work here can be given a conversation.", result="refused: no colleague")
    await _give_to(room, event, person)
    await room.desk.assign_tickets(room.tenant(event), str(thread), person_ref(thread, person.id))
    if person.id != event.author.id:
        with suppress(BotError):  # the card says it too; somebody who is not in the channel cannot be told in it
            await platform.direct(thread, person, f"{named(event.author)} has assigned this conversation to you.")
    return Done(told=f"{named(person)} takes care of this thread.", result=f"assigned to {person.id}")


async def _give_to(room: Room, event: Ordered, colleague: Person) -> None:
    thread, name = event.thread, named(colleague)
    customer = await room.customer(thread) or event.author
    case = await room.cases.take(thread, colleague, customer, case_id=short(event))
    await room.announcements.say(thread, TAKEN_BY, key=f"taken/{case.id}/{colleague.id}", name=name)
    note = f"{name}, a human colleague, has taken over the thread."
    await room.note(event, thread, Note.HANDED_OVER, event.author, note)


async def hand_back(room: Room, event: Ordered, _: effects.HandBack) -> Done:
    """The bot answers again, first what nobody has answered."""
    await room.cases.end(event.thread, event.author, Stage.BACK)
    await room.announcements.say(event.thread, BACK, key=f"back/{short(event)}")
    text = f"{named(event.author)}, a human colleague, has handed the thread back to Frontdesk."
    await _go_on(room, event, event.thread, Note.HANDED_BACK, text)
    return Done(told="Handed back. What is still open is answered first.")


async def close(room: Room, event: Ordered, _: effects.Close) -> Done:
    """The case is over, the bot has the thread, and the customer is asked once how it was."""
    case = await room.cases.end(event.thread, event.author, Stage.CLOSED)
    await room.ask_once(event, event.thread, case.id if case else short(event))
    return Done(told="The case is closed. Frontdesk has the thread again.")


async def pause(room: Room, event: Ordered, effect: effects.Pause) -> Done:
    """Nobody is answered; a turn that runs ends within a second."""
    thread = event.thread
    if effect.scope is Scope.THREAD:
        await room.mailbox.order(thread, Order.PAUSE)
        await room.announcements.say(thread, PAUSED_HERE, key=f"paused/{short(event)}")
        return Done(told="Paused in this thread. Messages are kept; go on with `/support resume`.")
    await room.standing.pause(_place(room, thread, effect.scope))
    where = _WHERE[effect.scope]
    return Done(told=f"Paused {where}. Messages are kept; go on with `/support resume {effect.scope}`.")


async def resume(room: Room, event: Ordered, effect: effects.Resume) -> Done:
    """What waited is answered."""
    text = f"Frontdesk goes on, by order of {named(event.author)}, a human colleague."
    if effect.scope is Scope.THREAD:
        await room.cases.end(event.thread, event.author, Stage.BACK)
        await _go_on(room, event, event.thread, Note.RESUMED, text)
        return Done(told="Frontdesk answers again in this thread.")
    place = _place(room, event.thread, effect.scope)
    waited = await lift(room.standing, room.mailbox, place, text)
    if waited is None:
        return Done(told=f"Frontdesk is not paused {_WHERE[effect.scope]}.", result="was not paused")
    return Done(told=f"Frontdesk answers again {_WHERE[effect.scope]}; conversations that waited: {waited}.")


async def reset(room: Room, event: Ordered, _: effects.Reset) -> Done:
    """The conversation begins anew: nothing said, shown or proved before counts; the record keeps it all the same."""
    thread, tenant = event.thread, room.tenant(event)
    await room.cases.end(thread, event.author, Stage.BACK)
    await room.mailbox.order(thread, Order.STOP)
    turns = [entry.turn for entry in (await room.mailbox.load(thread)).entries]
    for person in {turn.author.id for turn in turns if isinstance(turn, UserTurn)}:
        await room.verification.forget(thread, person, tenant)
    await room.note(event, thread, Note.RESET, event.author, "The conversation begins anew here.")
    return Done(told="The conversation begins anew. The old record is kept; read it with `/support transcript`.")


async def _go_on(room: Room, event: Ordered, thread: ThreadKey, note: Note, text: str) -> None:
    """Whether something was left open is seen by whoever works on the note, from the record."""
    asker = await asker_of(room.mailbox, thread)
    await room.note(event, thread, note, asker or event.author, text, asks=asker is not None)


_WHERE = {Scope.CHANNEL: "in this channel", Scope.EVERYWHERE: "everywhere"}


def _place(room: Room, thread: ThreadKey, scope: Scope) -> str:
    return channel_of(thread) if scope is Scope.CHANNEL else everywhere(room.tenants(thread.space))

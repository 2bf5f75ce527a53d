"""The end of a pause of many threads: whoever waited is answered, once, whoever dies in the middle of it."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.conversation import Note, NoteTurn, UserTurn
from bot.messages import Audience, Person, ThreadKey
from bot.ports import Desk, Mailbox
from bot.standing import EVERYTHING, StandingOrders

OPERATOR = "operator"
"""Who is on the audit for what was ordered on the command line."""


class Switch:
    """The operator's own pause, of every thread of every tenant: the switch for emergencies."""

    def __init__(self, standing: StandingOrders, mailbox: Mailbox, desk: Desk) -> None:
        self._standing = standing
        self._mailbox = mailbox
        self._desk = desk

    async def off(self) -> None:
        """Every worker stops answering within a second."""
        await self._standing.pause(EVERYTHING)
        await self._audit("pause", "paused")

    async def on(self) -> int | None:
        """Every worker answers again; how many threads waited, or nothing when it was not off."""
        waited = await lift(self._standing, self._mailbox, EVERYTHING, "Frontdesk goes on, by order of its operator.")
        if waited is not None:
            await self._audit("resume", f"{waited} waited")
        return waited

    async def _audit(self, action: str, result: str) -> None:
        await self._desk.record_audit(
            "default", actor=OPERATOR, action=action, target="every thread of every tenant", result=result
        )


async def lift(standing: StandingOrders, mailbox: Mailbox, place: str, words: str) -> int | None:
    """Answer again in a place, first whoever waited.

    Args:
        words: why it goes on, for the record.

    Returns:
        How many threads waited; nothing when the place was not paused.

    Raises:
        Transient: some of them are left; lifting it again does the rest.
    """
    lifted = await standing.resume(place)
    if lifted is None:
        return None
    waiting = await standing.waiting_in(place, lifted)
    for thread in waiting:
        if (customer := await asker_of(mailbox, thread)) is not None:
            note = NoteTurn(
                note=Note.RESUMED,
                author=customer,
                text=words,
                audience=Audience.PUBLIC,
                at=datetime.now(UTC),
                asks=True,  # whether something is left open is seen by whoever works on it, from the record
            )
            await mailbox.put(thread, note, event_ids=(f"resumed/{lifted.id}/{thread}",))
    await standing.settled(place)
    return len(waiting)


async def asker_of(mailbox: Mailbox, thread: ThreadKey, *, is_customer: bool = False) -> Person | None:
    """Who asked last in a thread; with `is_customer`, of those who do not work here."""
    waiting = await mailbox.inbox(thread)
    for entry in reversed([*(await mailbox.load(thread)).entries, *waiting]):
        turn = entry.turn
        if isinstance(turn, UserTurn) and turn.asks and not (is_customer and turn.author.is_staff):
            return turn.author
    return None

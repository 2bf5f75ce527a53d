"""What comes before an answer: whether there is to be one at this moment, and what is done once in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot import earlier
from bot.claimed import ClaimedTurn
from bot.conversation import Conversation, Note, Turn
from bot.messages import ThreadKey
from bot.ports import Mode, Platform
from bot.sentences import PAUSED
from bot.services import Services


async def keep(turn: ClaimedTurn, services: Services) -> None:
    """Settle a turn that is kept and not answered."""
    lease = turn.lease
    if turn.notes(Note.RESET):
        # The window of history begins with this turn from here on; what was before stays on the record.
        mail = Conversation(entries=lease.mail, start=lease.begins)
        lease = await services.mailbox.step(replace(lease, record=mail))
    if lease.mode is Mode.HUMAN:
        await services.cases.heard(lease.thread, turn.turns())
    await services.mailbox.done(lease)


async def is_paused(thread: ThreadKey, services: Services) -> bool:
    """Whether nobody is answered here at the moment; then the thread is remembered for the pause's end."""
    standing = services.standing
    if (pause := standing.pause_of(thread)) is None:
        return False
    await standing.wait_in(*pause, thread)
    await standing.load()  # who lifts a pause looks afterwards who waits: one of us sees the other
    if (pause := standing.pause_of(thread)) is None:
        return False
    await services.announcements.say(thread, PAUSED, key=f"paused/{pause[1].id}")
    return True


async def begin(turn: ClaimedTurn, services: Services, platform: Platform) -> Sequence[Turn]:
    """Greet in a thread that is new, and read back one that was joined late; what of it goes onto the record."""
    thread = turn.lease.thread
    if turn.number == 1 and (rules := await services.channels.rules(thread)).greeting:
        await services.announcements.say(thread, rules.greeting, key="greeting")
    if (message_id := earlier.asked_late(turn)) is None:
        return ()
    return await earlier.read_back(turn, message_id, platform, services.vault, services.standing)

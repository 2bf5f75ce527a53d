"""What customers had asked when something went wrong: read from the record each time, and kept nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.conversation import Turn, UserTurn
from bot.messages import Person
from bot.ports import Mailbox, Unresolved

AT_ONCE = 8
"""Records that are read at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A conversation that somebody should look at, and what was asked in it.

    Args:
        author: who asked; nobody when nothing is on record any more.
        text: as it stands on the record, secrets masked.
    """

    found: Unresolved
    author: Person | None = None
    text: str = ""


def asked(turns: Sequence[Turn], before: datetime) -> UserTurn | None:
    """The customer's last words before a moment; their first ones when all came later. Pure."""
    said = [turn for turn in turns if isinstance(turn, UserTurn) and turn.asks and not turn.author.is_staff]
    earlier = [turn for turn in said if turn.at <= before]
    return earlier[-1] if earlier else said[0] if said else None


async def questions(mailbox: Mailbox, found: Sequence[Unresolved]) -> Sequence[Question]:
    """Each with what was asked, as far as it is on record still.

    Raises:
        Transient: the records cannot be read.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(one: Unresolved) -> Question:
        async with gate:
            record = await mailbox.load(one.thread)
        turn = asked([entry.turn for entry in record.entries], one.at)
        return Question(found=one) if turn is None else Question(found=one, author=turn.author, text=turn.text)

    return await asyncio.gather(*map(read, found))

"""What customers had asked when something went wrong: read from the record each time, and kept nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.conversation import Turn, UserTurn
from bot.messages import Person, ThreadKey
from bot.ports import Mailbox, Unresolved

SEVERAL = 4
"""Things that may have happened to one question: as many times more are read than questions are wanted."""

AT_ONCE = 8
"""Records that are read at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that was asked, and that somebody should look at.

    Args:
        at: when the last thing happened to it.
        whys: what happened, the last thing first.
        author: who asked; nobody when nothing is on record any more.
        text: as it stands on the record, secrets masked.
    """

    thread: ThreadKey
    at: datetime
    whys: tuple[str, ...]
    author: Person | None = None
    text: str = ""


def asked(turns: Sequence[Turn], before: datetime) -> UserTurn | None:
    """The customer's last words before a moment; their first ones when all came later. Pure."""
    said = [turn for turn in turns if isinstance(turn, UserTurn) and turn.asks and not turn.author.is_staff]
    earlier = [turn for turn in said if turn.at <= before]
    return earlier[-1] if earlier else said[0] if said else None


def to_questions(
    found: Sequence[Unresolved], records: Mapping[ThreadKey, Sequence[Turn]], limit: int
) -> Sequence[Question]:
    """Each question once, with all that happened to it, in the order of `found`. Pure."""
    questions: dict[tuple[ThreadKey, tuple[str, ...]], Question] = {}
    for one in found:
        turn = asked(records[one.thread], one.at)
        name = (one.thread, turn.message_ids if turn else ())
        known = questions.get(name)
        if known is None:
            author, text = (turn.author, turn.text) if turn else (None, "")
            questions[name] = Question(thread=one.thread, at=one.at, whys=(one.why,), author=author, text=text)
        elif one.why not in known.whys:
            questions[name] = replace(known, whys=(*known.whys, one.why))
    return list(questions.values())[:limit]


async def read_questions(mailbox: Mailbox, found: Sequence[Unresolved], limit: int) -> Sequence[Question]:
    """The youngest questions, with their words as far as they are on record still.

    Raises:
        Transient: the records cannot be read.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(thread: ThreadKey) -> Sequence[Turn]:
        async with gate:
            return [entry.turn for entry in (await mailbox.load(thread)).entries]

    threads = list(dict.fromkeys(one.thread for one in found))
    records = dict(zip(threads, await asyncio.gather(*map(read, threads)), strict=True))
    return to_questions(found, records, limit)

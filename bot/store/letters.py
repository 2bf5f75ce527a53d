"""Dead letters: turns that were given up, kept until somebody retries or drops them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import cast

import orjson
from redis.asyncio import Redis

from bot.conversation import AssistantTurn, Entry, Note, NoteTurn, ToolTurn, Turn
from bot.messages import Audience, Person, ThreadKey
from bot.ports import DeadLetter, Lease
from bot.store.client import mapped, read_list
from bot.store.keys import Partition
from bot.store.lua import Scripts


class LetterBox:
    """The dead letters of all partitions."""

    def __init__(self, redis: Redis, scripts: Scripts, partitions: int) -> None:
        self._redis = redis
        self._scripts = scripts
        self._partitions = [Partition(number) for number in range(partitions)]

    async def all(self) -> Sequence[DeadLetter]:
        """Every letter, oldest first."""
        return sorted((_read(raw) for _, raw in await self._raw()), key=lambda letter: letter.at)

    async def retry(self, letter_id: str, encode: Callable[[Turn], Entry]) -> bool:
        """Make the turn due again, once; whether the letter was there."""
        found = await self._find(letter_id)
        if found is None:
            return False
        at, raw, letter = found
        note = NoteTurn(
            note=Note.RETRIED,
            author=letter.author,
            text=f"A fault kept the last message of {letter.author.display_name} from being answered. Answer it.",
            audience=Audience.PUBLIC,
            at=datetime.now(UTC),
            asks=True,
        )
        keys = [at.dead, at.due, at.wake, at.open, at.inbox(letter.thread)]
        return bool(await self._scripts.run("retry", keys, [raw, str(letter.thread), encode(note).row]))

    async def drop(self, letter_id: str) -> bool:
        """Throw a letter away; whether it was there."""
        found = await self._find(letter_id)
        if found is None:
            return False
        at, raw, _ = found
        with mapped():
            return bool(await self._redis.lrem(at.dead, 1, cast("str", raw)))

    async def _find(self, letter_id: str) -> tuple[Partition, bytes, DeadLetter] | None:
        for at, raw in await self._raw():
            letter = _read(raw)
            if letter.id == letter_id:
                return at, raw, letter
        return None

    async def _raw(self) -> list[tuple[Partition, bytes]]:
        return [(at, raw) for at in self._partitions for raw in await read_list(self._redis, at.dead)]


def write_letter(lease: Lease, reason: str) -> bytes:
    """The letter of a turn that is given up."""
    authors = [turn.author for entry in lease.mail if not isinstance(turn := entry.turn, AssistantTurn | ToolTurn)]
    return orjson.dumps(
        {
            "id": lease.token,
            "thread": str(lease.thread),
            "turn": lease.turn,
            "reason": reason,
            "at": datetime.now(UTC),
            "author": authors[0],
        }
    )


def _read(raw: bytes) -> DeadLetter:
    values = orjson.loads(raw)
    return DeadLetter(
        id=values["id"],
        thread=ThreadKey.parse(values["thread"]),
        turn=values["turn"],
        reason=values["reason"],
        at=datetime.fromisoformat(values["at"]),
        author=Person(**values["author"]),
    )

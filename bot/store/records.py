"""What is kept of a thread, as whoever does not hold it may read it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

import orjson
from redis.asyncio import Redis

from bot.conversation import Conversation, Entry
from bot.messages import ThreadKey
from bot.ports import Found, Mode
from bot.store import codec
from bot.store.client import mapped, read_list
from bot.store.keys import Partition, partition_of

FIND_ROWS = 200
"""Rows read at once when a message is looked for from the end of a record."""


class Records:
    """Reads threads, and changes nothing.

    Args:
        partitions: number of partitions; the same in every process.
    """

    def __init__(self, redis: Redis, partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions

    async def load(self, thread: ThreadKey, start: int = 0) -> Conversation:
        """The record from index `start`."""
        rows = await read_list(self._redis, self._at(thread).turns(thread), start)
        return Conversation(entries=codec.entries(rows), start=start)

    async def inbox(self, thread: ThreadKey) -> Sequence[Entry]:
        """Mail that is accepted and not yet on the record."""
        rows = await read_list(self._redis, self._at(thread).inbox(thread))
        return [codec.entry(row) for row in rows]

    async def account(self, thread: ThreadKey) -> bytes | None:
        """What was kept beside the last reply that had an account."""
        with mapped():
            fields = cast("dict[bytes, bytes]", await self._redis.hgetall(self._at(thread).meta(thread)))
        pieces = (fields.get(b"account:%d" % number, b"") for number in itertools.count(1))
        return b"".join(itertools.takewhile(bool, pieces)) or None

    async def find(self, thread: ThreadKey, message_id: str) -> Found | None:
        """A message that was accepted, in the inbox or on the record, as it was written down last."""
        async with aclosing(self.places(thread, message_id)) as places:
            async for found in places:
                return found
        return None

    async def places(self, thread: ThreadKey, message_id: str) -> AsyncGenerator[Found, None]:
        """Where a message stands, and what was changed in it later: the inbox, then the record from its end."""
        for entry in await self.inbox(thread):
            if _is_message(entry.row, message_id):
                yield Found(entry=entry)
        turns = self._at(thread).turns(thread)
        with mapped():
            end = int(await self._redis.llen(turns))
        while end > 0:
            start = max(0, end - FIND_ROWS)
            rows = await read_list(self._redis, turns, start, end - 1)
            for index, row in reversed(list(enumerate(rows, start))):
                if _is_message(row, message_id):
                    yield Found(entry=codec.entry(row), index=index)
            end = start

    async def mode(self, thread: ThreadKey) -> Mode:
        """Who has the thread."""
        with mapped():
            mode = cast("bytes | None", await self._redis.hget(self._at(thread).meta(thread), "mode"))
        return Mode(mode.decode()) if mode else Mode.BOT

    async def exists(self, thread: ThreadKey) -> bool:
        """Whether anything at all is kept of the thread."""
        at = self._at(thread)
        with mapped():
            return bool(await self._redis.exists(at.inbox(thread), at.turns(thread), at.meta(thread)))

    def _at(self, thread: ThreadKey) -> Partition:
        return Partition(partition_of(thread, self._partitions))


def _is_message(row: bytes, message_id: str) -> bool:
    return message_id.encode() in row and message_id in orjson.loads(row).get("message_ids", ())

"""What a claim gives: the lease as the scripts tell it, and the platform messages that are kept with it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import orjson

from bot.conversation import Conversation
from bot.messages import ThreadKey
from bot.ports import Lease, Mode, Order, Reply
from bot.store import codec
from bot.store.keys import Partition
from bot.store.lua import Scripts


class RedisRefs:
    """The platform messages of a turn; see `bot.ports.Refs`.

    Args:
        meta: the key of the thread's state.
        token: of the lease that they are kept with.
        known: those that are on record.
    """

    def __init__(self, scripts: Scripts, meta: str, token: str, known: dict[str, str]) -> None:
        self._scripts = scripts
        self._meta = meta
        self._token = token
        self._known = known

    def get(self, part: str) -> str | None:
        """The id that is on record for this part."""
        return self._known.get(part)

    async def put(self, part: str, message_id: str) -> None:
        """Keep an id before anything else happens with it."""
        await self._scripts.fenced("ref", [self._meta], [self._token, part, message_id])
        self._known[part] = message_id


def read_lease(
    thread: ThreadKey, token: str, opened: list[object], scripts: Scripts, at: Partition, *, attempts: int
) -> Lease:
    """The lease that the script `open` has told of.

    Args:
        opened: the state of the thread, where its window of history begins, and the rows of the window.
        attempts: claims of one turn before it is given up.

    Raises:
        UnknownVersion, ValueError: a newer version has written to the thread.
    """
    state, window, rows = cast("tuple[list[bytes | None], bytes, list[bytes]]", opened)
    turn, step, attempt, begins, mode, order, out, refs, fault = state
    return Lease(
        thread=thread,
        token=token,
        turn=int(turn or 0),
        step=int(step or 0),
        attempt=int(attempt or 0),
        begins=int(begins or 0),
        record=Conversation(entries=codec.entries(rows), start=int(window)),
        mode=Mode((mode or b"bot").decode()),
        order=Order(order.decode()) if order else None,
        committed=Reply(**orjson.loads(out)) if out else None,
        exhausted=int(attempt or 0) > attempts,
        fault=(fault or b"").decode(),
        refs=RedisRefs(scripts, at.meta(thread), token, orjson.loads(refs or b"{}")),
    )


def ordered(lease: Lease, answer: bytes) -> Lease:
    """The lease with the order that a fenced script answered with, if there is one."""
    told = answer.decode().removeprefix("order:")
    # What a newer version orders is followed by its own workers; it must not end the heartbeat of ours.
    return replace(lease, order=Order(told) if told in set(Order) else None)

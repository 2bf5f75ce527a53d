"""The mailbox over Redis: threads as actors. Each operation is one script, idempotent under the client's retry.

The score of a thread in the agenda (`due`) is the lease: claim, lease, back-off and crash recovery are one operation,
and Redis' own TIME is the only clock. Ownership is a random token compared for equality, because a counter is no fence
after a fail-over. The scripts lie in `scripts/`, each with its keys and arguments in its first lines.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast

import orjson
import structlog

from bot.conversation import Conversation, Entry, NoteTurn, StaffTurn, Turn, UserTurn
from bot.errors import UnknownVersion
from bot.messages import Person, ThreadKey
from bot.observe import GIVEN_UP
from bot.ports import Address, Backlog, DeadLetter, Found, Lease, Mode, Order, Put, Reply
from bot.store import codec
from bot.store.client import Connections, mapped, subscribed
from bot.store.keys import Partition, partition_of
from bot.store.leases import ordered, read_lease
from bot.store.letters import LetterBox, write_letter
from bot.store.lua import Scripts
from bot.store.records import Records

log = structlog.get_logger(__name__)

NEWER_S = 1.0
"""How long a thread that a newer version has written to is left to workers of that version."""

_PROBE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The mailbox's measures; the settings of the same names override them.

    Args:
        attempts: claims of one turn before it is given up.
        batch: pieces of mail that one turn takes.
        inbox: pieces of mail that wait in one thread.
        open: accepted and unsettled pieces of mail per partition.
    """

    lease_s: float = 15.0
    poll_s: float = 1.0
    attempts: int = 4
    batch: int = 10
    inbox: int = 50
    open: int = 5_000
    seen_s: float = 25 * 3600.0
    retention_s: float = 30 * 86_400.0
    debounce_ms: int = 0


class RedisMailbox:
    """See `bot.ports.Mailbox`.

    Args:
        connections: to the Redis that keeps the conversations.
        to_wire: what a model is sent of a turn; kept beside the turn.
        partitions: number of partitions; the same in every process.
    """

    def __init__(
        self,
        connections: Connections,
        to_wire: Callable[[Turn], bytes],
        *,
        limits: Limits | None = None,
        partitions: int = 1,
    ) -> None:
        self.limits = limits or Limits()
        self.partitions = partitions
        self.closed = False
        """Set by `bot.store.guard`: nothing more is accepted until Redis has room again."""
        self._redis = connections.commands
        self._listener = connections.listener
        self._to_wire = to_wire
        self._scripts = Scripts(connections.commands)
        self._records = Records(connections.commands, partitions)
        self._letters = LetterBox(connections.commands, self._scripts, partitions)

    # ------------------------------------------------------------------------------------------------- accepting

    async def put(
        self, thread: ThreadKey, turn: Turn, *, event_ids: Sequence[str], address: Address = Address.BOT
    ) -> Put:
        """Accept one piece of mail, once; the thread is due now."""
        at = self._at(thread)
        limits = self.limits
        result = await self._scripts.run(
            "put",
            [at.due, at.wake, at.open, at.inbox(thread), at.meta(thread)]
            + [at.seen(thread.platform, event) for event in event_ids],
            [
                str(thread),
                self._encode(turn).row,
                _author_id(turn),
                address.value,
                limits.inbox,
                limits.open,
                _ms(limits.seen_s),
                limits.debounce_ms,
                int(self.closed),
                at.news,
            ],
        )
        return Put(_text(result))

    async def find(self, thread: ThreadKey, message_id: str) -> Found | None:
        """A message that was accepted, in the inbox or on the record, as it was written down last."""
        return await self._records.find(thread, message_id)

    async def edit(self, thread: ThreadKey, found: Found, turn: Turn) -> bool:
        """Replace mail that no turn has taken yet; whether it was still there."""
        return found.index is None and await self._change_inbox(thread, found.entry, self._encode(turn).row)

    async def erase(self, thread: ThreadKey, message_id: str) -> bool:
        """Forget a message in every form that it had: drop what waits in the inbox, empty what is on the record.

        Returns:
            Whether anything was found.
        """
        erased = False
        async with aclosing(self._records.places(thread, message_id)) as places:
            async for found in places:
                if found.index is None:  # a turn may have taken it onto the record since; then it is found there
                    erased |= await self._change_inbox(thread, found.entry, b"")
                else:
                    empty = self._encode(codec.erased(found.entry.turn)).row
                    turns = self._at(thread).turns(thread)
                    args = [found.index, found.entry.row, empty]
                    erased |= bool(await self._scripts.run("erase", [turns], args))
        return erased

    async def _change_inbox(self, thread: ThreadKey, entry: Entry, changed: bytes) -> bool:
        at = self._at(thread)
        return bool(await self._scripts.run("edit", [at.inbox(thread), at.open], [entry.row, changed]))

    # -------------------------------------------------------------------------------------------------- claiming

    async def claim(self, partition: int, woken: ThreadKey | None = None) -> Lease | float:
        """Take `woken` if it is due, or the thread that has been due longest; else the seconds until one is due."""
        at = Partition(partition)
        if woken is not None and (lease := await self._open(at, woken, b"")) is not None:
            return lease
        limits = self.limits
        reserved = await self._scripts.run("reserve", [at.due, at.wake], [_ms(limits.lease_s), _ms(limits.poll_s)])
        if isinstance(reserved, int):
            return reserved / 1000
        name, score = reserved
        return await self._open(at, ThreadKey.parse(_text(name)), score) or 0.0

    async def _open(self, at: Partition, thread: ThreadKey, score: bytes) -> Lease | None:
        """Become the owner of a thread, unless it is somebody else's or has no mail."""
        limits, token = self.limits, secrets.token_hex(8)
        opened = await self._scripts.patiently(
            "open",
            [at.due, at.inbox(thread), at.turns(thread), at.meta(thread)],
            [str(thread), score, token, _ms(limits.lease_s), limits.batch],
        )
        if isinstance(opened, bytes):
            return None
        try:
            return read_lease(thread, token, opened, self._scripts, at, attempts=limits.attempts)
        except (UnknownVersion, ValueError):  # a mode or an order of a newer version is none of ours either
            log.warning("newer_version", thread=str(thread))
            keys, delay_ms = [at.due, at.wake, at.meta(thread)], _ms(NEWER_S)
            await self._scripts.fenced("release", keys, [str(thread), token, delay_ms, 1, ""])
            return None

    async def wait(self, partition: int, timeout_s: float) -> ThreadKey | None:
        """The thread for which mail has come, as soon as it does; nothing when none came for `timeout_s`."""
        with mapped():
            woken = await self._listener.blpop([Partition(partition).wake], timeout=max(0.001, timeout_s))
        return ThreadKey.parse(_text(woken[1])) if woken else None

    async def join(self, lease: Lease) -> Lease:
        """Take further mail of the same author into this turn; the same lease when there is none."""
        at = self._at(lease.thread)
        rows = await self._scripts.fenced(
            "join",
            [at.due, at.inbox(lease.thread), at.turns(lease.thread), at.meta(lease.thread)],
            [str(lease.thread), lease.token, lease.step, _ms(self.limits.lease_s), self.limits.batch],
        )
        if not rows:
            return lease
        return replace(lease, step=lease.step + 1, record=lease.record.extended(tuple(codec.entries(rows))))

    # --------------------------------------------------------------------------------------------------- working

    async def step(self, lease: Lease, *turns: Turn) -> Lease:
        """Append to the record, once, and renew."""
        at = self._at(lease.thread)
        entries = tuple(self._encode(turn) for turn in turns)
        order = await self._scripts.fenced(
            "step",
            [at.due, at.turns(lease.thread), at.meta(lease.thread)],
            [str(lease.thread), lease.token, lease.step, _ms(self.limits.lease_s), lease.record.start]
            + [entry.row for entry in entries],
        )
        return ordered(replace(lease, step=lease.step + 1, record=lease.record.extended(entries)), order)

    async def commit(
        self, lease: Lease, turns: Sequence[Turn], reply: Reply, *, dead: str | None = None, account: bytes = b""
    ) -> Lease:
        """Append the turn's last entries and keep the reply to deliver, once; with `dead` also a dead letter."""
        at = self._at(lease.thread)
        entries = tuple(self._encode(turn) for turn in turns)
        order = await self._scripts.fenced(
            "commit",
            [at.due, at.turns(lease.thread), at.meta(lease.thread), at.dead],
            [
                str(lease.thread),
                lease.token,
                lease.step,
                _ms(self.limits.lease_s),
                lease.record.start,
                orjson.dumps(reply),
                b"" if dead is None else write_letter(lease, dead),
                account,
                *[entry.row for entry in entries],
            ],
        )
        _count(dead)
        committed = replace(
            lease, step=lease.step + 1, record=lease.record.extended(entries), committed=lease.committed or reply
        )
        return ordered(committed, order)

    async def done(self, lease: Lease, *, dead: str | None = None) -> None:
        """The turn is settled: the thread is idle, or due again when mail has come; with `dead` also a dead letter."""
        at = self._at(lease.thread)
        await self._scripts.fenced(
            "done",
            [at.due, at.wake, at.open, at.inbox(lease.thread), at.turns(lease.thread), at.meta(lease.thread), at.dead],
            [
                str(lease.thread),
                lease.token,
                _ms(self.limits.retention_s),
                b"" if dead is None else write_letter(lease, dead),
            ],
        )
        _count(dead)

    async def renew(self, lease: Lease) -> Lease:
        """Keep the thread for another lease time and hear orders."""
        at = self._at(lease.thread)
        order = await self._scripts.fenced(
            "renew",
            [at.due, at.meta(lease.thread)],
            [str(lease.thread), lease.token, _ms(self.limits.lease_s)],
            patient=False,  # the heart beats again
        )
        return ordered(lease, order)

    async def release(self, lease: Lease, *, delay_s: float = 0.0, refund: bool = False, fault: str = "") -> None:
        """Give the thread back, due after `delay_s`; `refund` takes the attempt back (drain), `fault` says why."""
        at = self._at(lease.thread)
        await self._scripts.fenced(
            "release",
            [at.due, at.wake, at.meta(lease.thread)],
            [str(lease.thread), lease.token, _ms(delay_s), int(refund), fault],
        )

    async def is_gone(self, lease: Lease) -> bool:
        """Whether the store has lost the thread as a whole: after a flush, or in another database.

        A fail-over that lost the claim alone leaves the mail, and the turn is run again.
        """
        return not await self._records.exists(lease.thread)

    # -------------------------------------------------------------------------------------------------- steering

    async def order(self, thread: ThreadKey, order: Order) -> None:
        """Tell the running turn, if any; `HUMAN` and `PAUSE` also change the mode until `hand_back`."""
        mode = {Order.HUMAN: Mode.HUMAN, Order.PAUSE: Mode.PAUSED}.get(order)
        await self._tell(thread, order.value, mode.value if mode else "")

    async def hand_over(self, thread: ThreadKey) -> None:
        """A human has the thread from the next turn on; the running one may say its last words."""
        await self._tell(thread, "", Mode.HUMAN.value)

    async def hand_back(self, thread: ThreadKey) -> None:
        """The bot has the thread again."""
        await self._tell(thread, "", Mode.BOT.value)

    async def _tell(self, thread: ThreadKey, order: str, mode: str) -> None:
        at = self._at(thread)
        await self._scripts.run(
            "order", [at.meta(thread)], [str(thread), order, mode, at.news, _ms(self.limits.retention_s)]
        )

    async def news(self) -> AsyncGenerator[ThreadKey, None]:
        """Threads about which something was published; only wakes, never tells."""
        channels = (Partition(number).news for number in range(self.partitions))
        async with aclosing(subscribed(self._listener, *channels)) as messages:
            async for message in messages:
                if message["type"] == "message":
                    yield ThreadKey.parse(_text(message["data"]))

    # --------------------------------------------------------------------------------------------------- reading

    async def load(self, thread: ThreadKey, start: int = 0) -> Conversation:
        """The record from index `start`."""
        return await self._records.load(thread, start)

    async def inbox(self, thread: ThreadKey) -> Sequence[Entry]:
        """Mail that is accepted and not yet on the record."""
        return await self._records.inbox(thread)

    async def account(self, thread: ThreadKey) -> bytes | None:
        """What was kept beside the last reply that had an account."""
        return await self._records.account(thread)

    async def mode(self, thread: ThreadKey) -> Mode:
        """Who has the thread."""
        return await self._records.mode(thread)

    async def backlog(self) -> Backlog:
        """What waits at this moment."""
        places = [Partition(number) for number in range(self.partitions)]
        told = await asyncio.gather(*(self._scripts.run("backlog", [at.due, at.open, at.dead], []) for at in places))
        ready, waits_ms, accepted, dead = zip(*told, strict=True)
        return Backlog(ready=sum(ready), oldest_s=max(waits_ms) / 1000, open=sum(accepted), dead=sum(dead))

    async def probe(self) -> None:
        """Write into every partition, as accepting a message would.

        Raises:
            Transient: one cannot be written to.
        """
        places = [Partition(number).probe for number in range(self.partitions)]
        with mapped():
            await asyncio.gather(*(self._redis.set(place, b"1", px=_PROBE_MS) for place in places))

    # ---------------------------------------------------------------------------------------------- dead letters

    async def dead_letters(self) -> Sequence[DeadLetter]:
        """Turns that were given up, oldest first."""
        return await self._letters.all()

    async def retry(self, letter_id: str) -> bool:
        """Make a given-up turn due again, once; whether the letter was there."""
        return await self._letters.retry(letter_id, self._encode)

    async def drop(self, letter_id: str) -> bool:
        """Throw a dead letter away; whether it was there."""
        return await self._letters.drop(letter_id)

    # --------------------------------------------------------------------------------------------------- private

    def _at(self, thread: ThreadKey) -> Partition:
        return Partition(partition_of(thread, self.partitions))

    def _encode(self, turn: Turn) -> Entry:
        return codec.encode(turn, self._to_wire)


def _count(dead: str | None) -> None:
    if dead is not None:
        GIVEN_UP.labels(reason=dead.partition(":")[0]).inc()


def _author(turn: Turn) -> Person:
    return cast("UserTurn | StaffTurn | NoteTurn", turn).author


def _author_id(turn: Turn) -> str:
    return _author(turn).id


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

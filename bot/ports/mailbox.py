"""Threads with their mail, their record and their lease."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.conversation import Conversation, Entries, Entry, Turn
from bot.messages import Person, ThreadKey
from bot.ports.reply import Reply


class Order(StrEnum):
    """What a running turn is told to do at once."""

    STOP = "stop"
    PAUSE = "pause"
    HUMAN = "human"


class Mode(StrEnum):
    """Who has the thread."""

    BOT = "bot"
    PAUSED = "paused"
    HUMAN = "human"


class Put(StrEnum):
    """What `Mailbox.put` did."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    FULL = "full"
    BUSY = "busy"


class Address(StrEnum):
    """Whom a message is for, as far as the message itself tells; the mailbox knows the thread.

    `DESK` is for what code puts on the record: it is taken, and begins no conversation with its author.
    """

    BOT = "bot"
    DESK = "desk"
    PARTY = "party"
    OTHERS = "others"


class Refs(Protocol):
    """The platform messages of a turn, kept with the lease: part -> platform message id."""

    def get(self, part: str) -> str | None:
        """The id that is on record for this part."""

    async def put(self, part: str, message_id: str) -> None:
        """Keep an id before anything else happens with it.

        Raises:
            LeaseLost: another worker owns the thread; the message is not ours to write to.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A claimed thread. Values change by replacement: every fenced operation gives the lease as it is after it.

    Args:
        token: random owner token; compared for equality by every script.
        turn: number of the turn, from 1.
        step: how many steps of this turn are on the record; each append names the step that it follows.
        attempt: how often this turn was claimed, from 1.
        begins: index on the record of the turn's first entry.
        record: the window of the record, the turn's own entries at its end.
        mode: who has the thread.
        order: what was ordered since the claim.
        committed: the reply that is committed and not yet settled.
        exhausted: this was the last attempt allowed; close the turn with an apology and a dead letter.
        fault: why an earlier attempt was given back, where it was not the process that ended.
        refs: platform messages already posted for this turn.
    """

    thread: ThreadKey
    token: str
    turn: int
    step: int
    attempt: int
    begins: int
    record: Conversation
    mode: Mode
    refs: Refs
    order: Order | None = None
    committed: Reply | None = None
    exhausted: bool = False
    fault: str = ""

    @property
    def mail(self) -> Entries:
        """The entries of this turn."""
        return self.record.entries[max(0, self.begins - self.record.start) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A message as the mailbox has it: at `index` of the record, or (without one) in the inbox."""

    entry: Entry
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A turn that was given up."""

    id: str
    thread: ThreadKey
    turn: int
    reason: str
    at: datetime
    author: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits in the mailbox.

    Args:
        ready: threads that are due and that nobody has taken.
        oldest_s: how long the longest waiting of them has been due.
        open: messages that are accepted and not settled.
        dead: dead letters.
    """

    ready: int
    oldest_s: float
    open: int
    dead: int


class Mailbox(Protocol):
    """Threads as actors: an inbox, a record, and a lease each. Every operation is idempotent under client retry.

    All fenced operations (those that take a `Lease`) raise `LeaseLost` when another owner holds the thread, and
    `Transient` when the store cannot be reached.
    """

    async def put(
        self, thread: ThreadKey, turn: Turn, *, event_ids: Sequence[str], address: Address = Address.BOT
    ) -> Put:
        """Accept one piece of mail, once; the thread is due now."""

    async def find(self, thread: ThreadKey, message_id: str) -> Found | None:
        """A message that was accepted, in the inbox or on the record, as it was written down last."""

    async def edit(self, thread: ThreadKey, found: Found, turn: Turn) -> bool:
        """Replace mail that no turn has taken yet; whether it was still there."""

    async def erase(self, thread: ThreadKey, message_id: str) -> bool:
        """Forget a message in every form: drop what waits, empty what is on the record; whether it was found."""

    partitions: int
    """How many claims can be made independently of each other."""

    async def claim(self, partition: int, woken: ThreadKey | None = None) -> Lease | float:
        """Take `woken` if it is due, or the thread that has been due longest.

        Returns:
            The lease; else the seconds until the next thread is due, at most the poll time.
        """

    async def wait(self, partition: int, timeout_s: float) -> ThreadKey | None:
        """The thread for which mail has come, as soon as it does; nothing when none came for `timeout_s`."""

    async def join(self, lease: Lease) -> Lease:
        """Take further mail of the same author into this turn; the same lease when there is none."""

    async def step(self, lease: Lease, *turns: Turn) -> Lease:
        """Append to the record, once, and renew."""

    async def commit(
        self, lease: Lease, turns: Sequence[Turn], reply: Reply, *, dead: str | None = None, account: bytes = b""
    ) -> Lease:
        """Append the turn's last entries and keep the reply to deliver, once; `dead` also makes a dead letter.

        Args:
            account: what the turn took, kept in the place of the thread's last account.
        """

    async def account(self, thread: ThreadKey) -> bytes | None:
        """What the last committed turn with an account took."""

    async def done(self, lease: Lease, *, dead: str | None = None) -> None:
        """The turn is settled: the thread is idle, or due again when mail has come; with `dead` also a dead letter."""

    async def renew(self, lease: Lease) -> Lease:
        """Keep the thread for another lease time and hear orders."""

    async def release(self, lease: Lease, *, delay_s: float = 0.0, refund: bool = False, fault: str = "") -> None:
        """Give the thread back, due after `delay_s`; `refund` takes the attempt back (drain), `fault` says why."""

    async def is_gone(self, lease: Lease) -> bool:
        """Whether the store has lost the thread as a whole, record and all: nobody else will answer it."""

    async def order(self, thread: ThreadKey, order: Order) -> None:
        """Tell the running turn, if any; `HUMAN` and `PAUSE` also change the mode until `hand_back`."""

    async def hand_over(self, thread: ThreadKey) -> None:
        """A human has the thread from the next turn on; the running one may say its last words."""

    async def hand_back(self, thread: ThreadKey) -> None:
        """The bot has the thread again."""

    async def mode(self, thread: ThreadKey) -> Mode:
        """Who has the thread."""

    def news(self) -> AsyncGenerator[ThreadKey, None]:
        """Threads about which something was published (mail for a running turn, an order); only wakes, never tells."""

    async def load(self, thread: ThreadKey, start: int = 0) -> Conversation:
        """The record from index `start`."""

    async def inbox(self, thread: ThreadKey) -> Sequence[Entry]:
        """Mail that is accepted and not yet on the record."""

    async def backlog(self) -> Backlog:
        """What waits at this moment."""

    async def dead_letters(self) -> Sequence[DeadLetter]:
        """Turns that were given up, oldest first."""

    async def retry(self, letter_id: str) -> bool:
        """Make a given-up turn due again, once; whether the letter was there."""

    async def drop(self, letter_id: str) -> bool:
        """Throw a dead letter away; whether it was there."""

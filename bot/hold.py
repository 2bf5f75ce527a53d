"""A thread while this process has it: what may be written, and whether it is ours still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from structlog.contextvars import bind_contextvars

from bot.claimed import ClaimedTurn
from bot.conversation import Turn
from bot.ports import Mailbox, Order


class Hold:
    """The claim of one turn.

    Args:
        turn: whose lease it is.
        lease_s: how long it holds without renewal.
    """

    def __init__(self, turn: ClaimedTurn, mailbox: Mailbox, *, lease_s: float) -> None:
        self.lock = asyncio.Lock()
        """Held while the record changes, and from the start of a call that writes until its result is on record."""
        self.has_written = False
        """Whether a call that writes was begun in this turn."""
        self._turn = turn
        self._mailbox = mailbox
        self._lease_s = lease_s
        self._writing = False
        self._renewed_at = time.monotonic()

    async def record(self, turns: Sequence[Turn]) -> None:
        """Append to the record; under the lock.

        Raises:
            LeaseLost: the thread is not ours any more.
        """
        self._turn.take(await self._mailbox.step(self._turn.lease, *turns))
        bind_contextvars(step=self._turn.lease.step)

    async def record_results(self, turns: Sequence[Turn]) -> None:
        """Append what calls gave; a call that writes has ended with it."""
        if self._writing:
            await self.record(turns)
            self.end_writing()
        else:
            async with self.lock:
                await self.record(turns)

    async def begin_writing(self) -> None:
        """A call that writes is about to run: it and its result are one safe unit."""
        await self.lock.acquire()
        self.has_written = self._writing = True

    def end_writing(self) -> None:
        """No call that writes runs any more."""
        if self._writing:
            self._writing = False
            self.lock.release()

    async def stay(self, within_s: float) -> None:
        """Ask whether the thread is ours still, if that was last heard longer ago: this process may have been paused.

        Raises:
            LeaseLost: it is not; nothing more is to be shown.
        """
        if time.monotonic() - self._renewed_at > within_s:
            await self.renew()

    async def renew(self) -> Order | None:
        """Keep the thread for another lease time; what was ordered since the claim.

        Raises:
            LeaseLost: the thread is not ours any more.
        """
        order = (await self._mailbox.renew(self._turn.lease)).order
        self._renewed_at = time.monotonic()
        return order

    @property
    def has_run_out(self) -> bool:
        """Whether the lease has ended, as far as this process has heard."""
        return time.monotonic() - self._renewed_at > self._lease_s

"""The worker: claims threads, runs their turns, keeps their leases, drains.

A few claim loops, at least one per partition, one heartbeat and one listener per process. A turn is a task of its own;
threads never wait for each other.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import structlog
from structlog.contextvars import bound_contextvars

from bot.claimed import author_of
from bot.ending import BACKOFF_S
from bot.errors import LeaseLost, Transient, UnknownVersion
from bot.interrupts import Interrupt
from bot.messages import ThreadKey
from bot.observe import RUNNING
from bot.ports import Lease
from bot.services import Services
from bot.tasks import end
from bot.turn import TurnRun

log = structlog.get_logger(__name__)

REDIS_DOWN_S = 0.5
"""How long a loop rests after Redis could not be reached."""

CLAIMS = 4
"""Claims under way at once: each takes a round trip or two, and a crowd must not wait for them in a row."""

FAULT = "error"
"""The reason of a dead letter whose turn raised something; `crash` when its process ended each time."""

GIVE_UP = 2
"""A turn that crashes at every try, its apology included, is left after this many times the attempts."""


class Worker:
    """Runs turns until it is cancelled, then drains.

    Args:
        services: what turns need.
        concurrency: turns at once.
        drain_s: how long running turns may take to end once the worker is told to stop.
    """

    def __init__(self, services: Services, *, concurrency: int, drain_s: float) -> None:
        self._services = services
        self._slots = asyncio.Semaphore(concurrency)
        self._drain_s = drain_s
        self._runs: dict[ThreadKey, TurnRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._hearing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until cancelled; then claim nothing more, let running turns end, and give back those that do not."""
        mailbox = self._services.mailbox
        partitions = list(range(mailbox.partitions)) * max(1, CLAIMS // mailbox.partitions)
        loops = [asyncio.create_task(self._claim(partition)) for partition in partitions]
        keepers = [asyncio.create_task(keep()) for keep in (self._heartbeat, self._listen, self._obey)]
        try:
            await asyncio.gather(*loops, *keepers)
        finally:
            self._stopping = True
            for loop in loops:
                loop.cancel()
            await asyncio.wait(loops)
            await self._drain()
            await end(*keepers, *self._hearing)

    async def _claim(self, partition: int) -> None:
        """Claim what `wait` wakes for, and whatever else is due when the agenda said that something would be."""
        mailbox, clock = self._services.mailbox, asyncio.get_running_loop().time
        look_at, woken = 0.0, None
        # A cancellation that a blocking read swallows (see `bot.tasks`) is made up for by the flag.
        while not self._stopping:
            await self._slots.acquire()
            claiming = asyncio.create_task(mailbox.claim(partition, woken))
            try:
                claimed = await asyncio.shield(claiming)
            except asyncio.CancelledError:
                await self._give_back(claiming)
                raise
            except Transient as failure:
                self._slots.release()
                log.warning("claim_failed", reason=failure.reason)
                await asyncio.sleep(REDIS_DOWN_S)
                continue
            except Exception as failure:  # one thread that cannot be read must not keep the others from being answered
                self._slots.release()
                log.error("claim_crashed", exc_info=failure)
                await asyncio.sleep(REDIS_DOWN_S)
                continue
            if isinstance(claimed, Lease):
                self._start(claimed)
            else:
                self._slots.release()
                look_at = clock() + claimed
            woken = await self._wait(partition, look_at)

    async def _wait(self, partition: int, look_at: float) -> ThreadKey | None:
        """A thread that became due, as soon as there is room for its turn; nothing when it is time to look again.

        So who has been due longest comes before whoever was woken, at the latest when `look_at` has come.
        """
        clock = asyncio.get_running_loop().time
        if look_at <= clock():
            return None
        async with self._slots:
            pass
        if (left_s := look_at - clock()) <= 0:  # the wait for room was long
            return None
        try:
            return await self._services.mailbox.wait(partition, left_s)
        except Transient:
            await asyncio.sleep(REDIS_DOWN_S)
            return None

    async def _give_back(self, claiming: asyncio.Task[Lease | float]) -> None:
        """A claim that was under way when the worker was told to stop: finished, then undone."""
        try:
            claimed = await claiming
            if isinstance(claimed, Lease):
                await self._services.mailbox.release(claimed, refund=True)
        except (Transient, LeaseLost) as failure:
            log.warning("claim_left", failure=type(failure).__name__)

    def _start(self, lease: Lease) -> None:
        task = asyncio.create_task(self._run(lease))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, lease: Lease) -> None:
        RUNNING.inc()
        run: TurnRun | None = None
        try:
            run = self._runs[lease.thread] = TurnRun(lease, self._services)
            with bound_contextvars(thread=str(lease.thread), turn=lease.turn, step=lease.step):
                await run.run()
        except UnknownVersion:
            log.warning("newer_version", thread=str(lease.thread), turn=lease.turn)
            await self._put_back(lease, refund=True)
        except Transient as failure:
            # The store went away in the middle: the lease runs out, and whoever claims the thread then goes on.
            log.warning("turn_left", thread=str(lease.thread), turn=lease.turn, reason=failure.reason)
        except Exception as failure:  # a fault of ours must not end the worker: the turn comes back, N times at most
            log.error("turn_crashed", thread=str(lease.thread), turn=lease.turn, exc_info=failure)
            await self._put_back(lease)
        finally:
            if run is not None and self._runs.get(lease.thread) is run:
                del self._runs[lease.thread]
            self._slots.release()
            RUNNING.dec()

    async def _put_back(self, lease: Lease, *, refund: bool = False) -> None:
        """Have a turn that crashed tried again after a rest; give it up when even its last words crash.

        Args:
            refund: it counts as no try, because a worker of a newer version can do it.
        """
        services = self._services
        try:
            if refund:
                await services.mailbox.release(lease, delay_s=BACKOFF_S[-1], refund=True)
            elif lease.attempt > GIVE_UP * services.attempts:
                reason = f"undeliverable: {FAULT}" if lease.committed else FAULT
                await services.mailbox.done(lease, dead=reason)
                await services.troubles.given_up(lease.thread, author_of(entry.turn for entry in lease.mail), reason)
            else:
                delay_s = BACKOFF_S[min(lease.attempt, len(BACKOFF_S)) - 1]
                await services.mailbox.release(lease, delay_s=delay_s, fault=FAULT)
        except (Transient, LeaseLost) as failure:
            log.warning("turn_left", thread=str(lease.thread), turn=lease.turn, reason=type(failure).__name__)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self._services.lease_s / 3)
            await self._renew()

    async def _listen(self) -> None:
        while True:
            try:
                async with aclosing(self._services.mailbox.news()) as news:
                    async for thread in news:
                        if (run := self._runs.get(thread)) is not None:
                            task = asyncio.create_task(self._hear(run))
                            self._hearing.add(task)
                            task.add_done_callback(self._hearing.discard)
            except Transient:
                await asyncio.sleep(REDIS_DOWN_S)

    async def _obey(self) -> None:
        """Bring a pause of many threads, or a block, to those that are being answered."""
        while True:
            await self._services.standing.changed()
            await self._renew()

    async def _renew(self) -> None:
        """Keep every thread that is being answered; what is wrong with one costs none of the others."""
        runs = list(self._runs.values())
        for ended in await asyncio.gather(*(run.renew() for run in runs), return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("renewal_failed", exc_info=ended)

    async def _hear(self, run: TurnRun) -> None:
        try:
            await run.hear()
        except Transient as failure:
            # Nothing is lost: an order stands in Redis and comes with the heartbeat, mail waits for the next turn.
            log.warning("news_missed", reason=failure.reason)

    async def _drain(self) -> None:
        if not self._tasks:
            return
        log.info("draining", turns=len(self._tasks))
        await asyncio.wait(set(self._tasks), timeout=self._drain_s)
        await asyncio.gather(*(run.interrupt(Interrupt.DRAIN) for run in list(self._runs.values())))
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._services.lease_s)

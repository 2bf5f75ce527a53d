"""Work in order within a lane, at the same time across lanes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from bot.tasks import end

log = structlog.get_logger(__name__)

Job = Callable[[], Awaitable[None]]

LANE_LIMIT = 1_000
"""Jobs that may wait in a lane; what comes after them is done by one job that stands for them all."""


STOP_S = 2.5
"""How long what was promised may take at a stop."""


class Lanes:
    """One queue for each channel: what happened there is taken in the order in which it happened.

    Args:
        overflowed: lane -> the job that stands for all that did not find room in it.
    """

    def __init__(self, overflowed: Callable[[str], Job]) -> None:
        self._overflowed = overflowed
        self._waiting: dict[str, deque[tuple[float, Job]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._promised: set[asyncio.Task[None]] = set()

    @property
    def depth(self) -> int:
        """Jobs that wait or run."""
        return sum(len(jobs) for jobs in self._waiting.values())

    @property
    def taken_until(self) -> float:
        """Everything that came before this moment, in seconds since 1970, was done."""
        return min((jobs[0][0] for jobs in self._waiting.values() if jobs), default=time.time())

    def put(self, lane: str, job: Job) -> None:
        """Do this after everything that was put into the lane before."""
        jobs = self._waiting.get(lane)
        if jobs is not None:
            if len(jobs) < LANE_LIMIT:
                jobs.append((time.time(), job))
            elif len(jobs) == LANE_LIMIT:
                log.warning("discord_lane_full", lane=lane)
                jobs.append((time.time(), self._overflowed(lane)))
            return
        self._waiting[lane] = deque([(time.time(), job)])
        self.spawn(self._drain(lane))

    def spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Do this beside everything else."""
        task = asyncio.ensure_future(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def promise(self, work: Awaitable[None]) -> None:
        """Do this beside everything else, and to its end also at a stop: nobody can read it again."""
        task = self.spawn(work)
        self._promised.add(task)
        task.add_done_callback(self._promised.discard)

    async def aclose(self) -> None:
        """Stop, soon; what was not taken is read again by the catch-up of the next session."""
        if self._promised:
            await asyncio.wait(self._promised, timeout=STOP_S)
        await end(*self._tasks)
        self._waiting.clear()

    async def _drain(self, lane: str) -> None:
        jobs = self._waiting[lane]
        while jobs:
            await _guarded(jobs[0][1]())
            jobs.popleft()
        del self._waiting[lane]


async def _guarded(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:  # what is wrong with one piece of work must not end the lane of those behind it
        log.exception("discord_event_failed")

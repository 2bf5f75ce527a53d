"""How long an event loop did not come round: everybody else's wait behind one conversation."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

TICK_S = 0.001


class Stalls:
    """Ticks while the context lasts and keeps the longest time between two ticks, less the tick itself.

    `cpu_s` counts what the loop's thread computed between two ticks: what other programs on the machine take away from
    it does not make it longer, so on a busy machine it is the truer figure of the two.
    """

    def __init__(self, *, enabled: bool) -> None:
        self.wall_s = self.cpu_s = 0.0
        self._enabled = enabled
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._enabled:
            self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _tick(self) -> None:
        while True:
            wall_s, cpu_s = time.monotonic(), time.thread_time()
            await asyncio.sleep(TICK_S)
            self.wall_s = max(self.wall_s, time.monotonic() - wall_s - TICK_S)
            self.cpu_s = max(self.cpu_s, time.thread_time() - cpu_s)

"""What has to happen without anybody asking: announcements that could not be made, and reminders. Each is done by one
process, whichever is there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from bot.announcements import Announcements
from bot.cases import Cases
from bot.errors import Transient

log = structlog.get_logger(__name__)

INTERVAL_S = 1.0

AT_ONCE = 20
"""How much of one kind is done before the other kinds get their turn."""


class Chores:
    """The desk's own work in one process.

    Args:
        platforms: names of those that this process serves.
    """

    def __init__(self, announcements: Announcements, cases: Cases, platforms: Iterable[str]) -> None:
        self._announcements = announcements
        self._cases = cases
        self._platforms = tuple(platforms)

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            for platform in self._platforms:
                try:
                    await self._look(platform)
                except Transient as failure:
                    log.warning("chores_wait", reason=failure.reason)
                except Exception as failure:  # one that cannot be done must not keep the others from being done
                    log.error("chore_failed", exc_info=failure)
            await asyncio.sleep(INTERVAL_S)

    async def _look(self, platform: str) -> None:
        for do in (self._announcements.catch_up, self._cases.remind):
            for _ in range(AT_ONCE):
                if not await do(platform):
                    break

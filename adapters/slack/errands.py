"""What is done after Slack was acknowledged: small things for people, none of which an answer depends on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from bot.errors import BotError

log = structlog.get_logger(__name__)


class Errands:
    """Runs them, and waits for them at the end."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def send(self, errand: Coroutine[Any, Any, object], what: str) -> None:
        """Begin one."""
        task = asyncio.create_task(_run(errand, what))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self, limit_s: float) -> None:
        """Wait for those that run, no longer than this."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=limit_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _run(errand: Coroutine[Any, Any, object], what: str) -> None:
    try:
        await errand
    except BotError as failure:
        log.warning("slack_errand_failed", what=what, reason=str(failure))
    except Exception:  # nobody waits for an errand: its fault would be seen by nobody
        log.exception("slack_errand_failed", what=what)

"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

_AGAIN_S = 0.1


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they are over.

    Once is not always enough: before Python 3.12 `asyncio.wait_for`, through which the Redis client writes, forgets a
    cancellation that comes in the moment in which the write succeeds (python/cpython#86296).
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_AGAIN_S)


async def to_the_end(closing: Coroutine[Any, Any, None]) -> None:
    """Close what was opened, also when whoever waits for it is cancelled, perhaps again and again."""
    task = asyncio.create_task(closing)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()


def unasked(task: asyncio.Task[Any]) -> None:
    """A task's done callback: that nobody asked how it ended, because all who did have left, is no fault to tell of."""
    if not task.cancelled():
        task.exception()

"""Ending a task for certain."""

from __future__ import annotations

import asyncio

_AGAIN_S = 0.1


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is over.

    Once is not always enough: before Python 3.12 `asyncio.wait_for`, through which the Redis client writes, forgets a
    cancellation that comes in the moment in which the write succeeds (python/cpython#86296).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN_S)

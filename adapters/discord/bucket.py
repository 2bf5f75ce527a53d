"""One rate limit of Discord's, as discord.py keeps it for each route and place.

discord.py's own has two habits that we cannot live with: with a longest wait it refuses requests for which there is
room, when the bucket is filled up only later than that; without one it holds back the answer to the request that
emptied a bucket until the bucket is full again. Either way the second thread that is made in a channel would wait for
minutes: the buckets of threads are as slow as that.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from discord.errors import RateLimited
from discord.http import Ratelimit


class Bucket(Ratelimit):
    """Lets a request pass while there is room, and waits, or refuses to wait, only when there is none."""

    __slots__ = ()

    async def acquire(self) -> None:
        """Take a place in the bucket.

        Raises:
            RateLimited: there is none, and none for longer than anybody waits.
        """
        self._last_request = self._loop.time()
        while True:
            if self.is_expired():
                self.reset()  # type: ignore[no-untyped-call]  # of the library's
            if self.remaining > 0:
                break
            left_s = None if self.expires is None else max(0.001, self.expires - self._loop.time())
            if left_s is not None and self._max_ratelimit_timeout and left_s > self._max_ratelimit_timeout:
                raise RateLimited(left_s)
            await self._change(left_s)
        self.remaining -= 1
        self.outgoing += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.outgoing -= 1
        if self.expires is None and not self.outgoing:
            # Nothing was told of the bucket, so nothing is known to be used up.
            self.reset()  # type: ignore[no-untyped-call]  # of the library's
        self._wake(len(self._pending_requests))

    async def _change(self, within_s: float | None) -> None:
        """Wait until a request has come back, or the bucket is full again."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._pending_requests.append(future)
        try:
            await asyncio.wait([future], timeout=within_s)
        finally:
            future.cancel()

"""What is counted for a while, with the `limits` library over our own connections: its windows, our Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from limits import RateLimitItemPerSecond
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis

from bot.errors import Transient
from bot.ports import Counted, Window
from bot.store import keys
from bot.store.client import answered_together, is_one_place, mapped

_ADD = """
local counted = {}
for i, key in ipairs(KEYS) do
  local total, lasts = redis.call('INCRBY', key, ARGV[2 * i - 1]), ARGV[2 * i]
  local left = redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, lasts)
    left = tonumber(lasts)
  end
  counted[i] = { total, left }
end
return counted
"""

_TOGETHER = 500
"""Windows that are added to by one call."""

_BOUNDLESS = 2**53
"""The limits stand in the settings and are compared where they hold; here is only counted."""


class RedisRateStorage(Storage):
    """A storage of `limits` over our connections: it works wherever they do, and fails as they fail."""

    STORAGE_SCHEME = None

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self._redis = redis

    @property
    def base_exceptions(self) -> type[Exception]:
        """What `limits` may wrap; ours are mapped already."""
        return Transient

    async def count_all(self, amounts: Sequence[tuple[str, int, int]]) -> list[Counted]:
        """Add to windows: the key of each, how long it lasts in seconds, how much; what it holds then, and its end."""
        size = _TOGETHER if is_one_place(self._redis) else 1
        parts = [amounts[start : start + size] for start in range(0, len(amounts), size)]
        commands = [
            (
                "EVAL",
                _ADD,
                len(part),
                *(keys.rate(key) for key, _, _ in part),
                *(value for _, lasts_s, amount in part for value in (amount, lasts_s * 1000)),
            )
            for part in parts
        ]
        now_s = time.time()
        return [
            Counted(total=total, ends_at=datetime.fromtimestamp(now_s + left_ms / 1000, UTC))
            for answer in await answered_together(self._redis, commands)
            for total, left_ms in answer
        ]

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """See `limits`."""
        (counted,) = await self.count_all([(key, expiry, amount)])
        return counted.total

    async def get(self, key: str) -> int:
        """See `limits`."""
        with mapped():
            return int(await self._redis.get(keys.rate(key)) or 0)

    async def get_expiry(self, key: str) -> float:
        """See `limits`."""
        with mapped():
            return time.time() + max(0, await self._redis.pttl(keys.rate(key))) / 1000

    async def check(self) -> bool:
        """See `limits`."""
        with mapped():
            return bool(await self._redis.ping())

    async def reset(self) -> int | None:
        """Nothing resets everybody's counts."""
        raise NotImplementedError

    async def clear(self, key: str) -> None:
        """See `limits`."""
        with mapped():
            await self._redis.delete(keys.rate(key))


class RedisCounts:
    """See `bot.ports.Counts`.

    Args:
        redis: for commands.
    """

    def __init__(self, redis: Redis) -> None:
        self._storage = RedisRateStorage(redis)
        self._limiter = FixedWindowRateLimiter(self._storage)

    async def add(self, amounts: Mapping[Window, int]) -> Mapping[Window, Counted]:
        """Add; all windows at once."""
        counted = await self._storage.count_all(
            [(_item(window).key_for(window.name), window.lasts_s, amount) for window, amount in amounts.items()]
        )
        return dict(zip(amounts, counted, strict=True))

    async def read(self, windows: Sequence[Window]) -> Mapping[Window, Counted]:
        """What the windows hold, those left out that hold nothing."""
        stats = await asyncio.gather(
            *(self._limiter.get_window_stats(_item(window), window.name) for window in windows)
        )
        return {
            window: Counted(total=_BOUNDLESS - told.remaining, ends_at=datetime.fromtimestamp(told.reset_time, UTC))
            for window, told in zip(windows, stats, strict=True)
            if told.remaining < _BOUNDLESS
        }


def _item(window: Window) -> RateLimitItemPerSecond:
    """The window in the words of `limits`."""
    return RateLimitItemPerSecond(_BOUNDLESS, window.lasts_s, namespace="window")

"""`SharedState` over Redis: one key per fact, one script per operation that must not be torn."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

from redis.asyncio import Redis

from bot.store import keys
from bot.store.client import answered_together, mapped, read_list, subscribed
from bot.store.lua import Script

_SET_IF = Script("""
local value = redis.call('GET', KEYS[1])
if (ARGV[1] == '0' and value) or (ARGV[1] == '1' and value ~= ARGV[2]) then return 0 end
if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[3]) else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
return 1
""")
_COUNT = Script("""
local count = redis.call('INCR', KEYS[1])
if count == 1 and ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
""")
_APPEND = Script("""
local length = redis.call('RPUSH', KEYS[1], ARGV[1])
if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return length - 1
""")

_REPLACE = Script("""
if redis.call('LLEN', KEYS[1]) <= tonumber(ARGV[1]) then return 0 end
redis.call('LSET', KEYS[1], ARGV[1], ARGV[2])
return 1
""")


_PLAN = Script("""
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]), ARGV[1])
return 1
""")
_DUE = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not first[1] or tonumber(first[2]) > now then return false end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), first[1])
return first[1]
""")


def _px(ttl_s: float | None) -> int:
    return 0 if ttl_s is None else max(1, round(ttl_s * 1000))


class RedisSharedState:
    """Facts that every process sees.

    Args:
        redis: for commands; `decode_responses` off.
        namespace: the owner's name; two owners never see each other's keys.
        listener: for subscriptions, which hold a connection each; `redis` when absent.
    """

    def __init__(self, redis: Redis, namespace: str, *, listener: Redis | None = None) -> None:
        self._redis = redis
        self._namespace = namespace
        self._listener = listener or redis

    def within(self, owner: str) -> RedisSharedState:
        """The same store under a longer namespace."""
        return RedisSharedState(self._redis, f"{self._namespace}/{owner}", listener=self._listener)

    async def get(self, key: str) -> bytes | None:
        """The value, if there is one."""
        with mapped():
            return cast("bytes | None", await self._redis.get(self._key(key)))

    async def get_all(self, *keys: str) -> Sequence[bytes | None]:
        """Several values, in the order of their keys."""
        return await answered_together(self._redis, [("GET", self._key(key)) for key in keys])

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Set a value, replacing what was there and its time to live."""
        with mapped():
            await self._redis.set(self._key(key), value, px=_px(ttl_s) or None)

    async def delete(self, key: str) -> bool:
        """Delete; whether it was there."""
        with mapped():
            return bool(await self._redis.delete(self._key(key)))

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes, *, ttl_s: float | None = None
    ) -> bool:
        """Set only if the value is still `expected` (`None`: absent); whether it was set."""
        args = [b"0" if expected is None else b"1", expected or b"", value, _px(ttl_s)]
        return bool(await _SET_IF(self._redis, [self._key(key)], args))

    async def increment(self, key: str, *, ttl_s: float | None = None) -> int:
        """Count up by one; the time to live begins at the first count."""
        return int(await _COUNT(self._redis, [self._key(key)], [_px(ttl_s)]))

    async def append(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """Append to a log; the index of what was appended."""
        return int(await _APPEND(self._redis, [self._key(key)], [value, _px(ttl_s)]))

    async def read(self, key: str, start: int = 0) -> Sequence[bytes]:
        """A log from index `start`."""
        return await read_list(self._redis, self._key(key), start)

    async def replace(self, key: str, index: int, value: bytes) -> bool:
        """Put another entry in a log's place; indexes do not move. Whether it was there."""
        return bool(await _REPLACE(self._redis, [self._key(key)], [index, value]))

    async def plan(self, key: str, item: bytes, *, after_s: float) -> None:
        """Have an item come up after a while; planned again, it comes up then instead."""
        await _PLAN(self._redis, [self._key(key)], [item, round(after_s * 1000)])

    async def cancel(self, key: str, item: bytes) -> bool:
        """Take an item off the agenda; whether it was on it."""
        with mapped():
            return bool(await self._redis.zrem(self._key(key), item))

    async def due(self, key: str, *, lease_s: float) -> bytes | None:
        """An item whose time has come, kept from everybody else for `lease_s`; who has dealt with it cancels it."""
        return cast("bytes | None", await _DUE(self._redis, [self._key(key)], [round(lease_s * 1000)]))

    async def publish(self, channel: str, value: bytes) -> None:
        """Tell whoever listens at this moment."""
        with mapped():
            await self._redis.publish(self._key(channel), value)

    async def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        """What is published from now on; the first item is empty and says that the subscription stands."""
        async with aclosing(subscribed(self._listener, self._key(channel))) as messages:
            async for message in messages:
                if message["type"] == "subscribe":
                    yield b""
                elif message["type"] == "message":
                    yield message["data"]

    def _key(self, key: str) -> str:
        return keys.state(self._namespace, key)

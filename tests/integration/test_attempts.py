"""Counting tries, over a real Redis and with a clock of the test's own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from bot.attempts import Attempts
from bot.store.shared_state import RedisSharedState


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.mark.behaviour("tools.counted")
async def test_a_pause_ends_and_one_more_miss_begins_the_next(redis: Redis) -> None:
    state, clock = RedisSharedState(redis, "test"), Clock()
    misses = Attempts(limit=5, window_s=3600, pause_s=900, now=clock)
    for number in range(5):
        assert await misses.begin(state, "p", f"call {number}")
    assert not await misses.begin(state, "p", "call 5")
    assert await misses.begin(state, "q", "call 5")
    clock.advance(899)
    assert not await misses.begin(state, "p", "call 6")
    clock.advance(1)
    assert await misses.begin(state, "p", "call 7")
    assert not await misses.begin(state, "p", "call 8")
    clock.advance(3600)
    for number in range(5):
        assert await misses.begin(state, "p", f"later {number}")


@pytest.mark.behaviour("tools.counted")
async def test_of_forty_at_once_five_may_try(redis: Redis) -> None:
    state = RedisSharedState(redis, "test")
    tries = Attempts(limit=5, window_s=3600, pause_s=3600)
    allowed = await asyncio.gather(*(tries.begin(state, "p", f"call {number}") for number in range(40)))
    assert sum(allowed) == 5


@pytest.mark.behaviour("tools.counted")
async def test_forgiving_takes_back_one_try_and_no_other(redis: Redis) -> None:
    state = RedisSharedState(redis, "test")
    tries = Attempts(limit=2, window_s=3600, pause_s=3600)
    assert await tries.begin(state, "p", "a")
    assert await tries.begin(state, "p", "b")
    assert await tries.begin(state, "p", "b"), "the same call again is the same try"
    await tries.forgive(state, "p", "a")
    await tries.forgive(state, "p", "never made")
    assert await tries.begin(state, "p", "c")
    assert not await tries.begin(state, "p", "d")

"""A bucket of Discord's: who finds room passes, who finds none waits, or is told at once that it takes too long."""

from __future__ import annotations

import asyncio

import pytest
from discord.errors import RateLimited

from adapters.discord.bucket import Bucket

PATIENCE_S = 30.0


def told(bucket: Bucket, remaining: int, reset_after_s: float, limit: int = 5) -> None:
    """An answer of the platform's tells how much room there is, and until when."""
    bucket.limit, bucket.remaining, bucket.reset_after = limit, remaining - bucket.outgoing + 1, reset_after_s
    bucket.expires = asyncio.get_running_loop().time() + reset_after_s
    bucket.dirty = True


@pytest.mark.behaviour("discord.limits")
async def test_while_there_is_room_nobody_waits_however_slowly_it_fills_up() -> None:
    bucket = Bucket(PATIENCE_S)
    async with bucket:
        told(bucket, 2, 300.0)
    for _ in range(2):
        async with asyncio.timeout(1), bucket:
            pass
    with pytest.raises(RateLimited) as refused:
        await bucket.acquire()
    assert 290 < refused.value.retry_after <= 300


@pytest.mark.behaviour("discord.limits")
async def test_who_finds_no_room_waits_until_the_bucket_is_full_again() -> None:
    bucket = Bucket(PATIENCE_S)
    async with bucket:
        told(bucket, 0, 0.05, limit=3)
    passed: list[int] = []

    async def one(number: int) -> None:
        async with bucket:
            passed.append(number)

    async with asyncio.timeout(20):
        await asyncio.gather(*(one(number) for number in range(3)))
    assert sorted(passed) == [0, 1, 2]


@pytest.mark.behaviour("discord.limits")
async def test_those_who_wait_for_the_first_answer_pass_after_it_or_after_its_failure() -> None:
    for tells in (True, False):
        bucket, reached, go = Bucket(PATIENCE_S), asyncio.Event(), asyncio.Event()

        async def first(bucket: Bucket, reached: asyncio.Event, go: asyncio.Event, tells: bool) -> None:
            async with bucket:
                reached.set()
                await go.wait()
                if tells:
                    told(bucket, 4, 300.0)

        async def other(bucket: Bucket) -> None:
            async with bucket:
                pass

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(first(bucket, reached, go, tells))
            await reached.wait()
            given_up = group.create_task(other(bucket))
            for _ in range(3):
                group.create_task(other(bucket))
            await asyncio.sleep(0)
            given_up.cancel()
            go.set()
        assert bucket.outgoing == 0

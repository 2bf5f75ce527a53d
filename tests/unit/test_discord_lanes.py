"""Order within a channel, and what a process tells of limits."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from adapters.discord import lanes as lanes_module
from adapters.discord.lanes import Job, Lanes
from adapters.discord.limits import INVALID_LIMIT, Limits, _window
from bot.errors import Transient
from bot.store.shared_state import RedisSharedState

ROUTE = "PATCH /channels/{channel_id}/messages/{message_id}:1"


def headers(remaining: int, reset_s: float) -> dict[str, str]:
    return {"X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset-After": str(reset_s)}


def nothing_left(lane: str) -> Job:
    raise AssertionError(f"{lane} is full")


@pytest.mark.behaviour("discord.backfill")
async def test_a_channel_is_taken_in_order_and_others_do_not_wait_for_it() -> None:
    lanes, taken, gate = Lanes(nothing_left), list[str](), asyncio.Event()

    async def slow() -> None:
        await gate.wait()
        taken.append("a1")

    async def broken() -> None:
        raise ValueError("this one alone")

    async def quick(name: str) -> None:
        taken.append(name)

    lanes.put("a", slow)
    before = time.time()
    lanes.put("a", broken)
    lanes.put("a", lambda: quick("a2"))
    lanes.put("b", lambda: quick("b1"))
    async with asyncio.timeout(20):
        while taken != ["b1"]:
            await asyncio.sleep(0)
        assert lanes.depth == 3
        assert lanes.taken_until <= before
        gate.set()
        while lanes.depth:
            await asyncio.sleep(0)
    assert taken == ["b1", "a1", "a2"]
    assert lanes.taken_until > before
    await lanes.aclose()


@pytest.mark.behaviour("discord.backfill")
async def test_what_finds_no_room_is_stood_for_by_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "LANE_LIMIT", 3)
    taken, gate = list[str](), asyncio.Event()

    async def note(name: str) -> None:
        await gate.wait()
        taken.append(name)

    lanes = Lanes(lambda lane: lambda: note(f"all of {lane}"))
    for number in range(10):
        lanes.put("a", lambda number=number: note(str(number)))  # type: ignore[misc]  # its own number
    gate.set()
    async with asyncio.timeout(20):
        while lanes.depth:
            await asyncio.sleep(0)
    assert taken == ["0", "1", "2", "all of a"]


@pytest.mark.behaviour("discord.limits")
async def test_a_bucket_is_made_to_last(redis: Redis) -> None:
    limits = Limits(RedisSharedState(redis, "limits"))
    assert limits.pace_s(ROUTE) == 0
    limits.heard(ROUTE, 200, headers(4, 2.0))
    assert 0.4 < limits.pace_s(ROUTE) <= 0.5
    limits.heard(ROUTE, 200, headers(1, 2.0))
    assert 1.9 < limits.pace_s(ROUTE) <= 2.0
    limits.heard(ROUTE, 200, headers(4, 0.0))
    assert limits.pace_s(ROUTE) == 0
    limits.heard(ROUTE, 200, {"X-RateLimit-Remaining": "x"})
    await limits.settle()


@pytest.mark.behaviour("discord.limits")
async def test_processes_tell_each_other_of_an_empty_bucket_and_of_refusals(redis: Redis) -> None:
    one, other = (Limits(RedisSharedState(redis, "limits")) for _ in range(2))
    one.heard(ROUTE, 200, headers(0, 0.3))
    await one.settle()
    began = time.monotonic()
    await other.enter(ROUTE)
    assert 0.2 < time.monotonic() - began < 5
    await other.enter(ROUTE.replace(":1", ":2"))
    one.heard(ROUTE, 403, {})
    other.heard(ROUTE, 401, {})
    other.heard(ROUTE, 429, {"X-RateLimit-Scope": "shared", "Retry-After": "0.01"})
    other.heard(ROUTE, 404, {})
    await one.settle()
    await other.settle()
    assert await one.refusals() == 2


@pytest.mark.behaviour("discord.limits")
async def test_nothing_is_asked_before_the_address_is_shut_out(redis: Redis) -> None:
    state = RedisSharedState(redis, "limits")
    limits = Limits(state)
    await state.set(_window(), str(INVALID_LIMIT).encode())
    limits.heard(ROUTE, 403, {})
    await limits.settle()
    with pytest.raises(Transient, match="too_many_refusals"):
        await limits.enter(ROUTE)
    limits._invalid = ("an earlier window", INVALID_LIMIT)
    await limits.enter(ROUTE)

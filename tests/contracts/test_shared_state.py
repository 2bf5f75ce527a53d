"""What shared state guarantees, on one real Redis and on a cluster of three."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from bot.store.client import Connections
from bot.store.shared_state import RedisSharedState


@pytest.fixture
def redis(connections: Connections) -> Redis:
    return connections.commands


@pytest.fixture
def state(connections: Connections) -> RedisSharedState:
    return RedisSharedState(connections.commands, "tests", listener=connections.listener)


@pytest.mark.behaviour("state.facts")
async def test_facts_are_kept_per_owner(state: RedisSharedState, redis: Redis) -> None:
    other = RedisSharedState(redis, "others")
    await state.set("key", b"value")
    assert await state.get("key") == b"value"
    assert await other.get("key") is None
    assert await state.within("part").get("key") is None
    assert await RedisSharedState(redis, "tests").get("key") == b"value"
    await state.set("another", b"")
    assert list(await state.get_all("another", "nothing", "key")) == [b"", None, b"value"]
    assert await state.delete("key")
    assert not await state.delete("key")


@pytest.mark.behaviour("state.facts")
async def test_a_fact_ends_with_its_time(state: RedisSharedState) -> None:
    await state.set("key", b"value", ttl_s=0.05)
    async with asyncio.timeout(20):
        while await state.get("key") is not None:
            await asyncio.sleep(0.005)
    assert await state.increment("count", ttl_s=0.05) == 1
    async with asyncio.timeout(20):
        while await state.increment("count", ttl_s=0.05) != 1:
            await asyncio.sleep(0.02)


@pytest.mark.behaviour("state.compare")
async def test_one_of_several_wins(state: RedisSharedState) -> None:
    won = await asyncio.gather(*(state.compare_and_set("key", None, b"%d" % i) for i in range(20)))
    assert won.count(True) == 1
    value = await state.get("key")
    assert not await state.compare_and_set("key", b"something else", b"x")
    assert await state.compare_and_set("key", value, b"x")
    assert await state.get("key") == b"x"


@pytest.mark.behaviour("state.log")
async def test_a_log_keeps_its_order(state: RedisSharedState) -> None:
    assert [await state.append("log", b"%d" % i) for i in range(3)] == [0, 1, 2]
    assert await state.read("log") == [b"0", b"1", b"2"]
    assert await state.read("log", 2) == [b"2"]
    assert await state.read("log", 3) == []


@pytest.mark.behaviour("state.log")
async def test_a_subscriber_misses_nothing_after_its_first_item(state: RedisSharedState) -> None:
    heard = state.subscribe("channel")
    assert await anext(heard) == b""
    for i in range(3):
        await state.publish("channel", b"%d" % i)
    assert [await anext(heard) for _ in range(3)] == [b"0", b"1", b"2"]
    await heard.aclose()


@pytest.mark.behaviour("state.agenda")
async def test_an_item_comes_up_when_its_time_has_come_for_one_who_asks(state: RedisSharedState) -> None:
    await state.plan("agenda", b"late", after_s=60)
    await state.plan("agenda", b"now", after_s=0)
    found = await asyncio.gather(*(state.due("agenda", lease_s=60) for _ in range(5)))
    assert sorted(filter(None, found)) == [b"now"]
    assert await state.cancel("agenda", b"now")
    assert not await state.cancel("agenda", b"now")


@pytest.mark.behaviour("state.agenda")
async def test_an_item_that_nobody_dealt_with_comes_up_again(state: RedisSharedState) -> None:
    await state.plan("agenda", b"item", after_s=0)
    assert await state.due("agenda", lease_s=0.05) == b"item"
    async with asyncio.timeout(20):
        while (again := await state.due("agenda", lease_s=60)) is None:
            await asyncio.sleep(0.005)
    assert again == b"item"
    await state.plan("agenda", b"item", after_s=0)
    assert await state.due("agenda", lease_s=60) == b"item", "what is planned again comes up then"

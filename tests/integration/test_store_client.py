"""The way to one Redis: commands that were cut off, and connections that were closed, cost the next ones nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import RedisError

from bot.errors import Transient
from bot.store.client import ANSWER_S, Connections, answered_together

pytestmark = pytest.mark.behaviour("machines.connections")


@pytest.fixture
async def connections(redis_url: str) -> AsyncIterator[Connections]:
    connections = Connections(redis_url)
    yield connections
    await connections.aclose()


async def test_the_answer_to_a_command_that_was_cut_off_is_nobodys(connections: Connections) -> None:
    redis = connections.commands
    await redis.set("who", "ada")
    waiting = asyncio.create_task(redis.execute_command("BLPOP", "mail", 0))  # type: ignore[no-untyped-call]
    watch = connections.listener
    while not waiting.done() and not (await watch.info("clients"))["blocked_clients"]:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await watch.rpush("mail", "late")
    assert [await redis.get("who") for _ in range(3)] == [b"ada"] * 3


async def test_connections_that_the_server_has_closed_are_made_anew(connections: Connections) -> None:
    redis, watch = connections.commands, connections.listener
    assert await asyncio.gather(*(redis.incr("count") for _ in range(5)))
    own = await watch.client_id()
    for client in await watch.client_list():
        if int(client["id"]) != own:
            await watch.client_kill_filter(_id=client["id"])
    while len(await watch.client_list()) > 1:
        await asyncio.sleep(0)
    assert sorted(await asyncio.gather(*(redis.incr("count") for _ in range(5)))) == [6, 7, 8, 9, 10]


async def test_commands_go_out_together_and_each_is_answered(connections: Connections) -> None:
    redis = connections.commands
    assert await answered_together(redis, [("INCR", "a"), ("INCRBY", "a", 4), ("GET", "a")]) == [1, 5, b"5"]
    with pytest.raises(Transient):
        await answered_together(redis, [("SET", "a", "word"), ("INCR", "a"), ("SET", "b", "after it")])
    assert await redis.mget("a", "b") == [b"word", b"after it"]


async def test_what_is_asked_at_once_goes_out_together_over_one_connection(connections: Connections) -> None:
    redis, watch = connections.commands, connections.listener
    await redis.ping()
    before = (await watch.info("stats"))["total_reads_processed"]
    counted = await asyncio.gather(*(redis.incr("count") for _ in range(200)))
    reads = (await watch.info("stats"))["total_reads_processed"] - before
    assert counted == list(range(1, 201))
    assert reads < 10
    assert len(await watch.client_list()) == 2


async def test_each_command_has_its_own_time_while_the_server_is_silent(connections: Connections) -> None:
    redis, watch = connections.commands, connections.listener
    clock = asyncio.get_running_loop().time
    await redis.set("who", "ada")
    await watch.client_pause(int(ANSWER_S * 1000) + 500)
    begun = clock()
    first = asyncio.ensure_future(redis.get("who"))
    await asyncio.wait({first}, timeout=ANSWER_S - 0.5)
    second = asyncio.ensure_future(redis.get("who"))
    with pytest.raises(RedisError):
        await first
    assert ANSWER_S <= clock() - begun < ANSWER_S + 0.4
    assert [await second, await redis.get("who")] == [b"ada", b"ada"]


async def test_a_name_of_two_words_goes_out_as_two(connections: Connections) -> None:
    assert await connections.commands.config_get("appendonly")

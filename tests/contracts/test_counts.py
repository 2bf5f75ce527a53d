"""Counts and forgetting on one Redis and on a cluster."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from bot.llm.wire import to_wire
from bot.messages import PersonRef
from bot.ports import Window
from bot.store.client import Connections
from bot.store.forgetting import RedisForgetting
from bot.store.mailbox import RedisMailbox
from bot.store.rates import RedisCounts
from tests.talk import a_thread, said

PARTITIONS = 4


@pytest.mark.behaviour("limits.shared")
async def test_a_window_counts_what_all_add_and_ends(connections: Connections) -> None:
    one, two = RedisCounts(connections.commands), RedisCounts(connections.commands)
    day, brief, other = (Window(name=name, lasts_s=lasts_s) for name, lasts_s in (("a", 86_400), ("b", 1), ("c", 60)))
    await asyncio.gather(*(counts.add({day: 2, brief: 1}) for counts in (one, two) for _ in range(5)))
    counted = await one.add({day: -1})
    assert counted[day].total == 19
    assert 86_000 < (counted[day].ends_at - datetime.now(UTC)).total_seconds() <= 86_400
    read = await two.read([day, other])
    assert {window: count.total for window, count in read.items()} == {day: 19}
    async with asyncio.timeout(20):
        while await one.read([brief]):
            await asyncio.sleep(0.05)
    assert (await one.add({brief: 3}))[brief].total == 3


@pytest.mark.behaviour("forget.person", "forget.proof")
async def test_threads_in_every_partition_are_forgotten(connections: Connections) -> None:
    mailbox = RedisMailbox(connections, to_wire, partitions=PARTITIONS)
    forgetting = RedisForgetting(connections, to_wire, partitions=PARTITIONS)
    turn = said("hello")
    threads = [a_thread(f"root-{number}") for number in range(12)]
    for thread in threads:
        await mailbox.put(thread, turn, event_ids=(f"{thread.root}",))
    person = PersonRef(platform=threads[0].platform, space=threads[0].space, id=turn.author.id)
    assert (await forgetting.search(person))["records"].found == 24, "an inbox and a party each"
    assert (await forgetting.forget(person))["conversations"] == 12
    assert not any(searched.found for searched in (await forgetting.search(person)).values())
    backlog = await mailbox.backlog()
    assert (backlog.open, backlog.ready) == (0, 0)
    assert not any((await forgetting.forget(person)).values())

"""Channel rules in several processes: a change is heard within a second, none is lost, and looking costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.channels import POLL_S, STALE_S, ChannelBook
from bot.ports import ChannelRules
from bot.store.client import Connections
from bot.store.shared_state import RedisSharedState
from bot.tasks import end
from tests.talk import a_thread


@pytest.fixture
async def connections(redis_url: str) -> AsyncIterator[Connections]:
    connections = Connections(redis_url)
    yield connections
    await connections.aclose()


def a_book(connections: Connections) -> ChannelBook:
    return ChannelBook(RedisSharedState(connections.commands, "channels"))


@pytest.mark.behaviour("desk.channel")
async def test_a_change_is_heard_in_every_process_and_looking_asks_nobody(connections: Connections) -> None:
    one, two, thread = a_book(connections), a_book(connections), a_thread()
    keeping = asyncio.create_task(two.run())
    try:
        assert await two.rules(thread) == ChannelRules()
        await one.change(thread, lambda rules: replace(rules, hours="9 to 5"))
        assert await one.hours(thread) == "9 to 5"
        async with asyncio.timeout(STALE_S + POLL_S):
            while await two.hours(thread) != "9 to 5":
                await asyncio.sleep(0.02)
        before = (await connections.commands.info("commandstats"))["cmdstat_get"]["calls"]
        for _ in range(200):
            assert await two.hours(thread) == "9 to 5"
        after = (await connections.commands.info("commandstats"))["cmdstat_get"]["calls"]
        assert after - before <= 2, "its own looks apart"
    finally:
        await end(keeping)


@pytest.mark.behaviour("desk.channel")
async def test_of_changes_at_once_none_is_lost(connections: Connections) -> None:
    books, thread = [a_book(connections) for _ in range(4)], a_thread()
    await asyncio.gather(
        books[0].change(thread, lambda rules: replace(rules, hours="9 to 5")),
        books[1].change(thread, lambda rules: replace(rules, greeting="Hello.")),
        *(book.change(replace(thread, channel=f"C{n}"), lambda rules: rules) for n, book in enumerate(books)),
    )
    rules = await a_book(connections).rules(thread)
    assert (rules.hours, rules.greeting) == ("9 to 5", "Hello.")

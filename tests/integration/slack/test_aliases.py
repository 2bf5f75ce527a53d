"""Which conversation a message belongs to, as processes that share a Redis and remember see it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from adapters.slack import aliases
from adapters.slack.aliases import Aliases
from adapters.slack.happenings import Place
from bot.store.shared_state import RedisSharedState

TEAM, DIRECT = "T0HOME001", "D0ADA0001"
FOLLOWED_S = 2.0

Process = Callable[[], Aliases]


@pytest.fixture
def process(redis: Redis) -> Process:
    """Gives another process's aliases."""
    return lambda: Aliases(RedisSharedState(redis, "test-aliases"))


def message(number: int, root: int = 0) -> Place:
    return Place(channel=DIRECT, ts=f"{number}.0001", root=f"{root or number}.0001", kind="im")


@pytest.mark.behaviour("slack.moved")
async def test_a_process_that_saw_the_new_id_too_early_follows_soon(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aliases, "UNMOVED_S", 0.05)
    one, other = process(), process()
    assert await one.known(TEAM, "C0NEW") == "C0NEW"
    await other.moved(TEAM, "C0OLD", "C0NEW")
    assert await other.known(TEAM, "C0NEW") == "C0OLD"
    async with asyncio.timeout(FOLLOWED_S):
        while await one.known(TEAM, "C0NEW") != "C0OLD":
            await asyncio.sleep(0.01)
    await one.moved(TEAM, "C0NEW", "C0NEWER")
    assert await other.known(TEAM, "C0NEWER") == "C0OLD"
    assert await other.current(TEAM, "C0OLD") == "C0NEWER"


@pytest.mark.behaviour("slack.quick")
async def test_messages_that_come_to_different_processes_at_once_are_one_conversation(process: Process) -> None:
    processes = [process() for _ in range(3)]
    places = [message(number) for number in range(1, 7)]
    roots = await asyncio.gather(
        *(one.root(TEAM, place, said=True) for one, place in zip(itertools.cycle(processes), places, strict=False))
    )
    assert len(set(roots)) == 1
    for one in (*processes, process()):
        for number in range(1, 7):
            assert await one.root(TEAM, message(9, root=number), said=False) == roots[0], "also for what refers to it"


@pytest.mark.behaviour("slack.once")
async def test_a_message_that_comes_again_stays_in_its_conversation(process: Process, redis: Redis) -> None:
    """Whatever was written since; and nothing is asked for it."""
    one = process()
    assert await one.root(TEAM, message(1), said=True) == "1.0001"
    assert await one.root(TEAM, message(2), said=True) == "1.0001"
    await one.shown(TEAM, DIRECT)
    assert await one.root(TEAM, message(3), said=True) == "3.0001"
    assert await process().root(TEAM, message(2), said=True) == "1.0001"
    await redis.flushdb()
    again = [await one.root(TEAM, message(number), said=True) for number in (1, 2, 3)]
    assert again == ["1.0001", "1.0001", "3.0001"]


@pytest.mark.behaviour("slack.order")
async def test_what_is_answered_to_a_message_that_has_not_come_yet_is_not_held_against_it(process: Process) -> None:
    one = process()
    assert await one.root(TEAM, message(1), said=True) == "1.0001"
    assert await one.root(TEAM, message(9, root=2), said=False) == "2.0001"
    assert await one.root(TEAM, message(2), said=True) == "1.0001"
    assert await one.root(TEAM, message(9, root=2), said=False) == "1.0001"

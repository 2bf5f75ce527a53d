"""Customers behind a platform that sends an event again until it is acknowledged, and what was kept of their talks."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bot.conversation import AssistantTurn, Turn, UserTurn
from bot.errors import Transient
from bot.llm.wire import to_wire
from bot.messages import ThreadKey
from bot.store.client import Connections
from bot.store.keys import Partition
from bot.store.mailbox import RedisMailbox
from tests.servers.http import plain_client
from tests.servers.openai import Reply, Request, says
from tests.stages.play import assert_whole
from tests.stages.web import ADA

AGAIN_S = 0.05
"""How soon the platform sends an event again."""

SETTLED_S = 30.0

_numbers = itertools.count(1)


def echoes(request: Request) -> Reply:
    """A model whose answer names what was asked."""
    return says(f"Re: {request.last_user}")


@dataclass
class Customer:
    """One conversation.

    Args:
        url: where events are brought; may be changed while somebody talks.
    """

    url: str
    root: str = field(default_factory=lambda: str(uuid.uuid4()))
    number: int = field(default_factory=lambda: next(_numbers))
    accepted: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    """The status of each refusal, 0 without a connection."""
    slowest_s: float = 0.0

    @property
    def thread(self) -> ThreadKey:
        return ThreadKey(platform="web", space="page", channel="main", root=self.root)

    async def say(self, text: str) -> None:
        """Bring a message again and again, under the same id, until it is acknowledged."""
        said, message_id = f"customer {self.number}: {text}", str(uuid.uuid4())
        while (status := (await self._post(said, message_id))[0]) != 200:
            self.refused.append(status)
            await asyncio.sleep(AGAIN_S)
        self.accepted.append(said)

    async def verdict(self, text: str) -> str:
        """Bring a message, again while there is no time to look at it; what becomes of it."""
        message_id = str(uuid.uuid4())
        while (verdict := (await self._post(text, message_id))[1].get("verdict")) is None:
            await asyncio.sleep(AGAIN_S)
        return str(verdict)

    async def talk(self, messages: int) -> None:
        """Say several things, one after the other."""
        for number in range(messages):
            await self.say(f"message {number}")

    async def _post(self, text: str, message_id: str) -> tuple[int, dict[str, Any]]:
        begun = time.monotonic()
        try:
            async with plain_client(self.url, timeout_s=10) as client:
                response = await client.post(
                    f"/api/threads/{self.root}/messages",
                    params={"speaker": ADA},
                    json={"id": message_id, "text": text},
                )
        except httpx2.TransportError:
            return 0, {}
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        return response.status_code, response.json()


async def status(url: str, path: str) -> int:
    """What a path of the HTTP port answers."""
    async with plain_client(url, timeout_s=10) as client:
        return (await client.get(path)).status_code


async def becomes(look: Callable[[], bool], *, within_s: float = SETTLED_S) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within_s):
        while not look():
            await asyncio.sleep(AGAIN_S / 5)


class Archive:
    """What the mailbox has kept."""

    def __init__(self, connections: Connections, partitions: int) -> None:
        self.mailbox = RedisMailbox(connections, to_wire, partitions=partitions)
        self._redis = connections.commands
        self._partitions = [Partition(number) for number in range(partitions)]

    async def settled(self) -> None:
        """Wait until nothing is on any agenda."""
        async with asyncio.timeout(SETTLED_S):
            while await self._due():
                await asyncio.sleep(AGAIN_S)
        assert [int(await self._redis.get(at.open) or 0) for at in self._partitions] == [0] * len(self._partitions)

    async def forget_wakes(self) -> None:
        """Lose every word that a thread is due; what is due stays due."""
        for at in self._partitions:
            await self._redis.delete(at.wake)

    async def _due(self) -> bool:
        try:
            return any([await self._redis.zcard(at.due) for at in self._partitions])
        except Exception as error:  # a server that a test has taken away comes back
            if not isinstance(error, Transient | OSError) and "redis" not in type(error).__module__:
                raise
            return True

    async def turns(self, customer: Customer) -> list[Turn]:
        """The record."""
        return [entry.turn for entry in (await self.mailbox.load(customer.thread)).entries]

    async def assert_answered(self, customers: Sequence[Customer]) -> None:
        """Everything that was accepted is on record once and in order, and each turn has its one answer."""
        await self.settled()
        for customer in customers:
            turns = await self.turns(customer)
            assert_whole(turns)
            assert [turn.text for turn in turns if isinstance(turn, UserTurn)] == customer.accepted
            kinds = "".join("a" if isinstance(turn, AssistantTurn) else "u" for turn in turns)
            assert kinds.endswith("a"), f"the last message was not answered: {kinds}"
            assert "aa" not in kinds, f"somebody was answered twice: {kinds}"
        assert await self.mailbox.dead_letters() == []


@asynccontextmanager
async def archive(redis_url: str, *, partitions: int = 1) -> AsyncIterator[Archive]:
    """Read what a Redis keeps."""
    connections = Connections(redis_url)
    try:
        yield Archive(connections, partitions)
    finally:
        await connections.aclose()

"""A browser without the browser: the page's requests, and its event stream."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from adapters.web.render import folded
from tests.servers.http import plain_client
from tests.servers.page import PATIENCE_S, Stage


def new_id() -> str:
    return str(uuid.uuid4())


class Visitor:
    """One person's browser, without the browser: requests, and the event stream of one thread."""

    def __init__(self, client: httpx2.AsyncClient, root: str, speaker: str = "customer-a") -> None:
        self.client = client
        self.root = root
        self.speaker = speaker

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        return await self.client.request(
            method, f"/api/threads/{self.root}/{path}", params={"speaker": self.speaker}, **more
        )

    async def say(self, text: str, message: str = "") -> httpx2.Response:
        return await self.ask("POST", "messages", json={"id": message or new_id(), "text": text})

    def as_(self, speaker: str) -> Visitor:
        return Visitor(self.client, self.root, speaker)

    @asynccontextmanager
    async def following(self, after: int | None = None) -> AsyncIterator[AsyncIterator[tuple[str, Any, int]]]:
        """The events of the thread: name, data, and the id seen last."""
        headers = {} if after is None else {"last-event-id": str(after)}
        async with self.client.stream(
            "GET", f"/api/threads/{self.root}/events", params={"speaker": self.speaker}, headers=headers
        ) as response:
            assert response.status_code == 200, response.status_code
            yield parsed(response)

    async def shown(self) -> dict[str, dict[str, Any]]:
        """What the page shows to somebody who opens it at this moment."""
        async with self.following() as events:
            name, items, _ = await anext(events)
            assert name == "items"
            return folded(items)


async def parsed(response: httpx2.Response) -> AsyncIterator[tuple[str, Any, int]]:
    """The events of a stream: name, data, and the id seen last."""
    name, last = "", -1
    async for line in response.aiter_lines():
        key, _, value = line.partition(": ")
        if key == "id":
            last = int(value)
        elif key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value), last


async def until(events: AsyncIterator[tuple[str, Any, int]], name: str, **wanted: Any) -> Any:
    """The data of the next event of that name that has all of these values."""
    async with asyncio.timeout(PATIENCE_S):
        async for found, data, _ in events:
            if found == name and all(data.get(key) == value for key, value in wanted.items()):
                return data
    raise AssertionError(f"the stream ended before {name} {wanted}")


async def item(events: AsyncIterator[tuple[str, Any, int]], name: str) -> Any:
    """The next complete item of that id."""
    async with asyncio.timeout(PATIENCE_S):
        async for found, data, _ in events:
            for candidate in data if found == "items" else ():
                if candidate["id"] == name and not candidate.get("pending"):
                    return candidate
    raise AssertionError(f"the stream ended before {name}")


@asynccontextmanager
async def visiting(stage: Stage) -> AsyncIterator[Visitor]:
    """Somebody with a thread of their own that nobody has begun."""
    async with plain_client(stage.url, timeout_s=PATIENCE_S) as client:
        yield Visitor(client, new_id())

"""The page's memory, in shared state: what each thread shows, which threads there are, and the news about both.

| key             | type  | lives      | holds                                                                      |
|-----------------|-------|------------|-----------------------------------------------------------------------------|
| `thread/<root>` | value | retention  | whose thread it is and which message began it                                |
| `log/<root>`    | log   | retention  | items (see `render`), the later one of an id standing for it                 |
| `index/<owner>` | log   | retention  | the owner's threads: {id, title, at, badge}, the later one standing          |
| `news/<owner>`  | chan. | –          | {root, event: items \\| threads \\| live, …}: there is more to read   |
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from adapters.web.render import Item, folded
from bot.ports import SharedState


@dataclass(frozen=True, slots=True, kw_only=True)
class PageThread:
    """A thread of the page.

    Args:
        root: its id, made by the browser.
        owner: who may see it: a visitor's id, or `demo`, where all speakers share one channel.
        first: id of the message that began it.
    """

    root: str
    owner: str
    first: str


class PageLog:
    """Reads and writes what the page shows; every write is harmless when repeated.

    Args:
        state: the adapter's namespace.
        keep_s: how long a thread is kept after its last item.
    """

    def __init__(self, state: SharedState, *, keep_s: float) -> None:
        self.state = state
        self._keep_s = keep_s

    async def begin(self, root: str, owner: str, first: str) -> PageThread:
        """The thread of that id, begun by this message if there is none."""
        value = orjson.dumps({"owner": owner, "first": first})
        if await self.state.compare_and_set(f"thread/{root}", None, value, ttl_s=self._keep_s):
            return PageThread(root=root, owner=owner, first=first)
        return await self.find(root) or PageThread(root=root, owner=owner, first=first)

    async def find(self, root: str) -> PageThread | None:
        """The thread of that id."""
        stored = await self.state.get(f"thread/{root}")
        if stored is None:
            return None
        value = orjson.loads(stored)
        return PageThread(root=root, owner=value["owner"], first=value["first"])

    async def forget(self, thread: PageThread) -> None:
        """The message that was to begin the thread was not taken: another one may."""
        await self.state.delete(f"thread/{thread.root}")

    async def upsert(self, thread: PageThread, item: Item) -> None:
        """Show an item, or show it differently."""
        await self.state.append(f"log/{thread.root}", orjson.dumps(item), ttl_s=self._keep_s)
        await self.tell(thread, "items")

    async def keep(self, thread: PageThread) -> None:
        """Begin the thread's time to live again."""
        value = orjson.dumps({"owner": thread.owner, "first": thread.first})
        await self.state.set(f"thread/{thread.root}", value, ttl_s=self._keep_s)

    async def read(self, root: str, start: int = 0) -> list[Item]:
        """The items from index `start`."""
        return [orjson.loads(row) for row in await self.state.read(f"log/{root}", start)]

    async def view(self, root: str) -> dict[str, Item]:
        """All that the thread shows."""
        return folded(await self.read(root))

    async def rewrite(self, thread: PageThread, item: Item) -> None:
        """Show an item differently and forget every earlier form of it."""
        for index, old in enumerate(await self.read(thread.root)):
            if old["id"] == item["id"]:
                await self.state.replace(f"log/{thread.root}", index, orjson.dumps(item))
        await self.upsert(thread, item)

    async def list_thread(self, thread: PageThread, **change: str) -> None:
        """Put the thread on its owner's list, or change how it stands there (`title`, `at`, `badge`)."""
        value = orjson.dumps({"id": thread.root, **change})
        await self.state.append(f"index/{thread.owner}", value, ttl_s=self._keep_s)
        await self.tell(thread, "threads")

    async def rename(self, thread: PageThread, title: str) -> None:
        """Call the thread something else and forget what it was called."""
        for index, row in enumerate(await self.state.read(f"index/{thread.owner}")):
            change = orjson.loads(row)
            if change["id"] == thread.root and "title" in change:
                await self.state.replace(f"index/{thread.owner}", index, orjson.dumps({**change, "title": title}))
        await self.tell(thread, "threads")

    async def threads(self, owner: str) -> list[dict[str, str]]:
        """The owner's threads, the youngest first."""
        found: dict[str, dict[str, str]] = {}
        for row in await self.state.read(f"index/{owner}"):
            change = orjson.loads(row)
            found[change["id"]] = {**found.get(change["id"], {}), **change}
        oldest = (datetime.now(UTC) - timedelta(seconds=self._keep_s)).isoformat()
        listed = [
            thread
            for thread in found.values()
            if "at" in thread and (thread["at"] >= oldest or await self.find(thread["id"]) is not None)
        ]
        return sorted(listed, key=lambda thread: thread["at"], reverse=True)

    async def tell(self, thread: PageThread, event: str, **more: Any) -> None:
        """Wake whoever looks at one of this owner's threads."""
        await self.state.publish(f"news/{thread.owner}", orjson.dumps({"root": thread.root, "event": event, **more}))

    def news(self, owner: str) -> AsyncIterator[bytes]:
        """What is told from now on; the first item is empty and says that nothing is missed after it."""
        return self.state.subscribe(f"news/{owner}")

"""The stream of server-sent events that a browser follows: first all it has missed, then what happens.

Each connection subscribes before it reads, so nothing falls between the two. `items` events carry the index of the log
as their id; a browser that comes back says the last one it saw (`Last-Event-ID`) and gets the rest.

| event   | data                                                                              |
|---------|------------------------------------------------------------------------------------|
| items   | items the viewer may see (see `render`); the first event is always this one         |
| live    | what to change in the text that is being written (see `live.LiveReader`)            |
| state   | {mode}: who has the thread                                                          |
| threads | {}: the list of threads changed                                                     |
| other   | {root, writing}: somebody writes (or stopped writing) in another thread             |
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

import orjson

from adapters.web.inbound import thread_key
from adapters.web.live import LiveReader
from adapters.web.log import PageLog, PageThread
from adapters.web.render import is_visible
from adapters.web.session import Viewer
from bot.errors import Transient
from bot.ports import Mailbox
from bot.tasks import end

HEARTBEAT_S = 15.0
RETRY_MS = 1500

_QUEUE_LIMIT = 2_000


class Feed:
    """One browser's stream.

    Args:
        after: index of the last item that the browser has; -1 for none.
        closing: set when the process stops, so that the stream ends and the browser goes elsewhere.
    """

    def __init__(
        self, log: PageLog, mailbox: Mailbox, thread: PageThread, viewer: Viewer, after: int, closing: asyncio.Event
    ) -> None:
        self._log = log
        self._mailbox = mailbox
        self._thread = thread
        self._viewer = viewer
        self._next = after + 1
        self._closing = closing
        self._live = LiveReader(log.state, thread.root)
        self._mode = ""

    async def stream(self) -> AsyncGenerator[bytes]:
        """The bytes of the stream, until the browser goes, the process stops or Redis cannot be reached."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        pump = asyncio.create_task(self._pump(queue))
        closed = asyncio.create_task(self._closed(queue))
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            with suppress(Transient):
                while True:
                    try:
                        async with asyncio.timeout(HEARTBEAT_S):
                            news = await queue.get()
                    except TimeoutError:
                        yield b": still here\n\n"
                        yield await self._state()
                        continue
                    if news is None:
                        return
                    yield await (self._begin() if news == b"" else self._tell(orjson.loads(news)))
        finally:
            await end(pump)
            closed.cancel()

    async def _closed(self, queue: asyncio.Queue[bytes | None]) -> None:
        await self._closing.wait()
        queue.put_nowait(None)

    async def _pump(self, queue: asyncio.Queue[bytes | None]) -> None:
        """Carry news to the queue; a browser too slow for them has to come back and read the log instead."""
        try:
            async with aclosing(_generator(self._log.news(self._thread.owner))) as stream:
                async for news in stream:
                    if queue.qsize() >= _QUEUE_LIMIT:
                        return
                    queue.put_nowait(news)
        except Transient:
            return
        finally:
            queue.put_nowait(None)

    async def _begin(self) -> bytes:
        events = await self._items(always=True)
        live = await self._live.join()
        if live is not None:
            events += _event("live", live)
        return events + await self._state()

    async def _tell(self, news: dict[str, Any]) -> bytes:
        if news["event"] == "threads":
            return _event("threads", {})
        if news["root"] != self._thread.root:
            if news["event"] == "live" and news["what"] in ("begin", "end"):
                return _event("other", {"root": news["root"], "writing": news["what"] == "begin"})
            return b""
        if news["event"] == "items":
            return await self._items() + await self._state()
        change = await self._live.follow(news)
        return b"" if change is None else _event("live", change)

    async def _items(self, *, always: bool = False) -> bytes:
        items = await self._log.read(self._thread.root, self._next)
        self._next += len(items)
        shown = [item for item in items if is_visible(item, self._viewer.person)]
        if not items and not always:
            return b""
        return _event("items", shown, number=self._next - 1)

    async def _state(self) -> bytes:
        mode = str(await self._mailbox.mode(thread_key(self._thread.root)))
        if mode == self._mode:
            return b""
        self._mode = mode
        return _event("state", {"mode": mode})


def _generator(news: Any) -> AsyncGenerator[bytes]:
    """The subscription as what it is, an async generator that must be closed."""
    return news  # type: ignore[no-any-return]


def _event(name: str, data: Any, number: int | None = None) -> bytes:
    head = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), orjson.dumps(data))


Opener = Callable[[PageThread, Viewer, int], Feed]

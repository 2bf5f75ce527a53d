"""The answer of one turn on its way to the page."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from hashlib import blake2b

from adapters.web.live import BEAT_S, LiveWriter
from adapters.web.log import PageLog, PageThread
from adapters.web.render import Item, place_for_answer, render_answer, render_call, render_result
from bot.conversation import AssistantTurn, NoteTurn, ToolCall, ToolTurn, UserTurn
from bot.errors import Permanent, Transient
from bot.ports import Activity, Lease, Reply, ToolFinished
from bot.tasks import end

PACE_S = 0.04
"""Between two pieces of text: as smooth as the eye sees, and a fraction of the deltas that a model sends."""


class WebReply:
    """Writes what it is given at its own pace, in a task of its own; only `close` must arrive.

    Text that the page cannot be told is lost without harm, because `close` says the whole; cards of tools wait until
    they can be written.
    """

    def __init__(self, log: PageLog, lease: Lease) -> None:
        self._log = log
        self._turn = lease.turn
        self._root = lease.thread.root
        self._writer = blake2b(f"{lease.token}/{lease.attempt}".encode(), digest_size=6).hexdigest()
        self._addressee = _addressee(lease)
        self._items = _calls_on_record(lease, self._addressee) if lease.attempt > 1 else []
        self._text: list[str] = []
        self._live: LiveWriter | None = None
        self._thread: PageThread | None = None
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._write(), name=f"web-reply-{self._root}-{self._turn}")

    def append(self, delta: str) -> None:
        """Show more text, soon."""
        self._text.append(delta)
        self._wake.set()

    def status(self, activity: Activity) -> None:
        """Show a tool's card, soon."""
        if isinstance(activity, ToolFinished):
            self._items.append(render_result(activity.call, activity.result, self._turn, self._addressee))
        else:
            self._items.append(render_call(activity.call, self._turn, self._addressee))
        self._wake.set()

    async def close(self, reply: Reply) -> None:
        """Put the committed answer in the place of the live text; repeating it changes nothing.

        Raises:
            Transient: the page's log cannot be reached.
            Permanent: there is no such thread any more.
        """
        await end(self._task)
        thread = await self._find()
        if thread is None:
            raise Permanent("no_thread")
        await self._show_items(thread)
        await self._log.upsert(thread, render_answer(reply.turn, reply.text))
        live = self._live or LiveWriter(self._log, thread, self._turn, self._writer)
        await live.end()

    async def abandon(self) -> None:
        """Stop writing at once and leave what is shown."""
        await end(self._task)

    async def _find(self) -> PageThread | None:
        if self._thread is None:
            self._thread = await self._log.find(self._root)
        return self._thread

    async def _write(self) -> None:
        self._wake.set()
        while True:
            try:
                async with asyncio.timeout(BEAT_S):
                    await self._wake.wait()
                self._wake.clear()
                alive = await self._flush()
            except TimeoutError:
                alive = await self._beat()
            except Transient:
                self._wake.set()
                await asyncio.sleep(BEAT_S / 10)
                continue
            if not alive:
                return
            await asyncio.sleep(PACE_S)

    async def _flush(self) -> bool:
        """Write what has gathered; false when there is nothing to write to."""
        thread = await self._find()
        if thread is None:
            return False
        if self._live is None:
            live = LiveWriter(self._log, thread, self._turn, self._writer)
            await live.begin()
            self._live = live
        await self._show_items(thread)
        text, self._text = "".join(self._text), []
        if text:
            try:
                if self._live.length == 0:
                    await self._log.upsert(thread, place_for_answer(self._turn))
                await self._live.write(text)
            except Transient:
                self._text.insert(0, text)
                raise
        return True

    async def _show_items(self, thread: PageThread) -> None:
        while self._items:
            await self._log.upsert(thread, self._items[0])
            self._items.pop(0)

    async def _beat(self) -> bool:
        if self._live is None:
            return True
        with suppress(Transient):
            return await self._live.beat()
        return True


def _addressee(lease: Lease) -> str:
    """The person whom this turn serves."""
    for entry in lease.mail:
        turn = entry.turn
        if isinstance(turn, UserTurn | NoteTurn):
            return turn.author.id
    return ""


def _calls_on_record(lease: Lease, addressee: str) -> list[Item]:
    """Cards of the calls that an earlier holder of the thread made; it may have died before it showed them."""
    calls: dict[str, ToolCall] = {}
    items: list[Item] = []
    for entry in lease.mail:
        turn = entry.turn
        if isinstance(turn, AssistantTurn):
            calls |= {call.id: call for call in turn.tool_calls}
        elif isinstance(turn, ToolTurn) and turn.call_id in calls:
            items.append(render_result(calls[turn.call_id], turn, lease.turn, addressee))
    return items

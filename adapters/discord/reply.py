"""The answer of one turn on its way to Discord.

The text is shown by a task of its own. It has one request under way at a time, always with the latest text, and rests
between two of them for as long as the rate limit of the place asks. `close` makes what is shown the committed answer.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import structlog

from adapters.discord.delivery import Delivery
from adapters.discord.register import Venue
from adapters.discord.render import (
    CONTENT_LIMIT_CHARS,
    HELD_BACK,
    PARTS_LIMIT,
    Part,
    render_answer_buttons,
    render_part,
    render_stop_button,
    render_text,
    to_parts,
)
from adapters.discord.rest import Refused, Rest
from adapters.discord.threads import Threads
from bot.errors import LeaseLost, Permanent, Transient
from bot.ports import Activity, Lease, Reply, ToolStarted
from bot.tasks import end

log = structlog.get_logger(__name__)

Json = dict[str, Any]

PACE_S = 0.25
"""Least time between two edits: faster than this nobody reads."""

TYPING_S = 8.0
"""Discord shows that somebody types for ten seconds."""

TYPING_AT_MOST_S = 3.0
LAST_WRITE_S = 10.0
LIVE_CHARS = (PARTS_LIMIT + 1) * CONTENT_LIMIT_CHARS
"""What is looked at of an answer that is being written: what comes after it will stand in a file."""


class DiscordReply:
    """Writes at the pace of the place; only `close` must arrive."""

    def __init__(self, rest: Rest, threads: Threads, lease: Lease) -> None:
        self._rest = rest
        self._lease = lease
        self._delivery = Delivery(rest, threads, lease)
        self._text = ""
        self._tools = 0
        self._types = True
        self._ending = asyncio.Event()
        self._wake = asyncio.Event()
        self._wake.set()
        name = f"discord-reply-{lease.thread.root}-{lease.turn}"
        self._task = asyncio.create_task(self._write(), name=name)

    def append(self, delta: str) -> None:
        """Show more text, soon."""
        self._text += delta
        self._wake.set()

    def status(self, activity: Activity) -> None:
        """Type while tools run."""
        self._tools += 1 if isinstance(activity, ToolStarted) else -1
        if self._tools > 0:
            self._wake.set()

    async def close(self, reply: Reply) -> None:
        """Make what is shown the committed answer; repeating it changes nothing.

        Raises:
            Transient: not delivered; it is delivered again by whoever holds the thread then.
            Permanent: it can be delivered nowhere, or a filter of the server lets it stand nowhere.
            LeaseLost: another worker does it.
        """
        await self._end_writing()
        parts = to_parts(reply.text) if reply.text.strip() else []
        for index, part in enumerate(parts):
            body = render_part(part, addressee=reply.addressee)
            if index == len(parts) - 1:
                body["components"] = self._buttons(await self._delivery.open(), reply)
            try:
                await self._delivery.show(index, body, part)
            except Refused as refused:
                if refused.is_filtered:
                    await self._say_held_back(index, reply.addressee)
                raise
        await self._delivery.remove_from(len(parts))

    def _buttons(self, place: Venue, reply: Reply) -> list[Json]:
        """What stands under the answer; nothing where it could not be told which server it belongs to."""
        key = self._lease.thread
        if place.channel != key.channel and not place.is_thread:
            return []
        return render_answer_buttons(key, reply.turn, reply.addressee, public=not place.private)

    async def _say_held_back(self, index: int, addressee: str) -> None:
        """Tell the customer that a filter took this message and what follows it: in its place, else directly."""
        said = {**render_text(HELD_BACK, addressee=addressee), "components": []}
        try:
            await self._delivery.show(index, said, Part(content=HELD_BACK))
            await self._delivery.remove_from(index + 1)
        except Refused as refused:
            log.warning("discord_held_back_again", code=refused.code)
            await self._delivery.remove_from(index)
            with suppress(Refused):
                await self._delivery.tell_directly(render_text(HELD_BACK))

    async def abandon(self) -> None:
        """Stop writing at once and leave what is shown."""
        await end(self._task)

    # ----------------------------------------------------------------------------------------------------- writing

    async def _end_writing(self) -> None:
        """Let the request under way come to its end: an old edit must not arrive after the last one."""
        self._ending.set()
        self._wake.set()
        if not self._task.done():
            await asyncio.wait({self._task}, timeout=LAST_WRITE_S)
        await end(self._task)

    async def _write(self) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(TYPING_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                wait_s = await self._flush() if self._text.strip() else None
                if (self._tools > 0 or wait_s is None) and not self._ending.is_set():
                    await self._type()
            except (LeaseLost, Permanent) as over:
                log.info("discord_live_text_ended", reason=getattr(over, "reason", "lease_lost"))
                return
            except Transient as failure:
                wait_s = min(LAST_WRITE_S, failure.retry_after_s or 1.0)
                self._wake.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s or 0.0):
                    await self._ending.wait()

    async def _flush(self) -> float:
        """Show the latest text in the first message that differs; how long to rest after it."""
        parts = [part for part in to_parts(self._text[:LIVE_CHARS]) if part.file is None]
        for index, part in enumerate(parts):
            body = render_part(part, addressee=self._delivery.addressee)
            if index == 0:
                body["components"] = render_stop_button(self._lease.thread, self._lease.turn, self._delivery.addressee)
            if self._delivery.reads(index, body):
                continue
            await self._delivery.show(index, body, part)
            self._wake.set()
            return max(PACE_S, await self._delivery.pace_s())
        return 0.0

    async def _type(self) -> None:
        if not self._types:
            return
        try:
            place = await self._delivery.open()
            await self._rest.request(
                "POST", "/channels/{channel_id}/typing", channel_id=place.channel, timeout_s=TYPING_AT_MOST_S
            )
        except Refused:
            self._types = False
        except Transient:
            pass  # it is only a sign

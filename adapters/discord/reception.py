"""What people write, on its way from the gateway to intake."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from adapters.discord.inbound import to_deletion
from adapters.discord.posts import Posts
from adapters.discord.reader import Reader
from adapters.discord.register import Origin
from adapters.discord.threads import Threads
from bot.errors import Permanent, Transient
from bot.messages import Audience, Event, IncomingMessage
from bot.ports import Intake, Outcome, SharedState, Verdict

log = structlog.get_logger(__name__)

Json = dict[str, Any]
T = TypeVar("T")

AGAIN_S = (0.2, 1.0, 5.0)
"""Pauses while what happened cannot be stored; the gateway sends nothing twice, so it is kept until it can be."""

TOLD_S = 60.0
"""Somebody whose messages are refused is told so once in this time."""


class Reception:
    """Takes messages, their changes and their end.

    Args:
        state: the adapter's own.
    """

    def __init__(self, reader: Reader, threads: Threads, posts: Posts, state: SharedState, intake: Intake) -> None:
        self._reader = reader
        self._threads = threads
        self._posts = posts
        self._state = state
        self._intake = intake

    async def message(self, data: Json) -> None:
        """Take a message, live or read again."""
        event = await self._again(lambda: self._reader.message(data))
        if event is not None:
            await self._take(event, str(data["channel_id"]))

    async def _take(self, event: IncomingMessage, channel: str) -> None:
        thread, author = event.thread, event.author
        is_first = thread.channel == channel and thread.root == event.message_id
        begins = is_first and (event.mentions_bot or await self._again(lambda: self._threads.hears_all(thread)))
        is_overheard = event.audience.is_overheard
        if begins:
            await self._again(lambda: self._threads.register.begin(thread, Origin(person=author.id)))
            if await self._again(lambda: self._threads.goes_private(thread)):
                event = replace(event, audience=Audience.PRIVATE)
        outcome = await self.bring(event)
        if outcome.secrets and is_overheard:
            try:
                if begins and outcome.verdict is Verdict.STORED:
                    await self._threads.keep_root(thread, event.author.id, outcome.text)
            except (Permanent, Transient) as failure:
                log.info("discord_root_not_kept", reason=failure.reason)
            await self._posts.take_away(channel, event.message_id)
        if outcome.verdict in (Verdict.BUSY, Verdict.REFUSED) and outcome.text:
            await self._tell(channel, event, outcome.text)

    async def edited(self, data: Json) -> None:
        """Take the new text of a message."""
        event = await self._again(lambda: self._reader.edit(data))
        if event is None:
            return
        outcome = await self.bring(event)
        place = await self._reader.place(str(data["channel_id"])) if outcome.secrets else None
        if place is not None and place.audience.is_overheard:
            await self._posts.take_away(place.id, event.message_id)

    async def deleted(self, channel: str, message: str) -> None:
        """Forget a message, unless it was us who took it off the screen."""
        if await self._again(lambda: self._posts.was_taken(message)):
            return
        place = await self._again(lambda: self._reader.place(channel))
        if place is not None:
            key = await self._again(lambda: self._reader.key(place, message, replies_to=message))
            await self.bring(to_deletion(message, key, datetime.now(UTC)))

    async def bring(self, event: Event, *, patience_s: float | None = None) -> Outcome:
        """Hand an event to intake, as often as it takes.

        Args:
            patience_s: how long to try; for ever without.

        Raises:
            Transient: it could not be stored in this time.
        """
        return await self._again(lambda: self._intake(event), patience_s=patience_s)

    async def _again(self, work: Callable[[], Awaitable[T]], *, patience_s: float | None = None) -> T:
        began, tries = time.monotonic(), 0
        while True:
            try:
                return await work()
            except Transient as failure:
                if patience_s is not None and time.monotonic() - began > patience_s:
                    raise
                log.warning("discord_event_waits", reason=failure.reason)
                await asyncio.sleep(failure.retry_after_s or AGAIN_S[min(tries, len(AGAIN_S) - 1)])
                tries += 1

    async def _tell(self, channel: str, event: IncomingMessage, text: str) -> None:
        """Tell an author why a message was not taken: not often."""
        who = f"told/{channel}/{event.author.id}"
        try:
            if not await self._state.compare_and_set(who, None, b"1", ttl_s=TOLD_S):
                return
            await self._posts.reply(channel, event.message_id, event.author.id, text)
        except (Permanent, Transient) as failure:
            log.info("discord_not_told", reason=failure.reason)

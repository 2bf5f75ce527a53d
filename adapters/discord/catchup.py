"""What was written while no session was there to hear it.

A RESUME brings missed events again by itself. After a new session each channel in which something was written since
this token was last known to hear is read again, oldest first; what was taken before is recognised by its id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from adapters.discord.inbound import DIRECT, moment
from adapters.discord.lanes import Job, Lanes
from adapters.discord.places import to_kind
from adapters.discord.reception import Reception
from adapters.discord.rest import Refused, Rest
from bot.errors import Transient
from bot.ports import SharedState

log = structlog.get_logger(__name__)

Json = dict[str, Any]

ALIVE_EVERY_S = 10.0
MARGIN_S = 120.0
"""A connection may be dead for this long before anybody notices."""

AGE_LIMIT_S = 6 * 3_600.0
PAGE, PAGES = 100, 5
DIRECTS_LIMIT = 200
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
KEEP_S = 7 * 86_400.0
_EPOCH_MS = 1_420_070_400_000


class Catchup:
    """Reads again what may have been missed, and remembers up to when nothing was.

    Args:
        state: remembers, for each shard, when it was last known to hear.
        shard_of: guild id -> shard; direct messages are on shard 0.
    """

    def __init__(
        self, rest: Rest, reception: Reception, lanes: Lanes, state: SharedState, shard_of: Callable[[str], int]
    ) -> None:
        self._rest = rest
        self._reception = reception
        self._lanes = lanes
        self._state = state
        self._shard_of = shard_of
        self._since: dict[int, float] = {}
        self.pending = 0
        """Channels that are still to be read."""

    async def ready(self, shard: int) -> None:
        """A new session began: from now on it hears; what it reads again is from before."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._begin(shard)
            except Transient as failure:
                log.warning("discord_catchup_waits", reason=failure.reason)
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            else:
                return

    async def guild(self, data: Json) -> None:
        """A server became visible to a session: read the channels that were written in meanwhile."""
        since = self._since.get(self._shard_of(str(data["id"])))
        if since is None or data.get("unavailable"):
            return
        if joined := data.get("joined_at"):  # what was said before the bot came was not said to it
            since = max(since, datetime.fromisoformat(str(joined)).timestamp())
        for channel in (*data.get("channels", ()), *data.get("threads", ())):
            if to_kind(channel.get("type")).is_forum:
                continue  # what it names as its last message is a post, which is among the threads
            last = channel.get("last_message_id")
            if last and moment(str(last)).timestamp() >= since:
                self._read(str(channel["id"]), since)

    async def heard_direct(self, channel: str) -> None:
        """Remember a direct conversation: Discord does not list them."""
        try:
            if await self._state.compare_and_set(f"{DIRECT}/{channel}", None, b"1", ttl_s=KEEP_S):
                await self._state.append("directs", channel.encode(), ttl_s=KEEP_S)
        except Transient as failure:
            log.info("discord_direct_not_noted", reason=failure.reason)

    async def alive(self, shards: list[int]) -> None:
        """These shards hear; what they heard is taken up to what still waits."""
        if self.pending:
            return
        now = self._lanes.taken_until
        for shard in shards:
            if shard in self._since:
                await self._state.set(f"alive/{shard}", f"{now:.0f}".encode(), ttl_s=KEEP_S)
                self._since[shard] = now - MARGIN_S

    def overflowed(self, channel: str) -> Job:
        """What to do in a channel in which more was said than could wait: read it again, in its turn."""
        since = min(self._since.values(), default=time.time())
        self.pending += 1
        return lambda: self._again(channel, since)

    async def _begin(self, shard: int) -> None:
        last, now = await self._state.get(f"alive/{shard}"), time.time()
        since = now if last is None else max(float(last) - MARGIN_S, now - AGE_LIMIT_S)
        if last is None:
            await self._state.set(f"alive/{shard}", f"{now:.0f}".encode(), ttl_s=KEEP_S)
        elif shard == 0:
            await self._directs(since)
        self._since[shard] = since

    async def _directs(self, since: float) -> None:
        channels = await self._state.read("directs")
        for channel in dict.fromkeys(bytes(channel).decode() for channel in channels[-DIRECTS_LIMIT:]):
            self._read(channel, since)

    def _read(self, channel: str, since: float) -> None:
        self.pending += 1
        self._lanes.put(channel, lambda: self._again(channel, since))

    async def _again(self, channel: str, since: float) -> None:
        """Read a channel from a moment on and take what stands there, in order; what comes live waits behind it."""
        after, count = max(0, (int(since * 1000) - _EPOCH_MS) << 22), 0
        try:
            for _ in range(PAGES):
                page = await self._page(channel, after)
                for message in sorted(page, key=lambda message: int(message["id"])):
                    await self._reception.message({"channel_id": channel, **message})
                    after, count = int(message["id"]), count + 1
                if len(page) < PAGE:
                    break
            else:
                log.warning("discord_not_all_read_again", messages=count)
        except Refused as refused:
            log.info("discord_not_read_again", code=refused.code)
        finally:
            self.pending -= 1
        if count:
            log.info("discord_read_again", messages=count)

    async def _page(self, channel: str, after: int) -> list[Json]:
        """The next messages, as soon as they can be read.

        Raises:
            Refused: they cannot be.
        """
        pause_s = FIRST_PAUSE_S
        query: dict[str, str | int] = {"after": str(after), "limit": PAGE}
        while True:
            try:
                page = await self._rest.request(
                    "GET", "/channels/{channel_id}/messages", channel_id=channel, query=query
                )
            except Transient as failure:
                log.warning("discord_reading_again_waits", reason=failure.reason)
                await asyncio.sleep(failure.retry_after_s or pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            else:
                return list(page)

"""When a shard may identify: Discord counts identifies by the day, and a token that exceeds the count is reset."""

from __future__ import annotations

import asyncio
import time

import structlog

from bot.errors import Transient
from bot.ports import SharedState

log = structlog.get_logger(__name__)

IDENTIFY_S = 5.0
"""One IDENTIFY in this time for each of the shards that may start at once."""

IDENTIFY_RESERVE = 20
"""So many of the day's identifies are left for a person who has to restart something."""

OFTEN = 10
OFTEN_S = 600.0
"""More identifies per shard in this time look like a crash loop: each further one waits longer."""


class Identify:
    """When a shard may identify: one at a time, within the day's budget, slower when it happens often."""

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self.waits_for = ""
        """What a shard waits for, in a word; nothing when none waits long."""

    async def turn(self, shard: int, concurrency: int, remaining: int, reset_s: float, shards: int) -> None:
        """Wait until this shard may identify."""
        try:
            await self._turn(shard, concurrency, remaining, reset_s, shards)
        finally:
            self.waits_for = ""

    async def _turn(self, shard: int, concurrency: int, remaining: int, reset_s: float, shards: int) -> None:
        if remaining <= IDENTIFY_RESERVE:
            log.error("discord_identify_budget", remaining=remaining, reset_s=reset_s)
            self.waits_for = "discord_identify_budget"
            await asyncio.sleep(reset_s)
        while True:
            try:
                recent = await self._state.increment(f"identified/{int(time.time() // OFTEN_S)}", ttl_s=OFTEN_S * 2)
                if (over := recent - OFTEN * max(1, shards)) > 0:
                    pause_s = min(OFTEN_S / 2, 2.0 ** min(over, 10))
                    log.warning("discord_identifies_often", recent=recent, pause_s=pause_s)
                    self.waits_for = "discord_identifies_often"
                    await asyncio.sleep(pause_s)
                key = f"identify/{shard % max(1, concurrency)}"
                while not await self._state.compare_and_set(key, None, b"1", ttl_s=IDENTIFY_S):  # noqa: ASYNC110
                    await asyncio.sleep(IDENTIFY_S / 20)
            except Transient:
                await asyncio.sleep(1.0)  # without shared state no event could be stored
                continue
            return

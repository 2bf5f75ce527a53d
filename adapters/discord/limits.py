"""What a process knows of Discord's limits, and what all processes of one token tell each other about them.

discord.py keeps a process within the buckets that it sees. What it cannot know is what other processes use: a bucket
that is empty, and a halt for all routes, are written into shared state until they are over. Answers that Discord holds
against its callers (401, 403, 429) are counted together: ten thousand in ten minutes and the address is shut out.

Source: Discord API documentation, `topics/rate-limits`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

import structlog

from bot.errors import Transient
from bot.ports import SharedState

log = structlog.get_logger(__name__)

INVALID_LIMIT = 9_000
"""Of ten thousand: what is left is for requests that are under way."""

INVALID_WINDOW_S = 600.0

_KEPT = 2_048
"""So many buckets are remembered by a process."""

_GLOBAL = "global"
_PATIENCE_S = 60.0
_LONG_S = 20.0
"""Who has to wait longer, as in a channel with slow mode, is told for how long instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a bucket had left when it was last heard of.

    Args:
        remaining: requests that were left.
        resets_at: when it is full again, by this process' monotonic clock.
    """

    remaining: int
    resets_at: float


class Limits:
    """The limits of one token.

    Args:
        state: where processes tell each other.
        waited: told of each wait that Discord asks for, in seconds.
    """

    def __init__(self, state: SharedState, waited: Callable[[float], None] = lambda seconds: None) -> None:
        self._state = state
        self._waited = waited
        self._rooms: dict[str, Room] = {}
        self._invalid = ("", 0)
        """The window, and how many refused requests all processes had in it when this one last heard."""
        self._told: set[asyncio.Task[None]] = set()

    def pace_s(self, route: str) -> float:
        """How long to wait before the next request of a route, so that a bucket lasts until it is full again.

        One request is always left over for what must not wait.
        """
        room = self._rooms.get(route)
        left_s = 0.0 if room is None else room.resets_at - time.monotonic()
        if room is None or left_s <= 0:
            return 0.0
        return left_s if room.remaining <= 1 else left_s / room.remaining

    async def enter(self, route: str) -> None:
        """Wait until other processes, too, have left room on this route.

        Raises:
            Transient: it would take too long, or too many requests were refused lately.
        """
        if self._invalid[0] == _window() and self._invalid[1] >= INVALID_LIMIT:
            raise Transient("discord_too_many_refusals", retry_after_s=INVALID_WINDOW_S)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                for key in (_GLOBAL, f"empty/{route}"):
                    while (until := await self._state.get(key)) is not None:
                        if (left_s := float(until) - time.time()) > _LONG_S:
                            raise Transient("discord_rate_limited", retry_after_s=left_s)
                        await asyncio.sleep(min(5.0, max(0.01, left_s)))
        except TimeoutError:
            raise Transient("discord_rate_limited") from None

    def heard(self, route: str, status: int, headers: Mapping[str, str]) -> None:
        """Take note of an answer."""
        is_shared = headers.get("X-RateLimit-Scope") == "shared"
        if status in (401, 403) or (status == 429 and not is_shared):
            self._spawn(self._count_invalid())
        if status == 429:
            after_s = _number(headers.get("Retry-After")) or 1.0
            key = _GLOBAL if headers.get("X-RateLimit-Global") else f"empty/{route}"
            log.warning("discord_rate_limited", route=route.split(":")[0], scope=headers.get("X-RateLimit-Scope", ""))
            self._waited(after_s)
            self._spawn(self._tell(key, after_s))
            return
        remaining, reset_s = (
            _number(headers.get("X-RateLimit-Remaining")),
            _number(headers.get("X-RateLimit-Reset-After")),
        )
        if remaining is None or reset_s is None:
            return
        if len(self._rooms) >= _KEPT:
            now = time.monotonic()
            self._rooms = {key: room for key, room in self._rooms.items() if room.resets_at > now}
        self._rooms[route] = Room(remaining=int(remaining), resets_at=time.monotonic() + reset_s)
        if remaining == 0:
            self._spawn(self._tell(f"empty/{route}", reset_s))

    async def refusals(self) -> int:
        """How many refused requests all processes have had in this window."""
        return int(await self._state.get(_window()) or 0)

    async def settle(self) -> None:
        """Wait until what was heard is told."""
        if self._told:
            await asyncio.wait(self._told)

    async def _tell(self, key: str, after_s: float) -> None:
        try:
            await self._state.set(key, f"{time.time() + after_s:.3f}".encode(), ttl_s=max(0.01, after_s))
        except Transient:
            log.info("discord_limit_untold")

    async def _count_invalid(self) -> None:
        window = _window()
        try:
            count = await self._state.increment(window, ttl_s=INVALID_WINDOW_S * 2)
        except Transient:
            count = self._invalid[1] + 1
        self._invalid = (window, count)
        if count % 1_000 == 0:
            log.warning("discord_refusals", count=count, limit=INVALID_LIMIT)

    def _spawn(self, telling: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(telling)
        self._told.add(task)
        task.add_done_callback(self._told.discard)


def _window() -> str:
    return f"refused/{int(time.time() // INVALID_WINDOW_S)}"


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None

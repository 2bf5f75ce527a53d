"""What admins set for channels: one small document in shared state, mirrored in every process, so that looking at it
costs nothing and a change is heard within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec
import structlog

from bot.errors import Transient
from bot.messages import ThreadKey
from bot.ports import ChannelRules, SharedState

log = structlog.get_logger(__name__)

POLL_S = 0.5
"""How often the mirror is brought up to date."""

STALE_S = 1.0
"""How old the mirror may be; an older one is brought up to date by whoever looks at it."""

_KEY = "rules"
_DEFAULT = ChannelRules()
_RACES = 50

_Book = Mapping[str, ChannelRules]


class ChannelBook:
    """The rules of every channel; a channel without any has the defaults, and nothing is kept of it.

    Args:
        state: a namespace of its own.
    """

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._raw: bytes | None = None
        self._book: _Book = {}
        self._heard_at = -STALE_S

    async def run(self) -> None:
        """Keep the mirror; runs until cancelled."""
        while True:
            try:
                await self._load()
            except Transient as failure:
                log.warning("channel_rules_unread", reason=failure.reason)
            await asyncio.sleep(POLL_S)

    async def rules(self, thread: ThreadKey) -> ChannelRules:
        """The rules of the thread's channel, as they were at most `STALE_S` ago.

        Raises:
            Transient: they cannot be read, and were not for so long.
        """
        if time.monotonic() - self._heard_at >= STALE_S:
            await self._load()
        return self._book.get(_place(thread), _DEFAULT)

    async def hours(self, thread: ThreadKey) -> str:
        """When humans are at work in the thread's channel, in words; empty when nobody said."""
        return (await self.rules(thread)).hours

    async def change(self, thread: ThreadKey, change: Callable[[ChannelRules], ChannelRules]) -> ChannelRules:
        """Change the rules of the thread's channel; what they are then."""
        place = _place(thread)
        for _ in range(_RACES):
            stored = await self._load()
            rules = change(self._book.get(place, _DEFAULT))
            raw = msgspec.json.encode({**self._book, place: rules})
            if await self._state.compare_and_set(_KEY, stored, raw):
                self._take(raw)
                return rules
        raise Transient("channel_rules_contended")

    async def _load(self) -> bytes | None:
        asked_at = time.monotonic()
        raw = await self._state.get(_KEY)
        self._take(raw)
        self._heard_at = asked_at
        return raw

    def _take(self, raw: bytes | None) -> None:
        if raw != self._raw:
            self._raw, self._book = raw, {} if raw is None else msgspec.json.decode(raw, type=dict[str, ChannelRules])


def _place(thread: ThreadKey) -> str:
    return f"{thread.platform}/{thread.space}/{thread.channel}"

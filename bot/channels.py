"""What admins set for a channel, kept in shared state."""

from __future__ import annotations

import time

import msgspec

from bot.messages import ThreadKey
from bot.ports import ChannelRules, SharedState

_DEFAULT = ChannelRules()

HEARD_S = 0.5
"""How long a channel's rules count as known, so that looking at them for every message costs next to nothing."""

_CHANNELS = 10_000
"""Channels that a process remembers the rules of."""


class ChannelBook:
    """The rules of every channel; a channel without any has the defaults.

    Args:
        state: a namespace of its own.
    """

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._known: dict[str, tuple[float, ChannelRules]] = {}

    async def rules(self, thread: ThreadKey) -> ChannelRules:
        """The rules of the thread's channel, as they were at most `HEARD_S` ago."""
        key, now = _key(thread), time.monotonic()
        at, rules = self._known.get(key, (-HEARD_S, _DEFAULT))
        if now - at < HEARD_S:
            return rules
        stored = await self._state.get(key)
        rules = _DEFAULT if stored is None else msgspec.json.decode(stored, type=ChannelRules)
        self._know(key, rules)
        return rules

    async def hours(self, thread: ThreadKey) -> str:
        """When humans are at work in the thread's channel, in words; empty when nobody said."""
        return (await self.rules(thread)).hours

    async def keep(self, thread: ThreadKey, rules: ChannelRules) -> None:
        """Set the rules of the thread's channel."""
        await self._state.set(_key(thread), msgspec.json.encode(rules))
        self._know(_key(thread), rules)

    def _know(self, key: str, rules: ChannelRules) -> None:
        if len(self._known) >= _CHANNELS:
            self._known.clear()
        self._known[key] = (time.monotonic(), rules)


def _key(thread: ThreadKey) -> str:
    return f"{thread.platform}/{thread.space}/{thread.channel}"

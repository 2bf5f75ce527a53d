"""What admins set for a channel, kept in shared state."""

from __future__ import annotations

import msgspec

from bot.messages import ThreadKey
from bot.ports import ChannelRules, SharedState

_DEFAULT = ChannelRules()


class ChannelBook:
    """The rules of every channel; a channel without any has the defaults.

    Args:
        state: a namespace of its own.
    """

    def __init__(self, state: SharedState) -> None:
        self._state = state

    async def rules(self, thread: ThreadKey) -> ChannelRules:
        """The rules of the thread's channel."""
        stored = await self._state.get(_key(thread))
        return _DEFAULT if stored is None else msgspec.json.decode(stored, type=ChannelRules)

    async def keep(self, thread: ThreadKey, rules: ChannelRules) -> None:
        """Set the rules of the thread's channel."""
        await self._state.set(_key(thread), msgspec.json.encode(rules))


def _key(thread: ThreadKey) -> str:
    return f"{thread.platform}/{thread.space}/{thread.channel}"

"""Under which name we know a channel and a conversation, when Slack has another one for it."""

from __future__ import annotations

import math
import time
from typing import TypeVar

from adapters.slack.happenings import Place
from bot.ports import SharedState

TOGETHER_S = 8.0
"""Messages that somebody sends us directly within this time belong together, until an answer is shown."""

KEPT_S = 30 * 86_400.0

UNMOVED_S = 5.0
"""How long this process believes that a channel has the name by which we know it."""

_REMEMBERED = 20_000

_T = TypeVar("_T")


class Aliases:
    """Names that lead to others.

    A private channel that becomes shared gets another id, for ever. Every key of ours goes on with the one it was first
    known by: events are mapped to it on their way in, and calls to Slack's current one on their way out.

    What an event waits for is remembered. A name that leads to another does so for good, and so does a message that has
    joined a conversation or begun one. Only that a channel has not moved can become wrong, for `UNMOVED_S`, and only
    where Slack used the new id before it told of it: nobody looks for that id earlier.
    """

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._known: dict[str, tuple[float, str]] = {}
        self._roots: dict[str, str] = {}

    async def moved(self, team: str, old: str, new: str) -> None:
        """Slack has another id for a channel from now on."""
        first = await self.known(team, old)
        await self._state.set(f"alias/known/{team}/{new}", first.encode())
        _remember(self._known, f"{team}/{new}", (math.inf, first))
        await self._state.set(f"alias/current/{team}/{first}", new.encode())

    async def known(self, team: str, channel: str) -> str:
        """The id by which we know a channel; a conversation with one person is never another one."""
        if channel.startswith("D"):
            return channel
        name, now = f"{team}/{channel}", time.monotonic()
        until, known = self._known.get(name, (0.0, ""))
        if now < until:
            return known
        stored = await self._state.get(f"alias/known/{name}")
        found = (now + UNMOVED_S, channel) if stored is None else (math.inf, stored.decode())
        _remember(self._known, name, found)
        return found[1]

    async def current(self, team: str, channel: str) -> str:
        """The id that Slack has for a channel that we know."""
        stored = await self._state.get(f"alias/current/{team}/{channel}")
        return channel if stored is None else stored.decode()

    async def root(self, team: str, place: Place, *, said: bool) -> str:
        """The message with which the conversation began.

        Two messages that somebody sends us directly in quick succession are one conversation, although neither stands
        in a thread.

        Args:
            said: the message is written at this moment, so that it may join another or be joined.
        """
        if not place.is_direct:
            return place.root
        name = f"{team}/{place.channel}/{place.root}"
        if (remembered := self._roots.get(name)) is not None:
            return remembered
        if said and place.begins:
            root = await self._joined_or_begun(team, place)
        else:
            joined = await self._state.get(f"alias/joined/{name}")
            if joined is None:
                return place.root  # which may have still to come, and to join another
            root = joined.decode()
        _remember(self._roots, name, root)
        return root

    async def _joined_or_begun(self, team: str, place: Place) -> str:
        """The conversation that a message belongs to which stands in no thread."""
        key, alias = self._open(team, place.channel), f"alias/joined/{team}/{place.channel}/{place.root}"
        joined, begun = await self._state.get_all(alias, key)
        if joined is not None:
            return joined.decode()
        if begun is None:
            if await self._state.compare_and_set(key, None, place.root.encode(), ttl_s=TOGETHER_S):
                return place.root
            begun = await self._state.get(key)
        root = place.root if begun is None else begun.decode()
        if root != place.root:
            await self._state.set(alias, root.encode(), ttl_s=KEPT_S)
        return root

    async def shown(self, team: str, channel: str) -> None:
        """An answer is shown: what is written from now on is another conversation."""
        await self._state.delete(self._open(team, channel))

    def _open(self, team: str, channel: str) -> str:
        return f"alias/open/{team}/{channel}"


def _remember(memory: dict[str, _T], name: str, value: _T) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[name] = value

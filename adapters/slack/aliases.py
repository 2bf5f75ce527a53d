"""Under which name we know a channel and a conversation, when Slack has another one for it."""

from __future__ import annotations

from adapters.slack.inbound import Place
from bot.ports import SharedState

TOGETHER_S = 8.0
"""Messages that somebody sends us directly within this time belong together, until an answer is shown."""

KEPT_S = 30 * 86_400.0


class Aliases:
    """Names that lead to others.

    A private channel that becomes shared gets another id, for ever. Every key of ours goes on with the one it was first
    known by: events are mapped to it on their way in, and calls to Slack's current one on their way out.
    """

    def __init__(self, state: SharedState) -> None:
        self._state = state

    async def moved(self, team: str, old: str, new: str) -> None:
        """Slack has another id for a channel from now on."""
        first = await self.known(team, old)
        await self._state.set(f"alias/known/{team}/{new}", first.encode())
        await self._state.set(f"alias/current/{team}/{first}", new.encode())

    async def known(self, team: str, channel: str) -> str:
        """The id by which we know a channel."""
        stored = await self._state.get(f"alias/known/{team}/{channel}")
        return channel if stored is None else stored.decode()

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
        joined = await self._state.get(f"alias/joined/{team}/{place.channel}/{place.root}")
        if joined is not None:
            return joined.decode()
        if not said or not place.begins:
            return place.root
        key = self._open(team, place.channel)
        if await self._state.compare_and_set(key, None, place.root.encode(), ttl_s=TOGETHER_S):
            return place.root
        root = (await self._state.get(key) or place.root.encode()).decode()
        if root != place.root:
            await self._state.set(f"alias/joined/{team}/{place.channel}/{place.root}", root.encode(), ttl_s=KEPT_S)
        return root

    async def shown(self, team: str, channel: str) -> None:
        """An answer is shown: what is written from now on is another conversation."""
        await self._state.delete(self._open(team, channel))

    def _open(self, team: str, channel: str) -> str:
        return f"alias/open/{team}/{channel}"

"""How often other bots are answered. Two bots that answer each other would talk for ever."""

from __future__ import annotations

from bot.errors import Rejected
from bot.messages import ThreadKey
from bot.ports import SharedState

TURNS, WINDOW_S = 3, 600.0
"""So many turns a bot has in a channel, all its threads together, within so many seconds."""


class Bots:
    """Counts the turns of bots that are answered, for all processes together.

    A turn takes one of few places and leaves it when its time is over, so that no window ever has more. A message that
    comes again, or by another event, finds the place that it has.

    Args:
        listed: the ids of bots, of their apps or of their users, that are answered.
    """

    def __init__(self, state: SharedState, listed: frozenset[str]) -> None:
        self._state = state
        self.listed = listed

    async def admit(self, thread: ThreadKey, bot: str, message_id: str) -> None:
        """Let a bot have a turn.

        Raises:
            Rejected: `bot_turns`: it has had too many.
            Transient: nobody can say.
        """
        mine = message_id.encode()
        for number in range(TURNS):
            place = f"bots/{thread.space}/{thread.channel}/{bot}/{number}"
            if await self._state.compare_and_set(place, None, mine, ttl_s=WINDOW_S):
                return
            if await self._state.get(place) == mine:
                return
        raise Rejected("bot_turns")

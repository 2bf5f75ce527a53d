"""What the model says in one turn, on its way out: filtered, and in segments, one before each round of calls."""

from __future__ import annotations

from bot import evidence
from bot.claimed import ClaimedTurn
from bot.outgoing import Outgoing, Policy, clean
from bot.ports import ReplyStream
from bot.services import Services

BETWEEN = "\n\n"
"""Stands between segments."""


class Speech:
    """The text of one attempt at a turn.

    Args:
        stream: where it is shown.
    """

    def __init__(self, turn: ClaimedTurn, services: Services, stream: ReplyStream) -> None:
        self.is_shown = False
        """Whether anything of this turn's answer may be visible; then nothing joins the turn any more."""
        self._policy = Policy(
            link_hosts=services.link_hosts,
            addressee=turn.author.id,
            knows=lambda number: evidence.knows(turn.lease.record, turn.author.id, number),
            canaries=services.canaries,
        )
        self._stream = stream
        self.begin()
        if said := turn.said():
            # An earlier attempt said this; the stream that begins here replaces what was shown then.
            self.is_shown = True
            stream.append(BETWEEN.join([*said, ""]))

    def begin(self) -> None:
        """Begin a segment."""
        self.so_far = ""
        self._outgoing = Outgoing(self._policy)

    def hear(self, delta: str) -> str:
        """More text of the model; what of it may leave at this moment."""
        return self._outgoing.feed(delta)

    def show(self, released: str) -> None:
        """Show what may leave."""
        self.is_shown = True
        self.so_far += released
        self._stream.append(released)

    def finish(self) -> str:
        """The segment as it stands, its last held back words shown."""
        rest = self._outgoing.finish()
        if rest:
            self.show(rest)
        return self.so_far.strip()

    def part(self) -> None:
        """A segment has ended, and another may come."""
        if self.so_far.strip():
            self._stream.append(BETWEEN)
        self.begin()

    def clean(self, text: str) -> str:
        """A text that takes the place of what was shown."""
        return clean(text, self._policy)

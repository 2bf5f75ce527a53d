"""An answer on its way to a platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.conversation import ToolCall, ToolTurn


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool is about to run."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """A tool ran, or was refused; `result.content` is what the model reads."""

    call: ToolCall
    result: ToolTurn


Activity = ToolStarted | ToolFinished


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The committed answer of a turn: from here on nobody can produce another one.

    Args:
        text: the whole answer as Markdown, filtered; empty when the turn ends without words.
        turn: the turn's number in the thread.
        addressee: id of the person who is answered, the only one who may be mentioned.
    """

    text: str
    turn: int
    addressee: str


class ReplyStream(Protocol):
    """One turn's answer on its way to a platform: the adapter paces, splits and edits; no delta waits for it."""

    def append(self, delta: str) -> None:
        """Show more text, soon. Never waits."""

    def status(self, activity: Activity) -> None:
        """Show what is being done. Never waits."""

    async def close(self, reply: Reply) -> None:
        """Make what is shown equal to `reply` and settle; repeating it changes nothing.

        Raises:
            Transient: not delivered; the same reply is delivered again later, by whoever holds the thread then.
            Permanent: cannot be delivered ever (channel archived, bot removed).
        """

    async def abandon(self) -> None:
        """Stop writing at once and leave what is shown to the next owner of the thread."""

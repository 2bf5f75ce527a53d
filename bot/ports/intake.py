"""Where adapters bring what happened, and what they are told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from bot.messages import Event


class Verdict(StrEnum):
    """What became of an event; all but `BUSY` mean that the platform may be acknowledged."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    DONE = "done"
    REFUSED = "refused"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that we made, such as a transcript."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What intake says to the adapter that brought an event.

    Args:
        verdict: see `Verdict`.
        text: the message as it may be kept and shown, secrets masked (for a message); what to tell the author, and the
            author alone (for everything else, and for a message that was refused), as Markdown.
        secrets: how many secrets were caught in the text.
        file: for the author alone, beside the text.
    """

    verdict: Verdict
    text: str = ""
    secrets: int = 0
    file: File | None = None

    @property
    def may_acknowledge(self) -> bool:
        """Whether the event is in safe hands (or settled), so that the platform need not send it again."""
        return self.verdict is not Verdict.BUSY


Intake = Callable[[Event], Awaitable[Outcome]]
"""Where adapters bring events.

Raises:
    Transient: it could not be stored; do not acknowledge.
"""

"""What a command has done: one value for each thing, carried out by `bot.office`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.ports import Listening


class Scope(StrEnum):
    """How far a pause reaches."""

    THREAD = "thread"
    CHANNEL = "channel"
    EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """The actor answers in the thread; the bot is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandBack:
    """The bot answers in the thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The case of the thread is over; its customer is asked once whether they are content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nobody is answered; mail is kept."""

    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """What waited is answered."""

    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """A colleague takes care of the thread."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The thread begins anew; the old record is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowStatus:
    """Who has the thread, and how the desk stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowUnresolved:
    """Conversations of the last days in which a customer was not helped by Frontdesk alone."""

    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTranscript:
    """The whole record as a file; `form` is `markdown`, `json` or `html`."""

    form: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTickets:
    """The youngest tickets: `open`, `mine` or `all`."""

    which: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTicket:
    """One ticket with its notes."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTicket:
    """Another status for a ticket."""

    number: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTicket:
    """A colleague's note on a ticket."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowWhy:
    """What led to the last answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowRules:
    """What is set for the channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRules:
    """Other rules for the channel: field of `ChannelRules` -> value."""

    changes: Mapping[str, Listening | bool | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowBudgets:
    """What is spent, and of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A person is not listened to."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblock:
    """A person is listened to again."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetProof:
    """A person has to prove anew who they are, and may try at once."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowLetters:
    """Turns that were given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLetter:
    """A given-up turn is tried again."""

    letter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropLetter:
    """A given-up turn is thrown away."""

    letter: str


Effect = (
    TakeOver
    | HandBack
    | Close
    | Pause
    | Resume
    | Assign
    | Reset
    | ShowStatus
    | ShowUnresolved
    | ShowTranscript
    | ShowTickets
    | ShowTicket
    | SetTicket
    | NoteTicket
    | ShowWhy
    | ShowRules
    | SetRules
    | ShowBudgets
    | Block
    | Unblock
    | ForgetProof
    | ShowLetters
    | RetryLetter
    | DropLetter
)

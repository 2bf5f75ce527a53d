"""A claimed turn as it stands on the record: its own entries, whom it serves, and the window that a model is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload

from bot import history
from bot.conversation import AssistantTurn, Note, NoteTurn, StaffTurn, ToolTurn, Turn, UserTurn
from bot.loop import Progress
from bot.messages import Attachment, Audience, Person
from bot.ports import Lease, Mode

_ATTACHED = b"[attached: "
"""Stands in the message of everything that came with a file (`bot.llm.wire`)."""


class ClaimedTurn:
    """The turn of a lease. It changes only by taking the lease as it is after an operation of the mailbox.

    Args:
        history_tokens: budget of the window.
    """

    def __init__(self, lease: Lease, *, history_tokens: int) -> None:
        window = history.window(lease.record, budget_tokens=history_tokens, begins=lease.begins)
        self.lease = replace(lease, record=window)
        self._turns = [entry.turn for entry in lease.mail]
        self._messages, self._joined = b"", 0
        self._files: dict[str, Attachment] = {}
        self._searched, self._searched_bytes = 0, 0

    @property
    def number(self) -> int:
        """The turn's number in the thread."""
        return self.lease.turn

    def take(self, lease: Lease) -> None:
        """Go on with the lease as it is after an operation; what is new on its record belongs to the turn."""
        known = self.lease.record.length - lease.record.start
        self._turns += [entry.turn for entry in lease.record.entries[known:]]
        self.lease = lease

    def shrink(self) -> None:
        """Make the window half as large."""
        self.lease = replace(self.lease, record=history.halved(self.lease.record, begins=self.lease.begins))
        self._messages, self._joined = b"", 0
        self._files, self._searched, self._searched_bytes = {}, 0, 0

    def known(self) -> Iterator[Turn]:
        """What was said in the thread, the newest first: each is read when somebody looks at it."""
        return (entry.turn for entry in reversed(self.lease.record.entries))

    def turns(self) -> Sequence[Turn]:
        """The turn's own entries."""
        return self._turns

    def messages(self) -> bytes:
        """The window of the conversation as Chat Completions messages, with a comma between two.

        It is one text, to which each round of the turn adds: thousands of messages are looked at once in a turn.
        """
        if new := self.lease.record.messages(self._joined):
            self._joined += len(new)
            self._messages = b",".join([self._messages, *new] if self._messages else new)
        return self._messages

    def progress(self) -> Progress:
        """What the turn has done."""
        return Progress.of(self._turns)

    def said(self) -> list[str]:
        """What the model said in this turn so far, before and between calls."""
        return [turn.text for turn in self._turns if isinstance(turn, AssistantTurn) and turn.text]

    @property
    def attachments(self) -> Sequence[Attachment]:
        """The files in the window, newest last; looked for when somebody looks at them."""
        return _Files(self._found)

    def _found(self) -> tuple[Attachment, ...]:
        messages = self.messages()
        if messages.find(_ATTACHED, self._searched_bytes) >= 0:
            for entry in self.lease.record.entries[self._searched :]:
                if _ATTACHED in entry.wire and isinstance(turn := entry.turn, UserTurn):
                    self._files.update((attachment.id, attachment) for attachment in turn.attachments)
        self._searched, self._searched_bytes = self._joined, len(messages)
        return tuple(self._files.values())

    @property
    def author(self) -> Person:
        """The one person whom this turn serves."""
        return author_of(self._turns)

    @property
    def audience(self) -> Audience:
        """Who can read the answer; the widest of what the mail says."""
        heard = [turn.audience for turn in self._turns if isinstance(turn, UserTurn | NoteTurn)]
        return max(heard, key=list(Audience).index, default=Audience.PUBLIC)

    @property
    def is_to_be_answered(self) -> bool:
        """Whether somebody asked, the bot has the thread, and what was asked is not deleted."""
        return self.lease.mode is Mode.BOT and any(map(self._asks, self._turns))

    def _asks(self, turn: Turn) -> bool:
        match turn:
            case UserTurn():
                return turn.asks and bool(turn.text or turn.attachments)
            case NoteTurn(note=Note.HANDED_BACK | Note.RESUMED):
                return turn.asks and self._was_left_open()
            case NoteTurn():
                return turn.asks
            case _:
                return False

    def _was_left_open(self) -> bool:
        """Whether what this author asked before this turn got no answer, neither of a model nor of a colleague."""
        before = self.lease.record.entries[: max(0, self.lease.begins - self.lease.record.start)]
        for entry in reversed(before):
            match turn := entry.turn:
                case UserTurn() if turn.asks and (turn.text or turn.attachments):
                    return turn.author.id == self.author.id
                case NoteTurn(note=Note.PAUSED | Note.VERIFIED | Note.RETRIED):
                    return turn.author.id == self.author.id
                case StaffTurn():
                    return False
                case AssistantTurn() if not turn.tool_calls:
                    return False
                case _:
                    continue
        return False

    def notes(self, note: Note) -> bool:
        """Whether such a note is among the turn's entries."""
        return any(isinstance(turn, NoteTurn) and turn.note is note for turn in self._turns)

    @property
    def showed_a_secret(self) -> bool:
        """Whether a secret was typed where others read along."""
        return self.audience.is_overheard and any(
            isinstance(turn, UserTurn) and turn.asks and turn.secrets for turn in self._turns
        )


class _Files(Sequence[Attachment]):
    """Files that are looked for when they are asked for: few calls do, and half a megabyte takes half a millisecond."""

    __slots__ = ("_found",)

    def __init__(self, found: Callable[[], tuple[Attachment, ...]]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found())

    @overload
    def __getitem__(self, place: int) -> Attachment: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Attachment, ...]: ...

    def __getitem__(self, place: int | slice) -> Attachment | tuple[Attachment, ...]:
        return self._found()[place]


def author_of(turns: Iterable[Turn]) -> Person:
    """The one person whom a turn with these entries serves."""
    return next(turn.author for turn in turns if not isinstance(turn, AssistantTurn | ToolTurn))

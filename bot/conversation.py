"""The record of a conversation as frozen values: turns, tool calls, and the entries that keep them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, overload

import msgspec

from bot.messages import Attachment, Audience, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call that a model asked for.

    Args:
        id: ours (`turn.step.index`), unique in the thread; a provider's own ids are not trusted to be.
        name: the tool's name as the model wrote it.
        arguments: JSON text exactly as the model sent it.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """What the model is told of a tool; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTurn:
    """Something a person asked; what was secret in `text` is a handle already.

    Args:
        message_ids: the platform's ids of the message(s) it came from.
        asks: an answer is expected.
        secrets: handles (`secret:1`) that stand in `text` for what was caught.
    """

    message_ids: tuple[str, ...]
    author: Person
    text: str
    audience: Audience
    at: datetime
    attachments: tuple[Attachment, ...] = ()
    asks: bool = True
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A request as the endpoint counted it: `size_bytes` as they were sent, `tokens` as they were read."""

    size_bytes: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantTurn:
    """Something the model said, and the calls it asked for with it.

    Args:
        measured: the request that it answers, where the endpoint counts; no part of what was said.
    """

    text: str
    at: datetime
    tool_calls: tuple[ToolCall, ...] = ()
    measured: Measured | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolTurn:
    """The result of one call: `content` is the JSON text that the model reads.

    Args:
        duration_ms: how long the tool ran; 0 when it did not.
    """

    call_id: str
    content: str
    at: datetime
    is_error: bool = False
    duration_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffTurn:
    """Something a human colleague said in the thread."""

    message_ids: tuple[str, ...]
    author: Person
    text: str
    at: datetime


class Note(StrEnum):
    """What a `NoteTurn` tells."""

    VERIFIED = "verified"
    HANDED_OVER = "handed_over"
    HANDED_BACK = "handed_back"
    EDITED = "edited"
    RETRIED = "retried"
    STOPPED = "stopped"
    PAUSED = "paused"
    RESUMED = "resumed"
    RESET = "reset"
    CLOSED = "closed"
    TICKET = "ticket"
    EARLIER = "earlier"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTurn:
    """Something that code did and that the conversation has to know.

    Args:
        author: the person whom it concerns; a turn serves one author only.
        asks: the pending question is to be answered because of it.
        message_ids: the messages whose words it repeats; it is forgotten with them.
    """

    note: Note
    author: Person
    text: str
    audience: Audience
    at: datetime
    asks: bool = False
    message_ids: tuple[str, ...] = ()


Turn = UserTurn | AssistantTurn | ToolTurn | StaffTurn | NoteTurn


WIRE = b',"wire":'
"""Begins the last member of a row. Inside a JSON string a quote is always escaped, so these bytes occur once."""


class Entry(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A turn as the record keeps it; a claim makes thousands, and a struct costs a tenth of a dataclass.

    Args:
        row: the stored JSON, one object with a schema version.
        read: decodes a row; reading a turn costs, so it happens only when somebody looks.
    """

    row: bytes
    read: Callable[[bytes], Turn]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.row == other.row

    def __hash__(self) -> int:
        return hash(self.row)

    @property
    def wire(self) -> bytes:
        """The Chat Completions message inside the row, as bytes that are spliced into a request and never parsed."""
        return self.row[self.row.rindex(WIRE) + len(WIRE) : -1]

    @property
    def turn(self) -> Turn:
        """The decoded turn."""
        return self.read(self.row)

    @property
    def begins_turn(self) -> bool:
        """Whether the window of history may begin here: a message of a person, never a result without its call."""
        return self.wire.startswith(b'{"role":"user"')


class Entries(Sequence[Entry]):
    """Rows as entries, each made when somebody looks at it: a claim reads thousands, and a turn looks at a few.

    Args:
        rows: shared by all that go on from here, and never changed: to copy thousands touches each of them.
        read: decodes a row.
        made: what follows the rows, at hand with its turns.
    """

    __slots__ = ("_made", "_read", "_rows")

    def __init__(self, rows: list[bytes], read: Callable[[bytes], Turn], made: tuple[Entry, ...] = ()) -> None:
        self._rows = rows
        self._read = read
        self._made = made

    def __len__(self) -> int:
        return len(self._rows) + len(self._made)

    @overload
    def __getitem__(self, place: int) -> Entry: ...

    @overload
    def __getitem__(self, place: slice) -> Entries: ...

    def __getitem__(self, place: int | slice) -> Entry | Entries:
        read = len(self._rows)
        if isinstance(place, slice):
            first, end, step = place.indices(len(self))
            if step != 1:
                return Entries([self[index].row for index in range(first, end, step)], self._read)
            return Entries(self._rows[first:end], self._read, self._made[max(0, first - read) : max(0, end - read)])
        index = range(len(self))[place]
        return Entry(self._rows[index], self._read) if index < read else self._made[index - read]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def extended(self, entries: tuple[Entry, ...]) -> Entries:
        """The same with more at its end."""
        return Entries(self._rows, self._read, self._made + entries)

    def wires(self, start: int) -> list[bytes]:
        """The messages from place `start` on, read in one pass."""
        rows, skipped = self._rows[start:] if start else self._rows, len(WIRE)
        wires = [row[row.rindex(WIRE) + skipped : -1] for row in rows]
        return wires + [entry.wire for entry in self._made[max(0, start - len(self._rows)) :]]

    @property
    def size_bytes(self) -> int:
        """The size of all rows together."""
        return sum(map(len, self._rows)) + sum(len(entry.row) for entry in self._made)


def _unreadable(row: bytes) -> Turn:
    raise ValueError("a conversation of ready entries reads no row")


NOTHING = Entries([], _unreadable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The part of a record that was read: `entries` begin at index `start` of the thread's list."""

    entries: Entries = NOTHING
    start: int = 0

    @property
    def length(self) -> int:
        """The number of entries on the whole record."""
        return self.start + len(self.entries)

    def messages(self, start: int = 0) -> list[bytes]:
        """What a model is sent of the entries from place `start`."""
        return self.entries.wires(start)

    def extended(self, entries: tuple[Entry, ...]) -> Conversation:
        """The same conversation with more entries at its end."""
        return Conversation(entries=self.entries.extended(entries), start=self.start)

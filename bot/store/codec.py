"""Turns as the rows of the record: one JSON object each, with a schema version, the model's message last.

    {"v":1,"kind":"user","author":{…},"text":"…",…,"wire":{"role":"user","content":"…"}}

The message is spliced out by its position and never parsed: inside a JSON string a quote is always escaped, so the
bytes `,"wire":` cannot occur before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson
from pydantic import TypeAdapter, ValidationError

from bot.conversation import AssistantTurn, Entry, NoteTurn, StaffTurn, ToolTurn, Turn, UserTurn
from bot.errors import Transient

SCHEMA_VERSION = 1

_WIRE = b',"wire":'
_HEAD = b'{"v":%d,' % SCHEMA_VERSION
_KINDS: dict[str, type[Turn]] = {
    "user": UserTurn,
    "assistant": AssistantTurn,
    "tool": ToolTurn,
    "staff": StaffTurn,
    "note": NoteTurn,
}
_HEADS = {kind: b'%b"kind":"%b",' % (_HEAD, name.encode()) for name, kind in _KINDS.items()}
_READERS: dict[str, TypeAdapter[Turn]] = {name: TypeAdapter(kind) for name, kind in _KINDS.items()}


def encode(turn: Turn, to_wire: Callable[[Turn], bytes]) -> Entry:
    """The row of a turn, with what a model is sent of it."""
    wire = to_wire(turn)
    row = b"%b%b%b%b}" % (_HEADS[type(turn)], orjson.dumps(turn)[1:-1], _WIRE, wire)
    return Entry(row, wire, lambda _: turn)


def entry(row: bytes) -> Entry:
    """A row that was read from the record.

    Raises:
        Transient: written by a version that this one does not know; a newer worker will take the thread.
    """
    at = row.find(_WIRE)
    if at < 0 or not row.startswith(_HEAD):
        raise Transient("unknown_schema")
    return Entry(row, row[at + len(_WIRE) : -1], decode)


def decode(row: bytes) -> Turn:
    """The turn of a row.

    Raises:
        Transient: written by a version that this one does not know.
    """
    try:
        kind = orjson.loads(row)["kind"]
        return _READERS[kind].validate_json(row)
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise Transient("unknown_schema") from error


def erased(turn: Turn) -> Turn:
    """The empty turn of the same kind that takes the place of one that is to be forgotten."""
    match turn:
        case UserTurn():
            return replace(turn, text="", attachments=(), secrets=())
        case StaffTurn() | AssistantTurn() | NoteTurn():
            return replace(turn, text="")
        case ToolTurn():
            return turn

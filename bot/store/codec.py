"""Turns as the rows of the record: one JSON object each, with a schema version, the model's message last.

    {"v":1,"kind":"user","author":{…},"text":"…",…,"wire":{"role":"user","content":"…"}}
    {"v":1,"kind":"assistant","at":"…","wire":{"role":"assistant","content":"…","tool_calls":[…]}}

What a model or a tool said stands in the message already and is kept once.
The message is spliced out by its position and never parsed (`bot.conversation.Entry.wire`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from bot.conversation import WIRE, AssistantTurn, Entries, Entry, NoteTurn, StaffTurn, ToolTurn, Turn, UserTurn
from bot.errors import UnknownVersion

SCHEMA_VERSION = 1

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
    kept: object = turn
    match turn:
        case AssistantTurn():
            kept = {"at": turn.at, "measured": turn.measured} if turn.measured else {"at": turn.at}
        case ToolTurn():
            kept = {"at": turn.at, "is_error": turn.is_error, "duration_ms": turn.duration_ms}
    row = b"%b%b%b%b}" % (_HEADS[type(turn)], orjson.dumps(kept)[1:-1], WIRE, to_wire(turn))
    return Entry(row, lambda _: turn)


def entry(row: bytes) -> Entry:
    """A row that was read from the record.

    Raises:
        UnknownVersion: written by a version that this one does not know; a newer worker will take the thread.
    """
    return entries([row])[0]


def entries(rows: list[bytes]) -> Entries:
    """Rows that were read from the record; nothing here costs more than a look at each.

    Raises:
        UnknownVersion: one was written by a version that this one does not know; a newer worker will take the thread.
    """
    # What stands between two rows in their order, the least and the greatest, begins with what both begin with.
    if rows and not (min(rows).startswith(_HEAD) and max(rows).startswith(_HEAD)):
        raise UnknownVersion
    return Entries(rows, decode)


def decode(row: bytes) -> Turn:
    """The turn of a row.

    Raises:
        UnknownVersion: written by a version that this one does not know.
    """
    try:
        values = orjson.loads(row)
        return _READERS[values["kind"]].validate_python(_said(values["wire"]) | values)
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise UnknownVersion from error


def _said(message: dict[str, Any]) -> dict[str, Any]:
    """The fields of a turn that stand in its message."""
    match message["role"]:
        case "assistant":
            calls = [{"id": call["id"], **call["function"]} for call in message.get("tool_calls", ())]
            return {"text": message["content"] or "", "tool_calls": calls}
        case "tool":
            return {"call_id": message["tool_call_id"], "content": message["content"]}
        case _:
            return {}


def erased(turn: Turn) -> Turn:
    """The empty turn of the same kind that takes the place of one that is to be forgotten."""
    match turn:
        case UserTurn():
            return replace(turn, text="", attachments=(), secrets=())
        case StaffTurn() | AssistantTurn() | NoteTurn():
            return replace(turn, text="")
        case ToolTurn():
            return turn

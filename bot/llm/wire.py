"""Turns as Chat Completions messages. Made once, when a turn goes onto the record, and spliced from then on.

What people typed stands under a header line that only we write, so nothing typed can pass for a note of ours:

    [from: Omar · 2024-11-08 14:03 UTC]      a person          [colleague: Ann · …]   a human colleague
    [note]                                   something that code did
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import orjson

from bot.conversation import AssistantTurn, NoteTurn, StaffTurn, ToolTurn, Turn, UserTurn
from bot.messages import Attachment, Person

_UNSAFE_IN_NAME = re.compile(r"[\[\]·\s]+")
_NAME_LIMIT = 60
_ERASED = "(this message was deleted)"


def to_wire(turn: Turn) -> bytes:
    """One message as JSON bytes.

    Shape:
        https://platform.openai.com/docs/api-reference/chat/create (messages)
    """
    match turn:
        case UserTurn():
            lines = [_header("from", turn.author, turn.at), turn.text or _ERASED]
            lines += [_attached(attachment) for attachment in turn.attachments]
            return _message("user", "\n".join(lines))
        case StaffTurn():
            return _message("user", f"{_header('colleague', turn.author, turn.at)}\n{turn.text or _ERASED}")
        case NoteTurn():
            return _message("user", f"[note]\n{turn.text}")
        case AssistantTurn():
            return _assistant(turn)
        case ToolTurn():
            return orjson.dumps({"role": "tool", "tool_call_id": turn.call_id, "content": turn.content})


def shown_name(person: Person) -> str:
    """A display name that cannot break out of a header line."""
    return _UNSAFE_IN_NAME.sub(" ", person.display_name).strip()[:_NAME_LIMIT] or "somebody"


def _header(kind: str, person: Person, at: datetime) -> str:
    return f"[{kind}: {shown_name(person)} · {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC]"


def _attached(attachment: Attachment) -> str:
    name = _UNSAFE_IN_NAME.sub(" ", attachment.name).replace('"', "'")[:_NAME_LIMIT]
    return f'[attached: {attachment.id} "{name}" {attachment.media_type} {max(1, attachment.size_bytes // 1024)} kB]'


def _message(role: str, content: str) -> bytes:
    return orjson.dumps({"role": role, "content": content})


def _assistant(turn: AssistantTurn) -> bytes:
    message: dict[str, object] = {"role": "assistant", "content": turn.text}
    if turn.tool_calls:
        message["content"] = turn.text or None
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.tool_calls
        ]
    return orjson.dumps(message)

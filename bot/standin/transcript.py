"""The messages of a request as what happened: who said what, what was called, what came back. Pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.standin.protocol import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage, text_of

_HEADER = re.compile(r"\[(?P<kind>from|colleague): (?P<name>[^\]\n]*?)(?: · [^\]\n]*)?\](?:\n|\Z)")
_NOTE = re.compile(r"\[note\](?:\n|\Z)")
_ATTACHED = re.compile(r'\[attached: (?P<id>\S+) "(?P<name>[^"\n]*)" (?P<type>\S+)[^\]\n]*\]')
_TYPEWRITTEN = str.maketrans("’‘“”„\u00a0", '\'\'""" ')
_ERASED = "(this message was deleted)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Somebody said something.

    Args:
        speaker: the name in the header; empty when there is none.
        files: ids of what was attached.
    """

    speaker: str
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interposed:
    """A human colleague said something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Code did something; `text` is its sentence."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The assistant spoke."""


@dataclass(frozen=True, slots=True)
class Use:
    """A function with its arguments; compared by what is asked, not by how the JSON is written."""

    name: str
    arguments: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, name: str, /, **arguments: str) -> Use:
        """A use with named arguments."""
        return cls(name, tuple(sorted(arguments.items())))

    @property
    def given(self) -> dict[str, str]:
        """The arguments by name."""
        return dict(self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A call came back.

    Args:
        value: what the tool returned; empty after an error.
        error: the error's stable word, if it is one.
        message: the error's sentence.
    """

    use: Use
    value: Any = None
    error: str | None = None
    message: str = ""


Happening = Said | Interposed | Noted | Answered | Returned


def to_happenings(messages: Sequence[Message]) -> Iterator[Happening]:
    """What happened, oldest first. What tools returned is data: it never becomes something that was said."""
    uses: dict[str, Use] = {}
    for message in messages:
        match message:
            case UserMessage():
                yield _to_heard(text_of(message.content))
            case AssistantMessage():
                for call in message.tool_calls or ():
                    uses[call.id] = Use(call.function.name, _to_arguments(call.function.arguments))
                if not message.tool_calls:
                    yield Answered()
            case ToolMessage():
                yield _to_returned(uses[message.tool_call_id], text_of(message.content))
            case SystemMessage():
                pass


def system_text(messages: Sequence[Message]) -> str:
    """All instructions of a request."""
    return "\n\n".join(text_of(message.content) for message in messages if isinstance(message, SystemMessage))


def _to_heard(content: str) -> Said | Interposed | Noted:
    if note := _NOTE.match(content):
        return Noted(text=content[note.end() :].strip())
    header = _HEADER.match(content)
    if header is None:
        return Said(speaker="", text=_plain(content))
    if header["kind"] == "colleague":
        return Interposed()
    lines = content[header.end() :].split("\n")
    files: list[str] = []
    while lines and (attached := _ATTACHED.fullmatch(lines[-1].strip())):
        files.insert(0, attached["id"])
        lines.pop()
    return Said(speaker=header["name"], text=_plain("\n".join(lines)), files=tuple(files))


def _plain(text: str) -> str:
    """Words as they were typed: a deleted message has none, entities and typographic quotes are undone."""
    text = html.unescape(text.strip())
    if text == _ERASED:
        return ""
    return text.translate(_TYPEWRITTEN)


def _to_arguments(text: str) -> tuple[tuple[str, str], ...]:
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return (("", text),)
    if not isinstance(arguments, dict):
        return (("", text),)
    return tuple(
        sorted((key, value if isinstance(value, str) else json.dumps(value)) for key, value in arguments.items())
    )


def _to_returned(use: Use, content: str) -> Returned:
    try:
        value = json.loads(content)
    except ValueError:
        value = content
    if isinstance(value, dict) and isinstance(value.get("error"), str):
        return Returned(use=use, error=value["error"], message=str(value.get("message") or ""))
    return Returned(use=use, value=value)

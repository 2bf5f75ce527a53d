"""Lines of text to events. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.messages import Attachment, Audience, Event, IncomingMessage, Person, StopRequested, ThreadKey

HELP = (
    "Write a message. /attach FILE sends a picture with your next message, /stop ends an answer, exit or quit leaves."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """The person wants to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """A file is to go with the next message."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """The person asks what can be typed, or typed a command that is none."""


def is_leaving(line: str) -> bool:
    """Whether the person wants to go."""
    return line.strip().lower() in ("exit", "quit", "/exit", "/quit")


def parse(
    line: str, *, thread: ThreadKey, person: Person, number: int, at: datetime, attachments: tuple[Attachment, ...] = ()
) -> Event | Leave | Attach | Help | None:
    """What a line means; nothing for an empty one.

    Args:
        number: of the line in this conversation; makes the message's id.
        attachments: go with this message.
    """
    text = line.strip()
    if not text and not attachments:
        return None
    if is_leaving(line):
        return Leave()
    if text.startswith("/attach "):
        return Attach(path=Path(text.removeprefix("/attach ").strip().strip("'\"")).expanduser())
    if text == "/stop":
        return StopRequested(thread=thread, author=person, event_ids=(f"stop-{thread.root}-{number}",), at=at)
    if text.startswith("/"):
        return Help()
    message_id = f"line-{number}"
    return IncomingMessage(
        thread=thread,
        author=person,
        event_ids=(f"{thread.root}-{message_id}",),
        at=at,
        message_id=message_id,
        text=text,
        audience=Audience.DIRECT,
        attachments=attachments,
        opens=True,
    )

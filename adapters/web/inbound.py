"""What a browser sends, as events. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

from adapters.web.settings import CHANNEL, SPACE
from bot.messages import (
    Attachment,
    Audience,
    ButtonPressed,
    CommandGiven,
    FormSubmitted,
    IncomingMessage,
    MessageDeleted,
    MessageEdited,
    Person,
    StopRequested,
    ThreadKey,
    VoteCast,
)

PLATFORM = "web"
NAME_LIMIT = 120

_BOT = re.compile(r"(?<![\w@])@frontdesk\b", re.IGNORECASE)
_COMMAND = re.compile(r"/support(?:\s+|$)", re.IGNORECASE)


def thread_key(root: str) -> ThreadKey:
    """The thread of that id."""
    return ThreadKey(platform=PLATFORM, space=SPACE, channel=CHANNEL, root=root)


def is_id(text: object) -> bool:
    """Whether this is an id as browsers make them: a UUID in its usual spelling, so that one id has one spelling."""
    if not isinstance(text, str) or len(text) != 36:
        return False
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def mentions_bot(text: str) -> bool:
    """Whether the bot is mentioned."""
    return _BOT.search(text) is not None


def mentions_people(text: str, people: Iterable[Person]) -> bool:
    """Whether a person is mentioned by name, in full or by the first part of it."""
    lowered = text.casefold()
    for person in people:
        full = person.display_name.casefold()
        for name in {full, full.split(" ")[0]} - {""}:
            if re.search(rf"(?<![\w@])@{re.escape(name)}\b", lowered):
                return True
    return False


def command_in(text: str) -> str | None:
    """What follows `/support`, if that is how the text begins."""
    match = _COMMAND.match(text.strip())
    return None if match is None else text.strip()[match.end() :]


def parse_name(text: str, default: str = "file") -> str:
    """A file's or person's name on one line, without characters that show nothing or turn the line around."""
    shown = "".join(character if unicodedata.category(character)[0] != "C" else " " for character in text)
    return " ".join(shown.split())[:NAME_LIMIT].strip() or default


def to_attachment(root: str, message: str, index: int, name: str, media_type: str, size_bytes: int) -> Attachment:
    """A file of a message. Its ids follow from the message's, so that a repeated request makes no second file."""
    digest = blake2b(f"{root}/{message}/{index}".encode(), digest_size=16).hexdigest()
    kind = media_type.split(";")[0].strip().lower()
    return Attachment(
        id=f"att-{digest[:6]}",
        name=parse_name(name),
        media_type=kind if re.fullmatch(r"[\w.+-]{1,60}/[\w.+-]{1,60}", kind) else "application/octet-stream",
        size_bytes=size_bytes,
        ref=digest,
    )


def to_message(
    root: str,
    message: str,
    author: Person,
    text: str,
    at: datetime,
    *,
    attachments: Sequence[Attachment],
    people: Iterable[Person],
    audience: Audience,
    opens: bool,
) -> IncomingMessage:
    """Somebody wrote something."""
    others = [person for person in people if person.id != author.id]
    return IncomingMessage(
        thread=thread_key(root),
        author=author,
        event_ids=(f"message:{root}:{message}",),
        at=at,
        message_id=message,
        text=text,
        audience=audience,
        attachments=tuple(attachments),
        opens=opens,
        mentions_bot=mentions_bot(text),
        mentions_people=mentions_people(text, others),
    )


def to_edit(root: str, message: str, author: Person, text: str, at: datetime, nonce: str) -> MessageEdited:
    """Somebody changed what they wrote."""
    return MessageEdited(
        thread=thread_key(root),
        author=author,
        event_ids=(f"edit:{root}:{nonce}",),
        at=at,
        message_id=message,
        text=text,
    )


def to_deletion(root: str, message: str, author: Person, at: datetime) -> MessageDeleted:
    """Somebody took back what they wrote."""
    return MessageDeleted(
        thread=thread_key(root), author=author, event_ids=(f"delete:{root}:{message}",), at=at, message_id=message
    )


def to_stop(root: str, author: Person, at: datetime, nonce: str) -> StopRequested:
    """Somebody pressed stop."""
    return StopRequested(thread=thread_key(root), author=author, event_ids=(f"stop:{root}:{nonce}",), at=at)


def to_command(root: str, author: Person, text: str, at: datetime, nonce: str) -> CommandGiven:
    """A colleague wrote `/support …`."""
    return CommandGiven(
        thread=thread_key(root), author=author, event_ids=(f"command:{root}:{nonce}",), at=at, text=text
    )


def to_button(root: str, author: Person, action: str, value: str, at: datetime, nonce: str) -> ButtonPressed:
    """Somebody pressed a button of a card."""
    return ButtonPressed(
        thread=thread_key(root),
        author=author,
        event_ids=(f"button:{root}:{nonce}",),
        at=at,
        action=action,
        value=value,
    )


def to_vote(root: str, author: Person, turn: int, value: int, at: datetime, nonce: str, comment: str = "") -> VoteCast:
    """Somebody judged an answer, perhaps in words."""
    return VoteCast(
        thread=thread_key(root),
        author=author,
        event_ids=(f"vote:{root}:{nonce}",),
        at=at,
        turn=turn,
        value=value,
        comment=comment,
    )


def to_form(
    root: str, author: Person, form: str, fields: dict[str, str], at: datetime, nonce: str, audience: Audience
) -> FormSubmitted:
    """A private form came back."""
    return FormSubmitted(
        thread=thread_key(root),
        author=author,
        event_ids=(f"form:{root}:{nonce}",),
        at=at,
        form_id=form,
        audience=audience,
        fields=fields,
    )

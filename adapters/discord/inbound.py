"""What Discord sends, as values of ours. Pure: JSON objects as the API documents them go in, events come out.

The same functions read live events, what is replayed after a RESUME, and what is read again after an outage, so that
one message is one event wherever it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

from adapters.discord.places import Place, Self
from bot.messages import (
    Attachment,
    IncomingMessage,
    MessageDeleted,
    MessageEdited,
    Person,
    ThreadKey,
)

Json = dict[str, Any]

PLATFORM = "discord"
DIRECT = "dm"
"""The space of direct messages."""

QUOTE_LIMIT_CHARS = 500
NAME_LIMIT_CHARS = 120

_DEFAULT, _REPLY = 0, 19
_FORWARD = 1
_EPOCH_MS = 1_420_070_400_000
_MARKS = re.compile(
    r"<(?:@!?(?P<user>\d+)|@&(?P<role>\d+)|#(?P<channel>\d+)|a?:(?P<emoji>\w+):\d+|t:(?P<time>-?\d+)(?::\w)?)>"
)
_SLASH = re.compile(r"</(?P<name>[^:<>]+):\d+>")
_BARE_LINK = re.compile(r"<(https?://[^\s<>]+)>")


def to_key(place: Place, root: str, known: ThreadKey | None = None) -> ThreadKey:
    """The conversation that something in this place belongs to.

    Args:
        root: the message or interaction itself; it begins a conversation where none is going on.
        known: what the thread was found to be, if it is one of ours.
    """
    if known is not None:
        return known
    if not place.guild:
        return ThreadKey(platform=PLATFORM, space=DIRECT, channel=place.id, root=place.id)
    if place.kind.is_thread:
        return ThreadKey(platform=PLATFORM, space=place.guild, channel=place.parent, root=place.id)
    return ThreadKey(platform=PLATFORM, space=place.guild, channel=place.id, root=root)


def is_human_message(message: Json, me: str) -> bool:
    """Whether a person wrote this: no bot, no webhook, no system message, not ourselves."""
    author = message["author"]
    return (
        int(message.get("type", 0)) in (_DEFAULT, _REPLY)
        and not author.get("bot")
        and not author.get("system")
        and not message.get("webhook_id")
        and str(author["id"]) != me
    )


def to_message(message: Json, place: Place, key: ThreadKey, author: Person, me: Self) -> IncomingMessage:
    """Somebody wrote something."""
    quoted = _quoted(message, me)
    others = [user for user in message.get("mentions", ()) if not user.get("bot") and str(user["id"]) != author.id]
    referenced = _referenced(message)
    by_us = referenced is not None and str(referenced["author"]["id"]) == me.id
    by_person = (
        referenced is not None and not referenced["author"].get("bot") and str(referenced["author"]["id"]) != author.id
    )
    text = plain(message.get("content", ""), message, me)
    return IncomingMessage(
        thread=key,
        author=author,
        event_ids=(f"{PLATFORM}:{message['id']}",),
        at=moment(str(message["id"])),
        message_id=str(message["id"]),
        text="\n".join(part for part in (quoted, text) if part),
        audience=place.audience,
        attachments=to_attachments(message),
        opens=not place.guild,
        mentions_bot=by_us or is_mentioned(message, me),
        mentions_people=bool(others) or by_person,
    )


def is_mentioned(message: Json, me: Self) -> bool:
    """Whether the bot is mentioned, by its name or by the role that is its own."""
    if any(str(user["id"]) == me.id for user in message.get("mentions", ())):
        return True
    return not me.roles.isdisjoint(str(role) for role in message.get("mention_roles", ()))


def to_edit(message: Json, key: ThreadKey, author: Person, me: Self) -> MessageEdited | None:
    """A message has another text; nothing when the event is about something else, such as a preview.

    Where messages without a mention are hidden from the bot, one whose mention was taken out comes with neither text
    nor files: what it reads is not known, and what it read is kept.
    """
    edited = message.get("edited_timestamp")
    if not edited or not (message.get("content") or ("content" in message and any(files_of(message)))):
        return None
    quoted = _quoted(message, me)
    text = plain(message["content"], message, me)
    return MessageEdited(
        thread=key,
        author=author,
        event_ids=(f"{PLATFORM}:{message['id']}:{edited}",),
        at=datetime.fromisoformat(edited).astimezone(UTC),
        message_id=str(message["id"]),
        text="\n".join(part for part in (quoted, text) if part),
    )


def to_deletion(message_id: str, key: ThreadKey, at: datetime) -> MessageDeleted:
    """A message is gone; Discord does not tell who took it away."""
    return MessageDeleted(
        thread=key,
        author=Person(id="", display_name=""),
        event_ids=(f"{PLATFORM}:{message_id}:deleted",),
        at=at,
        message_id=message_id,
    )


def plain(text: str, message: Json, me: Self) -> str:
    """A text with Discord's markup undone: names instead of ids; the bot's own mention is left out."""
    names = {str(user["id"]): _name(user) for user in message.get("mentions", ())}
    channels = {str(channel["id"]): str(channel["name"]) for channel in message.get("mention_channels", ())}

    def replaced(match: re.Match[str]) -> str:
        if user := match["user"]:
            return "" if user == me.id else f"@{names.get(user, user)}"
        if role := match["role"]:
            return "" if role in me.roles else f"@{role}"
        if channel := match["channel"]:
            return f"#{channels.get(channel, channel)}"
        if match["time"]:
            return _time(match["time"])
        return f":{match['emoji']}:"

    text = _BARE_LINK.sub(r"\1", _SLASH.sub(r"/\g<name>", _MARKS.sub(replaced, text)))
    return re.sub(r"[ \t]{2,}", " ", text).strip() if _MARKS.search(message.get("content", "")) else text.strip()


def to_command_text(text: str) -> str:
    """What follows `/support`: people are written `@ID`; a name that is no mention is nobody."""
    return re.sub(r"^(\S+\s+)@(?!\d+$)(\S+)$", r"\1\2", re.sub(r"<@!?(\d+)>", r"@\1", text).strip())


def to_attachments(message: Json) -> tuple[Attachment, ...]:
    """The files of a message and of what it forwards."""
    return tuple(
        to_attachment(file, channel=str(message["channel_id"]), message=str(message["id"]))
        for file in files_of(message)
    )


def files_of(message: Json) -> Iterator[Json]:
    """The files of a message and of what it forwards, as the API describes them."""
    yield from message.get("attachments", ())
    for snapshot in message.get("message_snapshots", ()):
        yield from snapshot.get("message", {}).get("attachments", ())


def to_attachment(file: Json, *, channel: str, message: str) -> Attachment:
    """A file that Discord keeps: its reference names the message, which gives a fresh address when this one is over."""
    ref = {"channel": channel, "message": message, "file": str(file["id"]), "url": str(file["url"])}
    return Attachment(
        id=_file_id(str(file["id"])),
        name=str(file.get("filename") or "file")[:NAME_LIMIT_CHARS],
        media_type=_media_type(file),
        size_bytes=int(file.get("size") or 0),
        ref=orjson.dumps(ref).decode(),
    )


def to_kept_attachment(file: Json, *, tenant: str, upload: str) -> Attachment:
    """A file of a form or a command, which is kept with us: Discord serves it to nobody for long."""
    return Attachment(
        id=_file_id(str(file["id"])),
        name=str(file.get("filename") or "file")[:NAME_LIMIT_CHARS],
        media_type=_media_type(file),
        size_bytes=int(file.get("size") or 0),
        ref=orjson.dumps({"tenant": tenant, "upload": upload}).decode(),
    )


def moment(snowflake: str) -> datetime:
    """When an id was made."""
    return datetime.fromtimestamp(((int(snowflake) >> 22) + _EPOCH_MS) / 1000, UTC)


def _referenced(message: Json) -> Json | None:
    if int(message.get("type", 0)) != _REPLY:
        return None
    referenced = message.get("referenced_message")
    return referenced if isinstance(referenced, dict) else None


def replied_to(message: Json, me: str) -> str:
    """The message of ours that a message replies to, if it does."""
    referenced = _referenced(message)
    return str(referenced["id"]) if referenced is not None and str(referenced["author"]["id"]) == me else ""


def _quoted(message: Json, me: Self) -> str:
    """What a message brings along: the text that it forwards, or the one of another person that it replies to."""
    parts = []
    for snapshot in message.get("message_snapshots", ()):
        inner = snapshot.get("message", {})
        if text := plain(str(inner.get("content") or ""), inner, me):
            parts.append(f"Forwarded message:\n{_quote(text)}")
    referenced = _referenced(message)
    is_quoted = referenced is not None and str(referenced["author"]["id"]) != me.id
    if referenced is not None and is_quoted and (text := plain(str(referenced.get("content") or ""), referenced, me)):
        parts.append(f"In reply to {_name(referenced['author'])}:\n{_quote(text)}")
    return "\n".join(parts)


def _quote(text: str) -> str:
    shown = text if len(text) <= QUOTE_LIMIT_CHARS else f"{text[:QUOTE_LIMIT_CHARS]}…"
    return "\n".join(f"> {line}" for line in shown.split("\n"))


def _name(user: Json) -> str:
    member = user.get("member") or {}
    return str(member.get("nick") or user.get("global_name") or user.get("username") or user["id"])


def _time(seconds: str) -> str:
    try:
        return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d %H:%M UTC}"
    except (ValueError, OverflowError, OSError):
        return seconds


def _file_id(snowflake: str) -> str:
    return f"att-{blake2b(snowflake.encode(), digest_size=3).hexdigest()}"


def _media_type(file: Json) -> str:
    kind = str(file.get("content_type") or "").split(";")[0].strip().lower()
    return kind if re.fullmatch(r"[\w.+-]{1,60}/[\w.+-]{1,60}", kind) else "application/octet-stream"

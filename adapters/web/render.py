"""What the page shows, as items: JSON objects with an id, the later one of an id standing for it. Pure.

| kind    | id                | holds |
|---------|-------------------|-------|
| message | `message:<id>`    | author, at, text, attachments, edited, deleted, secrets, hint |
| answer  | `answer:<turn>`   | turn, at, text (Markdown) |
| tool    | `tool:<call id>`  | turn, call, name, arguments, state (running, finished), result, is_error, duration_ms |
| form    | `form:<form id>`  | title, fields [{name, label, secret}], state (offered, done), error |
| notice  | `notice:<id>`     | text (Markdown), attachments, at |
| card    | `card:<id>`       | title, text (Markdown both), buttons, at |

Every item may say `to`: the ids of the people who see it (`@staff`: whoever works here); without it everybody does.
`pending` keeps a place for what comes and never replaces anything; `gone` takes an item away; `last` moves it to the
end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from bot.conversation import ToolCall, ToolTurn
from bot.messages import Attachment, Person
from bot.ports import Card, Form

Item = dict[str, Any]

STAFF = "@staff"
NOT_ADDRESSED = "not_addressed"
TITLE_LIMIT = 80


def message_id(message: str) -> str:
    """The item of a message."""
    return f"message:{message}"


def answer_id(turn: int) -> str:
    """The item of a turn's answer: one per turn, whoever writes it and however often."""
    return f"answer:{turn}"


def place_for_message(message: str, author: Person, at: datetime) -> Item:
    """Keeps the place of a message before it is handed in, so that no answer can come to stand above it."""
    return {"id": message_id(message), "kind": "message", "pending": True, "author": to_author(author), "at": _at(at)}


def render_message(
    message: str,
    author: Person,
    at: datetime,
    text: str,
    *,
    attachments: Sequence[Attachment] = (),
    secrets: int = 0,
    hint: str = "",
) -> Item:
    """A message as it may be shown: `text` has its secrets masked already."""
    item: Item = {
        "id": message_id(message),
        "kind": "message",
        "author": to_author(author),
        "at": _at(at),
        "text": clean(text),
    }
    if attachments:
        item["attachments"] = [to_file(attachment) for attachment in attachments]
    if secrets:
        item["secrets"] = secrets
    if hint:
        item["hint"] = hint
    return item


def edited(item: Item, text: str, secrets: int) -> Item:
    """The same message with another text."""
    return {**item, "text": clean(text), "edited": True, "secrets": secrets}


def deleted(item: Item) -> Item:
    """What remains of a message that its author took back: that there was one."""
    kept: Item = {key: value for key, value in item.items() if key in ("id", "kind", "author", "at")}
    return {**kept, "text": "", "deleted": True}


def place_for_answer(turn: int) -> Item:
    """Keeps the place of an answer from its first visible word on."""
    return {"id": answer_id(turn), "kind": "answer", "turn": turn, "pending": True, "at": _at(datetime.now(UTC))}


def render_answer(turn: int, text: str) -> Item:
    """The committed answer; a turn without words leaves nothing."""
    if not text:
        return {"id": answer_id(turn), "kind": "answer", "turn": turn, "gone": True}
    return {"id": answer_id(turn), "kind": "answer", "turn": turn, "at": _at(datetime.now(UTC)), "text": clean(text)}


def render_call(call: ToolCall, turn: int, addressee: str) -> Item:
    """A call that is running; others in the thread see the answer, not what it was made of."""
    return {
        "id": f"tool:{call.id}",
        "kind": "tool",
        "turn": turn,
        "call": call.id,
        "name": clean(call.name),
        "arguments": to_json(call.arguments),
        "state": "running",
        "to": [addressee, STAFF],
    }


def render_result(call: ToolCall, result: ToolTurn, turn: int, addressee: str) -> Item:
    """A call that came back."""
    return {
        **render_call(call, turn, addressee),
        "state": "finished",
        "result": to_json(result.content),
        "is_error": result.is_error,
        "duration_ms": result.duration_ms,
    }


def render_form(form: Form, person: Person) -> Item:
    """A form for one person; offered again, it stands at the end of the conversation again."""
    fields = [
        {"name": name, "label": label, "secret": name in form.secret_fields} for name, label in form.fields.items()
    ]
    return {
        "id": f"form:{form.id}",
        "kind": "form",
        "form": form.id,
        "title": form.title,
        "fields": fields,
        "state": "offered",
        "last": True,
        "to": [person.id],
    }


def render_notice(notice: str, text: str, people: Sequence[str] = (), attachments: Sequence[Attachment] = ()) -> Item:
    """Something that code says, to some people or to all, perhaps with files."""
    item: Item = {"id": f"notice:{notice}", "kind": "notice", "text": clean(text), "at": _at(datetime.now(UTC))}
    if attachments:
        item["attachments"] = [to_file(attachment) for attachment in attachments]
    return {**item, "to": list(people)} if people else item


def render_card(card: Card) -> Item:
    """A card for those who work here; a later one with its key takes its place."""
    return {
        "id": f"card:{card.key}",
        "kind": "card",
        "title": clean(card.title),
        "text": clean(card.text),
        "buttons": [{"action": action, "label": label} for action, label in card.buttons.items()],
        "at": _at(datetime.now(UTC)),
        "to": [STAFF],
    }


def folded(items: Iterable[Item]) -> dict[str, Item]:
    """The view: what a reader of the whole log sees, in order of first appearance."""
    view: dict[str, Item] = {}
    for item in items:
        if item.get("pending") and item["id"] in view:
            continue
        if item.get("last"):
            view.pop(item["id"], None)
        view[item["id"]] = item
    return view


def is_visible(item: Item, viewer: Person) -> bool:
    """Whether this person may see an item."""
    people = item.get("to")
    return people is None or viewer.id in people or (viewer.is_staff and STAFF in people)


def to_author(person: Person) -> dict[str, Any]:
    """A person as others see them."""
    return {
        "id": person.id,
        "name": clean(person.display_name),
        "organisation": clean(person.organisation),
        "is_staff": person.is_staff,
    }


def to_file(attachment: Attachment) -> dict[str, Any]:
    """A file that was attached; `upload` is where its bytes are."""
    return {
        "id": attachment.id,
        "name": clean(attachment.name),
        "media_type": attachment.media_type,
        "size_bytes": attachment.size_bytes,
        "upload": attachment.ref,
    }


def to_json(text: str) -> Any:
    """The value that a JSON text holds, or the text itself when it holds none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return clean(text)


def clean(text: str) -> str:
    """The same text with lone surrogates, which no JSON can hold, made visible as replacement characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def title_of(text: str) -> str:
    """What a thread is called: its first words."""
    words = " ".join(text.split()) or "A file"
    return words if len(words) <= TITLE_LIMIT else f"{words[: TITLE_LIMIT - 1].rstrip()}…"


def _at(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""What is posted, as JSON bodies of the API. Pure.

Nothing that is posted can mention anybody but the person it is for. Answers with links carry the flag that keeps
Discord from fetching a preview.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

from markdown_it import MarkdownIt

from bot.markdown import split
from bot.messages import ThreadKey
from bot.ports import Card, File, Form

Json = dict[str, Any]

CONTENT_LIMIT_CHARS = 2_000
PARTS_LIMIT = 5
"""A longer answer ends in a file: nobody reads thirty messages."""

TITLE_LIMIT_CHARS = 80
PLAIN_TITLE = "Support"
"""What a thread is called whose question gives no name, or none that a filter of the server lets stand."""

FILE_NAME = "answer.md"
_REST = "The rest of this answer is in the file."

HELD_BACK = "This server's filters held back what I wrote. Please write to me in a direct message, or tell a moderator."
"""What stands in the place of words that a filter of the server lets not stand."""

MILD_TITLE = "A conversation needs you"
MILD_CARD = (
    "This server's filters held back what this card says: open the conversation. So that it does not happen again "
    "exempt the bot's role in Server Settings, AutoMod."
)

MARK = "fd1"
"""What every custom id of ours begins with; the number is the layout's."""

SUPPRESS_EMBEDS, EPHEMERAL = 1 << 2, 1 << 6
_ROW, _BUTTON = 1, 2
_PRIMARY, _SECONDARY, _SUCCESS, _DANGER, _LINK = 1, 2, 3, 4, 5
_ACCENT = 0x5865F2
_EMBED_LIMIT_CHARS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message of an answer."""

    content: str
    file: File | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What a custom id of ours says: what was pressed, and what it was bound to when it was shown."""

    what: str
    values: tuple[str, ...]


def nonce(*names: object) -> str:
    """The name of a post: Discord gives back the first message that was posted with it, for some minutes.

    At most 25 characters, the same in every process.
    """
    return blake2b("/".join(map(str, names)).encode(), digest_size=12).hexdigest()


def to_parts(text: str) -> list[Part]:
    """An answer as messages: cut by its structure, tables as code, and what is too much for reading as a file."""
    contents = split(tables_as_code(text), CONTENT_LIMIT_CHARS)
    if len(contents) <= PARTS_LIMIT:
        return [Part(content=content) for content in contents]
    file = File(name=FILE_NAME, media_type="text/markdown", data=text.encode("utf-8", "replace"))
    return [*(Part(content=content) for content in contents[: PARTS_LIMIT - 1]), Part(content=_REST, file=file)]


def render_part(part: Part, *, addressee: str = "", components: Sequence[Json] = ()) -> Json:
    """The body of a message of an answer."""
    body = render_text(part.content, addressee=addressee)
    body["components"] = list(components)
    if part.file is not None:
        body["attachments"] = [{"id": 0, "filename": part.file.name}]
    return body


def render_text(content: str, *, addressee: str = "") -> Json:
    """The body of a message that can mention the addressee and nobody else."""
    body: Json = {"content": content, "allowed_mentions": allowed(addressee)}
    if "://" in content:
        body["flags"] = SUPPRESS_EMBEDS
    return body


def allowed(addressee: str = "") -> Json:
    """Who may be mentioned: the person addressed, nobody else, and not by a reply."""
    return {"parse": [], "users": [addressee] if addressee else [], "replied_user": False}


def render_answer_buttons(thread: ThreadKey, turn: int, addressee: str, *, public: bool) -> list[Json]:
    """What stands under an answer. Each button is bound to its conversation, turn and person."""
    bound = (thread.channel, thread.root, str(turn), addressee)
    buttons = [
        _button(_SECONDARY, custom_id("up", *bound), emoji="👍"),
        _button(_SECONDARY, custom_id("down", *bound), emoji="👎"),
        _button(_SECONDARY, custom_id("human", *bound), label="Talk to a human"),
    ]
    if public:
        buttons.append(_button(_SECONDARY, custom_id("private", *bound), label="Continue privately"))
    return [{"type": _ROW, "components": buttons}]


def render_stop_button(thread: ThreadKey, turn: int, addressee: str) -> list[Json]:
    """What stands under an answer while it is being written; it also tells whose answer a message is."""
    stop = _button(_SECONDARY, custom_id("stop", thread.channel, thread.root, str(turn), addressee), label="Stop")
    return [{"type": _ROW, "components": [stop]}]


def render_offer(form: Form, person: str) -> Json:
    """A message with the way to a form; who may open it is checked when it is pressed."""
    body = render_text(f"<@{person}> {form.title}: what you type there is seen by nobody else.", addressee=person)
    button = _button(_PRIMARY, custom_id("form", form.id), label=form.title[:80])
    return {**body, "components": [{"type": _ROW, "components": [button]}]}


def render_mild_offer(form: Form, person: str) -> Json:
    """The same way with no words that a filter could take."""
    button = _button(_PRIMARY, custom_id("form", form.id), label="Open")
    return {**render_text(f"<@{person}>", addressee=person), "components": [{"type": _ROW, "components": [button]}]}


def render_card(card: Card, digest: str, link: str) -> Json:
    """A card for the team, as an embed with its buttons."""
    embed = {
        "title": card.title[:256],
        "description": clipped(card.text, _EMBED_LIMIT_CHARS),
        "color": _ACCENT,
    }
    buttons = [
        _button(_PRIMARY if not index else _SECONDARY, custom_id("card", digest, action), label=label[:80])
        for index, (action, label) in enumerate(list(card.buttons.items())[:24])
    ]
    if link:
        buttons.append({"type": _BUTTON, "style": _LINK, "label": "Open the conversation", "url": link})
    rows = [{"type": _ROW, "components": buttons[start : start + 5]} for start in range(0, len(buttons), 5)]
    return {"content": "", "embeds": [embed], "components": rows, "allowed_mentions": allowed()}


def custom_id(what: str, *values: str) -> str:
    """The id of a button or form: at most 100 characters, each value without a bar."""
    return "|".join((MARK, what, *values))


def parse_custom_id(text: str) -> Pressed | None:
    """Undo `custom_id`; nothing when it is not ours."""
    mark, *rest = text.split("|")
    if mark != MARK or not rest:
        return None
    return Pressed(what=rest[0], values=tuple(rest[1:]))


def is_of_turn(message: Json, thread: ThreadKey, turn: int) -> bool:
    """Whether a message of ours carries the buttons of this turn."""
    for id in custom_ids(message.get("components", ())):
        pressed = parse_custom_id(id)
        if pressed is not None and pressed.values[:3] == (thread.channel, thread.root, str(turn)):
            return True
    return False


def reads(message: Json, body: Json) -> bool:
    """Whether a message says what a body asks for and offers the same under it."""
    same_text = str(message.get("content", "")).strip() == body["content"].strip()
    same_buttons = [*custom_ids(message.get("components", ()))] == [*custom_ids(body.get("components", ()))]
    return same_text and same_buttons and len(message.get("attachments", ())) == len(body.get("attachments", ()))


def custom_ids(components: Iterable[Json]) -> Iterable[str]:
    """All custom ids in a tree of components."""
    for component in components:
        if "custom_id" in component:
            yield str(component["custom_id"])
        yield from custom_ids(component.get("components", ()))


def link_to(guild: str, channel: str) -> str:
    """Where people who may see a channel open it."""
    return f"https://discord.com/channels/{guild or '@me'}/{channel}"


def title_of(text: str) -> str:
    """What a thread is called: the first words of the question, with nothing in it that means something to Discord."""
    words = " ".join(re.sub(r"<[^<>]*>|https?://\S+|[@#<>`*_~|\[\]\\]", " ", text).split())
    return clipped(words, TITLE_LIMIT_CHARS) or PLAIN_TITLE


def clipped(text: str, limit_chars: int) -> str:
    """A text that is at most so long."""
    return text if len(text) <= limit_chars else f"{text[: limit_chars - 1].rstrip()}…"


def tables_as_code(text: str) -> str:
    """Tables in columns of equal width, as code: Discord shows none."""
    if "|" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    tables = [token.map for token in _parser().parse(text) if token.type == "table_open" and token.level == 0]
    for where in reversed(tables):
        if where is not None:
            start, end = where
            lines[start:end] = ["```", *_columns(lines[start:end]), "```"]
    return "\n".join(lines)


def _columns(rows: Sequence[str]) -> list[str]:
    cells = [[cell.strip().replace("\\|", "|") for cell in _cells(row)] for row in rows]
    header, body = cells[0], cells[2:]
    shown = [[*row[: len(header)], *[""] * (len(header) - len(row))] for row in (header, *body)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(header))]
    rule = "  ".join("-" * width for width in widths)
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    return [texts[0], rule, *(text.replace("```", "'''") for text in texts[1:])]


def _cells(row: str) -> list[str]:
    return re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|"))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _button(style: int, id: str, *, label: str = "", emoji: str = "") -> Json:
    button: Json = {"type": _BUTTON, "style": style, "custom_id": id}
    if label:
        button["label"] = label
    if emoji:
        button["emoji"] = {"name": emoji}
    return button

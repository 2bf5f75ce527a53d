"""Our messages as Slack's blocks. Pure.

Text is standard Markdown in `markdown` blocks; nothing is converted. `text` beside blocks is what a notification shows.
Sources: https://docs.slack.dev/reference/block-kit/blocks/markdown-block and, for what the API really takes, public
issues: text of `chat.update` 4,000 characters, a markdown block 12,000, all text of a message about 13,000.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.slack.tables import pieces, to_block, to_code
from bot.messages import ThreadKey
from bot.ports import Card, Form

Block = dict[str, Any]

PART_CHARS = 11_000
"""The longest text of one message."""

NOTICE_CHARS = 3_000
"""The longest text of a notification."""

SECTION_CHARS = 2_900

HUMAN = "human"
VOTE = "vote"
WHY = "vote_why"
CARD = "card:"
FORM = "form"
SUPPORT = "support_actions"

EVENT_TYPE = "frontdesk_turn"
SAID_TYPE = "frontdesk_said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A message of ours.

    Args:
        text: for notifications.
        metadata: by which we know it again.
    """

    text: str
    blocks: Sequence[Block]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """As arguments of `chat.postMessage` and `chat.update`."""
        return {
            "text": self.text,
            "blocks": list(self.blocks),
            "metadata": dict(self.metadata) or None,
            "unfurl_links": False,
            "unfurl_media": False,
            "link_names": False,
        }


def turn_metadata(thread: ThreadKey, turn: int, part: str) -> dict[str, Any]:
    """Says which part of which turn a message is."""
    return {"event_type": EVENT_TYPE, "event_payload": {"thread": str(thread), "turn": turn, "part": part}}


def said_metadata(key: str) -> dict[str, Any]:
    """Says which message of ours this is."""
    return {"event_type": SAID_TYPE, "event_payload": {"key": key}}


def render_part(text: str, metadata: Mapping[str, Any], closing: Sequence[Block] = ()) -> Post:
    """A part of an answer; the last one ends with `closing`."""
    return Post(text=notice(text), blocks=[*body(text), *closing], metadata=metadata)


def render_simple(text: str, metadata: Mapping[str, Any]) -> Post:
    """The same text as nothing but Markdown."""
    return Post(text=notice(text), blocks=[{"type": "markdown", "text": text}], metadata=metadata)


def render_plain(text: str, metadata: Mapping[str, Any]) -> Post:
    """The same text in the plainest blocks there are, for a place that takes no others."""
    pieces = [text[at : at + SECTION_CHARS] for at in range(0, len(text), SECTION_CHARS)][:40]
    blocks: list[Block] = [{"type": "section", "text": {"type": "plain_text", "text": piece}} for piece in pieces]
    return Post(text=notice(text), blocks=blocks, metadata=metadata)


def body(text: str) -> list[Block]:
    """Markdown as blocks: the first table as Slack's own, every further one as code."""
    blocks: list[Block] = []
    table = False
    for piece in pieces(text) if text else ():
        made = None if table or isinstance(piece, str) else to_block(piece)
        if made is not None:
            blocks.append(made)
            table = True
            continue
        words = piece if isinstance(piece, str) else to_code(piece)
        if blocks and blocks[-1]["type"] == "markdown":
            blocks[-1]["text"] += f"\n\n{words}"
        else:
            blocks.append({"type": "markdown", "text": words})
    return blocks


def closing(thread: ThreadKey, turn: int) -> list[Block]:
    """What stands under an answer: thumbs, and the way to a human."""
    value = f"{thread} {turn}"

    def thumb(label: str, sign: str) -> Block:
        text = {"type": "plain_text", "text": label}
        return {"text": text, "accessibility_label": label, "value": f"{sign} {value}"}

    feedback = {
        "type": "feedback_buttons",
        "action_id": VOTE,
        "positive_button": thumb("Good answer", "+1"),
        "negative_button": thumb("Bad answer", "-1"),
    }
    return [
        {"type": "context_actions", "elements": [feedback]},
        {"type": "actions", "elements": [_button(HUMAN, "Talk to a human", str(thread))]},
    ]


def render_said(text: str, key: str) -> Post:
    """A message of the desk's own."""
    return Post(text=notice(text), blocks=body(text[:PART_CHARS]), metadata=said_metadata(key))


def render_card(card: Card, link: str) -> Post:
    """A card for the team; a header knows no markup."""
    title = unmarked(card.title)
    blocks: list[Block] = [{"type": "header", "text": {"type": "plain_text", "text": title[:150] or "Frontdesk"}}]
    blocks += body(card.text[:PART_CHARS])
    if link:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{link}|Open the conversation>"}]})
    if card.buttons:
        buttons = [_button(f"{CARD}{action}", label, str(card.thread)) for action, label in card.buttons.items()]
        blocks.append({"type": "actions", "elements": buttons[:25]})
    return Post(text=notice(f"{card.title}\n\n{card.text}"), blocks=blocks, metadata=said_metadata(card.key))


def render_offer(form: Form, thread: ThreadKey, person: str, key: str) -> Post:
    """The button behind which a private form is; it serves one person."""
    text = f"<@{person}> {form.title}. The form is private: what you type is seen by nobody here."
    blocks = render_again(text, form, thread)
    return Post(text=notice(form.title), blocks=blocks, metadata=said_metadata(key))


def render_again(text: str, form: Form, thread: ThreadKey) -> list[Block]:
    """Words, and the button of a private form under them."""
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": text}},
        {"type": "actions", "elements": [_button(FORM, form.title, f"{form.id} {thread}", style="primary")]},
    ]


def render_offer_done(title: str, person: str, key: str) -> Post:
    """What stands in the place of the button when the form has come back."""
    text = f"<@{person}> {title}: done."
    blocks: list[Block] = [{"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}]
    return Post(text=notice(title), blocks=blocks, metadata=said_metadata(key))


def form_view(
    form_id: str, thread: str, title: str, fields: Mapping[str, str], secret_fields: Sequence[str], wrong: str = ""
) -> dict[str, Any]:
    """The modal of a form; `callback_id` and the hidden text say what comes back.

    Slack has no field that hides what is typed, so a secret one says who reads it.
    """
    blocks: list[Block] = []
    if wrong:
        blocks.append({"type": "section", "text": {"type": "plain_text", "text": wrong[:SECTION_CHARS]}})
    for name, label in fields.items():
        block: Block = {
            "type": "input",
            "block_id": name,
            "label": {"type": "plain_text", "text": label[:2000]},
            "element": {"type": "plain_text_input", "action_id": name, "max_length": 500},
        }
        if name in secret_fields:
            hint = "Read by the check alone: it is not shown, not kept and not given to the language model."
            block["hint"] = {"type": "plain_text", "text": hint}
        blocks.append(block)
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": f"{form_id} {thread}",
        "title": {"type": "plain_text", "text": title[:24]},
        "submit": {"type": "plain_text", "text": "Send"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": blocks,
    }


def text_view(title: str, text: str) -> dict[str, Any]:
    """A modal that says something."""
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": title[:24]},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": text[:SECTION_CHARS]}}],
    }


def why_view(vote: str) -> dict[str, Any]:
    """The modal in which somebody may say what was wrong with an answer; the hidden text is their vote."""
    return {
        "type": "modal",
        "callback_id": WHY,
        "private_metadata": vote,
        "title": {"type": "plain_text", "text": "What was wrong?"},
        "submit": {"type": "plain_text", "text": "Send"},
        "close": {"type": "plain_text", "text": "Not now"},
        "blocks": [
            {
                "type": "input",
                "block_id": "comment",
                "optional": True,
                "label": {"type": "plain_text", "text": "Your vote counts already. What should be better?"},
                "element": {
                    "type": "plain_text_input",
                    "action_id": "comment",
                    "multiline": True,
                    "max_length": 1000,
                },
            }
        ],
    }


def support_view(thread: ThreadKey, actions: Mapping[str, str]) -> dict[str, Any]:
    """The modal in which a colleague chooses what to do with a conversation."""
    options = [
        {
            "text": {"type": "plain_text", "text": name[:75]},
            "description": {"type": "plain_text", "text": help_[:75]},
            "value": name[:75],
        }
        for name, help_ in actions.items()
    ]
    return {
        "type": "modal",
        "callback_id": SUPPORT,
        "private_metadata": str(thread),
        "title": {"type": "plain_text", "text": "Support actions"},
        "submit": {"type": "plain_text", "text": "Do it"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {
                "type": "input",
                "block_id": "action",
                "label": {"type": "plain_text", "text": "Action"},
                "element": {"type": "static_select", "action_id": "action", "options": options[:100]},
            },
            {
                "type": "input",
                "block_id": "text",
                "optional": True,
                "label": {"type": "plain_text", "text": "More words, if the action takes any"},
                "element": {"type": "plain_text_input", "action_id": "text", "max_length": 500},
            },
        ],
    }


def notice(text: str) -> str:
    """What a notification shows: the text without markup, cut short, with nothing that Slack would bring to life."""
    plain = unmarked(text)[:NOTICE_CHARS]
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:NOTICE_CHARS] or "…"


def unmarked(text: str) -> str:
    """Markdown as words on one line: emphasis and fences are gone, an escaped sign is that sign."""
    linked = re.sub(r"(?<!\\)\[([^\[\]]*)\]\(([^()]*)\)", r"\1", text)
    return " ".join(_MARKUP.sub(lambda found: found["sign"] or "", linked).split())


_MARKUP = re.compile(
    r"\\(?P<sign>[!-/:-@\[-`{-~])"
    r"|```\w*\n?|`|~~|^\#{1,6}\s|^>\s?|^[-|: \t]+$"
    r"|(?<![\w*])[*_]++(?=\S)|(?<=[^\s*_])[*_]++(?!\w)",
    re.MULTILINE,
)
"""Underscores and stars within a word are its own: `john_doe`. A run of signs is looked at once, however long it is."""


def _button(action: str, label: str, value: str, *, style: str | None = None) -> Block:
    button: Block = {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": label[:75]},
        "value": value,
    }
    return {**button, "style": style} if style else button


def status_of(tool: str) -> str:
    """What a tool's run is called while it lasts."""
    return _STATUS.get(tool, "is looking that up…")


_STATUS = {
    "get_order_status": "is looking up the order…",
    "create_customer_ticket": "is opening a ticket…",
    "get_ticket_status": "is looking up the ticket…",
    "verify_user": "is checking who you are…",
    "analyze_receipt_image": "is reading the receipt…",
    "hand_over_to_human": "is calling a colleague…",
}

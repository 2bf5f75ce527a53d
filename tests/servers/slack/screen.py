"""What people see of a message, and what Slack refuses to show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TEXT_LIMIT, UPDATED_TEXT_LIMIT, SECTION_LIMIT = 40_000, 4_000, 3_000
MARKDOWN_LIMIT, WHOLE_LIMIT, BLOCKS_LIMIT = 12_000, 13_000, 50
ELEMENTS = {"actions": 25, "context": 10, "context_actions": 5}
KINDS = frozenset(
    {
        "actions", "alert", "card", "carousel", "container", "context", "context_actions", "divider", "file", "header",
        "image", "input", "markdown", "plan", "rich_text", "section", "table", "data_table", "task_card", "video",
    }
)  # fmt: skip


class Refusal(Exception):
    """An error as Slack writes it; `error` is its word, `details` what `response_metadata.messages` says."""

    def __init__(self, error: str, *details: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.details = details
        self.more = more


# ------------------------------------------------------------------------------------------------------ what is seen


def shown(text: str, blocks: Sequence[Mapping[str, Any]], said: str) -> str:
    """Streamed text, then the blocks; without either the plain text. What is pressed and not read is left out."""
    parts = [unescaped(said), *(part for block in blocks for part in _words(block))]
    read = "\n".join(part for part in parts if part)
    return read or text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def unescaped(markdown: str) -> str:
    """Markdown's backslashes stand for the sign after them."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def _words(block: Mapping[str, Any]) -> Iterator[str]:
    match block.get("type"):
        case "markdown":
            yield unescaped(str(block["text"]))
        case "section":
            yield from (_plain(part) for part in (block.get("text"), *block.get("fields", ())) if part)
        case "header":
            yield _plain(block["text"])
        case "context":
            yield " ".join(_plain(part) for part in block["elements"] if "text" in part)
        case "rich_text":
            yield "".join(_rich(block))
        case "table" | "data_table":
            yield "\n".join(" | ".join(_cell(cell) for cell in row) for row in block["rows"])
        case "alert" | "card" | "task_card":
            yield " ".join(_plain(block[key]) for key in ("title", "text", "details") if block.get(key))


def _plain(part: Any) -> str:
    """A text object. In `mrkdwn` and `plain_text` three signs are escaped."""
    text = str(part.get("text", "")) if isinstance(part, Mapping) else str(part)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _cell(cell: Mapping[str, Any]) -> str:
    return "".join(_rich(cell)) if cell.get("type") == "rich_text" else str(cell.get("text", ""))


def _rich(part: Mapping[str, Any]) -> Iterator[str]:
    for element in part.get("elements", ()):
        if "elements" in element:
            yield from _rich(element)
        else:
            yield str(element.get("text") or element.get("url") or "")


def buttons(blocks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each thing that can be pressed, with the block in which it stands."""
    for block in blocks:
        accessory = [block["accessory"]] if "accessory" in block else []
        for element in [*block.get("elements", ()), *accessory] if block.get("type") != "rich_text" else ():
            if element.get("type") in ("button", "feedback_buttons", "icon_button", "overflow"):
                yield block, element


# --------------------------------------------------------------------------------------------------- what is refused


def check_text(arguments: Mapping[str, Any], *, updates: bool) -> None:
    """The sizes that Slack holds a message to.

    Source: docs.slack.dev/reference/methods/chat.postMessage and .../chat.update; the figures that the documents do
    not give, or give otherwise, are those that others measured (`text` of an update, all text of one message).
    """
    text, markdown, blocks = arguments.get("text") or "", arguments.get("markdown_text"), arguments.get("blocks")
    if markdown is not None and (text or blocks):
        raise Refusal("markdown_text_conflict")
    if not (text or markdown or blocks or arguments.get("attachments")):
        raise Refusal("no_text")
    if len(text) > (UPDATED_TEXT_LIMIT if updates else TEXT_LIMIT) or len(markdown or "") > MARKDOWN_LIMIT:
        raise Refusal("msg_too_long")
    check_blocks(blocks or ())
    check_metadata(arguments.get("metadata"))


def check_blocks(blocks: Sequence[Mapping[str, Any]], *, limit: int = BLOCKS_LIMIT, beside: int = 0) -> None:
    """The rules for blocks; `beside` is how much text the message has already.

    Source: docs.slack.dev/reference/block-kit/blocks; slack_sdk/models/blocks/blocks.py
    """
    if len(blocks) > limit:
        raise Refusal("invalid_blocks", f"no more than {limit} items allowed [json-pointer:/blocks]")
    named = [block["block_id"] for block in blocks if "block_id" in block]
    if len(named) != len(set(named)) or any(len(name) > 255 for name in named):
        raise Refusal("invalid_blocks", "block_id already exists")
    for place, block in enumerate(blocks):
        _check_block(block, f"[json-pointer:/blocks/{place}]")
    if sum(block.get("type") in ("table", "data_table") for block in blocks) > 1:
        raise Refusal("invalid_blocks", "only_one_table_allowed")
    words = sum(len(str(block["text"])) for block in blocks if block.get("type") == "markdown")
    if beside + words > WHOLE_LIMIT:
        raise Refusal("msg_blocks_too_long")


def _check_block(block: Mapping[str, Any], where: str) -> None:
    kind = block.get("type")
    if kind not in KINDS:
        raise Refusal("invalid_blocks", f"unsupported type: {kind} {where}")
    if kind == "section":
        for part in (block.get("text"), *block.get("fields", ())):
            if part is not None and not 0 < len(part["text"]) <= (
                SECTION_LIMIT if part is block.get("text") else 2_000
            ):
                raise Refusal("invalid_blocks", f"must be less than {SECTION_LIMIT + 1} characters {where}/text")
    if kind == "markdown" and not 0 < len(block["text"]) <= MARKDOWN_LIMIT:
        raise Refusal("invalid_blocks", f"must be less than {MARKDOWN_LIMIT + 1} characters {where}/text")
    if kind == "header" and not 0 < len(block["text"]["text"]) <= 150:
        raise Refusal("invalid_blocks", f"must be less than 151 characters {where}/text")
    if kind == "table" and (not 0 < len(block["rows"]) <= 100 or any(not 0 < len(row) <= 20 for row in block["rows"])):
        raise Refusal("invalid_blocks", f"too many rows or columns {where}/rows")
    elements = block.get("elements", ())
    if kind in ELEMENTS and not 0 < len(elements) <= ELEMENTS[str(kind)]:
        raise Refusal("invalid_blocks", f"wrong number of elements {where}/elements")
    for _, element in buttons([block]):
        _check_button(element, where)
    ids = [element.get("action_id") for _, element in buttons([block])]
    if len(ids) != len(set(ids)):
        raise Refusal("invalid_blocks", f"action_id already exists {where}")


def _check_button(element: Mapping[str, Any], where: str) -> None:
    """Source: docs.slack.dev/reference/block-kit/block-elements/button-element, .../feedback-buttons-element"""
    if not 0 < len(element.get("action_id") or "") <= 255:
        raise Refusal("invalid_blocks", f"action_id {where}")
    parts = [element]
    if element["type"] == "feedback_buttons":
        parts = [element["positive_button"], element["negative_button"]]
    for part in parts:
        if "text" in part and (part["text"].get("type") != "plain_text" or not 0 < len(part["text"]["text"]) <= 75):
            raise Refusal("invalid_blocks", f"a button's text is plain and at most 75 characters {where}")
        if len(part.get("value", "x")) > 2_000 or not part.get("value", "x"):
            raise Refusal("invalid_blocks", f"value {where}")


def check_metadata(metadata: Any) -> None:
    """Source: docs.slack.dev/messaging/message-metadata"""
    if metadata is None:
        return
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("event_type"), str):
        raise Refusal("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), Mapping):
        raise Refusal("invalid_metadata_format")


def check_chunks(chunks: Any) -> None:
    """Source: slack_sdk/models/messages/chunk.py; docs.slack.dev/reference/methods/chat.appendStream"""
    if chunks is None:
        return
    for chunk in chunks:
        match chunk.get("type"):
            case "markdown_text":
                if len(chunk["text"]) > MARKDOWN_LIMIT:
                    raise Refusal("msg_too_long")
            case "task_update":
                if chunk.get("status") not in ("pending", "in_progress", "complete", "error") or not chunk.get("title"):
                    raise Refusal("invalid_chunks")
            case "plan_update" if chunk.get("title"):
                pass
            case "blocks":
                check_blocks(chunk["blocks"])
            case _:
                raise Refusal("invalid_chunks")


def check_view(view: Any) -> None:
    """Source: docs.slack.dev/reference/views/modal-views"""
    if not isinstance(view, Mapping) or view.get("type") not in ("modal", "home"):
        raise Refusal("invalid_arguments", "view.type")
    blocks = view.get("blocks", ())
    check_blocks(blocks, limit=100)
    if len(view.get("private_metadata", "")) > 3_000 or len(view.get("callback_id", "")) > 255:
        raise Refusal("invalid_arguments", "private_metadata, callback_id")
    if view["type"] == "home":
        return
    for part in ("title", "submit", "close"):
        text = view.get(part)
        if text is not None and (text.get("type") != "plain_text" or not 0 < len(text.get("text", "")) <= 24):
            raise Refusal("invalid_arguments", f"view.{part} is plain text of at most 24 characters")
    if "title" not in view or (any(block["type"] == "input" for block in blocks) and "submit" not in view):
        raise Refusal("invalid_arguments", "view.title, view.submit")
    for block in blocks:
        if block["type"] == "input" and not 0 < len(block["label"]["text"]) <= 2_000:
            raise Refusal("invalid_arguments", "view.blocks.input")

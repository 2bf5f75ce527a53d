"""What an MCP tool answered, as the model reads it: small, without secrets, pictures described and not shown. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from mcp.types import AudioContent, CallToolResult, ContentBlock, EmbeddedResource, ImageContent, TextContent

from bot.errors import ToolError
from bot.tool import RESULT_LIMIT_BYTES

ERROR_CHARS = 500
"""What a model is shown of a tool's own error."""

PARTS = 10
"""Parts without text that are described; more are counted."""

_LINK_CHARS = 200
_CUT = "The result is longer; this is its beginning. If what is needed is not in it, ask for less at a time."


def to_result(answer: CallToolResult, mask: Callable[[str], str]) -> dict[str, Any]:
    """The result of a call, at most `RESULT_LIMIT_BYTES` as JSON.

    Args:
        mask: takes the secrets of the server's settings out of a text.

    Returns:
        `result`: the text (parts joined), the JSON that the text is, or the structured content where there is no text;
        `parts`: what else came, described; `cut`: that there was more.

    Raises:
        ToolError: the tool says that it failed; the sentence is the tool's own, which is written for a model to read.
    """
    text = mask("\n".join(part.text for part in answer.content if isinstance(part, TextContent))).strip()
    if answer.is_error:
        raise ToolError("tool_error", f"The tool reports an error: {text[:ERROR_CHARS] or 'without saying which'}")
    if not text and answer.structured_content is not None:
        text = mask(_json(answer.structured_content))
    shown: dict[str, Any] = {"result": _value(text)}
    others = [part for part in answer.content if not isinstance(part, TextContent)]
    if others:
        shown["parts"] = [_described(part, mask) for part in others[:PARTS]]
        shown["parts"] += [f"and {len(others) - PARTS} more"] if len(others) > PARTS else []
    if len(orjson.dumps(shown)) <= RESULT_LIMIT_BYTES:
        return shown
    return _cut(shown, text)


def _cut(shown: dict[str, Any], text: str) -> dict[str, Any]:
    shown["cut"] = _CUT
    keep = RESULT_LIMIT_BYTES
    while True:
        shown["result"] = text[:keep]
        size = len(orjson.dumps(shown))
        if size <= RESULT_LIMIT_BYTES:
            return shown
        keep = min(keep - 1, keep * RESULT_LIMIT_BYTES // size)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(value, ensure_ascii=False)


def _value(text: str) -> Any:
    """The JSON object or list that the text is, its numbers as they are written; else the text."""
    if text.startswith(("{", "[")):
        try:
            return orjson.Fragment(msgspec.json.format(text.encode(), indent=-1))
        except (msgspec.DecodeError, RecursionError):
            return text
    return text


def _described(part: ContentBlock, mask: Callable[[str], str]) -> dict[str, Any]:
    match part:
        case ImageContent() | AudioContent():
            return {"type": part.type, "media_type": part.mime_type, "size_bytes": len(part.data) * 3 // 4}
        case EmbeddedResource():
            return {"type": part.type, "uri": mask(str(part.resource.uri))[:_LINK_CHARS]}
        case _:
            uri = mask(str(getattr(part, "uri", "")))[:_LINK_CHARS]
            return {"type": part.type, "name": mask(getattr(part, "name", ""))[:_LINK_CHARS], "uri": uri}

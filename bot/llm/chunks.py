"""The fields of a streamed chunk that are read: typed, so that a chunk costs a third of a microsecond.

Source:
    https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from bot.errors import Transient


class Function(msgspec.Struct):
    """What a call calls; some endpoints send the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class Call(msgspec.Struct):
    """A fragment of a call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Part(msgspec.Struct):
    """A part of a text."""

    text: str | None = None


class Delta(msgspec.Struct):
    """What a chunk adds."""

    content: str | list[Part] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None


class Choice(msgspec.Struct):
    """One of the answers, of which there is one."""

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None


class InputDetails(msgspec.Struct):
    """Of the tokens that were read."""

    cached_tokens: int | None = None


class TokenCounts(msgspec.Struct):
    """What the request cost so far."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None


class Chunk(msgspec.Struct):
    """One event."""

    choices: list[Choice] | None = None
    usage: TokenCounts | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(Chunk)


def decode_chunk(data: bytes) -> Chunk:
    """A chunk from its JSON.

    Raises:
        Transient: `model_stream_malformed`.
    """
    try:
        return _CHUNK.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    # The strict decoder refuses half a surrogate pair, which endpoints written in JavaScript send when a chunk ends
    # inside an emoji; the standard library reads it, and `join_surrogates` joins the halves.
    try:
        return msgspec.convert(json.loads(data), Chunk)
    except (msgspec.ValidationError, ValueError, RecursionError):
        raise Transient("model_stream_malformed") from None


def join_surrogates(text: str) -> tuple[str, str]:
    """Join surrogate pairs; a high half at the very end is given back, any other lone half becomes U+FFFD."""
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    whole = text[: len(text) - len(half)]
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), half

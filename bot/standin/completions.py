"""An answer in the protocol's shapes: one completion, or chunks of a stream with the words to pace them by.

Source:
    https://platform.openai.com/docs/api-reference/chat/object and /chat/streaming
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_WORDS_PER_DELTA = 2
_ARGUMENTS_PER_DELTA = 14
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function that the answer calls; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the stand-in says: words, calls, or the refusal of a structured answer."""

    text: str | None = None
    refusal: str | None = None
    calls: tuple[Call, ...] = ()
    finish_reason: str = "stop"

    def within(self, tokens: int | None) -> Answer:
        """The answer cut at a number of tokens, when that is shorter."""
        if tokens is None or self.text is None or _tokens(self.text) <= tokens:
            return self
        return Answer(text=self.text[: tokens * _CHARACTERS_PER_TOKEN], finish_reason="length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What all objects of one answer share; `created` is in Unix seconds."""

    id: str
    created: int
    model: str

    def of(self, kind: str) -> dict[str, Any]:
        """The first keys of an object."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def render_usage(prompt_characters: int, answer: Answer) -> dict[str, int]:
    """An estimate of tokens: rules count no real ones."""
    written = "".join([answer.text or "", answer.refusal or "", *(call.name + call.arguments for call in answer.calls)])
    prompt = max(1, prompt_characters // _CHARACTERS_PER_TOKEN)
    return {"prompt_tokens": prompt, "completion_tokens": _tokens(written), "total_tokens": prompt + _tokens(written)}


def render_completion(heading: Heading, answer: Answer, usage: dict[str, int]) -> dict[str, Any]:
    """The whole answer in one object."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": answer.refusal}
    if answer.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
    return {**heading.of("chat.completion"), "choices": [choice], "usage": usage}


def render_chunks(
    heading: Heading, answer: Answer, usage: dict[str, int] | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The answer as a stream.

    Args:
        usage: sent as the last chunk when the request asked for it.

    Returns:
        Pairs of how many words a chunk shows and the chunk.
    """

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        body = {**heading.of("chat.completion.chunk"), "choices": [choice]}
        return body if usage is None else {**body, "usage": None}

    yield 0, chunk({"role": "assistant", "content": None if answer.calls or answer.refusal else ""})
    for key, text in (("content", answer.text), ("refusal", answer.refusal)):
        for words, piece in _pieces(text or ""):
            yield words, chunk({key: piece})
    for index, call in enumerate(answer.calls):
        function = {"name": call.name, "arguments": ""}
        yield 0, chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})
        for at in range(0, len(call.arguments), _ARGUMENTS_PER_DELTA):
            fragment = call.arguments[at : at + _ARGUMENTS_PER_DELTA]
            yield 1, chunk({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]})
    yield 0, chunk({}, answer.finish_reason)
    if usage is not None:
        yield 0, {**heading.of("chat.completion.chunk"), "choices": [], "usage": usage}


def render_error(
    message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The protocol's error object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    words = re.findall(r"\s*\S+|\s+$", text)
    for at in range(0, len(words), _WORDS_PER_DELTA):
        piece = words[at : at + _WORDS_PER_DELTA]
        yield len(piece), "".join(piece)


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)

"""However a stream is cut, written and interleaved, the same answer comes out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BotError
from bot.llm.events import EventReader, ServerEvent
from bot.llm.stream import Answer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
Stream = tuple[str, list[tuple[str, str]], bytes]
CALLS = st.lists(st.tuples(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), TEXT), max_size=4)


def cut(draw: Callable[[st.SearchStrategy[list[int]]], list[int]], whole: Any) -> list[Any]:
    places = sorted(set(draw(st.lists(st.integers(0, len(whole)), max_size=6))) | {0, len(whole)})
    return [whole[start:end] for start, end in itertools.pairwise(places)]


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """A text, its calls, and one of the ways to stream them."""
    text, calls = draw(TEXT), draw(CALLS)
    queues = [[{"content": piece} for piece in cut(draw, text)]]
    for index, (name, arguments) in enumerate(calls):
        opening = {"index": index, "id": f"c{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        pieces = [{"index": index, "function": {"arguments": piece}} for piece in cut(draw, arguments)]
        queues.append([{"tool_calls": [fragment]} for fragment in (opening, *pieces)])
    chunks: list[dict[str, Any]] = [{"choices": []}] if draw(st.booleans()) else []
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        chunks.append({"choices": [{"index": 0, "delta": queue.pop(0), "finish_reason": None}]})
    chunks.append({"choices": [{"delta": {}, "finish_reason": "tool_calls" if calls else "stop"}]})
    newline, ascii_only = draw(st.sampled_from([b"\n", b"\r\n", b"\r"])), draw(st.booleans())
    body = b""
    for chunk in chunks:
        if draw(st.booleans()):
            body += b": keep-alive" + newline * 2
        body += b"data: " + json.dumps(chunk, ensure_ascii=ascii_only).encode() + newline * 2
    return text, calls, body + (b"data: [DONE]" + newline * 2 if draw(st.booleans()) else b"")


@pytest.mark.behaviour("model.stream")
@given(streams(), st.data())
def test_the_same_answer_however_it_is_cut(
    stream: tuple[str, list[tuple[str, str]], bytes], data: st.DataObject
) -> None:
    text, calls, body = stream
    reader, answer, shown = EventReader(), Answer(40_000), ""
    for packet in cut(data.draw, body):
        shown += "".join(map(answer.add, reader.feed(packet)))
    shown += "".join(map(answer.add, reader.finish()))
    if not calls and not text.strip():
        return  # an answer that says nothing is none
    completion = answer.completion()
    assert shown == completion.text == text
    assert [(call.name, call.arguments) for call in completion.calls] == calls


@pytest.mark.behaviour("model.dialects")
@given(st.lists(st.binary(max_size=40), max_size=10))
def test_garbage_is_a_typed_error_or_nothing(packets: list[bytes]) -> None:
    reader, answer = EventReader(), Answer(100)
    try:
        for packet in packets:
            for event in reader.feed(packet):
                answer.add(event)
        answer.completion()
    except BotError:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "delta", "tool_calls", "function", "name", "index", "content", "usage", "error"]),
        inner,
    ),
    max_leaves=15,
)  # fmt: skip


@pytest.mark.behaviour("model.dialects")
@given(JSON)
def test_any_json_is_a_typed_error_or_nothing(value: object) -> None:
    answer = Answer(100)
    try:
        answer.add(ServerEvent(b"", json.dumps(value).encode()))
        answer.completion()
    except BotError:
        pass

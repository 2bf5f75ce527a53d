"""What the stand-in accepts, what it refuses, and the shapes in which it answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.standin.completions import Answer, Call, Heading, render_chunks, render_completion, render_usage
from bot.standin.protocol import BadRequest, parse_request

pytestmark = pytest.mark.behaviour("standin.protocol")

HI: dict[str, Any] = {"role": "user", "content": "Hi"}
CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "{}"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
HEADING = Heading(id="chatcmpl-1", created=1, model="m")


def request(**changes: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [HI], **changes}).encode()


@pytest.mark.parametrize(
    ("body", "param"),
    (
        (b"not json", None),
        (b"[]", None),
        (b'{"messages": [{"role": "user", "content": "Hi"}]}', "model"),
        (request(messages=[]), "messages"),
        (request(messages=[{"role": "bogus", "content": "x"}]), "messages.[0]"),
        (request(messages=[{**HI, "extra": 1}]), "messages.[0].extra"),
        (request(messages=[{"role": "user", "content": 5}]), "messages.[0].content"),
        (request(messages=[{"role": "user", "content": [{"type": "audio"}]}]), "messages.[0].content.[0]"),
        (request(messages=[HI, RESULT]), "messages.[1].role"),
        (request(messages=[HI, CALLED]), "messages.[2].role"),
        (request(messages=[HI, CALLED, HI]), "messages.[2].role"),
        (request(messages=[HI, CALLED, RESULT, RESULT]), "messages.[3].tool_call_id"),
        (request(messages=[HI, CALLED, {**RESULT, "tool_call_id": "c2"}]), "messages.[2].tool_call_id"),
        (request(messages=[HI, {**CALLED, "tool_calls": [CALL, CALL]}, RESULT]), "messages.[1].tool_calls"),
        (request(messages=[HI, {"role": "assistant", "content": None}]), "messages.[1].content"),
        (request(unknown=1), "unknown"),
        (request(tools=[]), "tools"),
        (request(tools=[{"type": "function", "function": {"name": "no spaces"}}]), "tools.[0].function.name"),
        (request(tool_choice="none"), "tool_choice"),
        (request(tools=[TOOL], tool_choice="required"), "tool_choice"),
        (request(stream_options={"include_usage": True}), "stream_options"),
        (request(response_format={"type": "json_schema"}), "response_format.json_schema"),
        (request(n=2), "n"),
        (request(max_tokens=0), "max_tokens"),
    ),
)
def test_what_a_strict_provider_refuses_is_refused_by_name(body: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_request(body)
    assert refused.value.param == param
    assert refused.value.message


@pytest.mark.parametrize(
    "body",
    (
        request(temperature=0, seed=1, prompt_cache_key="k", parallel_tool_calls=True),
        request(messages=[{"role": "developer", "content": "x"}, HI, CALLED, RESULT, HI], tools=[TOOL]),
        request(
            messages=[HI, {"role": "assistant", "content": ""}, HI], stream=True, stream_options={"include_usage": True}
        ),
        request(messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]),
        request(tools=[TOOL], tool_choice="none"),
        request(response_format={"type": "text"}, max_completion_tokens=10),
    ),
)
def test_what_is_valid_is_accepted(body: bytes) -> None:
    assert parse_request(body).messages


def test_tool_choice_none_leaves_nothing_to_call() -> None:
    assert parse_request(request(tools=[TOOL])).callable_tools == {"look"}
    assert parse_request(request(tools=[TOOL], tool_choice="none")).callable_tools == frozenset()


def test_text_is_streamed_in_pieces_that_make_the_whole() -> None:
    answer = Answer(text="Hello there,\n\n- how are *you*?\n")
    chunks = [chunk for _, chunk in render_chunks(HEADING, answer, None)]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == answer.text
    assert len(deltas) > 4
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]


def test_calls_are_streamed_in_fragments_by_index() -> None:
    calls = tuple(Call(id=f"c{number}", name="look", arguments=json.dumps({"at": "x" * 40})) for number in (1, 2))
    answer = Answer(calls=calls, finish_reason="tool_calls")
    joined: dict[int, dict[str, str]] = {}
    fragments = 0
    for _, chunk in render_chunks(HEADING, answer, None):
        for part in chunk["choices"][0]["delta"].get("tool_calls", ()):
            fragments += 1
            call = joined.setdefault(part["index"], {"arguments": ""})
            call |= {"id": part["id"], "name": part["function"]["name"]} if "id" in part else {}
            call["arguments"] += part["function"]["arguments"]
    assert [Call(**call) for call in joined.values()] == list(calls)
    assert fragments > 6


def test_usage_comes_last_and_alone_when_it_is_asked_for() -> None:
    usage = render_usage(400, Answer(text="Hello"))
    chunks = [chunk for _, chunk in render_chunks(HEADING, Answer(text="Hello"), usage)]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102}
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_a_refusal_has_no_content() -> None:
    message = render_completion(HEADING, Answer(refusal="No picture."), {})["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "No picture.")


def test_an_answer_is_cut_at_the_limit_and_says_so() -> None:
    cut = Answer(text="word " * 50).within(10)
    assert cut.finish_reason == "length"
    assert len(cut.text or "") == 40
    assert Answer(text="short").within(10) == Answer(text="short")

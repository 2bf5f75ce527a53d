"""The joining of streamed answers, case by case: which fragment belongs to which call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.errors import Transient
from bot.llm.events import EventReader, ServerEvent
from bot.llm.stream import Answer
from bot.ports import Completion


def part(name: str | None = None, arguments: str | None = None, index: int | None = 0, id: str | None = None) -> Any:
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


def joined(*chunks: list[Any], finish: str = "tool_calls") -> Completion:
    answer = Answer(40_000)
    for fragments in chunks:
        answer.add(event({"choices": [{"delta": {"tool_calls": fragments}}]}))
    answer.add(event({"choices": [{"delta": {}, "finish_reason": finish}]}))
    return answer.completion()


def event(value: object) -> ServerEvent:
    return ServerEvent(b"", json.dumps(value).encode())


@pytest.mark.behaviour("model.stream")
@pytest.mark.parametrize(
    "chunks",
    [
        ([part("a", "", 0, "x")], [part(None, "{1", 0)], [part("b", "", 1, "y")],
         [part(None, "}", 0)], [part(None, "{2}", 1)]),
        ([part("b", "", 1, "y"), part("a", "", 0, "x")], [part(None, "{2}", 1), part(None, "{1}", 0)]),
        ([part("a", "{1}", 0, "x"), part("b", "{2}", 1, "y")],),
        ([part("a", "{1}", 0, "x")], [part("b", "{2}", 0, "y")]),
        ([part("a", "{1", 0, "x")], [part("a", "}", 0, "x")], [part("b", "{2}", 1, "y")]),
        ([part("a", "{1", 0, "x")], [part("a", "}", 0)], [part("b", "{2}", 1, "y")]),
        ([part("a", "{1}", None, "x")], [part("b", "{2}", None, "y")]),
        ([part("a", "{1", None, "x")], [part(None, "}", None, "x")], [part("b", "{2}", None, "y")]),
        ([part("a", None, None, "x")], [part(None, "{1}", None)], [part("b", "{2}", None, "y")]),
    ],
    ids=["interleaved", "out-of-order", "whole", "same-index", "id-and-name-repeated", "name-repeated", "no-index",
         "by-id", "by-order"],
)  # fmt: skip
def test_fragments_find_their_call(chunks: tuple[list[Any], ...]) -> None:
    calls = joined(*chunks).calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [("x", "a", "{1}"), ("y", "b", "{2}")]


@pytest.mark.behaviour("model.stream")
def test_calls_without_ids_under_one_index_are_told_apart_by_whole_arguments() -> None:
    calls = joined([part("a", '{"n": 1}')], [part("a", '{"n"')], [part(None, ": 2}")]).calls
    assert [call.arguments for call in calls] == ['{"n": 1}', '{"n": 2}']


@pytest.mark.behaviour("model.stream")
def test_equal_ids_under_different_indexes_are_two_calls() -> None:
    calls = joined([part("a", "{}", 0, "x")], [part("b", "{}", 1, "x")]).calls
    assert [(call.name, call.id) for call in calls] == [("a", "x"), ("b", "x")]


@pytest.mark.behaviour("model.stream")
def test_a_name_in_pieces() -> None:
    assert joined([part("get_", None)], [part("order", None)], [part(None, "{}")]).calls[0].name == "get_order"


@pytest.mark.behaviour("model.dialects")
def test_arguments_as_an_object_and_null_arguments() -> None:
    whole = {"index": 0, "function": {"name": "a", "arguments": {"n": "ä"}}}
    nothing = {"index": 1, "function": {"name": "b", "arguments": None}}
    assert [call.arguments for call in joined([whole, nothing]).calls] == ['{"n":"ä"}', ""]


@pytest.mark.behaviour("model.stream")
def test_a_hundred_calls_come_through() -> None:
    assert len(joined([part(f"t{n}", "{}", n, f"c{n}") for n in range(100)]).calls) == 100


@pytest.mark.behaviour("model.bounded")
def test_calls_without_end_are_cut() -> None:
    completion = joined([part("a", "", n, f"c{n}") for n in range(10_000)])
    assert (completion.calls, completion.finish_reason) == ((), "length")


@pytest.mark.behaviour("model.dialects")
def test_reason_calls_without_calls_is_a_stop() -> None:
    answer = Answer(100)
    answer.add(event({"choices": [{"delta": {"content": "words"}, "finish_reason": "tool_calls"}]}))
    assert answer.completion().finish_reason == "stop"


@pytest.mark.behaviour("model.dialects")
def test_other_choices_are_not_ours() -> None:
    answer = Answer(100)
    assert answer.add(event({"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}]})) == ""
    with pytest.raises(Transient, match="unfinished"):
        answer.completion()


@pytest.mark.behaviour("model.stream")
def test_the_whole_repeated_at_the_end_is_not_doubled() -> None:
    answer = Answer(100)
    answer.add(event({"choices": [{"delta": {"content": "once"}}]}))
    answer.add(event({"choices": [{"message": {"content": "once"}, "finish_reason": "stop"}]}))
    assert answer.completion().text == "once"


@pytest.mark.behaviour("model.stream")
def test_a_cut_never_parts_a_character() -> None:
    answer = Answer(5)
    assert answer.add(event({"choices": [{"delta": {"content": "ää🛷"}}]})) == "ää"
    assert answer.is_cut
    assert answer.add(event({"choices": [{"delta": {"content": "more"}}]})) == ""


@pytest.mark.behaviour("model.dialects")
def test_half_of_a_pair_that_never_comes_is_replaced() -> None:
    answer = Answer(100)
    assert answer.add(ServerEvent(b"", b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}')) == "a"
    assert answer.add(ServerEvent(b"", b'{"choices":[{"delta":{"content":"b\\udc00"}}]}')) == "\ufffdb\ufffd"


@pytest.mark.behaviour("model.dialects")
def test_events_of_every_form() -> None:
    reader = EventReader()
    stream = b"\xef\xbb\xbfdata: 1\r\n\r\n: comment\nevent: error\ndata:2\ndata: 3\n\nretry: 5\ndata\n\ndata: {}"
    assert reader.feed(stream) == [ServerEvent(b"", b"1"), ServerEvent(b"error", b"2\n3")]
    assert reader.finish() == [ServerEvent(b"", b"{}")]

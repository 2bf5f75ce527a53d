"""Names and results of MCP tools, values in, values out."""

from __future__ import annotations

import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import types

from bot.errors import ToolError
from bot.tool import RESULT_LIMIT_BYTES
from tools.mcp_listing import listed, shown_names
from tools.mcp_results import to_result
from tools.mcp_stdio import parsed
from tools.mcp_wire import MESSAGE_LIMIT_BYTES, Fault, mended

FITS = re.compile(r"[A-Za-z0-9_-]{1,64}")


def kept(text: str) -> str:
    """Masks nothing."""
    return text


def answer(*texts: str, structured: object = None, error: bool = False) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text) for text in texts]
    return types.CallToolResult(content=content, structured_content=structured, is_error=error)


@pytest.mark.behaviour("mcp.names")
@pytest.mark.parametrize(
    ("listings", "names"),
    [
        ({"a": ["find"]}, {("a", "find"): "find"}),
        ({"a": ["find"], "b": ["find"]}, {("a", "find"): "a__find", ("b", "find"): "b__find"}),
        ({"a": ["ours"]}, {("a", "ours"): "a__ours"}),
        ({"my shop": ["ours"]}, {("my shop", "ours"): "my_shop__ours"}),
        ({"a": ["read.file"]}, {("a", "read.file"): "read_file"}),
        ({"a": ["x" * 64]}, {("a", "x" * 64): "x" * 64}),
    ],
)
def test_names(listings: dict[str, list[str]], names: dict[tuple[str, str], str]) -> None:
    assert shown_names(listings, {"ours"}) == names


LISTINGS = st.dictionaries(
    st.text("ab_. é", min_size=1, max_size=70), st.lists(st.text("ab_. é", max_size=70), max_size=6, unique=True)
)


@pytest.mark.behaviour("mcp.names")
@given(LISTINGS, st.sets(st.text("ab_", min_size=1, max_size=5)))
def test_every_name_is_valid_and_nobody_elses(listings: dict[str, list[str]], taken: set[str]) -> None:
    names = shown_names(listings, taken)
    assert set(names) == {(server, tool) for server, tools in listings.items() for tool in tools}
    assert all(FITS.fullmatch(name) for name in names.values())
    assert len(set(names.values()) | taken) == len(names) + len(taken)
    assert shown_names(dict(reversed(listings.items())), taken) == names


@pytest.mark.behaviour("mcp.transports")
@pytest.mark.parametrize(
    ("hints", "only_reads", "repeatable"),
    [
        (None, False, False),
        (types.ToolAnnotations(), False, False),
        (types.ToolAnnotations(read_only_hint=True), True, False),
        (types.ToolAnnotations(read_only_hint=False, idempotent_hint=True), False, True),
        (types.ToolAnnotations(destructive_hint=False), False, False),
    ],
)
def test_a_hint_counts_only_when_it_is_given(
    hints: types.ToolAnnotations | None, only_reads: bool, repeatable: bool
) -> None:
    tool = listed(types.Tool(name="x", input_schema={"$schema": "…", "type": "object"}, annotations=hints), kept)
    assert (tool.only_reads, tool.repeatable) == (only_reads, repeatable)
    assert tool.parameters == {"type": "object", "properties": {}}
    assert tool.description == "x"


@pytest.mark.behaviour("mcp.results")
@pytest.mark.parametrize(
    ("given_answer", "result"),
    [
        (answer("a", "b"), "a\nb"),
        (answer('{"a": 1}'), {"a": 1}),
        (answer("[1, 2"), "[1, 2"),
        (answer("12"), "12"),
        (answer(structured={"a": 1}), {"a": 1}),
        (answer("short", structured={"a": 1}), "short"),
        (answer(), ""),
        (answer(structured=[2**70]), [2**70]),
        (answer("[12345678901234567890123, 1.10]"), [12345678901234567890123, 1.1]),
        (answer("[" * 5_000 + "]" * 5_000), None),
    ],
)
def test_results(given_answer: types.CallToolResult, result: object) -> None:
    shown = json.loads(orjson.dumps(to_result(given_answer, kept)))
    if result is None:
        assert shown["cut"]
    else:
        assert shown == {"result": result}


@pytest.mark.behaviour("mcp.results")
@given(st.text(max_size=30), st.integers(min_value=0, max_value=3_000), st.booleans())
def test_a_long_result_is_cut_to_what_fits(unit: str, times: int, structured: bool) -> None:
    text = (unit + '"é🎁\n') * times
    whole = answer(structured={"text": text}) if structured else answer(text)
    shown = to_result(whole, kept)
    assert len(orjson.dumps(shown)) <= RESULT_LIMIT_BYTES
    if "cut" in shown and not structured:
        assert text.strip().startswith(shown["result"])
        assert len(orjson.dumps(shown)) > RESULT_LIMIT_BYTES - 100


@pytest.mark.behaviour("mcp.errors")
def test_an_error_is_the_tools_own_sentence_cut_and_masked() -> None:
    with pytest.raises(ToolError) as caught:
        to_result(answer("no: secret-1 " + "x" * 9_000, error=True), lambda text: text.replace("secret-1", "…"))
    assert caught.value.code == "tool_error"
    assert caught.value.message.startswith("The tool reports an error: no: … xxx")
    assert len(caught.value.message) < 600


HALF = rb'{"jsonrpc":"2.0","id":3,"result":{"text":"\ud83c\udf81 cut: \ud83c"}}'


@pytest.mark.behaviour("mcp.results")
@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (HALF, '{"jsonrpc": "2.0", "id": 3, "result": {"text": "🎁 cut: ?"}}'),
        (rb'"\ud83c\udf81"', r'"\ud83c\udf81"'),
        (rb'"\udf81"', '"?"'),
        (rb'"C:\\ud83c"', r'"C:\\ud83c"'),
        (rb'no "json \ud83c', r'no "json \ud83c'),
    ],
)
def test_half_a_character_costs_no_answer(text: bytes, whole: str) -> None:
    assert mended(text).decode() == whole


@pytest.mark.behaviour("mcp.large")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"result": {"text": "%b"}, "jsonrpc": "2.0", "id": 7}', 7),
        (b'{"id": 7, "method": "sampling/createMessage", "params": {"text": "%b"}}', None),
        (b'{"text": "%b"}', None),
        (b"noise %b", None),
    ],
)
def test_of_a_line_that_is_too_long_only_whose_answer_it_is_is_read(line: bytes, told: int | None) -> None:
    found = parsed(line.replace(b"%b", b"x" * MESSAGE_LIMIT_BYTES))
    if told is None:
        assert found is None
    else:
        assert found is not None
        assert isinstance(found.message, types.JSONRPCError)
        assert (found.message.id, found.message.error.code) == (told, Fault.TOO_LARGE)


@pytest.mark.behaviour("mcp.transports")
def test_what_a_program_prints_besides_is_no_message() -> None:
    assert parsed(b"Listening ...\n") is None
    assert parsed(b"\n") is None
    assert parsed(HALF) is not None


@pytest.mark.behaviour("mcp.results")
def test_many_parts_are_counted() -> None:
    links: list[types.ContentBlock] = [
        types.ResourceLink(type="resource_link", name=f"{at}", uri=f"https://x/{'y' * 5_000}") for at in range(15)
    ]
    shown = to_result(types.CallToolResult(content=links), kept)
    assert len(shown["parts"]) == 11
    assert shown["parts"][-1] == "and 5 more"
    assert len(orjson.dumps(shown)) <= RESULT_LIMIT_BYTES

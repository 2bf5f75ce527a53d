"""However long a text and however small a part, nothing is lost, and each part reads well by itself."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.markdown import split

LINKS = [
    "[our terms](https://example.com/terms?a=1&b=(2))",
    "https://example.com/a/long/path",
    "<:party_parrot:1234567>",
]
WORDS = st.sampled_from(
    [
        "word",
        "Sentence one.",
        "Frage?",
        "日本語です。",
        "👩‍👩‍👧‍👦",
        "🇩🇪",
        "é",
        "**bold words**",
        "`a b c`",
        "<@123456>",
        *LINKS,
    ]
)
PROSE = st.lists(WORDS, min_size=1, max_size=30).map(" ".join)
CODE = st.lists(st.sampled_from(["x = 1", "    return {}", "", "print('a b c d e f g')", "y" * 70]), max_size=20)
BLOCKS = st.one_of(
    PROSE,
    PROSE.map(lambda text: f"## {text}"),
    st.lists(PROSE, min_size=1, max_size=5).map(lambda items: "\n".join(f"- {item}" for item in items)),
    st.lists(PROSE, min_size=1, max_size=3).map(lambda items: "\n".join(f"> {item}" for item in items)),
    st.tuples(st.sampled_from(["", "py", "sql"]), CODE).map(lambda c: f"```{c[0]}\n" + "\n".join(c[1]) + "\n```"),
    CODE.map(lambda code: "1. step\n\n" + "\n".join(f"   {line}" for line in ["```sh", *code, "```"])),
    CODE.map(lambda code: "\n".join(f"> {line}" for line in ["~~~", *code, "~~~"])),
    st.just("| a | b |\n|---|---|\n| 1 | 2 |"),
)
TEXTS = st.lists(BLOCKS, min_size=1, max_size=8).map("\n\n".join)
ANYTHING = st.one_of(st.text(max_size=600), st.text("`~ >-1.\nab[]()<:*é👍🏽", max_size=400))


def words_of(text: str) -> str:
    """What a reader reads: no fences, no marks of quotes before them, no white space."""
    return re.sub(r"\s+", "", re.sub(r"(?m)^[ >]*(?:\d\. |- )?(?:`{3,}|~{3,})\w*\s*$", "", text))


def unquoted(text: str) -> str:
    return text.replace(">", "")


@pytest.mark.behaviour("markdown.split")
@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(90, 400))
def test_parts_fit_and_join_to_the_text_with_fences_in_balance(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert unquoted(words_of("\n".join(parts))) == unquoted(words_of(text))
    for part in parts:
        fences = re.findall(r"(?m)^[ >]*(?:\d\. |- )?(```|~~~)(\w*)", part)
        assert len(fences) % 2 == 0, part
        assert all(not info for _, info in fences[1::2]), part
        assert part.count("**") % 2 == 0
        whole = [(link, text.count(link), sum(other.count(link) for other in parts)) for link in LINKS]
        assert all(before == after for _, before, after in whole), whole


@pytest.mark.behaviour("markdown.split")
@settings(max_examples=300, deadline=None)
@given(ANYTHING, st.integers(20, 200))
def test_any_text_is_cut_between_graphemes_and_nothing_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    bare = re.compile(r"[\s`~>]+")
    assert bare.sub("", "".join(parts)) == bare.sub("", text)


@pytest.mark.behaviour("markdown.split")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["👩‍👩‍👧‍👦", "🇩🇪", "e\u0301", "👍🏽", "한", "a"]), min_size=1, max_size=200).map("".join)
)
def test_no_grapheme_is_cut(text: str) -> None:
    parts = split(text, 40)
    clusters = [cluster for part in parts for cluster in regex.findall(r"\X", part)]
    assert clusters == regex.findall(r"\X", text)


@pytest.mark.behaviour("markdown.split")
@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(200, 600))
def test_another_measure_is_kept(text: str, limit: int) -> None:
    def size(part: str) -> int:
        return len(part.encode())

    assert all(size(part) <= limit for part in split(text, limit, measure=size))


@pytest.mark.behaviour("markdown.split")
def test_a_short_text_is_itself() -> None:
    text = "Hello.\n\n```py\nx\n```\n- a\n  - b"
    assert split(text, 2_000) == [text]
    assert split("\n\n  \n", 2_000) == []


@pytest.mark.behaviour("markdown.split")
def test_a_fence_is_opened_again_with_its_language_wherever_it_stands() -> None:
    code = "\n".join(f"row_{n} = {n}" for n in range(60))
    for text in (
        f"Look:\n\n```python\n{code}\n```\nDone.",
        "- item\n" + "\n".join(f"    {line}" for line in ["```python", *code.split("\n"), "```"]) + "\n\nDone.",
        "\n".join(f"> {line}" for line in ["```python", *code.split("\n"), "```"]) + "\n\nDone.",
    ):
        parts = split(text, 300)
        assert len(parts) > 2
        for part in parts:
            blocks = [token for token in MarkdownIt().parse(part) if token.type == "fence"]
            assert [token.info for token in blocks] == ["python"], part
        shown = "".join(token.content for part in parts for token in MarkdownIt().parse(part) if token.type == "fence")
        assert shown == code + "\n"


@pytest.mark.behaviour("markdown.split")
def test_an_open_fence_is_closed_so_that_a_beginning_can_be_shown() -> None:
    assert split("Look:\n```py\nx = 1", 2_000) == ["Look:\n```py\nx = 1\n```"]
    assert split("```py", 2_000) == ["```py\n```"]


@pytest.mark.behaviour("markdown.split")
def test_a_block_is_kept_together_and_a_heading_stays_with_its_text() -> None:
    prose, more = "Some words here. " * 40, "Other words. " * 60
    parts = split(f"{prose}\n\n## Heading\n\n{more}", 1_000)
    assert parts == [prose.strip(), f"## Heading\n\n{more.strip()}"]


@pytest.mark.behaviour("markdown.split")
def test_marks_in_languages_that_join_letters_are_not_parted() -> None:
    text = "नमस्ते दुनिया " * 40
    for part in split(text, 50):
        assert not unicodedata.category(part[0]).startswith("M")


@pytest.mark.behaviour("markdown.linear")
@pytest.mark.parametrize(
    "piece", ["a", "[", "[a](", "`", "<a", "> ", "- ", "**a", "```\n", "\u0301", "[a][", "https://a ", "!"]
)
def test_time_grows_with_the_length_only(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        spent = []
        for _ in range(2):
            start = time.process_time()
            split(text, 11_000)
            spent.append(time.process_time() - start)
        return min(spent)

    assert seconds(40_000) < 30 * seconds(5_000) + 0.05

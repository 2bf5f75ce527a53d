"""What is removed from text on entry, and what is not."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.text import TEXT_LIMIT_CHARS, scrub


@pytest.mark.behaviour("text.scrubbed")
@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("plain, with\ttab\nand newline", "plain, with\ttab\nand newline"),
        ("a\r\nb\rc\u2028d\u2029e\x85f\x0bg", "a\nb\nc\nd\ne\nf\ng"),
        ("\ud83dlone\udc00", "lone"),
        ("nul\x00 esc\x1b[31m bell\x07 del\x7f csi\x9b", "nul esc[31m bell del csi"),
        ("a\u202egnp.exe\u202c \u2066b\u2069 \u200ec\u200f\u061c", "agnp.exe b c"),
        ("zero\u200bwidth\u2060no\ufeffbreak\xad\u180e", "zerowidthnobreak"),
        ("joined\u200dletters", "joinedletters"),
        ("👩‍👩‍👧 👩🏽‍💻 ❤️‍🔥 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍👩‍👧 👩🏽‍💻 ❤️‍🔥 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        ("👩\u200d", "👩"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200c \u200c\u200c", " "),
        ("ශ්\u200dරී क्\u200dष", "ශ්\u200dරී क्\u200dष"),
        ("hidden\U000e0041\U000e0042 words", "hidden words"),
        ("日本語のレシート、ありがとう。", "日本語のレシート、ありがとう。"),
        ("שלום עולם, مرحبا", "שלום עולם, مرحبا"),
        ("ÄÖÜß é", "ÄÖÜß é"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_stays(typed: str, kept: str) -> None:
    assert scrub(typed) == kept


@pytest.mark.behaviour("text.scrubbed")
def test_length_is_limited() -> None:
    assert len(scrub("x" * 1_000_000)) == TEXT_LIMIT_CHARS
    assert scrub("äöü", limit_chars=2) == "äö"
    assert scrub("\u200b" * 10 + "words", limit_chars=5) == ""


@pytest.mark.behaviour("text.scrubbed")
@given(st.text(st.characters(categories=None, codec=None)))
def test_scrubbed_text_can_be_stored_and_is_scrubbed_once(text: str) -> None:
    clean = scrub(text)
    assert scrub(clean) == clean
    assert json.loads(json.dumps(clean).encode()) == clean
    assert not [char for char in clean.encode().decode() if unicodedata.category(char) == "Cc" and char not in "\n\t"]

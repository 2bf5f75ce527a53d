"""What people wrote, made fit to be stored and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.text import scrub, scrub_line


@pytest.mark.behaviour("tools.text")
@pytest.mark.parametrize(
    ("typed", "kept"),
    (
        ("  Omar  ", "Omar"),
        ("a\r\nb\n\n\n c\t d", "a\nb\nc d"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("null\x00bell\x07", "nullbell"),
        ("\ud800lone", "lone"),
        ("e\u0301", "é"),
        ("領収書 ¥500 👍🏽", "領収書 ¥500 👍🏽"),
        ("tag\U000e0041s", "tags"),
    ),
)
def test_what_cannot_be_seen_goes_and_what_can_stays(typed: str, kept: str) -> None:
    assert scrub(typed, 100) == kept


@pytest.mark.behaviour("tools.text")
@given(st.text(alphabet=st.characters(), max_size=300), st.integers(min_value=1, max_value=60))
def test_any_text_comes_out_short_encodable_and_stays_as_it_is(typed: str, limit: int) -> None:
    kept = scrub(typed, limit)
    assert len(kept) <= limit
    assert "\x00" not in kept
    kept.encode("utf-8")
    assert scrub(kept, limit) == kept
    assert "\n" not in scrub_line(typed, limit)

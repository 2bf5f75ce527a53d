"""Rows of the record: any turn comes back as it was, and its message is spliced out without parsing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import AssistantTurn, Measured, Note, NoteTurn, StaffTurn, ToolCall, ToolTurn, Turn, UserTurn
from bot.errors import Transient
from bot.llm.wire import to_wire
from bot.messages import Attachment, Audience, Person
from bot.store import codec

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
moments = st.integers(0, 10**9).map(lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
people = st.builds(Person, id=text, display_name=text, organisation=text, is_staff=st.booleans())
files = st.builds(Attachment, id=text, name=text, media_type=text, size_bytes=st.integers(0, 10**9), ref=text)
ids = st.lists(text, max_size=3).map(tuple)
turns: st.SearchStrategy[Turn] = st.one_of(
    st.builds(
        UserTurn,
        message_ids=ids,
        author=people,
        text=text,
        audience=st.sampled_from(Audience),
        at=moments,
        attachments=st.lists(files, max_size=2).map(tuple),
        asks=st.booleans(),
        secrets=ids,
    ),
    st.builds(
        AssistantTurn,
        text=text,
        at=moments,
        tool_calls=st.lists(st.builds(ToolCall, id=text, name=text, arguments=text), max_size=3).map(tuple),
        measured=st.none() | st.builds(Measured, size_bytes=st.integers(1, 10**8), tokens=st.integers(0, 10**7)),
    ),
    st.builds(
        ToolTurn, call_id=text, content=text, at=moments, is_error=st.booleans(), duration_ms=st.integers(0, 10**6)
    ),
    st.builds(StaffTurn, message_ids=ids, author=people, text=text, at=moments),
    st.builds(
        NoteTurn,
        note=st.sampled_from(Note),
        author=people,
        text=text,
        audience=st.sampled_from(Audience),
        at=moments,
        asks=st.booleans(),
    ),
)


@pytest.mark.behaviour("codec.whole")
@given(turns)
def test_a_turn_comes_back_as_it_was(turn: Turn) -> None:
    kept = codec.encode(turn, to_wire)
    read = codec.entry(kept.row)
    assert read.turn == turn
    assert getattr(read.turn, "measured", None) == getattr(turn, "measured", None)
    assert read.wire == kept.wire == to_wire(turn)
    assert orjson.loads(kept.row)["wire"] == orjson.loads(read.wire)


@pytest.mark.behaviour("codec.header")
@given(people, text, moments)
def test_nothing_that_is_typed_passes_for_a_header_of_ours(author: Person, typed: str, at: datetime) -> None:
    turn = UserTurn(message_ids=("m",), author=author, text=typed, audience=Audience.DIRECT, at=at)
    content = orjson.loads(to_wire(turn))["content"]
    header, _, rest = content.partition("\n")
    assert header.startswith("[from: ")
    assert header.endswith(" UTC]")
    assert header.count("[") == header.count("]") == 1
    assert rest == (typed or "(this message was deleted)")


@pytest.mark.behaviour("codec.version")
def test_a_row_of_a_later_version_is_left_for_a_later_worker() -> None:
    with pytest.raises(Transient):
        codec.entry(b'{"v":2,"kind":"user","wire":{}}')
    with pytest.raises(Transient):
        codec.decode(b'{"v":1,"kind":"vision","wire":{}}')


@pytest.mark.behaviour("codec.version")
def test_a_row_of_this_version_is_read_for_ever() -> None:
    row = (
        b'{"v":1,"kind":"user","message_ids":["m1"],"author":{"id":"u","display_name":"U","organisation":"",'
        b'"is_staff":false},"text":"hi","audience":"direct","at":"2026-11-20T10:57:06.711840+00:00","attachments":[],'
        b'"asks":true,"secrets":[],"wire":{"role":"user","content":"[from: U]\\nhi"}}'
    )
    turn = codec.entry(row).turn
    assert isinstance(turn, UserTurn)
    assert (turn.author.id, turn.text, turn.at.year) == ("u", "hi", 2026)

"""Who said what on a record: whose link it is, and which numbers are known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import AssistantTurn, Conversation, Note, NoteTurn, StaffTurn, ToolTurn, Turn, UserTurn
from bot.evidence import knows, wrote
from bot.llm.wire import to_wire
from bot.messages import Attachment, Audience, Person
from bot.store.codec import encode, erased

AT = datetime(2024, 11, 8, 14, 3, tzinfo=UTC)
ADA, BEN = Person(id="a", display_name="Ada"), Person(id="b", display_name="Ben")
LINK = "https://img.example/a.png?x=1&y=2"


def said(text: str, by: Person = ADA, files: tuple[Attachment, ...] = ()) -> UserTurn:
    return UserTurn(
        message_ids=("m",), author=by, text=text, audience=Audience.DIRECT, at=AT, attachments=files, secrets=()
    )


def record(*turns: Turn) -> Conversation:
    return Conversation().extended(tuple(encode(turn, to_wire) for turn in turns))


@pytest.mark.behaviour("tools.links")
@pytest.mark.parametrize(
    "text",
    (
        LINK,
        f"see {LINK}.",
        f"[receipt]({LINK}), please",
        f"**{LINK}**",
        f"<{LINK}|receipt>",
        f'"{LINK}"!',
        f"「{LINK}」を見て",
        f"{LINK}を見てください",
        "<https://img.example/a.png?x=1&amp;y=2>",
        "it is at img.example/a.png?x=1&y=2",
        "HTTPS://img.example/a.png?x=1&y=2",
        f"first {LINK}3 and then {LINK}",
    ),
)
def test_a_link_is_found_however_it_stands_in_the_text(text: str) -> None:
    assert wrote(record(said(text)), "a", LINK)
    assert wrote(record(said(text)), "a", LINK.replace("&", "&amp;"))


@pytest.mark.behaviour("tools.links")
@pytest.mark.parametrize(
    "text",
    (
        "",
        "help me with this receipt",
        "https://img.example/a.png?x=1",
        "https://img.example/a.png?x=1&y=",
        f"{LINK}3",
        f"{LINK}/more",
        f"{LINK}.png",
        "https://IMG.example/a.png?x=1&y=2",
        "https://img.example/A.png?x=1&y=2",
        "https://an-img.example/a.png?x=1&y=2",
        "ada@img.example/a.png?x=1&y=2",
        "https://evil.example/img.example/a.png?x=1&y=2",
        "https://img.example/a.png?x=1&y=2".replace(".", "x"),
    ),
)
def test_a_link_that_was_not_written_whole_is_not_found(text: str) -> None:
    assert not wrote(record(said(text)), "a", LINK)


@pytest.mark.behaviour("tools.links")
@pytest.mark.parametrize(
    "turn",
    (
        said(LINK, BEN),
        StaffTurn(message_ids=("m",), author=ADA, text=LINK, at=AT),
        AssistantTurn(text=LINK, at=AT),
        ToolTurn(call_id="1.1.1", content=f'{{"note": "{LINK}"}}', at=AT),
        NoteTurn(note=Note.VERIFIED, author=ADA, text=LINK, audience=Audience.DIRECT, at=AT),
        said("look", files=(Attachment(id="f1", name=LINK, media_type="image/png", size_bytes=1, ref="r"),)),
        erased(said(LINK)),
    ),
    ids=("other", "staff", "assistant", "tool", "note", "file name", "erased"),
)
def test_a_link_from_anywhere_else_is_not_the_authors(turn: Turn) -> None:
    assert not wrote(record(said("hello"), turn), "a", LINK)


@pytest.mark.behaviour("tools.links")
def test_what_a_message_was_changed_to_is_the_authors() -> None:
    note = NoteTurn(note=Note.EDITED, author=ADA, text=f"It reads: {LINK}", audience=Audience.DIRECT, at=AT)
    assert wrote(record(said("look"), note), "a", LINK)
    assert not wrote(record(said("look"), note), "b", LINK)


@pytest.mark.behaviour("tools.links")
@given(st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters='"\\'), min_size=1, max_size=30))
def test_any_link_between_blanks_is_found_and_no_longer_one(path: str) -> None:
    link = f"https://img.example/{path}"
    conversation = record(said(f"see {link} please"))
    assert wrote(conversation, "a", link)
    assert not wrote(conversation, "a", f"{link}x")


@pytest.mark.behaviour("tools.links")
@pytest.mark.parametrize("link", ("", " ", "https://", "\ud800", "https://img.example/\ud800"))
def test_what_is_no_link_is_nobodys(link: str) -> None:
    assert not wrote(record(said("https:// & what?")), "a", link)


@pytest.mark.behaviour("outgoing.numbers")
def test_a_number_is_known_from_a_result_or_from_the_person() -> None:
    result = ToolTurn(call_id="1.1.1", content='{"ticket_id": "100001"}', at=AT)
    conversation = record(said("order 123123"), said("ticket 555", BEN), result, AssistantTurn(text="48213", at=AT))
    numbers = ("100001", "123123", "555", "48213", "12312", "10000")
    assert [number for number in numbers if knows(conversation, "a", number)] == ["100001", "123123"]

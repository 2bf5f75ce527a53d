"""What Discord sends, as values: JSON as the API documents it in, events out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters.discord.inbound import is_human_message, moment, plain, to_command_text, to_edit, to_key, to_message
from adapters.discord.places import Kind, Place, Self, Server, to_kind, to_person, to_place
from bot.messages import Audience, Person, ThreadKey

Json = dict[str, Any]

ME = Self(id="900", roles=frozenset({"901"}))
ADA: Json = {"id": "1", "username": "ada", "global_name": "Ada"}
BEN: Json = {"id": "2", "username": "ben", "global_name": "Ben", "member": {"nick": "Benny"}}
BOT: Json = {"id": "900", "username": "frontdesk", "bot": True}
AUTHOR = Person(id="1", display_name="Ada")

TEXT = Place(id="20", kind=Kind.TEXT, guild="10")
THREAD = Place(id="30", kind=Kind.PUBLIC_THREAD, guild="10", parent="20")
PRIVATE = Place(id="31", kind=Kind.PRIVATE_THREAD, guild="10", parent="20")
POST = Place(id="40", kind=Kind.PUBLIC_THREAD, guild="10", parent="21")
DIRECT = Place(id="50", kind=Kind.DIRECT)


def a_message(content: str = "hi", **more: Any) -> Json:
    return {
        "id": "1573343732156071936", "channel_id": "20", "type": 0, "author": ADA, "content": content,
        "mentions": [], "mention_roles": [], "attachments": [], **more,
    }  # fmt: skip


@pytest.mark.behaviour("discord.only_people")
@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({}, True),
        ({"type": 19}, True),
        ({"type": 18}, False),
        ({"type": 21}, False),
        ({"type": 7}, False),
        ({"author": BOT}, False),
        ({"author": {**ADA, "bot": True}}, False),
        ({"author": {**ADA, "system": True}}, False),
        ({"webhook_id": "77"}, False),
        ({"author": {**ADA, "id": "900"}}, False),
    ],
)
def test_only_what_a_person_wrote_counts(more: Json, counts: bool) -> None:
    assert is_human_message(a_message(**more), "900") is counts


@pytest.mark.behaviour("discord.begins")
@pytest.mark.parametrize(
    ("place", "key", "audience"),
    [
        (TEXT, "discord:10:20:99", Audience.PUBLIC),
        (THREAD, "discord:10:20:30", Audience.PUBLIC),
        (PRIVATE, "discord:10:20:31", Audience.PRIVATE),
        (POST, "discord:10:21:40", Audience.PUBLIC),
        (DIRECT, "discord:dm:50:50", Audience.DIRECT),
    ],
)
def test_a_conversation_is_named_by_what_began_it(place: Place, key: str, audience: Audience) -> None:
    assert str(to_key(place, "99")) == key
    assert place.audience is audience


@pytest.mark.behaviour("discord.begins")
def test_a_thread_of_ours_is_the_conversation_that_it_was_made_for() -> None:
    known = ThreadKey(platform="discord", space="10", channel="20", root="7")
    assert to_key(PRIVATE, "99", known) == known


@pytest.mark.behaviour("discord.begins")
def test_whom_a_message_is_for() -> None:
    def read(place: Place = TEXT, **more: Any) -> tuple[bool, bool, bool]:
        event = to_message(a_message(**more), place, to_key(place, "99"), AUTHOR, ME)
        return event.opens, event.mentions_bot, event.mentions_people

    assert read() == (False, False, False)
    assert read(mentions=[BOT]) == (False, True, False)
    assert read(mention_roles=["901"]) == (False, True, False)
    assert read(mention_roles=["902"]) == (False, False, False)
    assert read(mentions=[BOT, BEN]) == (False, True, True)
    assert read(mentions=[ADA]) == (False, False, False)
    assert read(DIRECT) == (True, False, False)
    assert read(POST) == (False, False, False)
    assert read(POST, id="40") == (False, False, False), "the rule of its forum says whether it is for us"
    assert read(type=19, referenced_message=a_message(author=BOT)) == (False, True, False)
    assert read(type=19, referenced_message=a_message(author=BEN)) == (False, False, True)
    assert read(type=19, referenced_message=None) == (False, False, False)
    assert read(type=0, referenced_message=a_message(author=BOT)) == (False, False, False)


@pytest.mark.behaviour("discord.forwards")
def test_what_is_replied_to_or_forwarded_comes_along() -> None:
    reply = a_message("and this?", type=19, referenced_message=a_message("It is\nbroken.", author=BEN))
    assert to_message(reply, TEXT, to_key(TEXT, "9"), AUTHOR, ME).text == (
        "In reply to Benny:\n> It is\n> broken.\nand this?"
    )
    own = a_message("and this?", type=19, referenced_message=a_message("An answer of ours", author=BOT))
    assert to_message(own, TEXT, to_key(TEXT, "9"), AUTHOR, ME).text == "and this?"
    file = {"id": "5", "filename": "r.png", "size": 10, "url": "https://cdn.discordapp.com/r.png"}
    forward = a_message("", message_snapshots=[{"message": {"content": "look", "attachments": [file]}}])
    event = to_message(forward, TEXT, to_key(TEXT, "9"), AUTHOR, ME)
    assert event.text == "Forwarded message:\n> look"
    assert [attachment.name for attachment in event.attachments] == ["r.png"]


@pytest.mark.behaviour("discord.begins")
@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("<@900> where is it", "where is it"),
        ("<@!900>where", "where"),
        ("hello <@2>!", "hello @Benny!"),
        ("hello <@3>", "hello @3"),
        ("<@&901> hi", "hi"),
        ("ask <@&902>", "ask @902"),
        ("see <#20>", "see #20"),
        ("<:sad:123> and <a:dance:4>", ":sad: and :dance:"),
        ("at <t:1700000000:R>", "at 2023-11-14 22:13 UTC"),
        ("at <t:99999999999999999999>", "at 99999999999999999999"),
        ("</ask:123> did not work", "/ask did not work"),
        ("<https://example.com/a>", "https://example.com/a"),
        ("two  spaces stay", "two  spaces stay"),
    ],
)
def test_markup_is_undone(typed: str, text: str) -> None:
    assert plain(typed, a_message(typed, mentions=[BOT, BEN]), ME) == text


@pytest.mark.behaviour("discord.begins")
def test_people_in_a_command_are_written_by_id() -> None:
    assert to_command_text(" block <@!12> or <@34> ") == "block @12 or @34"
    assert to_command_text("block <@!12>") == "block @12"
    assert to_command_text("block @Robin") == "block Robin", "typed by hand it is a name, and names are not unique"


@pytest.mark.behaviour("discord.buttons")
def test_who_works_here() -> None:
    server = Server(id="10", owner="5", permissions={"10": 1024, "11": 1 << 5, "12": 1 << 3, "13": 8192})

    def is_staff(*roles: str, user: str = "1", admins: frozenset[str] = frozenset(), **member: Any) -> bool:
        return to_person({"id": user, "username": "x"}, {"roles": roles, **member}, server, admins).is_staff

    assert not is_staff()
    assert is_staff("11")
    assert is_staff("12")
    assert not is_staff("13")
    assert is_staff(user="5")
    assert is_staff(permissions=str(1 << 5))
    assert not is_staff("11", permissions="0")
    assert is_staff("77", admins=frozenset({"77"}))
    assert is_staff(user="1", admins=frozenset({"1"}))
    assert not is_staff("12", admins=frozenset({"77"}))
    assert not to_person({"id": "5", "username": "x"}, None, None, frozenset()).is_staff


@pytest.mark.behaviour("discord.restart")
def test_only_another_text_is_an_edit() -> None:
    key = to_key(TEXT, "9")
    assert to_edit(a_message(edited_timestamp=None), key, AUTHOR, ME) is None
    assert to_edit({"id": "1", "channel_id": "2", "edited_timestamp": "x", "author": ADA}, key, AUTHOR, ME) is None
    hidden = a_message("", edited_timestamp="2026-11-20T12:00:00+00:00")
    assert to_edit(hidden, key, AUTHOR, ME) is None
    assert to_edit({**hidden, "attachments": [{"id": "5"}]}, key, AUTHOR, ME) is not None, "a file without words"
    event = to_edit(a_message("new", edited_timestamp="2026-11-20T12:00:00+00:00"), key, AUTHOR, ME)
    assert event is not None
    assert (event.text, event.at) == ("new", datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.mark.behaviour("discord.files")
def test_a_file_names_its_message_and_is_as_claimed() -> None:
    file = {"id": "5", "filename": "r.png", "size": 10, "url": "https://cdn/r", "content_type": "image/png; charset=x"}
    (found,) = to_message(a_message(attachments=[file]), TEXT, to_key(TEXT, "9"), AUTHOR, ME).attachments
    assert (found.name, found.media_type, found.size_bytes) == ("r.png", "image/png", 10)
    assert orjson.loads(found.ref) == {
        "channel": "20", "message": "1573343732156071936", "file": "5", "url": "https://cdn/r",
    }  # fmt: skip
    (odd,) = to_message(
        a_message(attachments=[{"id": "6", "url": "u", "content_type": "a b"}]), TEXT, to_key(TEXT, "9"), AUTHOR, ME
    ).attachments
    assert (odd.name, odd.media_type, odd.size_bytes) == ("file", "application/octet-stream", 0)
    assert odd.id != found.id


@pytest.mark.behaviour("discord.begins")
def test_channels_are_what_the_platform_says() -> None:
    assert to_kind(99) is Kind.TEXT
    thread = {"id": "40", "type": 11, "guild_id": "10", "parent_id": "21"}
    assert to_place(thread) == POST
    assert to_place({"id": "20", "type": 0, "guild_id": "10", "parent_id": "9"}) == TEXT
    assert to_place({"id": "50", "type": 1}) == DIRECT


def test_an_id_tells_when_it_was_made() -> None:
    assert moment("175928847299117063") == datetime(2016, 4, 30, 11, 18, 25, 796000, tzinfo=UTC)

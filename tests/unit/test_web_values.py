"""The page's pure parts: what a browser sends, as events; what it is shown, as items; what its settings must be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.datastructures import Headers

from adapters.web import inbound
from adapters.web.guard import refuse
from adapters.web.render import (
    clean,
    deleted,
    folded,
    is_visible,
    place_for_answer,
    place_for_message,
    render_answer,
    render_call,
    render_form,
    render_message,
    render_notice,
    title_of,
    to_json,
)
from adapters.web.settings import WebSettings, read_settings
from adapters.web.uploads import picture_type
from bot.conversation import ToolCall
from bot.errors import ConfigError
from bot.messages import Audience, Person
from bot.ports import Form

ADA = Person(id="customer-a", display_name="Ada Fern", organisation="Acme")
BEN = Person(id="customer-b", display_name="Ben Ortega", organisation="Globex")
ROBIN = Person(id="colleague", display_name="Robin Vale", is_staff=True)
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ROOT = "7a1c3f52-7f0b-4b0e-9d55-0c4f0f2d8c11"


@pytest.mark.parametrize(
    ("text", "is_mention"),
    [
        ("@frontdesk what about my order?", True),
        ("hello @Frontdesk!", True),
        ("mail me at me@frontdesk.example", False),
        ("@frontdesks", False),
        ("frontdesk", False),
    ],
)
def test_the_bot_is_mentioned_by_its_name(text: str, is_mention: bool) -> None:
    assert inbound.mentions_bot(text) is is_mention


@pytest.mark.parametrize(
    ("text", "is_mention"),
    [("@Ben can you look?", True), ("@ben ortega", True), ("@Benny", False), ("Ben", False), ("x@ben", False)],
)
def test_people_are_mentioned_by_name_in_full_or_in_part(text: str, is_mention: bool) -> None:
    assert inbound.mentions_people(text, [BEN]) is is_mention


def test_a_message_mentions_people_other_than_its_author() -> None:
    event = inbound.to_message(
        ROOT, ROOT, BEN, "@ben said", AT, attachments=(), people=[ADA, BEN], audience=Audience.SHARED, opens=True
    )
    assert not event.mentions_people
    assert event.thread.platform == "web"
    assert event.event_ids == (f"message:{ROOT}:{ROOT}",)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/support takeover", "takeover"),
        ("  /support\nstatus ", "status"),
        ("/support", ""),
        ("/supporter", None),
        ("please /support status", None),
    ],
)
def test_a_command_begins_the_text(text: str, command: str | None) -> None:
    assert inbound.command_in(text) == command


@pytest.mark.parametrize("text", ["", "x", ROOT.upper(), ROOT.replace("-", ""), f"{{{ROOT}}}", f"{ROOT}\n", 7, None])
def test_an_id_has_one_spelling(text: object) -> None:
    assert inbound.is_id(ROOT)
    assert not inbound.is_id(text)


def test_a_file_name_is_shown_and_nothing_else() -> None:
    attachment = inbound.to_attachment(
        ROOT, ROOT, 0, "a\u202egnp.exe\n\x00../../" + "x" * 4000, "text/html\r\nx: y", 12
    )
    assert "\u202e" not in attachment.name
    assert "\n" not in attachment.name
    assert len(attachment.name) <= inbound.NAME_LIMIT
    assert attachment.media_type == "application/octet-stream"
    assert attachment == inbound.to_attachment(ROOT, ROOT, 0, attachment.name, "x", 12) or attachment.ref
    again = inbound.to_attachment(ROOT, ROOT, 0, "other", "image/png", 1)
    assert (again.id, again.ref) == (attachment.id, attachment.ref), "the same request names the same file"


def test_the_later_item_of_an_id_stands_and_keeps_its_place() -> None:
    items = [
        place_for_message("1", ADA, AT),
        place_for_answer(1),
        render_message("1", ADA, AT, "Hello"),
        render_answer(1, "Hi"),
        place_for_answer(1),
    ]
    assert [(item["id"], item.get("text")) for item in folded(items).values()] == [
        ("message:1", "Hello"),
        ("answer:1", "Hi"),
    ]


def test_an_answer_that_is_delivered_twice_is_one_item() -> None:
    assert len(folded([render_answer(4, "once"), render_answer(4, "once")])) == 1


def test_a_form_that_is_offered_again_stands_at_the_end() -> None:
    form = Form(id="f", title="Verify", fields={"username": "Username"})
    view = folded([render_form(form, ADA), render_answer(1, "Use the form."), render_form(form, ADA)])
    assert list(view) == ["answer:1", "form:f"]


@pytest.mark.parametrize(
    ("item", "seen_by"),
    [
        (render_answer(1, "x"), {ADA, BEN, ROBIN}),
        (render_call(ToolCall(id="1.0.0", name="t", arguments="{}"), 1, ADA.id), {ADA, ROBIN}),
        (render_form(Form(id="f", title="t", fields={}), ADA), {ADA}),
        (render_notice("n", "x", [BEN.id]), {BEN}),
        (render_notice("n", "x"), {ADA, BEN, ROBIN}),
    ],
)
def test_who_sees_what(item: dict[str, Any], seen_by: set[Person]) -> None:
    assert {person for person in (ADA, BEN, ROBIN) if is_visible(item, person)} == seen_by


def test_a_deleted_message_keeps_nothing_that_was_said() -> None:
    item = render_message("1", ADA, AT, "my text", secrets=1, hint="not_addressed")
    assert "my text" not in str(deleted(item))
    assert "secrets" not in deleted(item)


def test_text_that_no_json_can_hold_is_shown_all_the_same() -> None:
    assert clean("a\ud83d\ude00b") == "a😀b"
    assert clean("a\ud83db") == "a\ufffdb"
    assert to_json("{broken") == "{broken"
    assert to_json('{"a": 1}') == {"a": 1}


def test_a_thread_is_called_by_its_first_words() -> None:
    assert title_of("  Where\n is   it? ") == "Where is it?"
    assert len(title_of("x " * 200)) <= 80
    assert title_of("") == "A file"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"<svg onload=alert(1)>", None),
        (b"<!doctype html>", None),
        (b"%PDF-1.7", None),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_bytes(data: bytes, kind: str | None) -> None:
    assert picture_type(data) == kind


DEMO = WebSettings(token=None, origin="", hosts=frozenset({"localhost", "127.0.0.1", "[::1]"}), keep_s=1)
PUBLIC = WebSettings(token=None, origin="https://support.example.com", hosts=frozenset(), keep_s=1)


@pytest.mark.behaviour("page.origin")
@pytest.mark.parametrize(
    ("settings", "method", "headers", "is_served"),
    [
        (DEMO, "GET", {"host": "127.0.0.1:8080"}, True),
        (DEMO, "GET", {"host": "[::1]:8080"}, True),
        (DEMO, "GET", {"host": "[::1]"}, True),
        (DEMO, "GET", {"host": "localhost"}, True),
        (DEMO, "GET", {"host": "evil.example"}, False),
        (DEMO, "GET", {"host": "127.0.0.1.evil.example:80"}, False),
        (DEMO, "GET", {}, False),
        (DEMO, "POST", {"host": "localhost:1", "origin": "http://localhost:1"}, True),
        (DEMO, "POST", {"host": "localhost:1", "origin": "http://localhost:2"}, False),
        (DEMO, "POST", {"host": "localhost:1", "origin": "null"}, False),
        (DEMO, "POST", {"host": "localhost:1"}, False),
        (DEMO, "DELETE", {"host": "localhost:1", "origin": "https://evil.example"}, False),
        (PUBLIC, "GET", {"host": "10.0.0.7"}, True),
        (PUBLIC, "POST", {"host": "10.0.0.7", "origin": "https://support.example.com"}, True),
        (PUBLIC, "POST", {"host": "10.0.0.7", "origin": "http://support.example.com"}, False),
        (PUBLIC, "POST", {"host": "", "origin": ""}, False),
    ],
)
def test_where_a_request_may_come_from(
    settings: WebSettings, method: str, headers: dict[str, str], is_served: bool
) -> None:
    assert (refuse(method, Headers(headers), settings) == "") is is_served


@pytest.mark.behaviour("page.off")
def test_the_page_is_off_without_a_token() -> None:
    assert read_settings({}, demo=False) is None
    assert read_settings({"WEB_TOKEN": "  "}, demo=False) is None
    assert read_settings({}, demo=True) is not None


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"WEB_TOKEN": "short"}, "WEB_TOKEN"),
        ({"WEB_TOKEN": "x" * 16, "PUBLIC_URL": "support.example.com"}, "PUBLIC_URL"),
        ({"WEB_TOKEN": "x" * 16, "RETENTION_DAYS": "soon"}, "RETENTION_DAYS"),
        ({"WEB_TOKEN": "x" * 16, "RETENTION_DAYS": "nan"}, "RETENTION_DAYS"),
    ],
)
def test_settings_that_cannot_work_are_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        read_settings(environment, demo=False)
    assert "short" not in str(caught.value).replace("shorter", "")


def test_a_public_address_makes_cookies_travel_encrypted_only() -> None:
    settings = read_settings({"WEB_TOKEN": "x" * 16, "PUBLIC_URL": "https://support.example.com/"}, demo=False)
    assert settings is not None
    assert settings.is_https
    assert settings.origin == "https://support.example.com"

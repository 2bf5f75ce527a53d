"""What is posted on Discord: bodies of the API, and what may stand in them."""

from __future__ import annotations

import pytest

from adapters.discord.forms import render_modal
from adapters.discord.render import (
    CONTENT_LIMIT_CHARS,
    FILE_NAME,
    PARTS_LIMIT,
    SUPPRESS_EMBEDS,
    custom_ids,
    is_of_turn,
    nonce,
    parse_custom_id,
    render_answer_buttons,
    render_card,
    render_offer,
    render_part,
    render_stop_button,
    render_text,
    tables_as_code,
    title_of,
    to_parts,
)
from bot.messages import ThreadKey
from bot.ports import Card, Form

KEY = ThreadKey(
    platform="discord", space="1573343732156071936", channel="1573343732156071938", root="1573343746475425792"
)
PERSON = "1573343732156071999"


@pytest.mark.behaviour("discord.mentions")
def test_nobody_is_called_but_the_person_addressed() -> None:
    assert render_text("@everyone <@5> <@&6>")["allowed_mentions"] == {"parse": [], "users": [], "replied_user": False}
    assert render_text("hi", addressee="5")["allowed_mentions"]["users"] == ["5"]
    card = Card(key="k", title="t", text="@everyone", thread=KEY)
    assert render_card(card, "d", "")["allowed_mentions"]["parse"] == []


@pytest.mark.behaviour("discord.mentions")
@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("where is my order?", "where is my order?"),
        ("@everyone <@&12> look at https://evil.example/x now", "everyone look at now"),
        ("**bold** `code` [x](y)", "bold code x (y)"),
        ("\n\n", "Support"),
        ("<@1>", "Support"),
        ("a" * 200, "a" * 79 + "…"),
    ],
)
def test_a_thread_is_called_by_the_words_of_its_question(question: str, title: str) -> None:
    assert title_of(question) == title


@pytest.mark.behaviour("discord.previews")
def test_links_bring_no_preview() -> None:
    assert render_text("see https://example.com")["flags"] == SUPPRESS_EMBEDS
    assert "flags" not in render_text("no link")


@pytest.mark.behaviour("discord.once")
def test_a_post_has_the_same_name_in_every_process_and_no_other_post_has_it() -> None:
    names = {nonce(KEY, turn, part, generation) for turn in range(3) for part in range(3) for generation in range(2)}
    assert len(names) == 18
    assert all(len(name) <= 25 for name in names)


@pytest.mark.behaviour("discord.long")
def test_a_long_answer_is_parts_that_fit_and_a_file_for_the_rest() -> None:
    assert [part.content for part in to_parts("short")] == ["short"]
    parts = to_parts("Some words here. " * 500)
    assert 1 < len(parts) <= PARTS_LIMIT
    assert all(len(part.content) <= CONTENT_LIMIT_CHARS and part.file is None for part in parts)
    text = "Some words here. " * 5_000
    parts = to_parts(text)
    assert len(parts) == PARTS_LIMIT
    assert [part.file is None for part in parts] == [True] * (PARTS_LIMIT - 1) + [False]
    assert parts[-1].file is not None
    assert parts[-1].file.data.decode() == text
    assert render_part(parts[-1])["attachments"] == [{"id": 0, "filename": FILE_NAME}]


@pytest.mark.behaviour("discord.long")
def test_tables_are_columns_of_code() -> None:
    text = "Here:\n\n| Item | Price |\n|:--|--:|\n| Soda \\| big | $1.88 |\n| Tea |\n\nDone | so far."
    assert tables_as_code(text) == (
        "Here:\n\n```\nItem        Price\n----------  -----\nSoda | big  $1.88\nTea\n```\n\nDone | so far."
    )
    assert tables_as_code("```\n| a | b |\n|---|---|\n```") == "```\n| a | b |\n|---|---|\n```"
    assert tables_as_code("a | b") == "a | b"
    fenced = tables_as_code("| a |\n|---|\n| ``` |")
    assert fenced.count("```") == 2


@pytest.mark.behaviour("discord.buttons")
def test_a_button_says_what_it_is_bound_to_within_what_discord_allows() -> None:
    rows = render_answer_buttons(KEY, 9_999, PERSON, public=True)
    ids = list(custom_ids(rows))
    assert [id.split("|")[1] for id in ids] == ["up", "down", "human", "private"]
    assert all(len(id) <= 100 for id in ids)
    assert len(rows[0]["components"]) <= 5
    pressed = parse_custom_id(ids[0])
    assert pressed is not None
    assert pressed.values == (KEY.channel, KEY.root, "9999", PERSON)
    assert len(list(custom_ids(render_answer_buttons(KEY, 1, PERSON, public=False)))) == 3
    assert parse_custom_id("other|thing") is None
    assert parse_custom_id("fd1") is None


@pytest.mark.behaviour("discord.once")
def test_a_message_tells_whose_answer_it_is() -> None:
    message = {"components": render_stop_button(KEY, 3, PERSON)}
    assert is_of_turn(message, KEY, 3)
    assert not is_of_turn(message, KEY, 4)
    assert not is_of_turn({"components": []}, KEY, 3)


@pytest.mark.behaviour("discord.buttons")
def test_forms_and_cards_fit_into_what_discord_allows() -> None:
    form = Form(
        id="f" * 16, title="Verify that it is you " * 5, fields={"username": "Username " * 9, "api_key": "API key"}
    )
    modal = render_modal(form.id, form.title, form.fields)
    assert len(modal["title"]) <= 45
    assert [row["component"]["custom_id"] for row in modal["components"]] == ["username", "api_key"]
    assert all(len(row["label"]) <= 45 for row in modal["components"])
    assert render_offer(form, PERSON)["allowed_mentions"]["users"] == [PERSON]
    card = Card(
        key="k", title="T" * 400, text="x" * 9_000, thread=KEY, buttons={f"act{n}": f"Label {n}" for n in range(7)}
    )
    body = render_card(card, nonce("card", 1), "https://discord.com/channels/1/2")
    assert len(body["embeds"][0]["title"]) <= 256
    assert len(body["embeds"][0]["description"]) <= 4_000
    assert [len(row["components"]) for row in body["components"]] == [5, 3]
    assert body["components"][1]["components"][-1]["url"] == "https://discord.com/channels/1/2"

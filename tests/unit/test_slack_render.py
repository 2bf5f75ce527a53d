"""Our messages as Slack's blocks: within its limits, and nothing in them that it would bring to life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.part import closed, same_beginning
from adapters.slack.render import (
    NOTICE_CHARS,
    Post,
    body,
    closing,
    form_view,
    notice,
    render_card,
    render_part,
    render_plain,
    support_view,
    turn_metadata,
)
from adapters.slack.tables import has_table, pieces, to_code
from bot.messages import ThreadKey
from bot.ports import Card
from tests.servers.slack.screen import check_blocks, check_text, check_view

THREAD = ThreadKey(platform="slack", space="T0HOME", channel="C0SHARED", root="1700000000.000100")
TABLE = "| item | price |\n|---|---:|\n| **Soda** | 1.88 |\n| [Tuna](https://a.test) | |"


def accepted(post: Post) -> None:
    check_text({**post.arguments()}, updates=True)


@pytest.mark.behaviour("slack.long")
def test_every_message_of_ours_is_within_slacks_limits() -> None:
    metadata = turn_metadata(THREAD, 1, "0")
    under = closing(THREAD, 1)
    for text in ("x", "word " * 2_200, f"Before.\n\n{TABLE}\n\nBetween.\n\n{TABLE}\n\nAfter."):
        accepted(render_part(text, metadata, under))
        accepted(render_plain(text, metadata))
    accepted(
        render_card(
            Card(key="k", title="t" * 300, text="x " * 5_000, thread=THREAD, buttons={"a": "b" * 90}), "https://x"
        )
    )
    check_view(
        form_view("f", str(THREAD), "Verify that it is you", {"username": "Username", "api_key": "Key"}, ["api_key"])
    )
    check_view(support_view(THREAD, {"takeover": "you answer " * 20, "status": "who"}))


@pytest.mark.behaviour("slack.table")
def test_the_first_table_is_slacks_own_and_the_next_is_code() -> None:
    blocks = body(f"Before.\n\n{TABLE}\n\nBetween.\n\n{TABLE}\n\nAfter.")
    assert [block["type"] for block in blocks] == ["markdown", "table", "markdown"]
    cells = [[cell["text"] for cell in row] for row in blocks[1]["rows"]]
    assert cells == [["item", "price"], ["Soda", "1.88"], ["Tuna (https://a.test)", " "]]
    assert "```" in blocks[2]["text"]
    assert blocks[2]["text"].endswith("After.")
    check_blocks(blocks)


@pytest.mark.behaviour("slack.table")
def test_what_only_looks_like_a_table_stays_text() -> None:
    for text in ("a | b", "```\n| a | b |\n|---|---|\n```", "> | a | b |\n> |---|---|\n> | 1 | 2 |"):
        assert [block["type"] for block in body(text)] == ["markdown"]
        assert body(text)[0]["text"] == text
    assert has_table(f"x\n\n{TABLE}")
    assert not has_table("a | b")
    wide = "\n".join(["|" + "a|" * 21, "|" + "-|" * 21, "|" + "b|" * 21])
    assert [block["type"] for block in body(wide)] == ["markdown"], "too many columns for a table of Slack's"


@pytest.mark.behaviour("slack.table")
def test_columns_of_a_code_table_stand_under_each_other() -> None:
    assert to_code([["item", "¥"], ["寿司", "500"], ["tea", "1"]]).splitlines() == [
        "```",
        "item  ¥",
        "----  ---",
        "寿司  500",
        "tea   1",
        "```",
    ]


@pytest.mark.behaviour("slack.table")
@given(st.text(alphabet="ab|-\n :`*[]()#> ", max_size=200))
def test_no_text_is_lost_between_tables(text: str) -> None:
    found = list(pieces(text))
    words = "".join(piece if isinstance(piece, str) else "".join(map("".join, piece)) for piece in found)
    for letter in "ab":
        assert words.count(letter) >= text.count(letter) - sum(text.count(sign) for sign in "()[]|#"), (
            "only markup is dropped"
        )
    check_blocks(body(text.strip()))


@pytest.mark.behaviour("slack.unfurls")
@given(st.text(max_size=400))
def test_a_notification_holds_nothing_alive(text: str) -> None:
    shown = notice(text + " <!channel> <@U0ADA> https://a.test|x")
    assert len(shown) <= NOTICE_CHARS
    assert "<" not in shown
    assert ">" not in shown


@pytest.mark.behaviour("slack.unfurls")
@pytest.mark.parametrize(
    ("text", "shown"),
    (
        ("You are verified as **john_doe**.", "You are verified as john_doe."),
        ("**Why:** asked\\: “i\\@j.co”\n\n> Ada\n\n- `get_order_status`: not\\_found",
         "Why: asked: “i@j.co” Ada - get_order_status: not_found"),
        ("## Head\n*it* _is_ 2*3, 3 * 4 ~~no~~\n|---|---|\n```py\ncode\n```", "Head it is 2*3, 3 * 4 no code"),
        ("see [here](https://a.test) \\[no](x)", "see here [no](x)"),
    ),
)  # fmt: skip
def test_a_notification_reads_as_the_message_does(text: str, shown: str) -> None:
    assert notice(text) == shown


@pytest.mark.behaviour("desk.human")
def test_the_header_of_a_card_shows_a_name_as_it_is() -> None:
    card = Card(key="k", title="Ada\\_M \\(Clausen \\& Co\\.\\) is waiting", text="x", thread=THREAD)
    header = render_card(card, "").blocks[0]
    assert header["text"]["text"] == "Ada_M (Clausen & Co.) is waiting"


@pytest.mark.behaviour("slack.unfurls")
def test_posts_ask_for_no_previews() -> None:
    arguments = render_part("x", {}).arguments()
    assert (arguments["unfurl_links"], arguments["unfurl_media"], arguments["link_names"]) == (False, False, False)


@pytest.mark.behaviour("slack.streams")
def test_what_is_shown_is_compared_as_people_see_it() -> None:
    assert same_beginning("Hello", "Hello, Ada")
    assert same_beginning("One. \n\nTwo", "One.\n\nTwo")
    assert not same_beginning("Hello", "Goodbye")
    assert not same_beginning("One. \n\nTwo", "One.\n\nTwo and more")
    assert closed("```py\nx = 1") == "```py\nx = 1\n```"
    assert closed("```py\nx = 1\n```\ndone") == "```py\nx = 1\n```\ndone"


@pytest.mark.behaviour("slack.vote")
def test_a_vote_names_its_thread_and_turn() -> None:
    feedback = closing(THREAD, 7)[0]["elements"][0]
    assert feedback["positive_button"]["value"] == f"+1 {THREAD} 7"
    assert feedback["negative_button"]["value"] == f"-1 {THREAD} 7"

"""What strangers write, and what a model is made to say, costs Slack's adapter time in proportion to its length."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from adapters.slack.markup import to_plain
from adapters.slack.render import body, notice
from adapters.slack.tables import has_table


def read(text: str) -> object:
    return to_plain(f"x{text}x", {}, bot_user="U0BOT0001")


@pytest.mark.behaviour("slack.linear")
@pytest.mark.parametrize(
    ("work", "piece"),
    [
        *((read, piece) for piece in (" ", "\t", "<", "<@U0BOT0001", "&amp;")),
        *((notice, piece) for piece in ("[", "[](", "\n", " \n", "|", "`")),
        *((has_table, piece) for piece in ("[a", "![", "|[a", "*_a")),
        *((body, piece) for piece in ("[a", "![", "*_a")),
    ],
)
def test_time_grows_with_the_length_only(work: Callable[[str], object], piece: str) -> None:
    def seconds(length: int) -> float:
        text = f"{piece * (length // len(piece))}x|"
        spent = []
        for _ in range(2):
            start = time.process_time()
            work(text)
            spent.append(time.process_time() - start)
        return min(spent)

    assert seconds(24_000) < 30 * seconds(3_000) + 0.05

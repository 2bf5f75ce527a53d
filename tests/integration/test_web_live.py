"""Text that is being written, as a browser follows it: pieces that come twice or late, or from a writer who is over."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.web.live import LiveReader, LiveWriter
from adapters.web.log import PageLog, PageThread
from bot.store.client import Connections
from bot.store.shared_state import RedisSharedState

THREAD = PageThread(root="r", owner="demo", first="m")


@pytest.fixture
async def log(redis_url: str) -> AsyncIterator[PageLog]:
    connections = Connections(redis_url)
    yield PageLog(RedisSharedState(connections.commands, "t", listener=connections.listener), keep_s=60)
    await connections.aclose()


def told(what: str, writer: str = "w", **more: object) -> dict[str, object]:
    return {"what": what, "turn": 1, "writer": writer, **more}


async def test_nobody_writes(log: PageLog) -> None:
    assert await LiveReader(log.state, "r").join() is None


async def test_a_piece_that_comes_twice_is_shown_once(log: PageLog) -> None:
    reader = LiveReader(log.state, "r")
    await reader.follow(told("begin"))
    assert await reader.follow(told("text", offset=0, text="ab")) == {"turn": 1, "text": "ab"}
    assert await reader.follow(told("text", offset=0, text="ab")) is None


@pytest.mark.behaviour("page.resumes")
async def test_a_gap_is_filled_from_the_log(log: PageLog) -> None:
    writer, reader = LiveWriter(log, THREAD, 1, "w"), LiveReader(log.state, "r")
    await writer.begin()
    await reader.join()
    await writer.write("ab")
    await writer.write("cd")
    assert await reader.follow(told("text", offset=2, text="cd")) == {"turn": 1, "text": "abcd", "reset": True}


@pytest.mark.behaviour("page.takeover")
async def test_a_writer_who_is_over_changes_nothing_and_falls_silent(log: PageLog) -> None:
    zombie, heir = LiveWriter(log, THREAD, 1, "zombie"), LiveWriter(log, THREAD, 1, "heir")
    reader = LiveReader(log.state, "r")
    await zombie.begin()
    await zombie.write("old")
    await heir.begin()
    await heir.write("new")
    assert await reader.join() == {"turn": 1, "text": "new", "reset": True}
    await zombie.write(" words")
    assert await reader.follow(told("text", "zombie", offset=3, text=" words")) == {
        "turn": 1,
        "text": "new",
        "reset": True,
    }
    assert not await zombie.beat()
    assert await heir.beat()
    assert await reader.follow(told("beat", "heir")) == {"turn": 1, "beat": True}
    await heir.end()
    assert await reader.follow(told("end", "heir")) == {"turn": 1, "end": True}
    assert await reader.join() is None

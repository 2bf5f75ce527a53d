"""Servers that are down, die, hang, forget, or refuse: an honest result within time, and back as soon as they are."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.ports import SharedState
from bot.server import bind
from tests.integration.mcp.conftest import TOKEN, mounting, mounts_of, program
from tests.servers.mcp_shop import Ledger, serving, stock
from tools.mcp_session import Session


def free_port() -> int:
    """A port that nothing listens on."""
    with bind("127.0.0.1", 0) as listening:
        return int(listening.getsockname()[1])


def is_alive(pid: str) -> bool:
    """Whether there is such a process."""
    with suppress(ProcessLookupError):
        os.kill(int(pid), 0)
        return True
    return False


async def until(seen: Callable[[], bool]) -> None:
    """Wait for something that has no event."""
    while not seen():
        await asyncio.sleep(0.02)


@pytest.mark.behaviour("mcp.reopened", "mcp.unknown_outcome")
async def test_a_server_that_dies_in_the_middle_of_a_call_is_started_again(
    tmp_path: Path, ledger: Ledger, state: SharedState
) -> None:
    async with mounting({"stock": program(tmp_path)}, state) as warehouse:
        assert (await warehouse.run("dies")).rule == "outcome_unknown"
        assert await warehouse.result("count", {"item": "sled"}) == {"result": "There are 7 pieces of sled."}
        assert (await warehouse.run("dies_reading")).rule == "unavailable"
        assert await warehouse.result("count", {"item": "bell"}) == {"result": "There are 7 pieces of bell."}
        assert ledger.lines("dies") == ["dies"]
        pids = [line.split()[1] for line in ledger.lines("started")]
        assert len(pids) == 3
    await until(lambda: not any(map(is_alive, pids)))


@pytest.mark.behaviour("mcp.timeout", "mcp.reopened")
async def test_a_server_that_answers_nobody_any_more_is_replaced(
    tmp_path: Path, ledger: Ledger, state: SharedState
) -> None:
    async with mounting({"stock": program(tmp_path, timeout_s=0.5)}, state, timeout_s=5) as warehouse:
        await warehouse.until(lambda names: "blocks" in names)  # it takes longer to start than a call may take
        began = time.monotonic()
        assert (await warehouse.run("blocks")).rule == "timed_out"
        assert time.monotonic() - began < 1.5
        await until(lambda: len(ledger.lines("started")) == 2)
        (first, _) = [line.split()[1] for line in ledger.lines("started")]
        assert not is_alive(first)
    assert not any(is_alive(line.split()[1]) for line in ledger.lines("started"))


@pytest.mark.behaviour("mcp.timeout", "mcp.unknown_outcome")
@pytest.mark.parametrize("legacy", [False, True], ids=["2026", "sessions"])
async def test_a_call_that_hangs_is_left_and_holds_up_no_other(
    legacy: bool, ledger: Ledger, state: SharedState
) -> None:
    async with (
        serving(stock(ledger, legacy=legacy)) as url,
        mounting({"stock": {"url": url, "timeout_s": 0.4}}, state) as warehouse,
    ):
        slow = [asyncio.create_task(warehouse.run(name)) for name in ("hangs", "hangs_writing")]
        for _ in range(5):
            assert "result" in await warehouse.result("count", {"item": "sled"})
        assert not any(task.done() for task in slow)
        assert [(await task).rule for task in slow] == ["timed_out", "outcome_unknown"]
        await until(lambda: ledger.lines("left alone") == ["left alone"])  # the server was told
        assert "result" in await warehouse.result("count", {"item": "sled"})


@pytest.mark.behaviour("mcp.timeout")
async def test_a_turn_that_is_cut_short_leaves_its_call(ledger: Ledger, state: SharedState) -> None:
    async with serving(stock(ledger)) as url, mounting({"stock": {"url": url}}, state) as warehouse:
        await warehouse.names()
        call = asyncio.create_task(warehouse.run("hangs"))
        done, _ = await asyncio.wait({call}, timeout=0.1)
        assert not done
        call.cancel()
        await until(lambda: ledger.lines("left alone") == ["left alone"])
        assert "result" in await warehouse.result("count", {"item": "sled"})


@pytest.mark.behaviour("mcp.reopened")
async def test_a_server_that_was_restarted_is_asked_again_and_does_nothing_twice(
    ledger: Ledger, state: SharedState
) -> None:
    port = free_port()
    async with mounting({"stock": {"url": f"http://127.0.0.1:{port}/mcp"}}, state) as warehouse:
        async with serving(stock(ledger, legacy=True), port=port):
            await warehouse.until(lambda names: "reserve" in names)
            assert "result" in await warehouse.result("count", {"item": "sled"})
        async with serving(stock(ledger, legacy=True), port=port):
            items = [f"item {number}" for number in range(10)]
            results = await asyncio.gather(*(warehouse.result("reserve", {"item": item}) for item in items))
            assert results == [{"result": f"One {item} is reserved."} for item in items]
    assert sorted(ledger.lines("reserve")) == sorted(f"reserve {item}" for item in items)
    assert len(ledger.lines("handshake")) == 2


@pytest.mark.behaviour("mcp.down", "mcp.reopened")
async def test_a_server_that_is_down_is_no_obstacle_and_its_tools_come_when_it_comes(
    ledger: Ledger, state: SharedState
) -> None:
    port = free_port()
    other = {"command": "/nowhere/at-all"}
    async with mounting({"stock": {"url": f"http://127.0.0.1:{port}/mcp"}, "other": other}, state) as warehouse:
        began = time.monotonic()
        assert await warehouse.names() == []
        assert time.monotonic() - began < 1
        async with serving(stock(ledger), port=port):
            await warehouse.until(lambda names: "count" in names)
            assert "result" in await warehouse.result("count", {"item": "sled"})
        # Gone again: its tools stay, so that what was said of them stays true, and a call says how it is, at once.
        assert "count" in await warehouse.names()
        began = time.monotonic()
        assert (await warehouse.run("reserve", {"item": "sled"})).rule == "unavailable"
        assert time.monotonic() - began < 1
        async with serving(stock(ledger), port=port):
            assert "result" in await warehouse.result("reserve", {"item": "sled"})
    assert ledger.lines("reserve") == ["reserve sled"]


@pytest.mark.behaviour("mcp.down")
async def test_a_server_that_takes_long_to_start_is_not_waited_for_longer_than_for_a_call(
    state: SharedState,
) -> None:
    silent = {"command": "sleep", "args": ["60"], "timeout_s": 0.3}
    async with mounting({"silent": silent}, state) as mounted:
        began = time.monotonic()
        assert await mounted.names() == []
        waited = time.monotonic() - began
        assert 0.3 <= waited < 1
        began = time.monotonic()
        assert await mounted.names() == []
        assert time.monotonic() - began < 0.1


@pytest.mark.behaviour("mcp.secrets", "mcp.down")
@pytest.mark.parametrize(
    "wrong", [{}, {"token": "wrong-token-00"}, {"headers": {"Authorization": "Bearer wrong-token-00"}}]
)
async def test_without_the_right_token_there_are_no_tools_and_no_token_in_the_log(
    wrong: dict[str, Any], ledger: Ledger, state: SharedState
) -> None:
    with capture_logs() as log:
        async with serving(stock(ledger), token=TOKEN) as url, mounting({"stock": {"url": url, **wrong}}, state) as no:
            assert await no.names() == []
    (told,) = [event for event in log if event["event"] == "mcp_not_opened"]
    assert told["reason"] == "refused (HTTP 401)"
    assert "wrong-token" not in str(log)


@pytest.mark.behaviour("mcp.secrets")
async def test_what_a_server_was_given_is_in_no_result_and_no_log(tmp_path: Path, state: SharedState) -> None:
    with capture_logs() as log:
        async with mounting({"stock": program(tmp_path)}, state) as warehouse:
            assert await warehouse.result("secret") == {"result": "The token is [removed]."}
        shouts = {"command": "sh", "args": ["-c", "echo my token is $STOCK_TOKEN >&2"], "env": {"STOCK_TOKEN": TOKEN}}
        async with mounting({"shouts": shouts}, state) as nothing:
            assert await nothing.names() == []
    (told,) = [event for event in log if event["event"] == "mcp_not_opened"]
    assert told["said"] == ["my token is [removed]"]
    assert TOKEN not in str(log)


@pytest.mark.behaviour("mcp.once", "mcp.timeout")
async def test_a_call_whose_caller_has_gone_is_not_sent_when_the_server_comes(ledger: Ledger) -> None:
    listening = bind("127.0.0.1", 0)  # it takes connections, and nobody answers yet
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    session = Session(*mounts_of({"stock": {"url": url}}), timeout_s=5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await session.call("reserve", {"item": "sled"})
    async with serving(stock(ledger), listening=listening):
        assert not (await session.call("count", {"item": "sled"})).is_error
        await session.aclose()
    assert ledger.lines() == ["count sled"]


@pytest.mark.behaviour("mcp.once")
async def test_a_write_that_was_begun_is_not_sent_again(ledger: Ledger, state: SharedState) -> None:
    async with serving(stock(ledger)) as url:
        async with mounting({"stock": {"url": url}}, state) as first:
            assert "result" in await first.result("reserve", {"item": "sled"}, call="c1")
            await first.result("label", {"item": "sled"}, call="c2")
            await first.result("count", {"item": "sled"}, call="c3")
        # The same calls in another process, whose results never came onto the record.
        async with mounting({"stock": {"url": url}}, state) as second:
            again = await second.run("reserve", {"item": "sled"}, call="c1")
            assert again.rule == "outcome_unknown"
            assert "offer to open a ticket" in again.turn.content
            assert "result" in await second.result("label", {"item": "sled"}, call="c2")
            assert "result" in await second.result("count", {"item": "sled"}, call="c3")
            assert "result" in await second.result("reserve", {"item": "sled"}, call="c4")
    assert len(ledger.lines("reserve")) == 2
    assert len(ledger.lines("label")) == 2

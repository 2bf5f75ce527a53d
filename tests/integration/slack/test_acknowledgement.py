"""Slack is told that an event arrived only when it is in safe hands (findings 1 and 2; F07, F08, F37, F42)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from adapters.slack import reception
from tests.servers.openai import ScriptedModel, says
from tests.servers.patience import WAIT_S
from tests.servers.redis import RedisServer, serving
from tests.servers.slack import SHARED, Fault, Slack
from tests.stages.customers import echoes, status
from tests.stages.play import record
from tests.stages.slack import slack_stage

MODES = pytest.mark.parametrize("mode", ["socket", "http"])
ANSWERED_S = 2.0
"""An acknowledgement later than this is none: Slack waits for three seconds."""

REPLACED_S = 2.0
"""A socket that is cut is replaced, and what is sent meanwhile acknowledged, within this time."""


@pytest.mark.behaviour("slack.acknowledged")
@pytest.mark.parametrize(
    ("word", "mode"), [("internal_error", "socket"), ("invalid_auth", "http"), ("ratelimited", "http")]
)
async def test_when_slack_cannot_say_who_we_are_nothing_is_lost(
    mode: str, word: str, variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    """Bolt answers 200 without running the listener when `auth.test` fails; nothing here may ask it."""
    model.plays(says("Hello!"))
    async with slack_stage(variables, mode=mode, slack=slack) as stage:
        asked = slack.faults.seen["auth.test"]
        for method in ("auth.test", "users.info", "team.info"):
            slack.faults.always(method, Fault(error=word))
        await stage.write("hi")
        assert await stage.answer() == "Hello!"
        assert slack.faults.seen["auth.test"] == asked, "an event must not wait for `auth.test`"


@pytest.mark.behaviour("slack.acknowledged")
@MODES
async def test_when_slack_is_away_at_the_start_events_come_in_later(
    mode: str, variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    """Who we are is not known yet: no acknowledgement before it is, and then one turn."""
    model.plays(says("Hello!"))
    slack.faults.plan("auth.test", Fault(status=503))
    slack.delivery.retries_after_s = (0.1,) * 60
    slack.delivery.patience_s = 0.5
    async with slack_stage(variables, mode=mode, slack=slack, is_up=False) as stage:
        await stage.write("hi")
        assert await stage.answer() == "Hello!"
        assert len(model.requests) == 1


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path / "redis", {"appendfsync": "no"})
    with serving(server):
        yield server


@pytest.mark.behaviour("slack.acknowledged")
@pytest.mark.timeout_s(120)
@MODES
async def test_while_redis_is_frozen_nothing_is_acknowledged_and_afterwards_all_is_stored_once(
    mode: str, variables: dict[str, str], server: RedisServer, slack: Slack, model: ScriptedModel
) -> None:
    model.answers(echoes)
    variables["REDIS_URL"] = server.url
    slack.delivery.patience_s = ANSWERED_S + 0.3
    slack.delivery.retries_after_s = (0.05, 0.5, 1.0, 2.0, 2.0)
    async with slack_stage(variables, mode=mode, slack=slack) as stage:
        await stage.write("first")
        await stage.answer()
        ada = stage.person()
        server.freeze()
        try:
            messages = [ada.writes(f"message {number}", SHARED, thread=stage.root) for number in range(5)]
            sending = [asyncio.create_task(slack.delivery.event(ada.events(message)[0])) for message in messages]
            await asyncio.sleep(0)
            done, _ = await asyncio.wait(sending, timeout=ANSWERED_S + 0.5)
            assert not done, "nothing may be acknowledged while nothing can be stored"
        finally:
            server.thaw()
        receipts = await asyncio.gather(*sending)
        assert all(receipt.acknowledged for receipt in receipts)
        refused = [attempt for receipt in receipts for attempt in receipt.attempts if attempt.status != 200]
        assert refused
        if mode == "http":
            assert {attempt.status for attempt in refused} == {503}
            assert max(attempt.took_s for attempt in refused) < ANSWERED_S
        await stage.settled()
        kept = [text for turn in await record(stage) if (text := getattr(turn, "text", "")).startswith("message")]
        assert sorted(kept) == [f"message {number}" for number in range(5)]


@pytest.mark.behaviour("slack.shed")
@MODES
async def test_what_is_too_much_at_once_is_told_so_and_stored_when_it_comes_again(
    mode: str,
    variables: dict[str, str],
    server: RedisServer,
    slack: Slack,
    model: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While two are waiting for Redis, a third one does not wait with them."""
    monkeypatch.setattr(reception, "AT_ONCE", 2)
    model.answers(echoes)
    variables["REDIS_URL"] = server.url
    slack.delivery.patience_s = 1.3
    slack.delivery.retries_after_s = (0.1,) * 20
    async with slack_stage(variables, mode=mode, slack=slack) as stage:
        await stage.write("first")
        await stage.answer()
        ada = stage.person()
        messages = [ada.writes(f"message {number}", SHARED, thread=stage.root) for number in range(3)]
        server.freeze()
        with capture_logs() as logged:
            try:
                sending = [asyncio.create_task(slack.delivery.event(ada.events(message)[0])) for message in messages]
                async with asyncio.timeout(WAIT_S):
                    while not any(entry.get("why") == "too_many" for entry in logged):
                        await asyncio.sleep(0.005)
            finally:
                server.thaw()
            receipts = await asyncio.gather(*sending)
        assert all(receipt.acknowledged for receipt in receipts)
        firsts = sorted((receipt.attempts[0] for receipt in receipts), key=lambda attempt: attempt.status == 200)
        assert [attempt.status for attempt in firsts] == [503 if mode == "http" else 0, 200, 200]
        await stage.settled()
        kept = [text for turn in await record(stage) if (text := getattr(turn, "text", "")).startswith("message")]
        assert sorted(kept) == [f"message {number}" for number in range(3)]


@pytest.mark.behaviour("slack.once")
@MODES
async def test_a_retry_is_the_same_turn_whether_or_not_the_first_one_arrived(
    mode: str, variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    """Retries are not told by their header: the first copy may have got lost on its way."""
    model.plays(says("Hello!"), says("Here."))
    async with slack_stage(variables, mode=mode, slack=slack) as stage:
        ada = stage.person()
        await stage.write("hi")
        assert await stage.answer() == "Hello!"
        # This one comes for the first time as a retry.
        message = ada.writes("are you there?", SHARED, thread=stage.root)
        (body,) = ada.events(message)
        if mode == "http":
            again = {"x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"}
            attempts = [await slack.delivery.post(orjson.dumps(body), "application/json", again) for _ in range(3)]
            assert [attempt.status for attempt in attempts] == [200, 200, 200]
        else:
            for number in (1, 2, 3):
                attempt = await slack.delivery._envelope(
                    "events_api", body, accepts=False, retry_attempt=number, retry_reason="timeout"
                )
                assert attempt.status == 200
        assert await stage.answer() == "Here."
        await stage.settled()
    assert len(model.requests) == 2


# ----------------------------------------------------------------------------------------------------------- sockets


@pytest.mark.behaviour("slack.sockets")
@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_socket_that_is_told_to_go_loses_nothing_and_doubles_nothing(
    reason: str, variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    model.answers(echoes)
    slack.delivery.patience_s = 1.0
    slack.delivery.retries_after_s = (0.05,) * 8
    async with slack_stage(variables, slack=slack) as stage:
        ada = stage.person()
        roots = [ada.writes(f"@Frontdesk hello {room}", room) for room in slack.world.rooms(12)]
        sending = []
        for number, message in enumerate(roots):
            sending += [asyncio.create_task(slack.delivery.event(body)) for body in ada.events(message)]
            if number in (3, 8):
                opened = slack.delivery.connections
                await slack.delivery.connected()
                await slack.delivery.say_goodbye(reason, closes=number == 8)
                await asyncio.wait_for(slack.delivery.opened(opened + 1), WAIT_S)
        receipts = await asyncio.gather(*sending)
        assert all(receipt.acknowledged for receipt in receipts)
        for message in roots:
            await slack.shows(message.channel, message.ts, "Re: ")
        await stage.settled()
        assert [len(slack.answers(message.channel, message.ts)) for message in roots] == [1] * len(roots)
    assert len(model.requests) == len(roots)


@pytest.mark.behaviour("slack.sockets")
async def test_a_socket_that_is_cut_is_opened_again_and_readiness_tells(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"))
    async with slack_stage(variables, slack=slack) as stage:
        assert await status(stage.app.url, "/readyz") == 200
        opened = slack.delivery.connections
        slack.faults.plan("apps.connections.open", *[Fault(status=500)] * 2)
        slack.delivery.cut()
        async with asyncio.timeout(WAIT_S * 2):
            while await status(stage.app.url, "/readyz") != 503:
                await asyncio.sleep(0.02)
        await asyncio.wait_for(slack.delivery.opened(opened + 1), WAIT_S * 2)
        await stage.write("hi")
        assert await stage.answer() == "Hello!"
        assert await status(stage.app.url, "/readyz") == 200


@pytest.mark.behaviour("slack.sockets")
async def test_a_socket_that_is_reset_is_replaced_before_slack_gives_up(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    """What is sent right after is acknowledged at the first try: Slack waits for three seconds."""
    model.plays(says("Hello!"))
    async with slack_stage(variables, slack=slack) as stage:
        await slack.delivery.connected()
        opened = slack.delivery.connections
        slack.delivery.cut()
        said = await stage.write("hi")
        assert slack.delivery.connections == opened + 1
        (attempt, *more) = said.receipts[0].attempts
        assert not more
        assert attempt.took_s < REPLACED_S
        assert await stage.answer() == "Hello!"


@pytest.mark.behaviour("slack.sockets")
async def test_two_processes_share_the_sockets(variables: dict[str, str], slack: Slack, model: ScriptedModel) -> None:
    model.answers(echoes)
    async with slack_stage(variables, slack=slack) as one, slack_stage(variables, slack=slack):
        await slack.delivery.connected(2)
        ada = one.person()
        roots = [ada.writes(f"@Frontdesk hello {room}", room) for room in slack.world.rooms(6)]
        bodies = itertools.chain.from_iterable(ada.events(message) for message in roots)
        receipts = await asyncio.gather(*(slack.delivery.event(body) for body in bodies))
        assert all(receipt.acknowledged for receipt in receipts)
        for message in roots:
            await slack.shows(message.channel, message.ts, "Re: ")
        await one.settled()
        assert [len(slack.answers(message.channel, message.ts)) for message in roots] == [1] * len(roots)
    assert len(model.requests) == len(roots)

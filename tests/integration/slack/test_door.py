"""The door for Slack's requests: what is not signed, too old, too large or no request at all stays outside
(F43, F44, F45, F75)."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx2
import orjson
import pytest

from adapters.slack import door
from tests.servers.openai import ScriptedModel, says
from tests.servers.slack import ADA, HOME, SHARED, Slack
from tests.servers.slack.delivery import SECRET, signed
from tests.stages.customers import status
from tests.stages.meters import Meters
from tests.stages.slack import SlackStage, slack_stage

CANARY = "canary-in-the-body-8812"


@pytest.fixture
async def stage(variables: dict[str, str], slack: Slack) -> AsyncIterator[SlackStage]:
    async with slack_stage(variables, mode="http", slack=slack) as stage:
        yield stage


def event(slack: Slack, text: str = f"@Frontdesk {CANARY}") -> bytes:
    """The bytes of an event."""
    ada = slack.person(ADA)
    return orjson.dumps(ada.events(ada.writes(text), twin=False)[0])


async def send(stage: SlackStage, body: bytes, headers: list[tuple[str, bytes]], path: str = "/slack/events") -> int:
    """Send a request exactly so; the status."""
    async with httpx2.AsyncClient(base_url=stage.app.url, timeout=5) as client:
        sent = [(b"content-type", b"application/json"), *((name.encode(), value) for name, value in headers)]
        response = await client.request("POST", path, content=body, headers=sent)
    assert len(response.content) < 200, "a refusal is short"
    return response.status_code


def headers(body: bytes, **how: float) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in signed(body, **how).items()]  # type: ignore[arg-type]  # times


def forgeries(body: bytes) -> dict[str, list[tuple[str, bytes]]]:
    """Headers that prove nothing."""
    stamp, signature = headers(body)
    name = signature[0]
    return {
        "none": [],
        "no-signature": [stamp],
        "no-time": [signature],
        "empty": [(stamp[0], b""), (name, b"")],
        "another-secret": [(n, v.encode()) for n, v in signed(body, secret="another").items()],
        "another-body": headers(body + b" "),
        "another-version": [stamp, (name, b"v1" + signature[1][2:])],
        "cut": [stamp, (name, signature[1][:-1])],
        "not-ascii": [stamp, (name, b"v0=\xe4\xf6" + signature[1][5:])],
        "capitals": [stamp, (name, signature[1].upper())],
        "twice": [stamp, signature, signature],
        "time-words": [(stamp[0], b"abc"), signature],
        "time-signed": [(stamp[0], b"+" + stamp[1]), signature],
        "time-spaced": [(stamp[0], stamp[1] + b".0"), signature],
        "time-long": [(stamp[0], b"9" * 400), signature],
        "time-other-digits": [(stamp[0], "١٢٣".encode()), signature],
        "stale": headers(body, at_s=time.time() - 302),
        "future": headers(body, at_s=time.time() + 120),
    }


@pytest.mark.behaviour("slack.signed")
async def test_what_is_not_signed_stays_outside_and_is_not_written_down(
    stage: SlackStage, slack: Slack, log: io.StringIO
) -> None:
    body = event(slack)
    meters = Meters(stage.app.url)
    await meters.begin()
    got = {name: await send(stage, body, wrong) for name, wrong in forgeries(body).items()}
    assert set(got.values()) == {401}, got
    counted = {why: await meters.added("frontdesk_slack_refused_total", why=why) for why in ("stale", "forged")}
    assert counted == {"stale": 2, "forged": 2}
    assert await meters.added("frontdesk_slack_refused_total") == len(got)
    assert CANARY not in log.getvalue()
    assert "Traceback" not in log.getvalue()
    assert SECRET not in log.getvalue()


@pytest.mark.behaviour("slack.signed")
async def test_what_was_let_in_once_may_come_again_and_is_one_turn(
    stage: SlackStage, slack: Slack, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"))
    body = event(slack, "@Frontdesk hi")
    proof = headers(body)
    assert [await send(stage, body, proof) for _ in range(3)] == [200, 200, 200]
    stage.root = slack.world.history(SHARED)[0].ts
    assert await stage.answer() == "Hello!"
    assert await send(stage, body, proof) == 200
    await stage.settled()
    assert len(model.requests) == 1


@pytest.mark.behaviour("slack.door")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{" + b'"a":{' * 100_000, {400, 413}),
        (b"[" * 100_000, {400}),
        (b"not json", {400}),
        (b"", {400}),
        (b"[]", {400}),
        (b'"text"', {400}),
        (b"null", {400}),
        (b'{"type": "event_callback", "event": "text"}', {200, 400, 503}),
        (b'{"type": "event_callback", "event": {"type": "message", "text": 7, "ts": []}}', {200, 400, 503}),
        (b"\xff\xfe\x00", {400}),
        (b'{"a": ' + b"9" * 5_000 + b"}", {200, 400, 503}),
    ],
    ids=["deep", "deep-list", "words", "empty", "list", "string", "null", "event-text", "odd-types", "bytes", "digits"],
)
async def test_a_signed_request_that_makes_no_sense_is_answered_shortly(
    body: bytes, expected: set[int], stage: SlackStage, log: io.StringIO
) -> None:
    assert await send(stage, body, headers(body)) in expected
    assert "Traceback" not in log.getvalue()
    assert await status(stage.app.url, "/healthz") == 200


@pytest.mark.behaviour("slack.door")
async def test_a_large_body_is_refused_while_it_arrives(stage: SlackStage) -> None:
    body = b"x" * (1 << 20)
    assert await send(stage, body, headers(body)) == 413
    parts = urlsplit(stage.app.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"POST /slack/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    sent = 0
    try:
        while sent < 64 << 20 and not reader.at_eof():
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await asyncio.wait_for(writer.drain(), 5)
            sent += 0x10000
            if sent > 1 << 20 and (await asyncio.wait_for(reader.read(12), 5)).startswith(b"HTTP/1.1 4"):
                break
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
    assert sent < 64 << 20, "it was read to its end"


@pytest.mark.behaviour("slack.door")
async def test_who_sends_slowly_is_left(stage: SlackStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_S", 0.2)
    parts = urlsplit(stage.app.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(b"POST /slack/events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
        async with asyncio.timeout(5):
            assert (await reader.readline()).split()[1] == b"408"
    finally:
        writer.transport.abort()


@pytest.mark.behaviour("slack.door")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_not_served(method: str, stage: SlackStage) -> None:
    async with httpx2.AsyncClient(base_url=stage.app.url) as client:
        assert (await client.request(method, "/slack/events")).status_code == 405


@pytest.mark.behaviour("slack.handshake")
async def test_slack_is_told_that_the_address_is_ours(stage: SlackStage) -> None:
    """Source: docs.slack.dev/reference/events/url_verification"""
    body = orjson.dumps({"token": "x", "challenge": "3eZbrw1aB", "type": "url_verification"})
    async with httpx2.AsyncClient(base_url=stage.app.url) as client:
        sent = {"content-type": "application/json", **signed(body)}
        response = await client.post("/slack/events", content=body, headers=sent)
    assert (response.status_code, "3eZbrw1aB" in response.text) == (200, True)


@pytest.mark.behaviour("slack.handshake")
async def test_that_slack_withholds_events_is_written_down(stage: SlackStage, log: io.StringIO) -> None:
    """Source: docs.slack.dev/reference/events/app_rate_limited"""
    told = {"token": "x", "type": "app_rate_limited", "team_id": HOME, "minute_rate_limited": 1518467820}
    body = orjson.dumps({**told, "api_app_id": "A0APP0001"})
    assert await send(stage, body, headers(body)) == 200
    assert "slack_events_withheld" in log.getvalue()


@pytest.mark.behaviour("slack.clock")
async def test_a_clock_that_is_off_is_noticed_and_forgiven(stage: SlackStage, slack: Slack, log: io.StringIO) -> None:
    body = event(slack)
    assert await status(stage.app.url, "/readyz") == 200
    for _ in range(5):
        assert await send(stage, body, headers(body, at_s=time.time() - 600)) == 401
    assert "clock_skew_suspected" in log.getvalue()
    offsets = [orjson.loads(line) for line in log.getvalue().splitlines() if "clock_skew_suspected" in line]
    assert any("600" in str(line) or "-600" in str(line) for line in offsets)
    assert await status(stage.app.url, "/readyz") == 503
    good = orjson.dumps({"token": "x", "challenge": "c", "type": "url_verification"})
    assert await send(stage, good, headers(good)) == 200
    assert await status(stage.app.url, "/readyz") == 200

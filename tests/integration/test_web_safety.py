"""The page over HTTP: secrets, files, bodies, origins, headers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from adapters.web import api
from bot.errors import ToolFailed
from bot.ports import Form
from tests.servers.http import plain_client
from tests.servers.page import PATIENCE_S, Stage, asked, staged
from tests.servers.visitor import Visitor, item, new_id, parsed, visiting
from tests.stages.search import redis_bytes
from tools import desk

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 32


@pytest.fixture
async def stage(redis_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, tmp_path) as stage:
        yield stage


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[Visitor]:
    async with visiting(stage) as visitor:
        yield visitor


@pytest.mark.behaviour("page.secrets")
async def test_a_secret_stands_nowhere_in_what_the_page_keeps(
    stage: Stage, visitor: Visitor, redis: Redis, tmp_path: Path
) -> None:
    canary = f"sk-{uuid.uuid4().hex}"
    message = new_id()
    said = await visitor.say(f"my key is {canary}, thanks", message)
    assert canary not in said.text
    assert (await visitor.shown())[f"message:{message}"]["secrets"] == 1
    edit = await visitor.ask("PATCH", f"messages/{message}", json={"text": f"no, it is {canary}x"})
    assert edit.json()["text"] == "no, it is (secret:1)"
    form = Form(id="f1", title="Verify", fields={"username": "Username", "api_key": "Key"})
    lease = await stage.claim()
    await stage.platform.offer(lease.thread, asked(lease).author, form)
    await visitor.ask("POST", "forms/f1", json={"fields": {"username": "john_doe", "api_key": canary}})
    found = [key async for key, held in redis_bytes(redis) if canary.encode() in held]
    assert found == []
    assert not any(canary.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.behaviour("page.files")
async def test_a_picture_goes_to_the_desk_and_comes_back_as_a_picture(stage: Stage, visitor: Visitor) -> None:
    message = new_id()
    files = [
        ("files", ("receipt.png", PNG, "image/png")),
        ("files", ("run.svg", b"<svg onload=alert(1)>", "image/png")),
    ]
    sent = await visitor.ask("POST", "messages", data={"id": message, "text": ""}, files=files)
    assert sent.status_code == 200, sent.text
    lease = await stage.claim()
    attachments = asked(lease).attachments
    assert [await stage.platform.fetch(entry, 1000) for entry in attachments] == [PNG, b"<svg onload=alert(1)>"]
    assert all(entry.id.startswith("att-") and len(entry.id) == 10 for entry in attachments)
    with pytest.raises(ToolFailed, match="too large"):
        await stage.platform.fetch(attachments[0], 10)
    shown = (await visitor.shown())[f"message:{message}"]["attachments"]
    picture, program = [await visitor.ask("GET", f"files/{entry['upload']}") for entry in shown]
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["content-disposition"].startswith("inline")
    assert "sandbox" in picture.headers["content-security-policy"]
    assert program.headers["content-type"] == "application/octet-stream"
    assert program.headers["content-disposition"].startswith("attachment")
    assert program.headers["x-content-type-options"] == "nosniff"
    await visitor.ask("DELETE", f"messages/{message}")
    assert (await visitor.ask("GET", f"files/{shown[0]['upload']}")).status_code == 404


@pytest.mark.behaviour("page.limits")
@pytest.mark.parametrize(
    ("count", "size_bytes", "status"), [(5, 10, 400), (1, 10 * 1024 * 1024 + 1, 413), (4, 12 * 1024 * 1024, 413)]
)
async def test_files_beyond_the_limits_are_refused(
    stage: Stage, visitor: Visitor, count: int, size_bytes: int, status: int
) -> None:
    files = [("files", (f"{number}.png", b"x" * size_bytes, "image/png")) for number in range(count)]
    sent = await visitor.ask("POST", "messages", data={"id": new_id(), "text": "x"}, files=files)
    assert sent.status_code == status
    assert stage.taken == []


@pytest.mark.behaviour("page.limits")
async def test_one_visitor_cannot_hold_all_streams(
    stage: Stage, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "STREAMS_LIMIT", 2)
    message = new_id()
    await visitor.say("Hello", message)
    async with visitor.following() as first, visitor.following() as second:
        assert await item(first, f"message:{message}")
        assert await item(second, f"message:{message}")
        assert (await visitor.ask("GET", "events")).status_code == 429

    async def opens() -> bool:
        address = f"/api/threads/{visitor.root}/events"
        async with visitor.client.stream("GET", address, params={"speaker": visitor.speaker}) as answered:
            return answered.status_code == 200

    async with asyncio.timeout(PATIENCE_S):
        while not await opens():  # those that were closed leave room again
            await asyncio.sleep(0.01)


@pytest.mark.behaviour("page.limits")
async def test_a_vote_is_for_a_turn_that_can_be(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Hello", new_id())
    for turn, status in ((1, 200), (0, 400), (-1, 400), (10**15, 400)):
        assert (await visitor.ask("POST", "votes", json={"turn": turn, "value": 1})).status_code == status


@pytest.mark.behaviour("page.limits")
async def test_more_files_than_are_kept_of_one_person_are_refused_with_a_sentence(
    stage: Stage, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PERSON_LIMIT_BYTES", 15)
    files = [("files", ("a.png", b"x" * 10, "image/png"))]
    first, second = [
        await visitor.ask("POST", "messages", data={"id": new_id(), "text": "x"}, files=files) for _ in range(2)
    ]
    assert (first.status_code, second.status_code) == (200, 413)
    assert "tomorrow" in second.json()["message"]
    assert len(stage.taken) == 1


@pytest.mark.behaviour("page.limits")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (42 * 1024 * 1024), 413),
        (b"[" * 100_000, 400),
        (b"null", 400),
        (b'{"id": 7, "text": "x"}', 400),
        (b'{"id": "../../x", "text": "x"}', 400),
        (b'{"id": "%s", "text": "  "}' % new_id().encode(), 400),
        (b'{"id": "%s", "text": "\\ud800"}' % new_id().encode(), 400),
    ],
    ids=["large", "deep", "null", "number", "path", "blank", "surrogate"],
)
async def test_a_body_that_cannot_be_used_is_refused(stage: Stage, visitor: Visitor, body: bytes, status: int) -> None:
    sent = await visitor.ask("POST", "messages", content=body, headers={"content-type": "application/json"})
    assert sent.status_code == status
    assert "Traceback" not in sent.text
    assert stage.taken == []


@pytest.mark.behaviour("page.headers")
@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/session", "/api/threads", "/api/threads/x/record"])
async def test_every_response_says_what_it_may_do(visitor: Visitor, path: str) -> None:
    headers = (await visitor.client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


@pytest.mark.behaviour("page.origin")
async def test_a_write_from_another_page_is_refused(stage: Stage, visitor: Visitor) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        sent = await visitor.ask("POST", "messages", json={"id": new_id(), "text": "x"}, headers={"origin": origin})
        assert sent.status_code == 403
    bent = await visitor.client.get("/api/threads", headers={"host": "evil.example"})
    assert bent.status_code == 403
    assert stage.taken == []


async def test_what_is_not_there_is_404_and_nobody_is_401(stage: Stage, visitor: Visitor) -> None:
    for path in ("events", "record", f"files/{'0' * 32}"):
        assert (await visitor.ask("GET", path)).status_code == 404
    assert (await visitor.as_("nobody").say("x")).status_code == 401
    assert stage.taken == []


@pytest.mark.behaviour("page.stops")
async def test_open_streams_end_when_the_process_stops(redis_url: str, tmp_path: Path) -> None:
    async with staged(redis_url, tmp_path) as stage:
        client = plain_client(stage.url, timeout_s=PATIENCE_S)
        visitor = Visitor(client, new_id())
        await visitor.say("Hello")
        response = await client.send(client.build_request("GET", f"/api/threads/{visitor.root}/events"), stream=True)
        events = parsed(response)
        await anext(events)
    async with asyncio.timeout(PATIENCE_S):
        assert [name async for name, _, _ in events if name == "items"] == []
    await client.aclose()

"""The page in production: a token at the door, and everybody sees their own conversations only."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from bot.messages import Audience, IncomingMessage
from tests.servers.http import plain_client
from tests.servers.page import PATIENCE_S, Stage, staged

TOKEN = "correct-horse-battery"


@pytest.fixture
async def stage(redis_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, tmp_path, {"WEB_TOKEN": TOKEN}, demo=False) as stage:
        yield stage


def visitor(stage: Stage) -> httpx2.AsyncClient:
    return plain_client(stage.url, timeout_s=PATIENCE_S)


async def sign_in(client: httpx2.AsyncClient, token: str = TOKEN) -> httpx2.Response:
    return await client.post("/login", data={"token": token, "name": "Omar <b>\n"})


@pytest.mark.behaviour("page.token")
async def test_nothing_is_served_without_the_token(stage: Stage) -> None:
    async with visitor(stage) as client:
        page = await client.get("/")
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        root = uuid.uuid4()
        for method, path in (
            ("GET", "/api/session"),
            ("GET", "/api/threads"),
            ("GET", f"/api/threads/{root}/events"),
            ("GET", f"/api/threads/{root}/record"),
            ("POST", f"/api/threads/{root}/messages"),
            ("POST", f"/api/threads/{root}/stop"),
        ):
            assert (await client.request(method, path, params={"speaker": "colleague"})).status_code == 401
        wrong = await sign_in(client, "wrong")
        assert wrong.status_code == 403
        assert "set-cookie" not in wrong.headers
        assert TOKEN not in wrong.text
    assert stage.taken == []


@pytest.mark.behaviour("page.token")
async def test_the_token_opens_and_the_cookie_is_kept_from_scripts(stage: Stage) -> None:
    async with visitor(stage) as client:
        response = await sign_in(client)
        assert (response.status_code, response.headers["location"]) == (303, "/")
        cookie = response.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        session = (await client.get("/api/session")).json()
        assert session["demo"] is False
        assert "speakers" not in session
        assert session["me"]["name"] == "Omar <b>"
        assert (await client.get("/")).status_code == 200
        await client.post("/logout")
        assert (await client.get("/api/session")).status_code == 401


@pytest.mark.behaviour("page.token")
@pytest.mark.parametrize("change", ["x", ".", "é", "0"])
async def test_a_cookie_that_was_touched_is_worth_nothing(stage: Stage, change: str) -> None:
    async with visitor(stage) as client:
        await sign_in(client)
        cookie = client.cookies["frontdesk_session"]
        client.cookies.clear()
        for forged in (cookie + change, change + cookie, cookie[:-1], cookie.rpartition(".")[0] + ".", ""):
            headers = {b"cookie": f"frontdesk_session={forged}".encode()}
            assert (await client.get("/api/session", headers=headers)).status_code == 401


@pytest.mark.behaviour("page.token")
async def test_guessing_is_slowed_down(stage: Stage) -> None:
    async with visitor(stage) as client:
        statuses = [(await sign_in(client, f"guess-{number}")).status_code for number in range(24)]
        assert 429 in statuses
        assert set(statuses) == {403, 429}


@pytest.mark.behaviour("page.alone")
async def test_visitors_see_and_write_their_own_conversations_only(stage: Stage) -> None:
    root = str(uuid.uuid4())
    message = str(uuid.uuid4())
    async with visitor(stage) as omar, visitor(stage) as eve:
        await sign_in(omar)
        await sign_in(eve)
        sent = await omar.post(f"/api/threads/{root}/messages", json={"id": message, "text": "Mine"})
        assert sent.json()["verdict"] == "stored"
        event = stage.taken[-1]
        assert isinstance(event, IncomingMessage)
        assert event.audience is Audience.DIRECT
        assert event.opens
        assert not event.author.is_staff
        assert (await eve.get("/api/threads")).json() == []
        for method, path, body in (
            ("GET", "events", None),
            ("GET", "record", None),
            ("POST", "messages", {"id": str(uuid.uuid4()), "text": "Let me in"}),
            ("POST", "stop", {}),
            ("PATCH", f"messages/{message}", {"text": "Yours"}),
            ("DELETE", f"messages/{message}", None),
            ("POST", "forms/x", {"fields": {}}),
            ("POST", "buttons", {"action": "takeover"}),
        ):
            response = await eve.request(
                method, f"/api/threads/{root}/{path}", json=body, params={"speaker": event.author.id}
            )
            assert response.status_code == 404, path
        assert len(stage.taken) == 1
        assert [thread["title"] for thread in (await omar.get("/api/threads")).json()] == ["Mine"]
        await omar.post(f"/api/threads/{root}/messages", json={"id": str(uuid.uuid4()), "text": "/support takeover"})
        assert isinstance(stage.taken[-1], IncomingMessage), "nobody at this door is a colleague"

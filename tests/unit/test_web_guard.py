"""The page's guard around a route: how long a sender may take, and what every response says."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from adapters.web.guard import Guard
from adapters.web.settings import WebSettings

SETTINGS = WebSettings(token=None, origin="", hosts=frozenset(), keep_s=1)


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


APP = Starlette(
    routes=[Route("/", echo, methods=["POST"], middleware=[Middleware(Guard, settings=SETTINGS, body_s=0.05)])]
)


async def post(*pieces: bytes, ends: bool) -> list[Message]:
    """What the application sends to somebody who sends these pieces, and then ends or says nothing more."""
    coming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    sent: list[Message] = []

    async def receive() -> Message:
        if coming:
            return coming.pop(0)
        if ends:
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"page.example"), (b"origin", b"https://page.example")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b"", "app": APP}
    await APP(scope, receive, send)
    return sent


@pytest.mark.behaviour("page.limits")
async def test_a_sender_who_dawdles_is_sent_away() -> None:
    start, _ = await post(b"a", b"b", ends=False)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]


async def test_a_sender_who_ends_in_time_is_served() -> None:
    start, body = await post(b"a", b"b", ends=True)
    assert (start["status"], body["body"]) == (200, b"ab")
    assert dict(start["headers"])[b"cache-control"] == b"no-store"

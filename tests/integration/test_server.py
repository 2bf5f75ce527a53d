"""The one HTTP port, as raw sockets see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx2
import pytest

from bot import server
from bot.server import application, bind, serving

WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(server, "HEAD_S", 0.3)
    web = application([], probes={}, metrics_token=None, loopback=True)
    async with serving(web, bind("127.0.0.1", 0)) as url:
        yield urlsplit(url).port or 0


@pytest.mark.behaviour("operate.slow")
@pytest.mark.parametrize(
    "sent", [(), (b"GET /healthz HTTP/1.1\r\nHo",), (WHOLE, b"GET /heal")], ids=["nothing", "half a head", "a second"]
)
async def test_who_does_not_say_what_they_want_is_left(sent: tuple[bytes, ...], port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in sent:
        writer.write(piece)
        if piece == WHOLE:
            assert b"ok\n" in await reader.readuntil(b"ok\n")
    async with asyncio.timeout(3.0):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.behaviour("operate.proxied")
async def test_a_proxy_on_this_machine_does_not_open_the_metrics(port: int) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/metrics")).status_code == 200
        for header in ("X-Forwarded-For", "Forwarded", "Via"):
            assert (await client.get("/metrics", headers={header: "for=203.0.113.9"})).status_code == 401


@pytest.mark.behaviour("operate.slow")
async def test_who_asks_in_time_is_answered_however_long_the_connection_lasts(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began + 0.7:
        writer.write(WHOLE[:10])
        await writer.drain()
        writer.write(WHOLE[10:])
        assert b"ok\n" in await reader.readuntil(b"ok\n")
    writer.close()

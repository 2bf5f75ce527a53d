"""The one HTTP port: health, metrics, and what the platforms mount."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.errors import ConfigError
from bot.vitals import Probe, look

_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
"""What a proxy adds: whoever asks through one comes from elsewhere, although the proxy is on this machine."""

HEAD_S = 10.0
"""How long somebody who connects may take to say what they want: idle connections must not use up all there are."""

GRACE_S = 2
"""How long open event streams may take to close at a stop."""


def application(
    routes: Sequence[BaseRoute],
    *,
    probes: Mapping[str, Probe],
    metrics_token: str | None,
    loopback: bool,
    read_vitals: Callable[[], Awaitable[None]] | None = None,
) -> Starlette:
    """The ASGI application.

    Args:
        routes: what the platforms mount.
        probes: name -> raises when that part cannot be reached; asked by `/readyz`, which tells every part, and is
            content all the same without one that the query names (`?exclude=model`).
        metrics_token: bearer token for `/metrics`; needed unless the port is on loopback and nobody asks for others.
        read_vitals: brings gauges up to date before `/metrics` tells them.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        vitals = dict(zip(probes, await asyncio.gather(*map(look, probes.values())), strict=True))
        told: dict[str, object] = {name: vital.state for name, vital in vitals.items()}
        if figures := {name: vital.figures for name, vital in vitals.items() if vital.figures}:
            told["figures"] = figures
        excluded = request.query_params.getlist("exclude")
        ready = all(vital.state == "ok" for name, vital in vitals.items() if name not in excluded)
        return JSONResponse(told, status_code=200 if ready else 503)

    async def metrics(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        is_near = loopback and _FORWARDED.isdisjoint(request.headers.keys())
        if not is_near and (metrics_token is None or not hmac.compare_digest(given.encode(), metrics_token.encode())):
            return PlainTextResponse("a token is needed\n", status_code=401)
        if read_vitals is not None:
            await read_vitals()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    own = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=[*own, *routes])


def bind(host: str, port: int) -> socket.socket:
    """The listening socket.

    Raises:
        ConfigError: the address is not ours, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. asyncio sets it only where a socket names its protocol; without it an answer that is
    # written in two pieces waits 40 ms for the first to be acknowledged.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(
            f"HTTP_HOST, HTTP_PORT: {host}:{port} cannot be opened ({error}); stop what uses it, or set another port "
            "(0 takes a free one)."
        ) from None
    listening.listen(2048)
    listening.setblocking(False)
    return listening


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Prompt(H11Protocol):
    """A connection whose other side has `HEAD_S` for the head of each request; the server itself waits for ever."""

    _waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as it is there
        super().connection_made(transport)
        self._waits = self.loop.call_later(HEAD_S, transport.close)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._heard()
        elif self._waits is None and getattr(before, "response_complete", True):
            self._waits = self.loop.call_later(HEAD_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard()
        super().connection_lost(exc)

    def _heard(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def serving(app: Starlette, listening: socket.socket) -> AsyncIterator[str]:
    """Serve until the context ends; gives the address."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="off",
        ws="none",
        http=_Prompt,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    host, port = listening.getsockname()[:2]
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        server.should_exit = True
        await task

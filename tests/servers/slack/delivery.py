"""How events reach an app: signed requests with retries, or envelopes over WebSockets until they are acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import struct
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from aiohttp import web

SECRET = "signing-secret-of-tests"
PATIENCE_S = 3.0
"""How long Slack waits for an acknowledgement."""

KEPT_S = 2.0
"""How long an idle connection is used again: shorter than any server keeps it, or a request meets a closed one."""

RETRIES_AFTER_S = (0.05, 0.5, 2.0)
"""Slack itself tries again at once, after a minute and after five."""


@dataclass(slots=True)
class Attempt:
    """One try to bring something: the HTTP status (200 for an acknowledged envelope, 0 for no answer) and its time."""

    status: int
    took_s: float
    body: Any = None


@dataclass(slots=True)
class Receipt:
    """What became of a delivery."""

    attempts: list[Attempt] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].status == 200

    @property
    def statuses(self) -> list[int]:
        return [attempt.status for attempt in self.attempts]

    @property
    def body(self) -> Any:
        """What the app answered with."""
        return self.attempts[-1].body if self.attempts else None


def signed(body: bytes, *, secret: str = SECRET, at_s: float | None = None) -> dict[str, str]:
    """The headers that prove where a request comes from.

    Source: docs.slack.dev/authentication/verifying-requests-from-slack
    """
    stamp = str(int(time.time() if at_s is None else at_s))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}


class Delivery:
    """Brings payloads to the app; `request_url` set means by HTTP, else by whatever sockets are open."""

    def __init__(self) -> None:
        self.request_url = ""
        self.patience_s = PATIENCE_S
        self.retries_after_s: tuple[float, ...] = RETRIES_AFTER_S
        self.sockets: list[web.WebSocketResponse] = []
        self.connections = 0
        """How many sockets were ever opened."""
        self.closing: set[web.WebSocketResponse] = set()
        """Sockets that were told to go and get nothing more."""
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._changed = asyncio.Condition()
        self._turn = itertools.count()
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        for socket in list(self.sockets):
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(socket.close(), 0.5)
        if self._session is not None:
            await self._session.close()

    async def event(self, payload: Mapping[str, Any], *, retries: bool = True) -> Receipt:
        """Bring an event, again and again as Slack does."""
        receipt = Receipt()
        for number, rest_s in enumerate((0.0, *self.retries_after_s)):
            await asyncio.sleep(rest_s)  # this server's own rhythm
            reason = "" if number == 0 else "http_timeout" if receipt.attempts[-1].status == 0 else "http_error"
            if self.request_url:
                again = {"x-slack-retry-num": str(number), "x-slack-retry-reason": reason} if number else {}
                attempt = await self.post(orjson.dumps(payload), "application/json", again)
            else:
                retry: dict[str, Any] = {"retry_attempt": number, "retry_reason": "timeout" if number else ""}
                attempt = await self._envelope("events_api", payload, accepts=False, **retry)
            receipt.attempts.append(attempt)
            if attempt.status == 200 or not retries:
                break
        return receipt

    async def interaction(self, payload: Mapping[str, Any]) -> Receipt:
        """Bring what somebody did with a button, a modal or a menu: once."""
        if self.request_url:
            body = urlencode({"payload": orjson.dumps(payload).decode()}).encode()
            return Receipt([await self.post(body, "application/x-www-form-urlencoded", {})])
        return Receipt([await self._envelope("interactive", payload, accepts=True)])

    async def command(self, form: Mapping[str, str]) -> Receipt:
        """Bring a slash command: once."""
        if self.request_url:
            return Receipt([await self.post(urlencode(form).encode(), "application/x-www-form-urlencoded", {})])
        return Receipt([await self._envelope("slash_commands", form, accepts=True)])

    # --------------------------------------------------------------------------------------------------------- HTTP

    async def post(self, body: bytes, kind: str, headers: Mapping[str, str]) -> Attempt:
        """One signed request; headers may replace the signature."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S))
        begun = time.monotonic()
        sent = {"content-type": kind, "user-agent": "Slackbot 1.0", **signed(body), **headers}
        try:
            async with asyncio.timeout(self.patience_s):
                async with self._session.post(self.request_url, data=body, headers=sent) as response:
                    text = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Attempt(0, time.monotonic() - begun)
        is_json = response.content_type == "application/json" and text
        return Attempt(response.status, time.monotonic() - begun, orjson.loads(text) if is_json else text.decode())

    # ------------------------------------------------------------------------------------------------------ sockets

    async def connected(self, count: int = 1) -> None:
        """Wait until this many sockets are open."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.open) >= count)

    async def opened(self, count: int) -> None:
        """Wait until this many sockets were ever opened."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.connections >= count)

    @property
    def open(self) -> list[web.WebSocketResponse]:
        """Sockets that may get something."""
        return [socket for socket in self.sockets if socket not in self.closing and not socket.closed]

    async def serve(self, socket: web.WebSocketResponse, app_id: str) -> None:
        """A socket from its hello to its end.

        Source: docs.slack.dev/apis/events-api/using-socket-mode
        """
        hello = {
            "type": "hello",
            "num_connections": len(self.open) + 1,
            "debug_info": {"host": "applink-1", "build_number": 1, "approximate_connection_time": 18_060},
            "connection_info": {"app_id": app_id},
        }
        await socket.send_str(orjson.dumps(hello).decode())
        async with self._changed:
            self.sockets.append(socket)
            self.connections += 1
            self._changed.notify_all()
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._acknowledged(orjson.loads(message.data))
        finally:
            async with self._changed:
                self.sockets.remove(socket)
                self.closing.discard(socket)
                self._changed.notify_all()

    def _acknowledged(self, answer: Mapping[str, Any]) -> None:
        waiting = self._waiting.pop(str(answer.get("envelope_id")), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.get("payload"))

    async def _envelope(self, kind: str, payload: Mapping[str, Any], *, accepts: bool, **more: Any) -> Attempt:
        """Put a payload before one of the sockets, each in its turn, and wait until it is acknowledged."""
        begun, name = time.monotonic(), str(uuid.uuid4())
        envelope = {"envelope_id": name, "payload": payload, "type": kind, "accepts_response_payload": accepts, **more}
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[name] = waiting
        try:
            async with asyncio.timeout(self.patience_s):
                await self.connected()
                open_now = self.open
                await open_now[next(self._turn) % len(open_now)].send_str(orjson.dumps(envelope).decode())
                body = await waiting
        except (TimeoutError, ConnectionError, ZeroDivisionError):
            return Attempt(0, time.monotonic() - begun)
        finally:
            self._waiting.pop(name, None)
        return Attempt(200, time.monotonic() - begun, body)

    async def say_goodbye(self, reason: str, *, closes: bool = True) -> None:
        """Tell the oldest socket to go (`warning`, `refresh_requested`, `link_disabled`, `too_many_websockets`).

        Args:
            closes: end the socket right after, as Slack does some seconds later.
        """
        socket = self.open[0]
        self.closing.add(socket)
        goodbye = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}}
        await socket.send_str(orjson.dumps(goodbye).decode())
        if closes:
            await socket.close()

    def cut(self) -> None:
        """Every socket ends without a word: a reset, as a firewall gives one."""
        for socket in self.sockets:
            self.closing.add(socket)
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                line = transport.get_extra_info("socket")
                line.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                transport.abort()

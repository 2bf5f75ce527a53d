"""Socket Mode: one connection at a time, the next one open before the last one closes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from adapters.slack.calls import Calls
from adapters.slack.reception import Reception
from adapters.slack.settings import SlackSettings
from bot.errors import Transient

log = structlog.get_logger(__name__)

PING_S = 5.0

LOOK_S = 0.5
"""How soon a connection that was cut is noticed: Slack gives up on what it sent into it after three seconds."""

GRACE_S = 5.0
"""How long a connection that is replaced stays open for acknowledgements that are under way."""

CLOSE_S = 2.0
"""How long Slack may take to say goodbye."""

RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)


_quiet = logging.getLogger("frontdesk.slack.socket")
_quiet.setLevel(logging.CRITICAL)  # its errors quote the socket's address, in which there is a ticket


class _Client(SocketModeClient):
    """The SDK's client, which says that it is to be replaced instead of closing itself first."""

    def __init__(self, replace: asyncio.Event, **more: Any) -> None:
        super().__init__(**more)
        self._replace = replace

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Slack is about to close this connection, or it is broken."""
        self._replace.set()


class Sockets:
    """Keeps a connection to Slack open while `run` runs."""

    def __init__(self, settings: SlackSettings, calls: Calls, reception: Reception) -> None:
        self._settings = settings
        self._calls = calls
        self._reception = reception
        self._current: _Client | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Connect, and replace the connection whenever that is needed, until cancelled."""
        while True:
            replace = asyncio.Event()
            client = await self._connect(replace)
            old, self._current = self._current, client
            if old is not None:
                self._retire(old)
            await _worn(client, replace)
            log.info("slack_socket_replaced")

    async def aclose(self) -> None:
        """Close every connection, once `run` has ended."""
        self._over.set()
        current, self._current = self._current, None
        if current is not None:
            self._retire(current)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def check(self) -> None:
        """Whether events can come in.

        Raises:
            Transient: they cannot.
        """
        client = self._current
        if client is None or not await client.is_connected():
            raise Transient("slack_not_connected")

    async def _connect(self, replace: asyncio.Event) -> _Client:
        attempt = 0
        while True:
            client = self._client(replace)
            try:
                client.wss_uri = await client.issue_new_wss_url()
                async with asyncio.timeout(15):
                    await client.connect()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
            except asyncio.CancelledError:
                self._retire(client)
                raise
            except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError, KeyError) as failure:
                self._retire(client)
                wait_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                log.warning("slack_socket_not_connected", reason=type(failure).__name__, again_in_s=wait_s)
                await asyncio.sleep(wait_s)
                attempt += 1
            else:
                log.info("slack_socket_connected")
                return client

    def _client(self, replace: asyncio.Event) -> _Client:
        assert self._settings.app_token is not None
        client = _Client(
            replace,
            app_token=self._settings.app_token.get_secret_value(),
            web_client=self._calls.client(connected=False),
            logger=_quiet,
            ping_interval=PING_S,
        )
        client.socket_mode_request_listeners.append(self._take)
        return client

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        headers = {}
        if request.retry_attempt is not None:
            headers["x-slack-retry-num"] = str(request.retry_attempt)
        if request.retry_reason is not None:
            headers["x-slack-retry-reason"] = request.retry_reason
        try:
            answer = await self._reception.take(request.payload, headers)
            if answer is not None:
                await send_async_response(client, request, answer, 0.0)
        except (aiohttp.ClientError, ConnectionError):
            log.info("slack_acknowledgement_lost")  # the socket is gone; Slack sends it again, and it is stored once
        except Exception:  # it is not acknowledged, so Slack sends it again; the next payload may be right
            log.exception("slack_payload_failed", kind=request.type)

    def _retire(self, client: _Client) -> None:
        async def close_later() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    await self._over.wait()
            await _close(client)

        task = asyncio.create_task(close_later(), name="slack-socket-retired")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _close(client: SocketModeClient) -> None:
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_S):
            await client.close()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
    for task in (client.message_processor, client.current_session_monitor, client.message_receiver):
        if task is not None:
            task.cancel()
    if not client.aiohttp_client_session.closed:
        await client.aiohttp_client_session.close()


async def _worn(client: _Client, replace: asyncio.Event) -> None:
    """Wait until a connection is to be replaced: Slack says so, or it is cut."""
    while not replace.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await replace.wait()
        if client.current_session is None or client.current_session.closed:
            return

"""Calls of Slack's Web API: the only place that knows the client, and where its errors become ours.

An error of Slack's is `Permanent` with Slack's own word as the reason, unless the world may be another one later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import structlog
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import BotError, Permanent, Transient

log = structlog.get_logger(__name__)

sdk_log = logging.getLogger("frontdesk.slack.sdk")
sdk_log.setLevel(logging.WARNING)  # below it the SDK writes whole payloads

bolt_log = logging.getLogger("frontdesk.slack.bolt")
bolt_log.setLevel(logging.ERROR)  # it warns of a token in the environment that it need not read

TIMEOUT_S = 15
PATIENCE_S = 30.0
"""How long a call waits by itself when Slack asks it to."""

_REMEMBERED = 10_000

_LATER = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "message_limit_exceeded",
        "fatal_error",
        "internal_error",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "accesslimited",
    }
)
"""Words that mean: the same call may succeed later.

Source: https://docs.slack.dev/reference/methods/chat.postMessage#errors
"""


_REFUSALS = frozenset({400, 401, 403, 404, 405, 410, 413})
"""What is refused so, without a word of Slack's, is refused again: by a proxy, or because an address is wrong."""

_PER_CHANNEL = frozenset({"chat.postMessage", "chat.postEphemeral"})
"""Methods whose rate is a channel's: one that is full is no reason to wait in another."""


class Unsure(Transient):
    """The call may have been carried out: the connection broke, or Slack failed, before it said so."""


class Calls:
    """The Web API of every workspace, through one client each.

    Args:
        api_url: where the API is.
        waited: told of every wait that Slack asks for, in seconds.
    """

    def __init__(self, api_url: str, waited: Callable[[float], None]) -> None:
        self._api_url = api_url
        self._waited = waited
        self._session: aiohttp.ClientSession | None = None
        self._not_before: dict[tuple[str, str, str], float] = {}

    async def aclose(self) -> None:
        """Close connections; a later call opens others."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def client(self, token: SecretStr | None = None, *, connected: bool = True) -> AsyncWebClient:
        """The SDK's client, which retries nothing by itself: whether a call may be repeated is for us to know.

        Args:
            connected: it uses the connections that are kept open; else it makes its own for each call.
        """
        return AsyncWebClient(
            token=token.get_secret_value() if token else None,
            base_url=self._api_url,
            timeout=TIMEOUT_S,
            session=self.session if connected else None,
            retry_handlers=[],
            logger=sdk_log,
        )

    @property
    def session(self) -> aiohttp.ClientSession:
        """Connections that stay open between calls."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return self._session

    async def call(
        self,
        method: str,
        token: SecretStr,
        arguments: Mapping[str, Any],
        *,
        patience_s: float = PATIENCE_S,
    ) -> dict[str, Any]:
        """Call a method, waiting when Slack asks for it.

        Raises:
            Permanent: Slack refuses; `reason` is its word.
            Unsure: nobody knows whether it was done.
            Transient: it was not done, and may be later.
        """
        deadline = time.monotonic() + patience_s
        channel = str(arguments.get("channel", "")) if method in _PER_CHANNEL else ""
        key = (token.get_secret_value()[-12:], method, channel)
        while True:
            wait_s = self._not_before.get(key, 0.0) - time.monotonic()
            if wait_s > 0:
                if time.monotonic() + wait_s > deadline:
                    raise Transient("slack_rate_limited", retry_after_s=wait_s)
                await asyncio.sleep(wait_s)
            try:
                return (await self.respond(method, token, arguments))[0]
            except Transient as failure:
                if failure.reason != "slack_rate_limited":
                    raise
                retry_after_s = failure.retry_after_s or 1.0
                self._rest(key, retry_after_s)
                self._waited(retry_after_s)
                log.warning("slack_rate_limited", method=method, retry_after_s=retry_after_s)

    def _rest(self, key: tuple[str, str, str], retry_after_s: float) -> None:
        now = time.monotonic()
        if len(self._not_before) > _REMEMBERED:
            self._not_before = {name: at for name, at in self._not_before.items() if at > now}
        self._not_before[key] = now + retry_after_s

    async def respond(
        self, method: str, token: SecretStr | None, arguments: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Call a method once; its answer, and the answer's headers in lower case.

        Raises:
            Permanent, Unsure, Transient: see `call`.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            # Methods that only read take their arguments from a form and not from JSON; forms do for all but blocks.
            if _has_structure(given):
                response = await self.client(token).api_call(method, json=given)
            else:
                fields = {name: _field(value) for name, value in given.items()}
                response = await self.client(token).api_call(method, data=fields)
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError, ValueError, AttributeError) as error:
            raise to_error(error) from None  # the last one is the SDK's when what it got is no JSON object
        data: Any = response.data
        headers = {name.lower(): value for name, value in response.headers.items()}
        return data, headers


def to_error(error: Exception) -> BotError:
    """The SDK's error as ours. Its own text holds the whole answer, so nothing of it is kept but Slack's word."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return Transient("slack_unreachable")
    if not isinstance(error, SlackApiError):
        return Unsure("slack_unreachable")
    response: Any = error.response
    status = int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)
    data = getattr(response, "data", None)
    word = data.get("error") if isinstance(data, dict) else None
    if status == 429 or word in ("ratelimited", "rate_limited"):
        return Transient("slack_rate_limited", retry_after_s=_retry_after_s(response))
    if not isinstance(word, str):
        return Permanent(f"http_{status}") if status in _REFUSALS else Unsure("slack_unavailable")
    if status >= 500 or word in ("fatal_error", "internal_error", "request_timeout"):
        return Unsure(f"slack_{word}")
    return Transient(f"slack_{word}") if word in _LATER else Permanent(word)


def _retry_after_s(response: Any) -> float:
    headers = getattr(response, "headers", None) or {}
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return min(max(float(value), 0.1), 3600.0)
            except ValueError:
                break
    return 1.0


def _has_structure(arguments: Mapping[str, Any]) -> bool:
    return any(isinstance(value, dict | list) for value in arguments.values())


def _field(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

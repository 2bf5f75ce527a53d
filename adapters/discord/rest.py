"""Discord's HTTP interface, and the one place where its errors become ours.

Requests go through discord.py's own client, which keeps each process within its rate limits and retries what the
server fails at. What is sent and what comes back are JSON objects as the API documents them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import orjson
import yarl
from discord.errors import DiscordException, HTTPException, LoginFailure, RateLimited
from discord.http import HTTPClient, Ratelimit, Route

from adapters.discord.bucket import Bucket
from adapters.discord.limits import Limits
from adapters.discord.settings import API_URL, DiscordSettings
from bot.errors import Permanent, Transient
from bot.ports import File

Json = dict[str, Any]

REQUEST_S = 30.0
"""Longest time for a request with all waiting for limits; the worker's back-off takes over after that."""

UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, UNKNOWN_INTERACTION = 10_003, 10_008, 10_062
EDITED_TOO_OFTEN = 30_046
ANSWERED = 40_060
NO_ACCESS, NO_PERMISSION, CANNOT_DM, ARCHIVED = 50_001, 50_013, 50_007, 50_083
THREAD_EXISTS, THREAD_LOCKED = 160_004, 160_005
SLOW_MODE = 20_016
AUTOMOD, AUTOMOD_TITLE, LINK_FILTER = 200_000, 200_001, 240_000

_NAMES = {
    AUTOMOD: "discord_blocked_by_automod",
    AUTOMOD_TITLE: "discord_blocked_by_automod",
    LINK_FILTER: "discord_blocked_by_link_filter",
}
"""What an operator can mend is named; the other numbers stand in Discord's documentation."""

SLOW_S = 30.0
"""How long to wait in a channel with slow mode that does not say how long."""

_EXEMPT = ("/interactions/", "/webhooks/")
"""Routes that the limit for all routes does not count, and whose buckets are one interaction's own."""


class Refused(Permanent):
    """Discord understood the request and refuses it; `code` is its own error code, `status` the one of HTTP."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(_NAMES.get(code, f"discord_{code or status}"))
        self.status = status
        self.code = code

    @property
    def is_filtered(self) -> bool:
        """Whether a filter of the server lets these words not stand; others it may."""
        return self.code in _NAMES


class Client(HTTPClient):
    """discord.py's client with addresses of our own and an ear for what limits it is told.

    Args:
        settings: where the HTTP interface and the gateway are.
    """

    def __init__(self, settings: DiscordSettings, limits: Limits) -> None:
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._heard)
        super().__init__(asyncio.get_running_loop(), http_trace=trace, max_ratelimit_timeout=REQUEST_S)
        self._settings = settings
        self._limits = limits
        # Its warnings quote addresses, and those of interactions hold tokens; `Limits` tells the same without.
        logging.getLogger("discord.http").setLevel(logging.ERROR)

    def get_ratelimit(self, key: str) -> Ratelimit:
        """The bucket of this name: one of ours, made when it is first asked for."""
        self._buckets.setdefault(key, Bucket(self.max_ratelimit_timeout))
        return super().get_ratelimit(key)

    async def request(self, route: Route, **options: Any) -> Any:
        """Send a request to where the settings say the interface is."""
        if self._settings.api_url != API_URL:
            route.url = self._settings.api_url + route.url.removeprefix(Route.BASE)
        options["trace_request_ctx"] = route_of(route.method, route.path, route.major_parameters)
        return await super().request(route, **options)

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        """Connect to the gateway; Discord's own addresses lead to the one of the settings, if it names one."""
        if self._settings.gateway_url and (urlsplit(url).hostname or "").endswith("discord.gg"):
            url = str(yarl.URL(self._settings.gateway_url).with_query(yarl.URL(url).query))
        return await super().ws_connect(url, compress=compress)

    async def _heard(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        route = getattr(context, "trace_request_ctx", None)
        if isinstance(route, str):
            self._limits.heard(route, params.response.status, params.response.headers)


class Rest:
    """Requests of this process; the session is made at the first one.

    Args:
        limits: the token's, shared by all processes.
    """

    def __init__(self, settings: DiscordSettings, limits: Limits) -> None:
        self._settings = settings
        self.limits = limits
        self._client: Client | None = None
        self._me: Json = {}
        self._opening = asyncio.Lock()
        self._closings = 0

    async def me(self) -> str:
        """The bot's own id."""
        await self._open()
        return str(self._me["id"])

    async def name(self) -> str:
        """The bot's own name."""
        await self._open()
        return str(self._me.get("global_name") or self._me["username"])

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        files: Sequence[File] = (),
        query: Mapping[str, str | int] | None = None,
        timeout_s: float = REQUEST_S,
        **major: str,
    ) -> Any:
        """Send a request.

        Args:
            path: as documented, with names in braces.
            major: what the names stand for; `channel_id`, `guild_id`, `webhook_id`, `webhook_token` have buckets.

        Raises:
            Refused: Discord refuses it, whoever asks how often.
            Transient: it may work later.
        """
        client = await self._open()
        route = Route(method, path, **major)
        options: dict[str, Any] = {}
        if query:
            options["params"] = {name: str(value) for name, value in query.items()}
        if files:
            options["form"] = _form(json, files)
        elif json is not None:
            options["json"] = json
        try:
            async with asyncio.timeout(timeout_s):
                if not path.startswith(_EXEMPT):
                    await self.limits.enter(route_of(method, path, route.major_parameters))
                return await client.request(route, **options)
        except (DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise to_error(error) from error

    async def read(self, url: str, max_bytes: int) -> tuple[int, bytes | None]:
        """Read a file of Discord's, without the token: the status, and the bytes unless they are more than `max_bytes`.

        What says that it is larger is not read; what does not say so is read up to the limit and let go of.

        Raises:
            Transient: it cannot be reached.
        """
        try:
            async with (
                asyncio.timeout(REQUEST_S),
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as session,
                session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
            ):
                if response.status != 200:
                    return response.status, b""
                if (response.content_length or 0) > max_bytes:
                    return response.status, None
                data = bytearray()
                async for chunk in response.content.iter_chunked(64 * 1024):
                    data += chunk
                    if len(data) > max_bytes:
                        return response.status, None
                return response.status, bytes(data)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Transient("discord_files") from error

    async def aclose(self) -> None:
        """Close the session; a later request opens another."""
        self._closings += 1
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        await self.limits.settle()

    async def _open(self) -> Client:
        async with self._opening:
            if self._client is None:
                client, closings = Client(self._settings, self.limits), self._closings
                try:
                    async with asyncio.timeout(REQUEST_S):
                        self._me = cast(Json, await client.static_login(self._settings.token.get_secret_value()))
                except (DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
                    await client.close()
                    raise to_error(error) from error
                except BaseException:
                    await client.close()
                    raise
                if self._closings != closings:  # everything was closed meanwhile, and nobody would close this one
                    await client.close()
                    raise Transient("discord_closing")
                self._client = client
            return self._client


def route_of(method: str, path: str, major: str) -> str:
    """The name of a bucket, before Discord has told its own."""
    return f"{method} {path}:{major}"


def to_error(error: Exception) -> Permanent | Transient:
    """What a failed request means for us."""
    match error:
        case LoginFailure():
            return Refused(401, 0)
        case RateLimited():
            return Transient("discord_rate_limited", retry_after_s=error.retry_after)
        case HTTPException():
            if error.code == SLOW_MODE:
                return Transient("discord_slow_mode", retry_after_s=_retry_after_s(error) or SLOW_S)
            if error.status == 429:
                return Transient("discord_rate_limited", retry_after_s=_retry_after_s(error))
            if error.status >= 500:
                return Transient("discord_unavailable")
            kind = error.response.headers.get("content-type", "")
            # What is no JSON was said by something that stands before Discord.
            return Refused(error.status, error.code) if "json" in kind else Transient("discord_in_the_way")
        case TimeoutError():
            return Transient("discord_slow")
        case _:
            return Transient("discord_unreachable")


def _retry_after_s(error: HTTPException) -> float | None:
    try:
        return float(error.response.headers.get("Retry-After", ""))
    except ValueError:
        return None


def _form(json: object, files: Sequence[File]) -> list[Json]:
    """The parts of a request with files, which the payload names as `attachments`."""
    form: list[Json] = [{"name": "payload_json", "value": orjson.dumps(json).decode()}]
    return form + [
        {
            "name": f"files[{index}]",
            "value": file.data,
            "filename": file.name,
            "content_type": "application/octet-stream",
        }
        for index, file in enumerate(files)
    ]

"""One endpoint: the official client for address, key and errors; prepared bytes in, raw packets out.

The client's own path walks and validates the whole message list on every request (1 ms at 8 messages, 451 ms at 4,000)
and builds an object per chunk. `post(content=bytes, cast_to=Response)` is its public way past both; what it costs does
not grow with the history.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import aiohttp
import httpx2
from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, OpenAIError, RequestOptions
from pydantic import SecretStr

from bot.errors import BotError, ContextOverflow, Permanent, Transient
from bot.llm.stream import is_overflow
from bot.llm.transport import PlainClient, PlainRequest

DEFAULT_BASE_URL = "https://api.openai.com/v1"

_OPTIONS: RequestOptions = {
    "headers": {},
    "max_retries": 0,
    "timeout": None,
    "params": {},
    "idempotency_key": "",
    "security": {"bearer_auth": True},
}
"""What the client would put together itself for every request, at the price of sending it."""

NETWORK_ERRORS = (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, aiohttp.ClientError, OSError)
"""What the client's transport lets through, besides what it maps itself."""


class ContentFiltered(Permanent):
    """The endpoint's own filter refused what was asked; the thread must be able to go on, so the asker decides."""

    def __init__(self) -> None:
        super().__init__("model_content_filtered")


class _Client(AsyncOpenAI):
    """The official client, whose requests are alike but for their bodies: one is put together, the others are copies.

    To join key, headers and address again for each costs a third of what it takes to send it.
    """

    _first: PlainRequest | None = None

    def _build_request(self, options: Any, *, retries_taken: int = 0) -> httpx2.Request:
        if self._first is None:
            first = cast("PlainRequest", super()._build_request(options, retries_taken=retries_taken))
            self._first = first.with_body(b"")
        return self._first.with_body(options.content)


class Endpoint:
    """A Chat Completions endpoint.

    Args:
        base_url: up to and without `/chat/completions`; OpenAI's own when absent.
    """

    def __init__(self, *, api_key: SecretStr | str, base_url: str | None) -> None:
        self._client = _Client(
            api_key=api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key,
            base_url=base_url or DEFAULT_BASE_URL,
            max_retries=0,  # retries are the loop's, within the turn's budget; the client would sleep through it
            # A compressed event stream is held back until a block is full.
            default_headers={"Accept-Encoding": "identity"},
            # The reading has its own limits (`open`, `PacketReader`), which tell a first byte from a stall.
            timeout=None,
            http_client=PlainClient(base_url or DEFAULT_BASE_URL),
        )
        # Whole, so that the client does not join it from its parts for every request.
        self._url = str(self._client.base_url.join("chat/completions"))

    async def open(self, body: bytes, *, within_s: float) -> httpx2.Response:
        """Send a request; the caller reads the response's packets and closes it.

        Raises:
            Transient: not reachable, too slow, overloaded, out of quota.
            Permanent: refused for good; `ContentFiltered` when the endpoint's filter did it.
            ContextOverflow: the request is too long.
        """
        try:
            async with asyncio.timeout(within_s):
                return await self._client.post(
                    self._url, cast_to=httpx2.Response, content=body, options=_OPTIONS, stream=True
                )
        except APIStatusError as error:
            raise _fault(error) from error
        except APITimeoutError as error:
            raise Transient("model_unreachable") from error
        except TimeoutError as error:
            raise Transient("model_timeout") from error
        except (APIConnectionError, *NETWORK_ERRORS) as error:
            raise Transient("model_unreachable") from error
        except OpenAIError as error:  # the client could not build the request: its settings cannot work
            raise Permanent("model_request_refused") from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()


def _fault(error: APIStatusError) -> BotError:
    """What a refused request means for the turn."""
    status, code = error.status_code, str(error.code or error.type or "")
    if status == 413 or (status in (400, 422) and is_overflow(code, error.message)):
        return ContextOverflow("the endpoint says that the request is too long")
    if code == "content_filter":
        return ContentFiltered()
    if status == 429:
        reason = "model_quota_exhausted" if code == "insufficient_quota" else "model_rate_limited"
        return Transient(reason, retry_after_s=retry_after_s(error.response.headers))
    if status >= 500 or status in (408, 409, 425):
        return Transient("model_server_error", retry_after_s=retry_after_s(error.response.headers))
    if status in (401, 403):
        return Permanent("model_unauthorized")
    return Permanent("model_not_found" if status == 404 else "model_request_refused")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that the other side asks to wait; nothing when it says nothing sensible.

    Source:
        https://www.rfc-editor.org/rfc/rfc9110#field.retry-after; `retry-after-ms` is OpenAI's own and more exact.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit_s
        except ValueError:
            parsed = email.utils.parsedate_tz(value)
            if parsed is None:
                continue
            seconds = email.utils.mktime_tz(parsed) - time.time()
        if 0 <= seconds < float("inf"):
            return seconds
    return None


class PacketReader:
    """Reads packets with a limit for each, at the price of one timer per stream instead of one per packet.

    Args:
        read: gives the next packet, an empty one at the end.
        ends_at: the event loop's time at which the whole has to be over.
    """

    def __init__(self, read: Callable[[], Awaitable[bytes]], *, ends_at: float) -> None:
        self._read = read
        self._ends_at = ends_at
        self._due = 0.0
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rang = False

    async def read(self, within_s: float) -> bytes:
        """The next packet, empty at the end of the stream.

        Raises:
            TimeoutError: none came in time.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._ends_at:  # packets that are always there already are never waited for
            raise TimeoutError
        self._due = min(now + within_s, self._ends_at)
        if self._timer is None or self._timer.when() > self._due:
            self._set(loop)
        task = self._task = asyncio.current_task()
        cancellations = task.cancelling() if task else 0
        try:
            return await self._read()
        except asyncio.CancelledError:
            if self._rang and task is not None and task.uncancel() <= cancellations:
                raise TimeoutError from None
            raise
        finally:
            self._task = None

    def now(self) -> float:
        """The event loop's time."""
        return asyncio.get_running_loop().time()

    @property
    def is_over(self) -> bool:
        """Whether the time for the whole is over."""
        return self.now() >= self._ends_at

    def stop(self) -> None:
        """Take the timer away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stop()
        self._timer = loop.call_at(self._due, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._task is None:  # nobody waits; the next read sets it again
            return
        if loop.time() < self._due:
            self._set(loop)
            return
        self._rang = True
        self._task.cancel()

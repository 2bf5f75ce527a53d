"""Slack's requests over HTTP: nothing of them is read before their signature is right."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qsl

import orjson
import structlog
from prometheus_client import Counter
from pydantic import SecretStr
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.slack.reception import Reception
from adapters.slack.signature import Seal, judge
from bot.errors import Transient

log = structlog.get_logger(__name__)

REFUSED = Counter("frontdesk_slack_refused_total", "Requests that Slack's signature did not let in, by why.", ["why"])

PATH = "/slack/events"
LIMIT_BYTES = 256 * 1024
BODY_S = 5.0
SKEW_S = 600.0
"""How long one request that was signed at another time makes the clock suspect, when no good one follows."""

_REMEMBERED = 4_096


class Door:
    """The route of events, interactivity and commands.

    Args:
        secret: the app's signing secret.
    """

    def __init__(self, secret: SecretStr, reception: Reception) -> None:
        self._secret = secret.get_secret_value().encode()
        self._reception = reception
        self._let_in: OrderedDict[bytes, None] = OrderedDict()
        self._skew: tuple[float, float] | None = None

    def route(self) -> Route:
        """Where Slack sends everything."""
        limit = Middleware(RequestBodyLimitMiddleware, max_body_size=LIMIT_BYTES)
        return Route(PATH, self.answer, methods=["POST"], middleware=[limit])

    async def answer(self, request: Request) -> Response:
        """Take a request: 200 only when it is in safe hands."""
        try:
            async with asyncio.timeout(BODY_S):
                body = await request.body()
        except (TimeoutError, ClientDisconnect):
            return _short(408, "too slow")
        names = request.headers
        timestamps, signatures = (
            [value.encode("latin-1") for value in names.getlist(f"x-slack-{name}")]
            for name in ("request-timestamp", "signature")
        )
        verdict = judge(body, timestamps, signatures, self._secret, time.time())
        if verdict.seal is not Seal.GOOD:
            self._refused(verdict.seal, verdict.age_s, signatures)
            return _short(401, "not signed")
        self._remember(signatures[0])
        payload = parse(body, names.get("content-type", ""))
        if payload is None:
            return _short(400, "not readable")
        headers = {name: names[name] for name in _PASSED_ON if name in names}
        answer = await self._reception.take(payload, headers)
        if answer is None:
            return Response(status_code=503)
        return Response(
            answer.body, status_code=answer.status, headers={name: value[0] for name, value in answer.headers.items()}
        )

    def check_clock(self) -> None:
        """Whether requests are refused because of their time.

        Raises:
            Transient: they are.
        """
        if self._skew is not None and time.monotonic() - self._skew[0] < SKEW_S:
            raise Transient("clock_skew_suspected")

    def _remember(self, signature: bytes) -> None:
        self._skew = None
        self._let_in[signature] = None
        if len(self._let_in) > _REMEMBERED:
            self._let_in.popitem(last=False)

    def _refused(self, seal: Seal, age_s: float, signatures: list[bytes]) -> None:
        repeated = seal is Seal.STALE and signatures[0] in self._let_in
        REFUSED.labels(why="repeated" if repeated else seal.value).inc()
        if seal is not Seal.STALE:
            log.warning("slack_request_refused", why=seal)
        elif repeated:
            log.warning("slack_request_refused", why="repeated")  # was let in when it was fresh: the clock is right
        else:
            self._skew = (time.monotonic(), age_s)
            log.error("clock_skew_suspected", offset_s=round(age_s, 1))


def parse(body: bytes, content_type: str) -> dict[str, Any] | None:
    """The payload: JSON, a form with JSON in its field `payload`, or a form; nothing when it is none of them."""
    try:
        if content_type.split(";")[0].strip().lower() == "application/json":
            value = orjson.loads(body)
        else:
            fields = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=100))
            value = orjson.loads(fields["payload"]) if "payload" in fields else fields
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


_PASSED_ON = ("x-slack-retry-num", "x-slack-retry-reason")


def _short(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=status)

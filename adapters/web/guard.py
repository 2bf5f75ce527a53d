"""What every request and response of the page goes through: where it comes from, how long it takes, what it may do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.web.settings import WebSettings

PAGE_POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing from elsewhere, nothing inline, and no text can become markup: there is no policy that would allow it."""

FILE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

_HEADERS: Mapping[str, str] = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Wraps a route.

    Args:
        body_s: how long a sender may take for a request's body.
        cache: what a browser may keep of responses that do not say it themselves.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings, body_s: float = 10.0, cache: str = "no-store") -> None:
        self._app = app
        self._settings = settings
        self._body_s = body_s
        self._cache = cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or say why not."""
        if scope["type"] != "http":
            return
        protected = _protected(send, self._cache)
        refusal = refuse(scope["method"], Headers(scope=scope), self._settings)
        if refusal:
            await PlainTextResponse(refusal, status_code=403)(scope, receive, protected)
            return
        if scope["method"] not in _SAFE:
            receive = _hurried(receive, self._body_s)
        await self._app(scope, receive, protected)


def refuse(method: str, headers: Headers, settings: WebSettings) -> str:
    """Why a request is not answered; empty when it is.

    A name that is not ours means that somebody else's page got here by bending DNS; a write that does not say that it
    comes from this page may come from any other.
    """
    host = headers.get("host", "").lower()
    name = host if host.endswith("]") else host.rsplit(":", 1)[0]
    if settings.hosts and name not in settings.hosts:
        return "This page is not served under that name."
    if method in _SAFE:
        return ""
    origin = headers.get("origin", "").lower()
    if origin and (origin == settings.origin.lower() or urlsplit(origin).netloc == host):
        return ""
    return "Writing is possible from this page only."


def _protected(send: Send, cache: str) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", cache)
        await send(message)

    return sent


def _hurried(receive: Receive, body_s: float) -> Receive:
    deadline = asyncio.get_running_loop().time() + body_s
    whole = False

    async def received() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, headers={"connection": "close"}) from None
        whole = not message.get("more_body", False)
        return message

    return received

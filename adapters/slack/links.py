"""A private form as a page that is good for one person, once: where Slack can open no modal."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from hashlib import sha256
from html import escape

from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.slack.forms import Forms, Offer
from bot.errors import BotError, Transient
from bot.ports import SharedState, Verdict

PATH = "/slack/form/{token:str}"
GOOD_S = 900.0
LIMIT_BYTES = 16 * 1024
BODY_S = 10.0

_HEADERS = {
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_OVER = "This page was used, or its time is over. Ask for a new one in Slack."


class Links:
    """Makes such pages and serves them; `token` in the address is the only key, and shared state has its digest only.

    Args:
        public_url: where people reach the HTTP port; without it there are no pages.
    """

    def __init__(self, public_url: str, state: SharedState, forms: Forms) -> None:
        self._public_url = public_url
        self._state = state
        self._forms = forms

    async def make(self, form_id: str) -> str | None:
        """The address of a page for this form."""
        if not self._public_url:
            return None
        token = secrets.token_urlsafe(32)
        await self._state.set(_key(token), form_id.encode(), ttl_s=GOOD_S)
        return f"{self._public_url}/slack/form/{token}"

    def routes(self) -> Sequence[BaseRoute]:
        """The page and what it sends."""
        if not self._public_url:
            return []
        limit = [Middleware(RequestBodyLimitMiddleware, max_body_size=LIMIT_BYTES)]
        return [Route(PATH, self._page, methods=["GET"]), Route(PATH, self._sent, methods=["POST"], middleware=limit)]

    async def _page(self, request: Request) -> Response:
        _, offer = await self._offer(request)
        return _html(_OVER, 404) if offer is None else _html(_form(offer))

    async def _sent(self, request: Request) -> Response:
        form_id, offer = await self._offer(request)
        if offer is None:
            return _html(_OVER, 404)
        try:
            async with asyncio.timeout(BODY_S):
                given = await request.form(max_files=0, max_fields=20)
            typed = {name: str(given.get(name, "")) for name in offer.fields}
            outcome = await self._forms.receive(form_id, offer, typed, nonce=sha256(repr(typed).encode()).hexdigest())
        except (BotError, TimeoutError):
            return _html(_form(offer, "We are very busy at the moment. Please try again in a minute."), 503)
        if outcome.verdict is Verdict.REFUSED:
            return _html(_form(offer, outcome.text), 422)
        await self._state.delete(_key(request.path_params["token"]))
        return _html(f"{outcome.text} You can close this page and go back to Slack.")

    async def _offer(self, request: Request) -> tuple[str, Offer | None]:
        try:
            form_id = await self._state.get(_key(request.path_params["token"]))
            return (form_id or b"").decode(), None if form_id is None else await self._forms.open_offer(
                form_id.decode()
            )
        except Transient:
            return "", None


def _form(offer: Offer, wrong: str = "") -> str:
    fields = "".join(
        f'<p><label>{escape(label)}<br><input name="{escape(name)}" required maxlength="500" autocomplete="off"'
        f"{' type=password' if name in offer.secret_fields else ''}></label></p>"
        for name, label in offer.fields.items()
    )
    told = f'<p role="alert"><strong>{escape(wrong)}</strong></p>' if wrong else ""
    return f'{told}<form method="post">{fields}<p><button>Send</button></p></form>'


def _html(inside: str, status: int = 200) -> Response:
    body = inside if inside.startswith("<") else f"<p>{escape(inside)}</p>"
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Frontdesk</title><main><h1>Verify that it is you</h1>{body}</main></html>"
    )
    return HTMLResponse(page, status_code=status, headers=_HEADERS)


def _key(token: str) -> str:
    return f"link/{sha256(token.encode()).hexdigest()}"

"""The documents: the page itself, and the door before it in `run`."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from adapters.web.inbound import parse_name
from adapters.web.session import COOKIE, SESSION_S, TokenDoor
from adapters.web.settings import WebSettings

HERE = Path(__file__).parent

_WRONG = "That is not the access token. It is the value of WEB_TOKEN on the server."
_TOO_OFTEN = "There were too many attempts. Please wait a minute."


class Pages:
    """Serves HTML.

    Args:
        door: what visitors of `run` come through; nothing in the demo, which has none.
    """

    def __init__(self, settings: WebSettings, door: TokenDoor | None) -> None:
        self._settings = settings
        self._door = door
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=select_autoescape(default=True)
        )

    async def page(self, request: Request) -> Response:
        """The page."""
        if self._door is not None and not await self._door.knows(request):
            return RedirectResponse("/login", status_code=303)
        return self._html("page.html", signed_in=self._door is not None)

    async def login(self, request: Request) -> Response:
        """The form that asks for the token."""
        if self._door is None or await self._door.knows(request):
            return RedirectResponse("/", status_code=303)
        return self._html("login.html")

    async def sign_in(self, request: Request) -> Response:
        """Check the token and begin a session."""
        if self._door is None:
            return RedirectResponse("/", status_code=303)
        form = await request.form(max_files=0, max_fields=4)
        token, name = (str(form.get(field, "")) for field in ("token", "name"))
        if not await self._door.may_try(request.client.host if request.client else ""):
            return self._html("login.html", status=429, problem=_TOO_OFTEN, name=name)
        if not self._door.is_token(token.strip()):
            return self._html("login.html", status=403, problem=_WRONG, name=name)
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            COOKIE,
            await self._door.admit(parse_name(name, default="Visitor")),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=self._settings.is_https or request.url.scheme == "https",
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        """Forget the session in this browser."""
        response = RedirectResponse("/login" if self._door else "/", status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    def _html(self, template: str, *, status: int = 200, **values: object) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(**values), status_code=status)

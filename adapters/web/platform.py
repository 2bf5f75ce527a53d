"""The web page as a `Platform`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any

import orjson
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from adapters.web.api import Api
from adapters.web.events import Feed
from adapters.web.guard import Guard
from adapters.web.inbound import PLATFORM
from adapters.web.log import PageLog, PageThread
from adapters.web.pages import HERE, Pages
from adapters.web.reception import Reception
from adapters.web.render import deleted, message_id, render_card, render_form, render_notice
from adapters.web.reply import WebReply
from adapters.web.session import DemoDoor, Door, TokenDoor, Viewer
from adapters.web.settings import SPACE, WebSettings, read_settings
from adapters.web.uploads import FORM_LIMIT_BYTES, JSON_LIMIT_BYTES
from bot.errors import Permanent, ToolFailed
from bot.messages import Attachment, IncomingMessage, Person, ThreadKey
from bot.ports import Card, Examination, Form, Intake, Lease, Resources

UPLOAD_S = 120.0
BODY_S = 10.0
LOGIN_LIMIT_BYTES = 8 * 1024


def create(environment: Mapping[str, str], resources: Resources) -> WebPlatform | None:
    """The page, if it is on: always in the demo, else only with `WEB_TOKEN`.

    Raises:
        ConfigError: it is on and cannot be served safely.
    """
    settings = read_settings(environment, demo=resources.demo)
    return None if settings is None else WebPlatform(settings, resources)


class WebPlatform:
    """The page: its log is in shared state, so this may be the process that serves it or any other."""

    name = PLATFORM

    def __init__(self, settings: WebSettings, resources: Resources) -> None:
        self._settings = settings
        self._resources = resources
        self._log = PageLog(resources.state, keep_s=settings.keep_s)
        self._intake: Intake | None = None
        self._closing = asyncio.Event()
        self._greeting: dict[str, Any] = {}
        self._door: Door
        self._token_door: TokenDoor | None = None
        if settings.token is None:
            self._greeting = orjson.loads((HERE / "demo.json").read_bytes())
            self._door = DemoDoor(self._greeting["speakers"])
        else:
            self._door = self._token_door = TokenDoor(settings.token, resources.state.within("door"))

    async def run(self, intake: Intake) -> None:
        """Bring what browsers send to `intake` until cancelled; then end their streams, so that the port can close."""
        self._intake = intake
        try:
            await asyncio.Event().wait()
        finally:
            self._intake = None
            self._closing.set()

    def reply(self, lease: Lease) -> WebReply:
        """The answer of the turn that `lease` holds."""
        return WebReply(self._log, lease)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        """The bytes of a file that came with a message, from the desk."""
        upload = await self._resources.desk.read_upload(self._resources.tenant_of(SPACE), attachment.ref)
        if upload is None:
            raise ToolFailed("gone", "The file is no longer kept. Ask the customer to attach it again.")
        if len(upload.data) > max_bytes:
            raise ToolFailed("too_large", "The file is too large to be read.")
        return upload.data

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """Show the form to this person at the end of the conversation."""
        await self._log.upsert(await self._thread(thread), render_form(form, person))

    async def notify(self, place: str, card: Card) -> None:
        """Show a card to whoever works here, in the conversation that it is about, and mark that conversation."""
        thread = await self._thread(card.thread)
        await self._log.upsert(thread, render_card(card))
        await self._log.list_thread(thread, badge="waiting" if card.buttons else "")

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        """Show a notice to all who see the conversation."""
        await self._log.upsert(await self._thread(thread), render_notice(key, text, ()))

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """Nothing: every conversation begins with us."""
        return ()

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        """Show a notice that this person alone sees."""
        await self._log.upsert(await self._thread(thread), render_notice(token_hex(8), text, [person.id]))

    async def delete(self, thread: ThreadKey, message_id_: str) -> bool:
        """Take a person's message off the page."""
        page = await self._thread(thread)
        item = (await self._log.view(page.root)).get(message_id(message_id_))
        if item is None:
            return False
        await self._log.rewrite(page, deleted(item))
        return True

    async def link(self, thread: ThreadKey) -> str:
        """Nowhere: a page shows the conversations of whoever looks at it."""
        return ""

    async def describe(self, space: str, person_id: str) -> Person:
        """A speaker of the demo, or a visitor of whom only the id is known."""
        return self._door.people.get(person_id) or Person(id=person_id, display_name="Visitor")

    def routes(self) -> Sequence[BaseRoute]:
        """What the HTTP port serves for the page. No route catches all, so their order does not matter."""
        pages = Pages(self._settings, self._token_door)
        reception = Reception(self._log, self._door, self._resources, lambda: self._intake)
        api = Api(self._log, self._door, self._resources, reception, self._greeting, self._follow)
        at = "/api/threads/{root}"
        return [
            self._route("/", pages.page),
            self._route("/login", pages.login),
            self._route("/login", pages.sign_in, "POST", limit=LOGIN_LIMIT_BYTES),
            self._route("/logout", pages.sign_out, "POST", limit=LOGIN_LIMIT_BYTES),
            Mount("/static", StaticFiles(directory=HERE / "static"), middleware=self._guards(0, cache="no-cache")),
            self._route("/api/session", api.session),
            self._route("/api/threads", api.threads),
            self._route(f"{at}/events", api.events),
            self._route(f"{at}/record", api.record),
            self._route(f"{at}/messages", api.post, "POST", limit=FORM_LIMIT_BYTES, body_s=UPLOAD_S),
            self._route(f"{at}/messages/{{message}}", api.edit, "PATCH"),
            self._route(f"{at}/messages/{{message}}", api.delete, "DELETE"),
            self._route(f"{at}/stop", api.stop, "POST"),
            self._route(f"{at}/forms/{{form}}", api.submit, "POST"),
            self._route(f"{at}/buttons", api.press, "POST"),
            self._route(f"{at}/votes", api.vote, "POST"),
            self._route(f"{at}/files/{{upload}}", api.file),
        ]

    async def ping(self) -> None:
        """What comes in comes over the port that is asked."""

    async def examine(self) -> Examination:
        """Nothing outside this process is needed."""
        return Examination()

    async def aclose(self) -> None:
        """Nothing is open."""

    def _route(
        self,
        path: str,
        endpoint: Callable[[Request], Any],
        method: str = "GET",
        *,
        limit: int = JSON_LIMIT_BYTES,
        body_s: float = BODY_S,
    ) -> Route:
        return Route(path, endpoint, methods=[method], middleware=self._guards(limit, body_s))

    def _guards(self, limit: int, body_s: float = BODY_S, cache: str = "no-store") -> list[Middleware]:
        return [
            Middleware(Guard, settings=self._settings, body_s=body_s, cache=cache),
            Middleware(RequestBodyLimitMiddleware, max_body_size=limit),
        ]

    def _follow(self, thread: PageThread, viewer: Viewer, after: int) -> Feed:
        return Feed(self._log, self._resources.mailbox, thread, viewer, after, self._closing)

    async def _thread(self, key: ThreadKey) -> PageThread:
        thread = await self._log.find(key.root) if key.platform == PLATFORM else None
        if thread is None:
            raise Permanent("no_thread")
        return thread

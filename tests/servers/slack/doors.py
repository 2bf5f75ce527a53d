"""What this Slack serves beside its Web API: files, uploads, response URLs, sockets, the page that lets an app in."""

from __future__ import annotations

import base64
import contextlib
import gzip
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from tests.servers.slack.screen import check_text
from tests.servers.slack.world import APP, BOT, HOME, Message, StoredFile

if TYPE_CHECKING:
    from tests.servers.slack.server import Slack

LOGIN = b"<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body>Sign in to Home</body></html>"


class Doors:
    """The routes."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    def add_to(self, app: web.Application) -> None:
        """Open them."""
        app.router.add_get("/link/", self.socket)
        app.router.add_post("/actions/{team}/{token}", self.response)
        app.router.add_get("/files-pri/{name}/{rest:.*}", self.file)
        app.router.add_post("/upload/v1/{file}", self.upload)
        app.router.add_get("/login", self.login)
        app.router.add_get("/oauth/v2/authorize", self.authorize)

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.5)
        await socket.prepare(request)
        await self._slack.delivery.serve(socket, APP)
        return socket

    async def response(self, request: web.Request) -> web.Response:
        """An answer to what somebody did: a message for that person alone, or a change of what they pressed.

        Source: docs.slack.dev/interactivity/handling-user-interaction#message_responses
        """
        channel, person, ts = self._slack.world.links[request.match_info["token"]]
        body = orjson.loads(await request.read())
        original = self._slack.world.messages.get((channel, ts)) if ts else None
        if body.get("delete_original") and original is not None:
            original.deleted = True
        elif body.get("replace_original") and original is not None:
            check_text(body, updates=False)
            original.text, original.blocks = str(body.get("text") or ""), list(body.get("blocks") or ())
        else:
            check_text(body, updates=False)
            message = Message(
                ts=self._slack.world.now(),
                channel=channel,
                user=BOT,
                text=str(body.get("text") or ""),
                blocks=list(body.get("blocks") or ()),
                thread_ts=body.get("thread_ts") or (original.thread_ts if original else None),
                seen_by="" if body.get("response_type") == "in_channel" else person,
            )
            self._slack.world.messages[channel, message.ts] = message
        await self._slack.notify()
        return web.Response(text="ok")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file's bytes; without a right token the way to the sign-in page, which is served with 200."""
        file = self._slack.world.files[request.match_info["name"].rpartition("-")[2]]
        file.asked += 1
        token = token_of(request)
        file.tokens.append(token)
        serves = file.serves
        if serves == "bytes" and (token not in self._slack.api.bot_tokens or token in self._slack.api.revoked):
            serves = "login"
        match serves:
            case "login":
                headers = {"location": f"{self._slack.api.base}/login", "x-slack-meta": "?;acl_fail"}
                return web.Response(status=302, headers=headers)
            case "html":
                return web.Response(body=LOGIN, content_type="text/html")
            case "gone":
                return web.Response(status=404, text="not found")
            case s if s.startswith("http"):
                return web.Response(status=302, headers={"location": serves})
            case "packed":
                return web.Response(body=gzip.compress(file.data), headers={"Content-Encoding": "gzip"})
            case "endless":
                return await _endless(request, file)
        return web.Response(body=file.data, content_type=file.media_type)

    async def upload(self, request: web.Request) -> web.Response:
        file = self._slack.world.files[request.match_info["file"]]
        if request.content_type.startswith("multipart/"):
            for field in (await request.post()).values():
                file.data = field.file.read() if isinstance(field, web.FileField) else str(field).encode()
        else:
            file.data = await request.read()
        return web.Response(text=f"OK - {len(file.data)}", content_type="text/plain")

    async def login(self, _: web.Request) -> web.Response:
        return web.Response(body=LOGIN, content_type="text/html")

    async def authorize(self, request: web.Request) -> web.Response:
        """Somebody lets the app into their workspace: back to the app with a code."""
        code = f"code-{self._slack.world.number()}"
        self._slack.api.codes[code] = request.query.get("team") or HOME
        back = f"{request.query['redirect_uri']}?code={code}&state={request.query['state']}"
        return web.Response(status=302, headers={"location": back})


def token_of(request: web.Request) -> str:
    """The token that a request carries; of Basic authorisation, both its parts."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind == "Basic":
        with contextlib.suppress(ValueError):
            return base64.b64decode(value).decode()
    return value if kind == "Bearer" else ""


async def _endless(request: web.Request, file: StoredFile) -> web.StreamResponse:
    """A body without an end and without a length."""
    response = web.StreamResponse(headers={"content-type": "image/png"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    packet = (file.data + bytes(1 << 16))[: 1 << 16]
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(packet)
            file.sent_bytes += len(packet)
    return response

"""The way into the API: who asks, how often, and what goes wrong with it.

Source: Discord API documentation, `reference`, `topics/rate-limits`.
"""

from __future__ import annotations

import json
import re

from aiohttp import BodyPartReader, web

from tests.servers.discord.buckets import Buckets, too_many, too_many_headers
from tests.servers.discord.errors import NOT_FOUND, UNAUTHORIZED, Refused
from tests.servers.discord.faults import Fault, Faults
from tests.servers.discord.routes import Call, Routes
from tests.servers.discord.world import World

API = "/api/v10"


class Rest:
    """The API over a world."""

    def __init__(self, world: World, routes: Routes, buckets: Buckets, faults: Faults) -> None:
        self.calls: list[Call] = []
        """Everything that was asked, in order."""
        self._world = world
        self._routes = routes
        self._buckets = buckets
        self._faults = faults

    def made(self, method: str, path: str) -> list[Call]:
        """The requests whose path below the API's address fits a pattern."""
        return [call for call in self.calls if call.method == method and re.fullmatch(path, call.path)]

    # ------------------------------------------------------------------------------------------------- the way in

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path = request.path.removeprefix(API)
        fault = self._faults.take(request.method, path)
        if fault is not None and fault.dropped:
            return _hang_up(request)
        if self._buckets.is_banned:
            return web.Response(status=429, text="<html>You are being blocked</html>", content_type="text/html")
        call = Call(request.method, path, dict(request.query))
        await _read(request, call)
        self.calls.append(call)
        if fault is not None and (response := self._broken(fault)) is not None:
            return response
        response = await self._answer(request, call)
        if fault is not None and fault.holds:
            await fault.hold()
        return _hang_up(request) if fault is not None and fault.lost else response

    def _broken(self, fault: Fault) -> web.Response | None:
        if fault.html:
            return web.Response(status=fault.html, text="<html>Bad gateway</html>", content_type="text/html")
        if fault.ratelimit_s is not None:
            self._buckets.note(429, fault.scope)
            body = too_many(fault.ratelimit_s, everywhere=fault.scope == "global")
            return _json(429, body, too_many_headers(fault.ratelimit_s, fault.scope))
        if fault.error is not None:
            self._buckets.note(fault.error.status)
            return _json(fault.error.status, fault.error.body, fault.error.headers)
        return None

    async def _answer(self, request: web.Request, call: Call) -> web.Response:
        found = self._routes.find(call)
        is_free = call.path.startswith(("/interactions/", "/webhooks/"))
        if not is_free and request.headers.get("Authorization") != f"Bot {self._world.app.token}":
            self._buckets.note(401)
            return _json(401, UNAUTHORIZED.body)
        if not is_free and (full := self._buckets.enter_all()) is not None:
            self._buckets.note(429)
            return _json(429, full[1], full[0])
        headers: dict[str, str] = {}
        if found is not None and not call.path.startswith("/interactions/"):
            headers, too_often = self._buckets.enter(_bucket(call), call.ids[0] if call.ids else 0)
            if too_often is not None:
                self._buckets.note(429)
                return _json(429, too_often, headers)
        try:
            if found is None:
                raise NOT_FOUND
            status, body = await found(call)
        except Refused as error:
            self._buckets.note(error.status)
            return _json(error.status, error.body, headers | error.headers)
        return _json(status, body, headers) if status != 204 else web.Response(status=204, headers=headers)


def _bucket(call: Call) -> str:
    parts = [part for part in call.path.split("/") if part and not part.isdigit()]
    return f"{call.method} {parts[-1] if parts[0] != 'webhooks' else 'webhooks'}"


async def _read(request: web.Request, call: Call) -> None:
    """The body: JSON, or JSON beside files."""
    if request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            data = bytes(await part.read())
            if part.name == "payload_json":
                call.body = json.loads(data)
            elif found := re.fullmatch(r"files\[(\d+)\]", part.name or ""):
                media_type = part.headers.get("Content-Type", "")
                call.uploads[int(found[1])] = (part.filename or "file", data, media_type)
    elif request.can_read_body and (raw := await request.read()):
        body = json.loads(raw)
        call.body = body if isinstance(body, dict) else {"list": body}


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> web.Response:
    # Without a charset: clients compare the content type as a whole.
    sent = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(status=status, body=json.dumps(body).encode(), headers=sent)


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)

"""Where files are fetched from: signed addresses that end, and everything that can stand there instead of a file.

Source: Discord API documentation, `reference` (signed attachment CDN URLs).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from tests.servers.discord.values import StoredFile
from tests.servers.discord.world import World

GONE = "This content is no longer available."
CHUNK = b"\0" * 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """What a file's address answers instead of the file.

    Args:
        status: with a text instead of bytes.
        location: somewhere else.
        html: a web page with status 200.
        endless: bytes without an end.
        declared_bytes: the length that is announced, whatever comes.
    """

    status: int = 0
    location: str = ""
    html: str = ""
    endless: bool = False
    declared_bytes: int | None = None


@dataclass
class Cdn:
    """The files of a world."""

    world: World
    odd: dict[int, Odd] = field(default_factory=dict)
    """File id -> what is odd about it."""
    refusals: int = 0
    """How often an address was asked for after its end."""
    sent_bytes: int = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        file = self.world.files.get(int(request.match_info["file"]))
        if file is None or not self._is_signed(request):
            self.refusals += 1
            return web.Response(status=404, text=GONE)
        file.fetched += 1
        if (odd := self.odd.get(file.id)) is not None:
            return await self._serve_odd(request, file, odd)
        self.sent_bytes += len(file.data)
        return web.Response(body=file.data, content_type=file.media_type or "application/octet-stream")

    def _is_signed(self, request: web.Request) -> bool:
        try:
            ends = int(request.query["ex"], 16)
        except (KeyError, ValueError):
            return False
        right = self.world.signature(request.rel_url.raw_path, ends)
        return request.query.get("hm") == right and self.world.clock.time() < ends

    async def _serve_odd(self, request: web.Request, file: StoredFile, odd: Odd) -> web.StreamResponse:
        if odd.status:
            return web.Response(status=odd.status, text=GONE)
        if odd.location:
            return web.Response(status=302, headers={"Location": odd.location})
        if odd.html:
            return web.Response(text=odd.html, content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": file.media_type or "application/octet-stream"})
        if odd.declared_bytes is not None:
            response.content_length = odd.declared_bytes
        await response.prepare(request)
        try:
            await response.write(file.data)
            self.sent_bytes += len(file.data)
            while odd.endless:
                await response.write(CHUNK)
                self.sent_bytes += len(CHUNK)
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.CancelledError):
            return response
        if request.transport is not None and odd.declared_bytes is not None:
            request.transport.abort()  # announced more than it has
        return response

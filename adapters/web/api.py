"""The page's HTTP interface, for its own script only."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import wraps
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from adapters.web.events import Opener
from adapters.web.inbound import thread_key
from adapters.web.log import PageLog
from adapters.web.reception import BUSY, Reception
from adapters.web.render import is_visible
from adapters.web.session import Door
from adapters.web.uploads import FILE_LIMIT_BYTES, FILES_LIMIT, Unacceptable, file_response, read_json, read_sent
from bot.errors import ToolFailed, Transient
from bot.ports import Outcome, Resources, Verdict

Endpoint = Callable[[Request], Awaitable[Response]]

_FILES = {
    "too_large": "This file is too large to be kept.",
    "too_many_files": "You have sent as many files today as can be kept. Please try again tomorrow.",
}
STREAMS_LIMIT = 30
"""Streams of events that one visitor may have open, in one process."""

TURNS = 1_000_000
"""No conversation has more."""

_UNKNOWN_FILE = Unacceptable(404, "not_found", "This file is not here, or no longer.")


def answer(value: object, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def explained(endpoint: Callable[[Any, Request], Awaitable[Response]]) -> Callable[[Any, Request], Awaitable[Response]]:
    """Turns what goes wrong into a status and a sentence."""

    @wraps(endpoint)
    async def explain(self: Any, request: Request) -> Response:
        try:
            return await endpoint(self, request)
        except Unacceptable as error:
            return answer({"error": error.code, "message": error.message}, error.status)
        except ToolFailed as refused:  # the desk keeps no more of it
            return answer({"error": refused.code, "message": _FILES.get(refused.code, BUSY)}, 413)
        except Transient:
            return _busy(BUSY)
        except HTTPException as error:
            return answer({"error": str(error.status_code), "message": error.detail}, error.status_code)

    return explain


class Api:
    """The endpoints.

    Args:
        greeting: what the demo offers to begin with; empty in `run`.
        follow: opens a stream of events.
    """

    def __init__(
        self,
        log: PageLog,
        door: Door,
        resources: Resources,
        reception: Reception,
        greeting: Mapping[str, Any],
        follow: Opener,
    ) -> None:
        self._log = log
        self._door = door
        self._resources = resources
        self._reception = reception
        self._greeting = greeting
        self._follow = follow
        self._streams: Counter[str] = Counter()

    @explained
    async def session(self, request: Request) -> Response:
        """Who is looking, and what the page may offer."""
        viewer = await self._door.viewer(request)
        me = {"id": viewer.person.id, "name": viewer.person.display_name}
        limits = {"files": FILES_LIMIT, "file_bytes": FILE_LIMIT_BYTES}
        return answer({"demo": self._resources.demo, "me": me, "limits": limits, **self._greeting})

    @explained
    async def threads(self, request: Request) -> Response:
        """The viewer's threads."""
        viewer = await self._door.viewer(request)
        return answer(await self._log.threads(viewer.owner))

    @explained
    async def events(self, request: Request) -> Response:
        """What happens in a thread."""
        viewer = await self._door.viewer(request)
        thread = await self._reception.thread(request.path_params["root"], viewer)
        last = request.headers.get("last-event-id", "") or request.query_params.get("after", "")
        after = int(last) if last.isdecimal() and len(last) < 10 else -1
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        if self._streams[viewer.owner] >= STREAMS_LIMIT:
            raise Unacceptable(429, "too_many", "This page is open too often. Please close some of its windows.")
        stream = self._counted(viewer.owner, self._follow(thread, viewer, after).stream())
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _counted(self, owner: str, stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """A stream that counts while it is open: each holds a connection to Redis, of which there are not many."""
        self._streams[owner] += 1
        try:
            async with aclosing(stream):
                async for piece in stream:
                    yield piece
        finally:
            self._streams[owner] -= 1
            self._streams += Counter()  # forgets whose count is zero

    @explained
    async def record(self, request: Request) -> Response:
        """The record exactly as it is kept: stored rows, spliced and never parsed."""
        viewer = await self._door.viewer(request)
        thread = await self._reception.thread(request.path_params["root"], viewer)
        asked = request.query_params.get("start", "")
        start = int(asked) if asked.isdecimal() and len(asked) < 10 else 0
        key = thread_key(thread.root)
        kept = await self._resources.mailbox.load(key, start)
        waiting = await self._resources.mailbox.inbox(key)
        rows, inbox = (b",".join(entry.row for entry in entries) for entries in (kept.entries, waiting))
        body = b'{"key":%s,"start":%d,"rows":[%s],"inbox":[%s]}' % (orjson.dumps(str(key)), kept.start, rows, inbox)
        return Response(body, media_type="application/json")

    @explained
    async def post(self, request: Request) -> Response:
        """A message."""
        viewer = await self._door.viewer(request)
        try:
            sent = await read_sent(request)
            return _told(await self._reception.post(request.path_params["root"], viewer, sent))
        finally:
            await request.close()

    @explained
    async def edit(self, request: Request) -> Response:
        """Another text for a message."""
        viewer = await self._door.viewer(request)
        text = str((await read_json(request)).get("text", ""))
        params = request.path_params
        return _told(await self._reception.edit(params["root"], viewer, params["message"], text))

    @explained
    async def delete(self, request: Request) -> Response:
        """A message is taken back."""
        viewer = await self._door.viewer(request)
        params = request.path_params
        return _told(await self._reception.delete(params["root"], viewer, params["message"]))

    @explained
    async def stop(self, request: Request) -> Response:
        """The answer that is being written shall stop."""
        viewer = await self._door.viewer(request)
        return _told(await self._reception.stop(request.path_params["root"], viewer))

    @explained
    async def submit(self, request: Request) -> Response:
        """A private form."""
        viewer = await self._door.viewer(request)
        typed = (await read_json(request)).get("fields")
        if not isinstance(typed, dict) or not all(
            isinstance(value, str) and len(value) <= 1000 for value in typed.values()
        ):
            raise Unacceptable(400, "malformed", "A form's fields are short texts.")
        params = request.path_params
        return _told(await self._reception.submit(params["root"], viewer, params["form"], typed))

    @explained
    async def press(self, request: Request) -> Response:
        """A button of a card."""
        viewer = await self._door.viewer(request)
        value = await read_json(request)
        action, argument = str(value.get("action", ""))[:100], str(value.get("value", ""))[:200]
        return _told(await self._reception.press(request.path_params["root"], viewer, action, argument))

    @explained
    async def vote(self, request: Request) -> Response:
        """A thumb under an answer."""
        viewer = await self._door.viewer(request)
        value = await read_json(request)
        turn, vote = value.get("turn"), value.get("value")
        if not isinstance(turn, int) or not 0 < turn <= TURNS or vote not in (-1, 1):
            raise Unacceptable(400, "malformed", "A vote is +1 or -1 for a turn.")
        comment = str(value.get("comment", ""))[:2_000]
        return _told(await self._reception.vote(request.path_params["root"], viewer, turn, vote, comment))

    @explained
    async def file(self, request: Request) -> Response:
        """A file of a message that the viewer sees."""
        viewer = await self._door.viewer(request)
        thread = await self._reception.thread(request.path_params["root"], viewer)
        name = request.path_params["upload"]
        shown = any(
            file["upload"] == name
            for item in (await self._log.view(thread.root)).values()
            if is_visible(item, viewer.person)
            for file in item.get("attachments", ())
        )
        tenant = self._resources.tenant_of(thread_key(thread.root).space)
        upload = await self._resources.desk.read_upload(tenant, name) if shown else None
        if upload is None or upload.thread != str(thread_key(thread.root)):
            raise _UNKNOWN_FILE
        return file_response(upload)


def _told(outcome: Outcome) -> Response:
    if outcome.verdict is Verdict.BUSY:
        return _busy(outcome.text or BUSY)
    return answer({"verdict": str(outcome.verdict), "text": outcome.text})


def _busy(message: str) -> Response:
    response = answer({"error": "busy", "message": message}, 503)
    response.headers["retry-after"] = "2"
    return response

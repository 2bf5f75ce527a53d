"""The HTTP side: two routes, one clock for typing, errors in the protocol's shape."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bot.standin.completions import Answer, Heading, render_chunks, render_completion, render_error, render_usage
from bot.standin.protocol import BadRequest, ChatRequest, parse_request

MODEL = "frontdesk-stand-in"
BODY_LIMIT_BYTES = 32 * 1024 * 1024
"""Room for a picture of 20 MB as a data URL, and a long conversation beside it."""

Answering = Callable[[ChatRequest], Awaitable[Answer]]

_log = logging.getLogger(__name__)


def create_app(answer: Answering, *, pace_s: float) -> Starlette:
    """The server as an ASGI application.

    Args:
        answer: what to say to a request; raises `BadRequest`.
        pace_s: seconds of typing per word of a stream; 0 writes at once.
    """

    async def complete(request: Request) -> Response:
        body = await _read(request)
        asked = parse_request(body)
        said = (await answer(asked)).within(asked.token_limit)
        heading = Heading(id=f"chatcmpl-{uuid.uuid4().hex}", created=int(time.time()), model=asked.model)
        usage = render_usage(len(body), said)
        if not asked.stream:
            return _json(render_completion(heading, said, usage))
        wants_usage = asked.stream_options is not None and asked.stream_options.include_usage
        events = _events(heading, said, usage if wants_usage else None, pace_s)
        return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})

    async def models(request: Request) -> Response:
        listed = {"id": MODEL, "object": "model", "created": 0, "owned_by": "frontdesk"}
        return _json({"object": "list", "data": [listed]})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
        ],
        exception_handlers={BadRequest: _on_bad_request, HTTPException: _on_http_error, Exception: _on_fault},
    )


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT_BYTES:
            raise HTTPException(413, "The request is larger than this server reads.")
    return bytes(body)


async def _events(
    heading: Heading, answer: Answer, usage: dict[str, int] | None, pace_s: float
) -> AsyncIterator[bytes]:
    for words, chunk in render_chunks(heading, answer, usage):
        if words and pace_s:
            await asyncio.sleep(words * pace_s)
        yield b"data: " + orjson.dumps(chunk) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


async def _on_bad_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, BadRequest):
        raise error
    return _json(render_error(error.message, param=error.param, code=error.code), 400)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        return _json(render_error(f"Invalid URL ({request.method} {request.url.path})"), 404)
    if error.status_code == 405:
        return _json(render_error(f"Not allowed to {request.method} on {request.url.path}"), 405)
    return _json(render_error(error.detail), error.status_code)


async def _on_fault(request: Request, error: Exception) -> Response:
    """A fault of ours; the sender learns that there is one, our log which."""
    _log.error("request failed", exc_info=error)
    return _json(render_error("The server had an error processing your request.", kind="server_error"), 500)

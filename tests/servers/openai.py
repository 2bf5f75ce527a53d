"""A Chat Completions endpoint that plays a script over real sockets and refuses what the strictest one would refuse.

    async with ScriptedModel() as model:
        model.plays(calls(("get_order_status", {"order_id": "123123", "email": "santa@clau.se"})), says("It is …"))
        …
        assert model.requests[-1].last_user == "…"

What is wrong with a request stands in `violations`, is answered with 400, and raises when the server is left.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from tests.servers.strict import PrefixWatch, violations

MODEL = "scripted"
PATH = "/v1/chat/completions"
_HEAD_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the endpoint got it."""

    body: bytes
    headers: Mapping[str, str]
    json: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.json["messages"])

    @property
    def tools(self) -> list[str]:
        """The names of the tools that are offered."""
        return [tool["function"]["name"] for tool in self.json.get("tools", ())]

    @property
    def is_vision(self) -> bool:
        return "response_format" in self.json

    @property
    def last_user(self) -> str:
        """The last thing a person (or a note) said, without the header line."""
        texts = [str(message["content"]) for message in self.messages if message["role"] == "user"]
        return texts[-1].partition("\n")[2] if texts else ""

    @property
    def results(self) -> list[Any]:
        """What the tools answered to the last calls, oldest first."""
        found = itertools.takewhile(lambda message: message["role"] == "tool", reversed(self.messages))
        return [json.loads(message["content"]) for message in found][::-1]


@dataclass(frozen=True, slots=True)
class Pause:
    """Waits for somebody between two packets; `reached` tells that everything before it was sent."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.go.set()


class Abort:
    """Resets the connection."""


class Hang:
    """Sends nothing more and keeps the connection."""


class Endless:
    """Sends the packet before it for ever."""


Step = bytes | Pause | Abort | Hang | Endless


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent: status and headers, then the steps, each `bytes` a packet of its own.

    Args:
        steps: without any the connection ends before the head.
        raw: the steps are the whole response, head included.
    """

    steps: tuple[Step, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bool = False

    @property
    def pause(self) -> Pause:
        """The first place where the reply waits."""
        return next(step for step in self.steps if isinstance(step, Pause))

    @property
    def pauses(self) -> list[Pause]:
        return [step for step in self.steps if isinstance(step, Pause)]


Script = Reply | Callable[[Request], Reply | Awaitable[Reply]]

# ---------------------------------------------------------------------------------------------------------- replies

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def chunk(delta: Mapping[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    """One chunk as an event; without a delta one with empty `choices`."""
    choices = [] if delta is None else [{"index": 0, "delta": dict(delta), "finish_reason": finish}]
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": choices}
    return event(body | more)


def event(value: object) -> bytes:
    """Any JSON as an event."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def sends(*steps: Step, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Packets as they are, in an event stream."""
    return Reply(steps=steps, status=status, headers={"content-type": "text/event-stream", **(headers or {})})


def _ending(finish: str, usage: Mapping[str, int] | None) -> tuple[bytes, ...]:
    return (chunk({}, finish), *((chunk(usage=usage),) if usage else ()), DONE)


def says(*pieces: str, finish: str = "stop", usage: Mapping[str, int] | None = USAGE) -> Reply:
    """Text; one piece is cut into words, several are sent as they are."""
    parts = re.findall(r"\s*\S+\s*", pieces[0]) or list(pieces) if len(pieces) == 1 else list(pieces)
    texts = [chunk({"content": part}) for part in parts]
    return sends(chunk({"role": "assistant", "content": ""}), *texts, *_ending(finish, usage))


def calls(*wanted: tuple[str, Any], text: str = "", ids: Iterable[str] = (), finish: str = "tool_calls") -> Reply:
    """Tool calls; arguments that are no string are sent as JSON, in two fragments."""
    given = iter(ids)
    steps = [chunk({"role": "assistant", "content": text or None})]
    for index, (name, arguments) in enumerate(wanted):
        written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        call_id = next(given, f"call_{index}")
        opening = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        steps.append(chunk({"tool_calls": [opening]}))
        half = len(written) // 2
        pieces = (written[:half], written[half:])
        steps += [chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in pieces]
    return sends(*steps, *_ending(finish, USAGE))


def held(*pieces: str) -> Reply:
    """Text whose pieces wait: `reply.pauses[n].release()` sends the piece after the n-th."""
    steps: list[Step] = [chunk({"role": "assistant", "content": ""})]
    for place, piece in enumerate(pieces):
        steps += [*((Pause(),) if place else ()), chunk({"content": piece})]
    return sends(*steps, Pause(), *_ending("stop", USAGE))


def waits(reply: Reply) -> Reply:
    """The same reply, not begun before `reply.pause.release()`."""
    return replace(reply, steps=(Pause(), *reply.steps))


def fails(
    status: int, *, retry_after: float | str | None = None, code: str | None = None, message: str = "no", kind: str = ""
) -> Reply:
    """An error as endpoints write it."""
    headers = {"content-type": "application/json"} | ({"retry-after": str(retry_after)} if retry_after else {})
    body = {"error": {"message": message, "type": kind or "error", "param": None, "code": code}}
    return Reply(steps=(json.dumps(body).encode(),), status=status, headers=headers)


def page(html: str = "<html><body>Sign in</body></html>", status: int = 200) -> Reply:
    """A web page where an answer should be."""
    return Reply(steps=(html.encode(),), status=status, headers={"content-type": "text/html"})


def breaks_after(text: str) -> Reply:
    """Text, then the connection is reset."""
    return sends(chunk({"role": "assistant", "content": ""}), chunk({"content": text}), Abort())


def ends_after(text: str) -> Reply:
    """Text, then a clean end without a finish reason."""
    return sends(chunk({"role": "assistant", "content": ""}), chunk({"content": text}))


def hangs(text: str | None = None) -> Reply:
    """Nothing, for ever; with `text` only after it."""
    return Reply(steps=(Hang(),), raw=True) if text is None else sends(chunk({"content": text}), Hang())


def drops() -> Reply:
    """The connection ends without an answer."""
    return Reply(steps=(Abort(),), raw=True)


def reads(value: object, *, refusal: str | None = None) -> Reply:
    """What the vision model reads in a picture."""
    content = value if isinstance(value, str) or value is None else json.dumps(value)
    message = {"role": "assistant", "content": content, "refusal": refusal}
    body = {
        "id": "chatcmpl-2", "object": "chat.completion", "created": 0, "model": MODEL, "usage": USAGE,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip
    return Reply(steps=(json.dumps(body).encode(),), headers={"content-type": "application/json"})


# ----------------------------------------------------------------------------------------------------------- server


class ScriptedModel:
    """The endpoint. `plays` queues answers for the conversation, `sees` for pictures; `answers` sets a function.

    Args:
        strict: raise on leaving when a request was not valid, or came without a script.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.connections = 0
        self.closed_early = 0
        self._strict = strict
        self._queue: deque[Script] = deque()
        self._pictures: deque[Script] = deque()
        self._always: Script | None = None
        self._prefix = PrefixWatch()
        self._came = asyncio.Condition()
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.base_url = ""

    def plays(self, *scripts: Script) -> None:
        """Answer the next requests with these, one each."""
        self._queue.extend(scripts)

    def sees(self, *scripts: Script) -> None:
        """Answer the next pictures with these."""
        self._pictures.extend(scripts)

    def answers(self, script: Script) -> None:
        """Answer whatever finds the queue empty."""
        self._always = script

    def forget_prefix(self) -> None:
        """What was said is rewritten on purpose (an erased message)."""
        self._prefix.forget()

    async def asked(self, times: int) -> Request:
        """Wait until `times` requests have come; the last of them."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.requests) >= times)
        return self.requests[times - 1]

    async def left(self, times: int) -> None:
        """Wait until `times` answers were left by the asker before their end."""
        async with self._came:
            await self._came.wait_for(lambda: self.closed_early >= times)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.base_url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()
        if self._strict and error is None:
            assert not self.violations, "requests that a strict endpoint refuses:\n" + "\n".join(self.violations)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            first: bytes | None = b""
            while first is not None and (request := await _read_request(reader, first)) is not None:
                first = await self._send(await self._reply(*request), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._open.discard(task)
            writer.close()

    async def _reply(self, line: str, headers: Mapping[str, str], body: bytes) -> Reply:
        found = list(violations(body)) or list(self._prefix.violations(body))
        if line.split(" ")[:2] != ["POST", PATH]:
            found.append(f"asked {line}")
        if not re.fullmatch(r"Bearer \S+", headers.get("authorization", "")):
            found.append("no bearer token")
        if headers.get("content-type") != "application/json":
            found.append(f"content type {headers.get('content-type')}")
        if found:
            self.violations += [f"request {len(self.requests)}: {problem}" for problem in found]
            return fails(400, code="invalid_request", message="; ".join(found))
        request = Request(body=body, headers=headers, json=json.loads(body))
        async with self._came:
            self.requests.append(request)
            self._came.notify_all()
        queue = self._pictures if request.is_vision else self._queue
        script = queue.popleft() if queue else self._always
        if script is None:
            self.violations.append(f"request {len(self.requests) - 1} has no script: {request.messages[-1]}")
            return fails(500, message="no script")
        if isinstance(script, Reply):
            return script
        made = script(request)
        return made if isinstance(made, Reply) else await made

    async def _send(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        """Play a reply and see whether the asker leaves meanwhile.

        Returns:
            What has been read of the next request; nothing when the connection cannot be used again.
        """
        playing = asyncio.ensure_future(self._play(reply, writer))
        listening = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({playing, listening}, return_when=asyncio.FIRST_COMPLETED)
            left = not playing.done() and not listening.result()
            reusable = not left and await playing
        except ConnectionError:
            left, reusable = True, False
        finally:
            playing.cancel()
            listening.cancel()
            await asyncio.gather(playing, listening, return_exceptions=True)
        if left:
            async with self._came:
                self.closed_early += 1
                self._came.notify_all()
        if not reusable:
            return None
        return b"" if listening.cancelled() else listening.result()

    async def _play(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        sizes = not reply.raw and reply.headers.get("content-type") != "text/event-stream"
        steps = list(reply.steps)
        body = b"".join(step for step in steps if isinstance(step, bytes)) if sizes else b""
        if sizes:
            steps = [step for step in steps if not isinstance(step, bytes)] + [body]
        if not reply.raw:
            while steps and isinstance(steps[0], Pause):
                await _pause(steps.pop(0))
            length = f"content-length: {len(body)}" if sizes else "transfer-encoding: chunked"
            lines = [f"HTTP/1.1 {reply.status} X", length, *(f"{key}: {value}" for key, value in reply.headers.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode())
        packet = b""
        for step in steps:
            if isinstance(step, bytes):
                packet = step if sizes or reply.raw else b"%x\r\n%b\r\n" % (len(step), step)
                writer.write(packet)
                await writer.drain()
            elif isinstance(step, Abort):
                writer.transport.abort()
                return False
            elif isinstance(step, Endless):
                while True:
                    writer.write(packet)
                    await writer.drain()
            else:
                await _pause(step)
        if not (sizes or reply.raw):
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return not reply.raw


async def _pause(step: Step) -> None:
    if isinstance(step, Pause):
        step.reached.set()
        await step.go.wait()
    else:
        await asyncio.Event().wait()


async def _read_request(reader: asyncio.StreamReader, first: bytes) -> tuple[str, dict[str, str], bytes] | None:
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if first or error.partial:
            raise
        return None
    line, *rest = head[:-4].decode("latin-1").split("\r\n")
    headers = {key.lower(): value.strip() for key, _, value in (entry.partition(":") for entry in rest)}
    return line, headers, await reader.readexactly(int(headers["content-length"]))

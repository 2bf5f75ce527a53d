"""The model: a process that answers every request by the same script, at a pace that it is told, and keeps the times.

A request that ends with a person's words is answered with a call of the tool, one that ends with a result with a text.
Each event is written by itself. Times are those of the system's monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import orjson

from tests.bench.crowd import PLAIN
from tests.bench.part import obey

TEXT = (
    "Thank you for your patience. Your order 123123 has left our house and is out for delivery. It should arrive on "
    "Friday at the address that you gave us. In the parcel you will find the large wooden sled and the harness for "
    "two reindeer. If anything is missing, please just tell me here and I will open a ticket."
).split(" ")
CHUNKS = len(TEXT)
ARGUMENTS = '{"order_id":"123123"}'
ANSWER = " ".join(TEXT)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
TAIL_BYTES = 4_096


def _event(data: bytes) -> bytes:
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


def _chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    body = {
        "id": "chatcmpl-8sBgd0pXr2LYh7",
        "object": "chat.completion.chunk",
        "created": 1_731_000_000,
        "model": "bench",
        "service_tier": "default",
        "system_fingerprint": "fp_4c2851f862",
        "choices": choices,
    }
    return _event(orjson.dumps(body | more))


def _script(*deltas: dict[str, Any], finish: str) -> list[bytes]:
    usage = {"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980}
    last = _chunk({}, finish) + _chunk(None, usage=usage) + _event(b"[DONE]") + b"0\r\n\r\n"
    events = [_chunk(delta) for delta in deltas]
    events[-1] += last
    return events


def _call(**function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": function}]}


_opening = _call(name="look_up_order", arguments="")
_opening["tool_calls"][0] |= {"id": "call_x", "type": "function"}
_half = len(ARGUMENTS) // 2
CALL = _script(
    {"role": "assistant", "content": None} | _opening,
    _call(arguments=ARGUMENTS[:_half]),
    _call(arguments=ARGUMENTS[_half:]),
    finish="tool_calls",
)
SPEECH = _script(
    *({"content": word + (" " if place < CHUNKS else "")} for place, word in enumerate(TEXT, 1)), finish="stop"
)
SPEECH[0] = _chunk({"role": "assistant", "content": ""}) + SPEECH[0]


@dataclass(slots=True)
class Served:
    """An answer: whose it is, when its request was there, when its first event was written, how long it takes."""

    who: str
    came_at: float
    first_at: float
    lasts_s: float


class Model:
    """What all connections share.

    Args:
        first_s: from a request to its first event.
        pace_s: between two events; 0: all at once.
    """

    def __init__(self) -> None:
        self.first_s = self.pace_s = 0.0
        self.opened = self.closed = 0
        self.log: list[Served] = []

    async def pace(self, *, first_s: float, pace_s: float) -> dict[str, Any]:
        self.first_s, self.pace_s = first_s, pace_s
        return {}

    async def take(self) -> dict[str, Any]:
        """What was kept since the last time."""
        log, self.log = self.log, []
        return {"log": log, "opened": self.opened, "closed": self.closed}


class Connection(asyncio.Protocol):
    """One connection of a client, kept alive."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._bytes = bytearray()
        self._needed = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._model.opened += 1

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._model.closed += 1

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if not self._needed:
            head, end, _ = bytes(self._bytes[:TAIL_BYTES]).partition(b"\r\n\r\n")
            if not end:
                return
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._needed = len(head) + 4 + int(length)
        if len(self._bytes) >= self._needed:
            tail = bytes(self._bytes[-TAIL_BYTES:])
            self._bytes.clear()
            self._needed = 0
            self._answer(tail)

    def _answer(self, tail: bytes) -> None:
        model, now = self._model, time.monotonic()
        who = tail[tail.rfind(b"ask=") + 4 :].partition(b";")[0].decode()
        asked = tail.rfind(b'"role":"user"')
        speaks = tail.rfind(b'"role":"tool"') > asked or tail.find(PLAIN.encode(), asked) >= 0
        events = SPEECH if speaks else CALL
        answer = Served(who, now, 0.0, model.first_s + model.pace_s * (len(events) - 1))
        model.log.append(answer)
        if model.first_s or model.pace_s:
            self._loop.call_at(self._loop.time() + model.first_s, self._play, answer, events, 0, self._loop.time())
            return
        self._write(HEAD)
        answer.first_at = time.monotonic()
        for event in events:
            self._write(event)

    def _play(self, answer: Served, events: list[bytes], place: int, began: float) -> None:
        """Write an event and set the time of the next: by the clock of the answer's beginning, so that none drifts."""
        model = self._model
        if place == 0:
            answer.first_at = time.monotonic()
            self._write(HEAD)
        self._write(events[place])
        if place + 1 < len(events) and self._transport is not None:
            at = began + model.first_s + model.pace_s * (place + 1)
            self._loop.call_at(at, self._play, answer, events, place + 1, began)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def main() -> None:
    """Serve until standard input ends."""
    model = Model()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(model), "127.0.0.1", 0, backlog=1_024)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        await obey({"pace": model.pace, "take": model.take}, base_url=address)


if __name__ == "__main__":
    asyncio.run(main())

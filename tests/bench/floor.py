"""The floor: the least code that answers the same question over the same sockets. A bare loop, nothing is kept safe.

A hand-written HTTP client over asyncio streams, one Redis list, no claim, no lease, no limits, no checks, no errors.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
import uvloop
from redis.asyncio import Redis

from tests.bench.crowd import question
from tests.bench.model import ANSWER
from tests.bench.part import obey
from tests.bench.prefix import SYSTEM, TOOL, look_up
from tests.bench.seeds import floor_key

HEAD = orjson.dumps({"model": "bench", "stream": True})[:-1] + b',"tools":' + orjson.dumps([TOOL]) + b',"messages":['
SYSTEM_MESSAGE = orjson.dumps({"role": "system", "content": SYSTEM})


class BareLoop:
    """Answers questions, one at a time."""

    def __init__(self, redis: Redis, base_url: str) -> None:
        self._redis = redis
        self._address = urlsplit(base_url)
        self._body_bytes = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def talk(self, *, roots: Sequence[str], turns: int) -> dict[str, Any]:
        cpu_s, wall_s = time.process_time(), time.monotonic()
        wrong = 0
        for turn in range(turns):
            wrong += await self._answer(roots[turn % len(roots)], f"floor.{turn}") != ANSWER
        return {
            "cpu_s": time.process_time() - cpu_s,
            "wall_s": time.monotonic() - wall_s,
            "turns": turns,
            "errors": wrong,
            "body_bytes": self._body_bytes,
        }

    async def _answer(self, root: str, asked: str) -> str:
        key = floor_key(root)
        messages: list[bytes] = await self._redis.lrange(key, 0, -1)  # type: ignore[assignment]  # bytes, not decoded
        fresh = [orjson.dumps({"role": "user", "content": question(asked)})]
        while True:
            text, call = await self._ask([SYSTEM_MESSAGE, *messages, *fresh])
            if call is None:
                fresh.append(orjson.dumps({"role": "assistant", "content": text}))
                await self._redis.rpush(key, *fresh)
                return text
            result = orjson.dumps(await look_up(**orjson.loads(call["function"]["arguments"]))).decode()
            fresh.append(orjson.dumps({"role": "assistant", "content": None, "tool_calls": [call]}))
            fresh.append(orjson.dumps({"role": "tool", "tool_call_id": call["id"], "content": result}))

    async def _ask(self, messages: list[bytes]) -> tuple[str, dict[str, Any] | None]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._address.hostname, self._address.port)
        reader, writer = self._streams
        body = HEAD + b",".join(messages) + b"]}"
        self._body_bytes = len(body)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer bench\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        await reader.readuntil(b"\r\n\r\n")
        text, call = [], None
        while size := int(await reader.readline(), 16):
            event = (await reader.readexactly(size + 2))[:-2]
            if event.startswith(b"data: {"):
                choices = orjson.loads(event[6:])["choices"]
                delta = choices[0]["delta"] if choices else {}
                if delta.get("content"):
                    text.append(delta["content"])
                for piece in delta.get("tool_calls", ()):
                    if call is None:
                        call = piece
                    else:
                        call["function"]["arguments"] += piece["function"]["arguments"]
        await reader.readline()
        return "".join(text), call


async def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("redis_url")
    parser.add_argument("base_url")
    options = parser.parse_args()
    async with Redis.from_url(options.redis_url) as redis:
        await obey({"talk": BareLoop(redis, options.base_url).talk})


if __name__ == "__main__":
    uvloop.run(main())

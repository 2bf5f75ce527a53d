"""Looks for a word in everything that was kept, sent or logged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.servers.openai import ScriptedModel


async def redis_bytes(redis: Redis) -> AsyncIterator[tuple[str, bytes]]:
    """Every key of a Redis with all that it holds."""
    async for key in redis.scan_iter():
        kind = await redis.type(key)
        match kind:
            case b"string":
                held: list[Any] = [await redis.get(key)]
            case b"list":
                held = list(await redis.lrange(key, 0, -1))
            case b"hash":
                held = [part for pair in (await redis.hgetall(key)).items() for part in pair]
            case b"zset":
                held = list(await redis.zrange(key, 0, -1))
            case b"none":
                continue  # gone since it was listed
            case _:
                raise AssertionError(f"a kind of key that nobody declared: {key!r} {kind!r}")
        yield key.decode(), b"\n".join(held)


async def places_of(word: str, redis: Redis, data_dir: Path, model: ScriptedModel, log: str) -> list[str]:
    """Where a word stands that should stand nowhere."""
    needle = word.encode()
    found = [f"Redis {key}" async for key, held in redis_bytes(redis) if needle in held or needle in key.encode()]
    found += [str(path) for path in data_dir.rglob("*") if path.is_file() and needle in path.read_bytes()]
    found += [f"request {number}" for number, request in enumerate(model.requests) if needle in request.body]
    return found + (["the log"] if word in log else [])

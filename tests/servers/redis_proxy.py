"""Stands between Frontdesk and Redis, sees each script pass, and can end the world around one of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bot.store.lua import FOLDER


class RedisProxy:
    """A unix socket that leads to a Redis.

    Args:
        redis_url: `unix://…` of the real one.
        path: of the socket to open.
    """

    def __init__(self, redis_url: str, path: Path) -> None:
        self.url = f"unix://{path}"
        self.seen: Counter[str] = Counter()
        """How often each script of the mailbox passed, by its name."""
        self.before: Callable[[str, int], None] = lambda name, times: None
        """Told of a script before Redis gets it."""
        self.after: Callable[[str, int], None] = lambda name, times: None
        """Told of a script after Redis answered and before the asker hears of it."""
        self.loses: Callable[[str, int], bool] = lambda name, times: False
        """Whether the answer to a script is lost: Redis did it, and the asker finds the connection closed."""
        self.holds: Callable[[str, int], bool] = lambda name, times: False
        """Whether the answer to a script waits until `let_go` is set."""
        self.let_go = asyncio.Event()
        self._path = path
        self._target = urlsplit(redis_url).path
        self._names = {
            hashlib.sha1(script.read_bytes(), usedforsecurity=False).hexdigest().encode(): script.stem
            for script in FOLDER.glob("*.lua")
        }
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        redis_reader, redis_writer = await asyncio.open_unix_connection(self._target)
        try:
            waiting: list[tuple[str, int]] = []
            await asyncio.gather(
                self._forward(reader, redis_writer, waiting), self._back(redis_reader, writer, waiting)
            )
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            for end in (writer, redis_writer):
                end.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, redis: asyncio.StreamWriter, waiting: list[tuple[str, int]]
    ) -> None:
        while data := await reader.read(1 << 20):
            for digest, name in self._names.items():
                if b"EVALSHA" in data and digest in data:
                    self.seen[name] += 1
                    waiting.append((name, self.seen[name]))
                    self.before(name, self.seen[name])
            redis.write(data)
            await redis.drain()
        redis.close()

    async def _back(
        self, redis: asyncio.StreamReader, writer: asyncio.StreamWriter, waiting: list[tuple[str, int]]
    ) -> None:
        while data := await redis.read(1 << 20):
            while waiting:
                script = waiting.pop(0)
                self.after(*script)
                if self.loses(*script):
                    raise ConnectionResetError
                if self.holds(*script):
                    await self.let_go.wait()
            writer.write(data)
            await writer.drain()
        writer.close()

"""A part of the benchmark: a process that is told what to do, one JSON object a line, and answers with one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

ROOT = Path(__file__).parents[2]
LINE_LIMIT_BYTES = 1 << 24
ANSWER_S = 240.0
END_S = 10.0


class Part:
    """Starts `python -m tests.bench.NAME ARGUMENTS` on entering and ends it on leaving.

    Args:
        log: where its standard error goes.
    """

    def __init__(self, name: str, *arguments: str, log: Path) -> None:
        self._command = (sys.executable, "-m", f"tests.bench.{name}", *arguments)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self.told: dict[str, Any] = {}
        """What it said first: where it is reached."""

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE_LIMIT_BYTES,
            )
        self.told = await self._answer()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def ask(self, do: str, **values: object) -> dict[str, Any]:
        """Tell it what to do and wait until it is done."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": do, **values}) + b"\n")
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(ANSWER_S):
            line = await self._process.stdout.readline()
        if not line:
            tail = self._log.read_text(errors="replace")[-4_000:]
            raise RuntimeError(f"{' '.join(self._command)} ended:\n{tail}")
        answer: dict[str, Any] = orjson.loads(line)
        return answer


async def obey(commands: Mapping[str, Callable[..., Awaitable[Mapping[str, Any]]]], **told: object) -> None:
    """Be a part: say where it is reached, then do as told until standard input ends."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say(told)
    while line := await reader.readline():
        values = orjson.loads(line)
        _say(await commands[values.pop("do")](**values))


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()

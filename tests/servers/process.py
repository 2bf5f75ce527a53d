"""Frontdesk as a process of its own, started as an operator starts it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

START_S = 30.0


class FrontdeskProcess:
    """`frontdesk demo` with settings.

    Args:
        variables: its whole environment beside PATH.
        folder: its working folder, without any `.env`.
        module: what is run; `bot` is the command itself.
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        folder: Path,
        *,
        command: tuple[str, ...] = ("demo",),
        module: str = "bot",
    ) -> None:
        self.url = ""
        self.printed = ""
        self._variables = variables
        self._folder = folder
        self._command = (module, *command)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        root = str(Path(__file__).parents[2])
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self._command,
            cwd=self._folder,
            env={"PATH": os.defpath, "PYTHONPATH": root, **self._variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            await self._started(self._process)
        except BaseException:
            self.kill()
            await self._process.wait()
            raise
        return self

    async def _started(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            while not self.url:
                line = (await process.stdout.readline()).decode()
                assert line, f"it did not start:\n{self.printed}"
                self.printed += line
                if found := re.search(r"http://[\d.]+:\d+", line):
                    self.url = found.group()
        self._reading = asyncio.create_task(self._read(process.stdout))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        await self.ended()

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            self.printed += line.decode()

    @property
    def pid(self) -> int:
        """Its id while it runs."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`, now."""
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal, if there is still somebody to get it."""
        assert self._process is not None
        if self._process.returncode is None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                return

    async def ended(self) -> int:
        """Wait until it is gone; its exit status."""
        assert self._process is not None
        status = await self._process.wait()
        if self._reading is not None:
            await self._reading
        return status

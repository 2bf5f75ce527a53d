"""Frontdesk as a process of its own, started as an operator starts it; most of them without the wait for libraries."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self

from tests.servers.furniture import furnish
from tests.servers.preloaded import ROOT, Preloaded, start

START_S = 30.0


class FrontdeskProcess:
    """`frontdesk demo` with settings.

    Args:
        variables: its whole environment beside PATH.
        folder: its working folder, without any `.env`.
        module: what is run; `bot` is the command itself.
        preloaded: fork it from a process that has loaded the libraries (`tests.servers.preloaded`).
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        folder: Path,
        *,
        command: tuple[str, ...] = ("demo",),
        module: str = "bot",
        preloaded: bool = True,
    ) -> None:
        self.url = ""
        self.printed = ""
        self._variables = variables
        self._folder = folder
        self._module = module
        self._command = command
        self._preloaded = preloaded
        self._process: Preloaded | asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._command == ("demo",) and (data_folder := self._variables.get("FRONTDESK_DATA_DIR")):
            await furnish(Path(data_folder))
        environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), **self._variables}
        ours, theirs = os.pipe()
        try:
            if self._preloaded:
                self._process = await start(
                    self._module, self._command, environment=environment, folder=self._folder, output=theirs
                )
            else:
                command = (sys.executable, "-m", self._module, *self._command)
                self._process = await asyncio.create_subprocess_exec(
                    *command, cwd=self._folder, env=environment, stdout=theirs, stderr=theirs
                )
        finally:
            os.close(theirs)
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(ours, "rb", 0)
        )
        try:
            await self._started(lines)
        except BaseException:
            self.kill()
            await self._process.wait()
            raise
        return self

    async def _started(self, lines: asyncio.StreamReader) -> None:
        async with asyncio.timeout(START_S):
            while not self.url:
                line = (await lines.readline()).decode()
                assert line, f"it did not start:\n{self.printed}"
                self.printed += line
                if found := re.search(r"http://[\d.]+:\d+", line):
                    self.url = found.group()
        self._reading = asyncio.create_task(self._read(lines))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        await self.ended()
        if error is not None:
            sys.stdout.write(self.printed)  # the report of a test that failed shows what the process said

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


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    status: int
    out: str
    err: str


async def frontdesk(*arguments: str, folder: Path, typed: str = "", **variables: str) -> Ran:
    """Run the command `frontdesk` to its end.

    Args:
        folder: its working folder.
        typed: its standard input.
        variables: its whole environment beside PATH.
    """

    async def started(environment: dict[str, str], files: _Files) -> Preloaded:
        keys, out, err = (file.fileno() for file in files)
        return await start("bot", arguments, environment=environment, folder=folder, typed=keys, output=out, errors=err)

    return await _to_its_end(started, typed, variables)


async def frontdesk_from_nothing(*arguments: str, folder: Path, typed: str = "", **variables: str) -> Ran:
    """The same with a Python that has to load everything."""

    async def started(environment: dict[str, str], files: _Files) -> asyncio.subprocess.Process:
        keys, out, err = files
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *arguments, cwd=folder, env=environment, stdin=keys, stdout=out, stderr=err
        )

    return await _to_its_end(started, typed, variables)


_Files = tuple[IO[bytes], IO[bytes], IO[bytes]]


async def _to_its_end(
    started: Callable[[dict[str, str], _Files], Awaitable[Preloaded | asyncio.subprocess.Process]],
    typed: str,
    variables: Mapping[str, str],
) -> Ran:
    with TemporaryFile() as keys, TemporaryFile() as out, TemporaryFile() as err:
        keys.write(typed.encode())
        keys.seek(0)
        process = await started({"PATH": os.defpath, "PYTHONPATH": str(ROOT), **variables}, (keys, out, err))
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                await process.wait()
        out.seek(0)
        err.seek(0)
        return Ran(status, out.read().decode(), err.read().decode())

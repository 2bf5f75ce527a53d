"""The terminal's stage: lines go in through a pipe, what is written is read back."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.console.platform import ConsolePlatform
from bot.app import App, terminal
from bot.messages import ThreadKey
from bot.ports import Form
from tests.servers.patience import WAIT_S
from tests.stages.play import played


class Screen(io.StringIO):
    """What was written, with a way to wait for more."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = asyncio.Event()

    def write(self, text: str) -> int:
        self.changed.set()
        return super().write(text)


class ConsoleStage:
    """One conversation in a terminal."""

    def __init__(self, app: App, screen: Screen, keyboard: int, folder: Path) -> None:
        self.app = app
        self._screen = screen
        self._keyboard = keyboard
        self._folder = folder
        self._read = 0

    @property
    def thread(self) -> ThreadKey:
        platform = self.app.platforms["console"]
        assert isinstance(platform, ConsolePlatform)
        return platform.thread

    async def say(self, text: str, *, by: str = "", files: tuple[tuple[str, bytes], ...] = ()) -> str:
        for name, data in files:
            path = self._folder / name
            path.write_bytes(data)
            self._type(f"/attach {path}")
        self._read = len(self._screen.getvalue())
        self._type(text)
        return ""

    async def answer(self) -> str:
        """What was written up to the empty line that ends an answer."""

        def ended() -> bool:
            return "\n\n" in self._told()

        await self._until(ended)
        written, end, _ = self._told().partition("\n\n")
        self._read += len(written) + len(end)
        return written

    async def form(self, *, by: str = "") -> Form:
        await self._until(lambda: self._screen.getvalue().endswith("Username: "))
        return Form(id="", title="", fields={"username": "Username", "api_key": "API key"})

    async def fill(self, fields: Mapping[str, str], *, by: str = "") -> str:
        form = await self.form()
        self._read = len(self._screen.getvalue())
        for name in form.fields:
            self._type(fields[name])
        await self._until(lambda: any(word in self._told() for word in ("verified", "not match", "too many")))
        await self._until(lambda: "\n\n" in self._told())
        told, end, _ = self._told().partition("\n\n")
        self._read += len(told) + len(end)
        return told

    def _told(self) -> str:
        return self._screen.getvalue()[self._read :]

    def _type(self, line: str) -> None:
        os.write(self._keyboard, f"{line}\n".encode())

    async def _until(self, seen: object) -> None:
        assert callable(seen)
        async with asyncio.timeout(WAIT_S):
            while not seen():
                self._screen.changed.clear()
                await self._screen.changed.wait()


@asynccontextmanager
async def console_stage(variables: Mapping[str, str], folder: Path) -> AsyncIterator[ConsoleStage]:
    """A stage with a Frontdesk of its own."""
    reading, keyboard = os.pipe()
    screen = Screen()
    with os.fdopen(reading) as lines:
        registry = terminal(lines, screen, show_tools=False)
        try:
            async with played(variables, registry=registry, http=False) as app:
                yield ConsoleStage(app, screen, keyboard, folder)
        finally:
            os.close(keyboard)

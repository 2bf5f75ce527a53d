"""A conversation in a terminal: one person, one thread, from the start of the program to its end."""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
import termios
import threading
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from adapters.console.inbound import HELP, Attach, Help, Leave, is_leaving, parse
from adapters.console.render import render_text
from adapters.console.reply import ConsoleReply
from adapters.console.settings import ConsoleSettings
from bot.errors import ToolFailed, Transient
from bot.messages import Attachment, Audience, Event, FormSubmitted, IncomingMessage, Person, ThreadKey
from bot.ports import Card, Examination, Form, Intake, Lease, ReplyStream, Resources, Verdict

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

PERSON = "console"
LAST_ANSWER_S = 120.0
"""How long the end of the input waits for the answer to the last message."""


class ConsolePlatform:
    """See `bot.ports.Platform`."""

    name = "console"

    def __init__(self, settings: ConsoleSettings, resources: Resources) -> None:
        self._settings = settings
        self._resources = resources
        self.thread = ThreadKey(platform=self.name, space="local", channel="terminal", root=uuid.uuid4().hex)
        self._person = Person(id=PERSON, display_name=settings.name)
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._answered.set()
        self._form: Form | None = None
        self._said: set[str] = set()

    async def run(self, intake: Intake) -> None:
        """Read lines until the person leaves or the input ends; the last message is still answered."""
        self._write(f"{HELP}\n\n")
        self._read_lines()
        number, attachments = 0, list[Attachment]()
        while (line := await self._lines.get()) is not None:
            number += 1
            if self._form is not None and self._answered.is_set() and not is_leaving(line):
                await self._fill(intake, self._form, line, number)
                continue
            parsed = parse(
                line,
                thread=self.thread,
                person=self._person,
                number=number,
                at=datetime.now(UTC),
                attachments=tuple(attachments),
            )
            match parsed:
                case None:
                    continue
                case Leave():
                    break
                case Help():
                    self._write(f"{HELP}\n")
                case Attach(path=path):
                    attachments += self._attach(path, number)
                case _:
                    attachments.clear()
                    await self._bring(intake, parsed)
        try:
            async with asyncio.timeout(LAST_ANSWER_S):
                await self._answered.wait()
        except TimeoutError:
            self._write("No answer came in time; it is kept and can be read in the record.\n")

    def _read_lines(self) -> None:
        """Lines arrive through a thread of their own: a terminal's read cannot be cancelled."""
        loop = asyncio.get_running_loop()

        def read() -> None:
            for line in self._settings.input:
                loop.call_soon_threadsafe(self._lines.put_nowait, line)
            loop.call_soon_threadsafe(self._lines.put_nowait, None)

        threading.Thread(target=read, daemon=True, name="console-input").start()

    async def _bring(self, intake: Intake, event: Event) -> None:
        self._answered.clear()
        try:
            outcome = await intake(event)
        except Transient:
            self._answered.set()
            self._write("That could not be kept. Please try again in a moment.\n")
            return
        if outcome.secrets:
            self._write(f"  (kept as: {render_text(outcome.text)})\n")
        if outcome.verdict is not Verdict.STORED:
            self._answered.set()
            self._write(f"{render_text(outcome.text)}\n")

    async def _fill(self, intake: Intake, form: Form, first: str, number: int) -> None:
        """The private form: the line just read is its first field, the others are asked for, secrets unseen."""
        self._form = None
        fields: dict[str, str] = {}
        for name, label in form.fields.items():
            if not fields:
                fields[name] = first.strip()
            else:
                fields[name] = await self._ask(label, hidden=name in form.secret_fields)
        event = FormSubmitted(
            thread=self.thread,
            author=self._person,
            event_ids=(f"form-{form.id}-{number}",),
            at=datetime.now(UTC),
            form_id=form.id,
            audience=Audience.DIRECT,
            fields=fields,
        )
        self._answered.clear()
        outcome = await intake(event)
        self._write(f"{render_text(outcome.text)}\n\n")
        if outcome.verdict is not Verdict.DONE:
            self._answered.set()
            await self.offer(self.thread, self._person, form)

    async def _ask(self, label: str, *, hidden: bool) -> str:
        self._write(f"{label}{' (not shown)' if hidden else ''}: ")
        with _unseen(self._settings.input) if hidden else contextlib.nullcontext():
            typed = await self._lines.get()
        return (typed or "").strip()

    def _attach(self, path: Path, number: int) -> list[Attachment]:
        if not path.is_file():
            self._write(f"There is no file {path}.\n")
            return []
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._write(f"{path.name} goes with your next message.\n")
        return [
            Attachment(
                id=f"att-{number}",
                name=path.name,
                media_type=media_type,
                size_bytes=path.stat().st_size,
                ref=str(path.resolve()),
            )
        ]

    def reply(self, lease: Lease) -> ReplyStream:
        """Begin an answer."""
        return ConsoleReply(self._settings.output, show_tools=self._settings.show_tools, closed=self._close)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        """Read a file of this machine."""
        return await asyncio.to_thread(_read, Path(attachment.ref), max_bytes)

    def _close(self) -> None:
        self._answered.set()
        self._show_form()

    def _show_form(self) -> None:
        if self._form is not None:
            first = next(iter(self._form.fields.values()))
            self._write(f"[{self._form.title}. What you type here goes to the check and to nobody else.]\n{first}: ")

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """The next line that is typed, once the running answer stands, is the form's first field."""
        self._form = form
        if self._answered.is_set():
            self._show_form()

    async def notify(self, place: str, card: Card) -> None:
        """Nobody who works here sits at this terminal."""

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        """Write it down."""
        if key not in self._said:
            self._said.add(key)
            self._write(f"{render_text(text)}\n")

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """Nothing: every conversation begins with us."""
        return ()

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        """There is nobody else here."""
        self._write(f"{render_text(text)}\n")

    async def delete(self, thread: ThreadKey, message_id: str) -> bool:
        """What stands on a terminal stays there."""
        return False

    async def describe(self, space: str, person_id: str) -> Person:
        """The one person here."""
        return self._person

    async def link(self, thread: ThreadKey) -> str:
        """Nowhere."""
        return ""

    def routes(self) -> Sequence[BaseRoute]:
        """None."""
        return ()

    async def ping(self) -> None:
        """What comes in comes over the port that is asked."""

    async def examine(self) -> Examination:
        """Nothing outside this process is needed."""
        return Examination()

    async def aclose(self) -> None:
        """Nothing is open."""

    def _write(self, text: str) -> None:
        self._settings.output.write(text)
        self._settings.output.flush()


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if path.stat().st_size > max_bytes:
            raise ToolFailed("too_large", "The file is larger than 10 MB. Ask for a smaller picture.")
        return path.read_bytes()
    except OSError:
        raise ToolFailed("file_gone", "The file cannot be read any more. Ask the person to send it again.") from None


@contextlib.contextmanager
def _unseen(terminal: TextIO) -> Iterator[None]:
    """What is typed meanwhile is not shown; the thread that reads lines goes on reading them."""
    if not terminal.isatty():
        yield
        return
    before = termios.tcgetattr(terminal)
    hidden = [*before]
    hidden[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)

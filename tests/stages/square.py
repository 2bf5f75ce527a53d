"""A platform in memory on which several people, channels and colleagues meet: the least that shows every port.

The place (`Square`) outlives the processes that serve it, as a real platform does.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.routing import BaseRoute

from bot.app import App
from bot.errors import ToolFailed, Transient
from bot.messages import (
    Attachment,
    Audience,
    ButtonPressed,
    CommandGiven,
    FormSubmitted,
    IncomingMessage,
    Person,
    ThreadKey,
    VoteCast,
)
from bot.ports import (
    Activity,
    Card,
    Examination,
    Form,
    Intake,
    Lease,
    Outcome,
    Platform,
    Reply,
    ReplyStream,
    Resources,
)
from tests.servers.patience import WAIT_S
from tests.stages.play import played

NAME = "square"

CUSTOMER = Person(id="U-ada", display_name="Ada", organisation="Acme")
EXTERNAL = Person(id="U-eve", display_name="Eve")
MEMBER = Person(id="U-max", display_name="Max", organisation="Clausen & Co.")
ADMIN = Person(id="U-ann", display_name="Ann", organisation="Clausen & Co.", is_staff=True)
COLLEAGUE = Person(id="U-rob", display_name="Rob", organisation="Clausen & Co.", is_staff=True)
TWIN = Person(id="U-twin", display_name="Ann", organisation="Clausen & Co.")
"""Called like the admin, and somebody else."""

PEOPLE = {person.id: person for person in (CUSTOMER, EXTERNAL, MEMBER, ADMIN, COLLEAGUE, TWIN)}

_numbers = itertools.count(1)


def a_place(root: str = "", *, channel: str = "C1", space: str = "T1") -> ThreadKey:
    """A thread; without a root, a channel."""
    return ThreadKey(platform=NAME, space=space, channel=channel, root=root)


@dataclass
class Square:
    """What everybody can see.

    Args:
        answers: thread -> turn -> the answer as it stands.
        said: thread -> key -> what the desk said.
        cards: key -> the card as it stands.
        shown: keys of the cards that were shown, each as often as that was done.
        told: person -> what they alone were told.
        before: thread -> what was written before the bot came.
        forms: private forms that were offered, oldest first.
        asked: names of the platform's methods that were used.
        deaf: what the platform refuses at the moment: names of methods.
        hang: what it does not answer at the moment.
    """

    answers: dict[str, dict[int, str]] = field(default_factory=dict)
    said: dict[str, dict[str, str]] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)
    before: dict[str, list[IncomingMessage]] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)
    hang: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, look: Callable[[], object]) -> None:
        """Wait until something can be seen."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(look)

    async def show(self) -> None:
        """Something has changed."""
        async with self.changed:
            self.changed.notify_all()

    def called(self, method: str) -> None:
        """Somebody uses the platform."""
        self.asked.append(method)
        if method in self.deaf:
            raise Transient("square_away")


class _Answer:
    def __init__(self, square: Square, thread: ThreadKey) -> None:
        self._square = square
        self._thread = thread

    def append(self, delta: str) -> None:
        """Only what stands is looked at."""

    def status(self, activity: Activity) -> None:
        """Only what stands is looked at."""

    async def close(self, reply: Reply) -> None:
        self._square.called("close")
        if reply.text:
            self._square.answers.setdefault(str(self._thread), {})[reply.turn] = reply.text
        await self._square.show()

    async def abandon(self) -> None:
        """Nothing to stop."""


class SquarePlatform:
    """One process' way to the square."""

    name = NAME

    def __init__(self, square: Square) -> None:
        self._square = square

    async def run(self, intake: Intake) -> None:
        await asyncio.Event().wait()

    def reply(self, lease: Lease) -> ReplyStream:
        return _Answer(self._square, lease.thread)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        raise ToolFailed("gone", "There are no files here.")

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        self._square.forms.append(form)
        await self.direct(thread, person, form.title)

    async def notify(self, place: str, card: Card) -> None:
        self._square.called("notify")
        if "notify" in self._square.hang:
            await self._square.show()
            await asyncio.Event().wait()
        self._square.cards[card.key] = card
        self._square.shown.append(card.key)
        await self._square.show()

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        self._square.called("say")
        self._square.said.setdefault(str(thread), {}).setdefault(key, text)
        await self._square.show()

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        self._square.called("earlier")
        return self._square.before.get(str(thread), [])

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        self._square.called("direct")
        self._square.told.setdefault(person.id, []).append(text)
        await self._square.show()

    async def delete(self, thread: ThreadKey, message_id: str) -> bool:
        return False

    async def describe(self, space: str, person_id: str) -> Person:
        return PEOPLE.get(person_id) or Person(id=person_id, display_name="Somebody")

    async def link(self, thread: ThreadKey) -> str:
        return f"https://square.example/{thread.channel}/{thread.root}"

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    async def ping(self) -> None:
        """Always there."""

    async def examine(self) -> Examination:
        return Examination()

    async def aclose(self) -> None:
        """Nothing is open."""


class SquareStage:
    """A Frontdesk that serves the square, and what people do there."""

    def __init__(self, app: App, square: Square) -> None:
        self.app = app
        self.square = square

    async def say(
        self,
        text: str,
        *,
        at: ThreadKey,
        by: Person = CUSTOMER,
        message_id: str | None = None,
        opens: bool = True,
        mentions: bool = False,
        mentions_people: bool = False,
        attachments: tuple[Attachment, ...] = (),
    ) -> Outcome:
        """Write a message."""
        message = a_message(text, at=at, by=by, message_id=message_id, attachments=attachments)
        return await self.app.intake(
            IncomingMessage(
                thread=at,
                author=by,
                event_ids=message.event_ids,
                at=message.at,
                message_id=message.message_id,
                text=text,
                audience=Audience.SHARED,
                attachments=attachments,
                opens=opens and not by.is_staff,
                mentions_bot=mentions,
                mentions_people=mentions_people,
            )
        )

    async def order(self, text: str, *, at: ThreadKey, by: Person = ADMIN) -> Outcome:
        """Give a `/support` command."""
        event_ids = (f"command-{next(_numbers)}",)
        return await self.app.intake(
            CommandGiven(thread=at, author=by, event_ids=event_ids, at=datetime.now(UTC), text=text)
        )

    async def press(self, action: str, *, at: ThreadKey, by: Person = CUSTOMER) -> Outcome:
        """Press a button."""
        event_ids = (f"button-{next(_numbers)}",)
        return await self.app.intake(
            ButtonPressed(thread=at, author=by, event_ids=event_ids, at=datetime.now(UTC), action=action)
        )

    async def fill(self, key: str, *, at: ThreadKey, by: Person = CUSTOMER) -> Outcome:
        """Fill in the last private form as john_doe."""
        return await self.app.intake(
            FormSubmitted(
                thread=at,
                author=by,
                event_ids=(f"form-{next(_numbers)}",),
                at=datetime.now(UTC),
                form_id=self.square.forms[-1].id,
                audience=Audience.SHARED,
                fields={"username": "john_doe", "api_key": key},
            )
        )

    async def vote(self, turn: int, value: int, *, at: ThreadKey, by: Person = CUSTOMER, comment: str = "") -> Outcome:
        """Judge an answer."""
        ids, now = (f"vote-{next(_numbers)}",), datetime.now(UTC)
        event = VoteCast(thread=at, author=by, event_ids=ids, at=now, turn=turn, value=value, comment=comment)
        return await self.app.intake(event)

    async def answered(self, thread: ThreadKey, number: int) -> list[str]:
        """Wait until a thread has so many answers; all of them, oldest first."""
        answers = self.square.answers.setdefault(str(thread), {})
        await self.square.until(lambda: len(answers) >= number)
        return [answers[turn] for turn in sorted(answers)]

    async def settled(self, thread: ThreadKey, length: int) -> None:
        """Wait until so many entries are on a thread's record and none waits."""
        async with asyncio.timeout(WAIT_S):
            while len((await self.app.mailbox.load(thread)).entries) < length or await self.app.mailbox.inbox(thread):
                await asyncio.sleep(0.01)

    async def becomes(self, look: Callable[[], bool]) -> None:
        """Wait until something is so in this process."""
        async with asyncio.timeout(WAIT_S):
            while not look():
                await asyncio.sleep(0.01)

    def said(self, thread: ThreadKey) -> list[str]:
        """What the desk said in a thread, oldest first."""
        return list(self.square.said.get(str(thread), {}).values())


def a_message(
    text: str,
    *,
    at: ThreadKey,
    by: Person = CUSTOMER,
    message_id: str | None = None,
    attachments: tuple[Attachment, ...] = (),
) -> IncomingMessage:
    """What somebody wrote."""
    message_id = message_id or f"m-{next(_numbers)}"
    return IncomingMessage(
        thread=at,
        author=by,
        event_ids=(f"message-{message_id}",),
        at=datetime.now(UTC),
        message_id=message_id,
        text=text,
        audience=Audience.SHARED,
        attachments=attachments,
    )


@asynccontextmanager
async def square_stage(variables: Mapping[str, str], square: Square | None = None) -> AsyncIterator[SquareStage]:
    """A Frontdesk that serves a square; several may serve the same one."""
    place = square or Square()

    def make(environment: Mapping[str, str], resources: Resources) -> Platform:
        return SquarePlatform(place)

    async with played(variables, registry={NAME: make}, http=False) as app:
        yield SquareStage(app, place)

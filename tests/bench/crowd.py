"""People and their platform: the least that a `Platform` can be, with the times of everything that reaches it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.routing import BaseRoute

from bot.errors import ToolFailed
from bot.messages import Attachment, Audience, IncomingMessage, Person, ThreadKey
from bot.ports import Activity, Card, Examination, Form, Intake, Lease, Reply, ReplyStream

PLATFORM = "bench"
ADA = Person(id="U7QK2M4XA", display_name="Ada Lovelace", organisation="Acme")
PLAIN = "What can you do?"
"""The model answers this one without the tool."""

PATIENCE_S = 120.0


def thread_of(root: str) -> ThreadKey:
    """The thread that a root names."""
    return ThreadKey(platform=PLATFORM, space="T024BE7LD", channel="C2147483705", root=root)


@dataclass(slots=True)
class Asked:
    """One question and what became of it; times of the monotonic clock."""

    id: str
    accepted_at: float = 0.0
    first_text_at: float = 0.0
    closed_at: float = 0.0
    text: str = ""
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class Collected:
    """Collects an answer."""

    def __init__(self, asked: Asked | None) -> None:
        self._asked = asked

    def append(self, delta: str) -> None:
        if self._asked is not None and not self._asked.first_text_at:
            self._asked.first_text_at = time.monotonic()

    def status(self, activity: Activity) -> None:
        """Nobody looks."""

    async def close(self, reply: Reply) -> None:
        if self._asked is not None:
            self._asked.closed_at = time.monotonic()
            self._asked.text = reply.text
            self._asked.closed.set()

    async def abandon(self) -> None:
        """Nothing to stop."""


class Crowd:
    """Many people, each in a thread of his own, who ask when they are told to."""

    name = PLATFORM

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._numbers = itertools.count(1)

    async def talk(
        self,
        intake: Intake,
        roots: Sequence[str],
        *,
        turns: int,
        at_once: int = 1,
        plain: bool = False,
        pause_s: float = 0.0,
        spread_s: float = 0.0,
    ) -> list[Asked]:
        """Ask questions in the threads by turns, so that every thread gets a rest.

        Args:
            turns: how many.
            at_once: how many at a time.
            plain: questions that are answered without the tool.
            pause_s: after each.
            spread_s: time within which the first of them come, evenly.
        """
        rested = deque(roots)
        left = iter(range(turns))
        asked: list[Asked] = []

        async def one_after_the_other(begins_s: float) -> None:
            await asyncio.sleep(begins_s)
            for _ in left:
                root = rested.popleft()
                asked.append(await self._ask(intake, root, plain=plain))
                rested.append(root)
                if pause_s:
                    await asyncio.sleep(pause_s)

        people = min(at_once, len(rested))
        await asyncio.gather(*(one_after_the_other(place * spread_s / people) for place in range(people)))
        return asked

    async def _ask(self, intake: Intake, root: str, *, plain: bool) -> Asked:
        number = next(self._numbers)
        self._asked[root] = asked = Asked(id=f"{root}.{number}")
        message = IncomingMessage(
            thread=thread_of(root),
            author=ADA,
            event_ids=(f"Ev{asked.id}", f"C2147483705.{asked.id}"),
            at=datetime.now(UTC),
            message_id=asked.id,
            text=question(asked.id, plain=plain),
            audience=Audience.SHARED,
            opens=True,
        )
        asked.accepted_at = time.monotonic()
        await intake(message)
        async with asyncio.timeout(PATIENCE_S):
            await asked.closed.wait()
        del self._asked[root]
        return asked

    async def run(self, intake: Intake) -> None:
        """Nothing comes in by itself."""
        await asyncio.Event().wait()

    def reply(self, lease: Lease) -> ReplyStream:
        return Collected(self._asked.get(lease.thread.root))

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        raise ToolFailed("gone", "There are no files here.")

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """Nobody fills in forms."""

    async def notify(self, place: str, card: Card) -> None:
        """Nobody reads cards."""

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        """Nobody reads it."""

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """Nothing: every conversation begins with us."""
        return ()

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        """Nobody reads it."""

    async def delete(self, thread: ThreadKey, message_id: str) -> bool:
        return False

    async def describe(self, space: str, person_id: str) -> Person:
        return ADA

    async def link(self, thread: ThreadKey) -> str:
        return ""

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    async def ping(self) -> None:
        """What comes in comes over the port that is asked."""

    async def examine(self) -> Examination:
        """Nothing outside this process is needed."""
        return Examination()

    async def aclose(self) -> None:
        """Nothing is open."""


def question(asked_id: str, *, plain: bool = False) -> str:
    """What people ask; the id tells the model's log who it was."""
    return f"{PLAIN if plain else 'Where is my order 123123?'} (ask={asked_id};)"

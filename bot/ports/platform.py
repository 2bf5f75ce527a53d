"""A chat platform, and what it is asked to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bot.messages import Attachment, IncomingMessage, Person, ThreadKey
from bot.ports.intake import Intake
from bot.ports.mailbox import Lease
from bot.ports.reply import ReplyStream

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A private form for one person in one thread; secrets are typed into it instead of the conversation.

    Args:
        id: comes back in `FormSubmitted.form_id`.
        title: what the form is for.
        fields: name -> label, in order.
        secret_fields: names whose input is hidden.
    """

    id: str
    title: str
    fields: Mapping[str, str]
    secret_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A message of ours for people who work here.

    Args:
        key: names the card in its place; a card with the key of an earlier one takes its place.
        text: Markdown.
        thread: the conversation that it is about; its buttons act on it, and the adapter links to it.
        buttons: action -> label; a press comes back as `ButtonPressed` with this thread.
    """

    key: str
    title: str
    text: str
    thread: ThreadKey
    buttons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What `frontdesk check` says of a platform: what was found, and each thing that is wrong with its mend."""

    facts: Sequence[str] = ()
    problems: Sequence[str] = ()


Figures = Mapping[str, float | str]
"""What a part measured of itself: names -> numbers and words of ours, nothing secret."""


class Platform(Protocol):
    """One chat platform. `run` holds the socket; everything else works without it, so that any process can use it."""

    name: str

    async def run(self, intake: Intake) -> None:
        """Bring events to `intake` until cancelled."""

    def reply(self, lease: Lease) -> ReplyStream:
        """Begin, or take over, the answer of the turn that `lease` holds."""

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        """Read a file that somebody attached.

        Raises:
            ToolFailed: gone, too large (`too_large`), or not what the platform serves as a file.
        """

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """Put a way to open `form` before this person, in or near this thread; nobody else can use it."""

    async def notify(self, place: str, card: Card) -> None:
        """Post a card to a place of the team's, or change the one with its key; `""` is where hand-overs are told.

        Raises:
            Transient, Permanent: nobody was told.
        """

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        """Post a message of the desk's own (no turn's answer) into the thread, once per `key`.

        Args:
            text: Markdown, filtered.

        Raises:
            Transient: it may be said again with the same key.
            Permanent: it cannot be said in this thread ever.
        """

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """What people wrote in a thread that was joined late, before message `before`: oldest first, the newest kept.

        Bounded in number; empty where threads begin with us. Nothing of it is a question to the bot.
        """

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        """Tell one person something that others in the thread do not see."""

    async def delete(self, thread: ThreadKey, message_id: str) -> bool:
        """Delete a person's message where the bot may; whether it is gone."""

    async def describe(self, space: str, person_id: str) -> Person:
        """Look a person up."""

    async def link(self, thread: ThreadKey) -> str:
        """Where people who may see a conversation open it; empty where there are no such addresses.

        Raises:
            BotError: it cannot be told at the moment.
        """

    def routes(self) -> Sequence[BaseRoute]:
        """What the one HTTP port shall serve for this platform."""

    async def ping(self) -> Figures | None:
        """Whether events can come in, as far as this process knows; never calls the platform.

        Returns:
            What `/readyz` tells beside `ok`, where there is something to measure.

        Raises:
            Transient: they cannot; the reason is shown by `/readyz`, with the figures of an `Unwell`.
        """

    async def examine(self) -> Examination:
        """Look at the platform with the settings at hand, and say what an operator has to mend."""

    async def aclose(self) -> None:
        """Close connections that calls keep open; nothing is called after it."""

"""What comes in from a platform, as values: who, where, and the closed union of what can happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, unquote

DEFAULT_TENANT = "default"
"""The tenant of every space for which the settings name none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadKey:
    """The conversation's name in Frontdesk, the same in every process.

    Args:
        platform: the adapter's name in the registry, such as `slack`.
        space: the installed team or guild.
        channel: the channel inside it.
        root: id of the message or interaction that began the thread, known before a platform's thread exists.
    """

    platform: str
    space: str
    channel: str
    root: str

    def __str__(self) -> str:
        """The Redis suffix: four percent-quoted parts joined by colons, reversible by `parse`."""
        return _suffix(self)

    @classmethod
    def parse(cls, text: str) -> ThreadKey:
        """Undo `str(key)`.

        Raises:
            ValueError: the text is not four parts.
        """
        platform, space, channel, root = (unquote(part) for part in text.split(":"))
        return cls(platform=platform, space=space, channel=channel, root=root)


@lru_cache(maxsize=1_024)  # every operation of a turn asks for it
def _suffix(thread: ThreadKey) -> str:
    return ":".join(quote(part, safe="@.-_") for part in (thread.platform, thread.space, thread.channel, thread.root))


class Audience(StrEnum):
    """Who else can read an answer in this place."""

    DIRECT = "direct"
    PRIVATE = "private"
    SHARED = "shared"
    PUBLIC = "public"

    @property
    def is_overheard(self) -> bool:
        """Whether people other than the customer and the company may read along."""
        return self in (Audience.SHARED, Audience.PUBLIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who speaks; only `id` is identity, the rest is for showing.

    Args:
        id: the platform's id, unique inside (platform, space).
        display_name: as people see it; never trusted.
        organisation: the speaker's own organisation, empty when unknown (then the person counts as external).
        is_staff: a member of the company that runs Frontdesk.
        is_bot: a program that is answered all the same: never staff, and nobody whom a proof could verify.
    """

    id: str
    display_name: str
    organisation: str = ""
    is_staff: bool = False
    is_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRef:
    """A person among all platforms and spaces, as business data names them: `platform:space:id`."""

    platform: str
    space: str
    id: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.space}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> PersonRef:
        """Undo `str(ref)`.

        Raises:
            ValueError: the text is not three parts.
        """
        platform, space, person_id = text.split(":", 2)
        if not (platform and space and person_id):
            raise ValueError("a part is empty")
        return cls(platform=platform, space=space, id=person_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file somebody sent: enough for any process with the same settings to open it.

    Args:
        id: short and unique in the thread; this is what the model names (`analyze_receipt_image(image=id)`).
        name: as the sender called it; never used as a path.
        media_type: as claimed; the bytes decide.
        size_bytes: as claimed.
        ref: the adapter's own reference by which `Platform.fetch` opens it.
    """

    id: str
    name: str
    media_type: str
    size_bytes: int
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What all events share.

    Args:
        thread: the conversation it belongs to.
        author: who did it, from the verified event.
        event_ids: every platform identity of this event; any of them seen before makes it a duplicate.
        at: when, aware UTC.
    """

    thread: ThreadKey
    author: Person
    event_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage(Incoming):
    """Somebody wrote something; `text` is plain, the platform's markup undone.

    Args:
        message_id: the platform's id of the message, unique in the thread.
        opens: this message may begin a conversation without a mention (a DM, the web page).
        mentions_bot: the bot is mentioned, or the message replies to one of its own.
        mentions_people: it mentions or replies to another human.
    """

    message_id: str
    text: str
    audience: Audience
    attachments: tuple[Attachment, ...] = ()
    opens: bool = False
    mentions_bot: bool = False
    mentions_people: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited(Incoming):
    """A message has another text from now on."""

    message_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted(Incoming):
    """A message is gone and is to be forgotten."""

    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSubmitted(Incoming):
    """A private form came back; `fields` go to the check that the form is for, and to nowhere else.

    Args:
        form_id: the id under which the form was offered.
        fields: name -> typed value; may hold secrets, so it is never logged or stored.
    """

    form_id: str
    audience: Audience
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonPressed(Incoming):
    """A button of ours was pressed.

    Args:
        action: `human` (anybody may ask for one), else what a `Card` offered, for staff alone.
    """

    action: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGiven(Incoming):
    """`/support …`, or the same action chosen from a menu on a message.

    Args:
        thread: where it was given; its root is empty when it was given in a channel and not in a conversation.
        text: what follows the command's name; people are written `@ID`.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteCast(Incoming):
    """A thumb under an answer; `turn` is the turn's number, `value` +1 or -1."""

    turn: int
    value: int
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(Incoming):
    """Somebody pressed stop while an answer was being written."""


Event = (
    IncomingMessage
    | MessageEdited
    | MessageDeleted
    | FormSubmitted
    | ButtonPressed
    | CommandGiven
    | VoteCast
    | StopRequested
)

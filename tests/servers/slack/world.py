"""What there is in this Slack: organisations, people, channels, messages, files, private forms."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.servers.slack import screen

HOME = "T0HOME001"
"""The workspace in which the app is installed."""

ACME, OTHER, GRID = "T0ACME001", "T0OTHER01", "E0GRID001"
"""Organisations of customers; the last is the id of an Enterprise Grid."""

APP, BOT, BOT_ID = "A0APP0001", "U0BOT0001", "B0BOT0001"
"""The app, its bot's user, and its bot."""

SHARED, PLAIN, TEAM = "C0SHARED1", "C0PLAIN01", "C0TEAM001"
"""A Slack Connect channel, a channel of the home workspace, and the one where the team reads hand-overs."""

SCOPES = (
    "app_mentions:read,assistant:write,channels:history,channels:read,chat:write,commands,files:read,files:write,"
    "groups:history,groups:read,im:history,im:read,im:write,mpim:history,mpim:read,reactions:read,reactions:write,"
    "team:read,usergroups:read,users:read,users:read.email"
)
"""What the installed bot token may do, unless a test takes something away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody with a user id.

    Args:
        enterprise: the id of the Enterprise Grid of a member whose organisation is one.
        stranger: knows nobody here (`is_stranger`): shares no channel with the home workspace.
        leads: an admin of the own workspace.
        bot_id: for the user of an app.
    """

    id: str
    name: str
    team: str
    enterprise: str = ""
    stranger: bool = False
    leads: bool = False
    bot_id: str = ""
    app_id: str = ""


ADA = Member(id="U0ADA0001", name="Ada", team=ACME)
BEN = Member(id="U0BEN0001", name="Ben", team=OTHER, enterprise=GRID)
ROBIN = Member(id="U0ROBIN01", name="Robin", team=HOME)
FRONTDESK = Member(id=BOT, name="Frontdesk", team=HOME, bot_id=BOT_ID, app_id=APP)
OTHER_BOT = Member(id="U0ROBOT01", name="Robot", team=ACME, bot_id="B0ROBOT01", app_id="A0ROBOT01")


@dataclass(slots=True, kw_only=True)
class Channel:
    """A conversation in Slack's sense.

    Args:
        kind: `channel`, `group` (private), `im` or `mpim`, as `channel_type` says.
        shared: Slack Connect.
        partner: the other person of an `im`.
    """

    id: str
    name: str
    kind: str = "channel"
    shared: bool = False
    partner: str = ""
    archived: bool = False
    has_bot: bool = True


@dataclass(slots=True, kw_only=True)
class Message:
    """A message as Slack keeps it.

    Args:
        stream: `open` while it is streamed, `closed` afterwards, `expired` when Slack closed it; nothing for others.
        said: what was streamed so far.
        seen_by: the only person who sees it (ephemeral).
        tasks: task cards of a stream, by id.
        versions: every text that it showed, oldest first.
    """

    ts: str
    channel: str
    user: str
    text: str = ""
    thread_ts: str | None = None
    blocks: list[dict[str, Any]] = field(default_factory=list)
    said: str = ""
    stream: str = ""
    metadata: dict[str, Any] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    bot_id: str = ""
    app_id: str = ""
    client_msg_id: str = ""
    edited: str = ""
    seen_by: str = ""
    deleted: bool = False
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    recipient: tuple[str, str] = ("", "")
    versions: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """What a person reads."""
        return screen.shown(self.text, self.blocks, self.said)

    @property
    def root(self) -> str:
        """The message that began its thread, itself perhaps."""
        return self.thread_ts or self.ts

    def to_json(self, *, with_metadata: bool = False) -> dict[str, Any]:
        """The message object.

        Source: docs.slack.dev/reference/events/message, .../methods/conversations.replies
        """
        body: dict[str, Any] = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text or self.said}
        if self.client_msg_id:
            body["client_msg_id"] = self.client_msg_id
        if self.bot_id:
            body |= {"bot_id": self.bot_id, "app_id": self.app_id, "bot_profile": {"id": self.bot_id}}
        if self.thread_ts:
            body["thread_ts"] = self.thread_ts
        if self.blocks:
            body["blocks"] = self.blocks
        if self.files:
            body |= {"files": self.files, "upload": False}
        if self.edited:
            body["edited"] = {"user": self.user, "ts": self.edited}
        if with_metadata and self.metadata:
            body["metadata"] = self.metadata
        return body


@dataclass(slots=True, kw_only=True)
class StoredFile:
    """A file and how it is served.

    Args:
        serves: `bytes`; `login` (302 to a sign-in page), `html` (the page with 200), `endless`, `gone` (404),
            `packed` (gzip),
            `elsewhere` (302 to another host), or `slow`.
    """

    id: str
    name: str
    data: bytes = field(repr=False)
    media_type: str = "image/png"
    serves: str = "bytes"
    asked: int = 0
    tokens: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    claimed_bytes: int | None = None


@dataclass(slots=True, kw_only=True)
class View:
    """A modal (or home tab) that somebody sees."""

    id: str
    person: str
    body: dict[str, Any]
    is_open: bool = True

    @property
    def shown(self) -> str:
        """What stands in it."""
        return screen.shown("", self.body.get("blocks", ()), "")


class World:
    """Everything that is kept; ids and times are unique and rise."""

    def __init__(self) -> None:
        self.members = {member.id: member for member in (ADA, BEN, ROBIN, FRONTDESK, OTHER_BOT)}
        self.channels = {
            channel.id: channel
            for channel in (
                Channel(id=SHARED, name="help-acme", shared=True),
                Channel(id=PLAIN, name="general"),
                Channel(id=TEAM, name="support-team", kind="group"),
            )
        }
        self.messages: dict[tuple[str, str], Message] = {}
        self.files: dict[str, StoredFile] = {}
        self.views: dict[str, View] = {}
        self.groups: dict[str, list[str]] = {"S0ADMINS1": [ROBIN.id]}
        self.statuses: dict[tuple[str, str], str] = {}
        """What "is …" stands under a thread at this moment."""
        self.told_statuses: list[tuple[str, str, str]] = []
        self.sessions: dict[tuple[str, str], str] = {}
        self.prompts: list[dict[str, Any]] = []
        self.links: dict[str, tuple[str, str, str | None]] = {}
        """Response URL's token -> channel, person, thread."""
        self.triggers: dict[str, tuple[str, float]] = {}
        """Trigger id -> person, and when it was given out."""
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """A number that nothing else has."""
        return next(self._numbers)

    def now(self) -> str:
        """A message's time, which is also its name in its channel."""
        return f"{int(time.time())}.{self.number():06d}"

    def im(self, person: str) -> Channel:
        """The direct conversation of the bot with a person, opened if need be."""
        for channel in self.channels.values():
            if channel.kind == "im" and channel.partner == person:
                return channel
        channel = Channel(id=f"D0{person[2:]}", name="", kind="im", partner=person)
        self.channels[channel.id] = channel
        return channel

    def rooms(self, count: int) -> list[str]:
        """More Slack Connect channels: what is posted into one does not wait for another."""
        names = [f"C0ROOM{number:03d}" for number in range(count)]
        self.channels |= {name: Channel(id=name, name=name.lower(), shared=True) for name in names}
        return names

    def find(self, channel: str, ts: str) -> Message | None:
        """A message that is there."""
        message = self.messages.get((channel, ts))
        return None if message is None or message.deleted else message

    def put(self, message: Message) -> Message:
        """Keep a message; whatever "is …" stood under its thread is gone by it."""
        self.messages[message.channel, message.ts] = message
        if message.user == BOT:
            self.statuses.pop((message.channel, message.root), None)
        return message

    def thread(self, channel: str, root: str) -> list[Message]:
        """A thread with its first message, oldest first; ephemeral ones are not in it."""
        found = [
            message
            for message in self.messages.values()
            if message.channel == channel and message.root == root and not message.deleted and not message.seen_by
        ]
        return sorted(found, key=lambda message: message.ts)

    def ephemerals(self, person: str) -> list[Message]:
        """What one person alone was shown, oldest first."""
        return [message for message in self.messages.values() if message.seen_by == person and not message.deleted]

    def history(self, channel: str) -> list[Message]:
        """A channel without its threads' replies, newest first."""
        found = [
            message
            for message in self.messages.values()
            if message.channel == channel and message.root == message.ts and not message.deleted and not message.seen_by
        ]
        return sorted(found, key=lambda message: message.ts, reverse=True)

    def trigger(self, person: str) -> str:
        """A trigger id for somebody who pressed something; it opens one modal within three seconds."""
        name = f"{self.number()}.{time.time_ns()}.trigger"
        self.triggers[name] = (person, time.monotonic())
        return name

    def keep_file(self, name: str, data: bytes, media_type: str, **how: Any) -> StoredFile:
        """A file that somebody uploaded."""
        file = StoredFile(id=f"F0{self.number():07d}", name=name, data=data, media_type=media_type, **how)
        self.files[file.id] = file
        return file


def texts(messages: Sequence[Message]) -> list[str]:
    """What people read, one after the other."""
    return [message.shown for message in messages]


def values_of(view: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Block and action id of each input of a modal, in order."""
    return [
        (str(block["block_id"]), str(block["element"]["action_id"]))
        for block in view.get("blocks", ())
        if block.get("type") == "input"
    ]

"""The platform's nouns as this server keeps them. Numbers and names are from the public API documentation (v10).

Source: Discord API documentation, `topics/permissions`, `resources/channel`, `resources/message`, `resources/guild`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
from typing import Any

Json = dict[str, Any]

EPOCH_MS = 1_420_070_400_000
"""The first millisecond of 2015: where the platform's ids begin to count."""


class Clock:
    """The platform's time: the machine's, moved ahead by a test."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def advance(self, seconds: float) -> None:
        """Let time pass for the platform alone: signed addresses, nonces and interactions grow old."""
        self._ahead_s += seconds


class Snowflakes:
    """Ids that grow, each with the millisecond of its making in its upper bits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, (int(self._clock.time() * 1_000) - EPOCH_MS) << 22)
        return self._last

    def on_shard(self, shard: int, count: int) -> int:
        """An id whose guild is served by this shard: `(id >> 22) % count`."""
        base = (self.next() >> 22) + 1  # never back into a millisecond in which ids were given
        self._last = (base + (shard - base) % count) << 22
        return self._last


class Permission(IntFlag):
    """What a role may do; the bits that matter to a bot that writes into threads."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38


P = Permission
NOBODY = Permission(0)
EVERYTHING = Permission(sum(Permission))

MEMBER = (
    P.VIEW_CHANNEL | P.SEND_MESSAGES | P.SEND_MESSAGES_IN_THREADS | P.READ_MESSAGE_HISTORY | P.ATTACH_FILES
    | P.EMBED_LINKS | P.CREATE_PUBLIC_THREADS | P.ADD_REACTIONS | P.USE_APPLICATION_COMMANDS
)  # fmt: skip
"""What everybody may do in a server, as it comes."""

BOT = MEMBER | P.MANAGE_MESSAGES | P.MANAGE_THREADS | P.CREATE_PRIVATE_THREADS
"""What a bot that was invited with the right link may do."""


class ChannelType(IntEnum):
    TEXT = 0
    DM = 1
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    FORUM = 15


class MessageType(IntEnum):
    DEFAULT = 0
    USER_JOIN = 7
    THREAD_CREATED = 18
    REPLY = 19
    CHAT_INPUT_COMMAND = 20
    THREAD_STARTER_MESSAGE = 21
    CONTEXT_MENU_COMMAND = 23


class MessageFlag(IntFlag):
    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    IS_COMPONENTS_V2 = 1 << 15


class Intent(IntFlag):
    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    DIRECT_MESSAGES = 1 << 12
    MESSAGE_CONTENT = 1 << 15


@dataclass(eq=False, kw_only=True)
class User:
    """A person, a bot or a webhook.

    Args:
        takes_dms: whether the bot may write to this person directly.
    """

    id: int
    name: str
    bot: bool = False
    takes_dms: bool = True


@dataclass(eq=False, kw_only=True)
class Role:
    """What people may do together.

    Args:
        bot_id: the bot whose own role it is.
    """

    id: int
    name: str
    permissions: Permission
    bot_id: int | None = None


@dataclass(eq=False, kw_only=True)
class Channel:
    """A text channel, a forum, a thread or a direct conversation.

    Args:
        overwrites: id of a role or user -> (allowed, denied).
        parent: the channel of a thread.
        tags: names of a forum's tags; with `needs_tag` a post must carry one.
        members: who is in a thread or a direct conversation.
        slow_s: the least time between two messages of the bot's (slow mode).
    """

    id: int
    type: ChannelType
    name: str = ""
    guild: Guild | None = None
    parent: Channel | None = None
    overwrites: dict[int, tuple[Permission, Permission]] = field(default_factory=dict)
    owner: User | None = None
    members: dict[int, User] = field(default_factory=dict)
    archived: bool = False
    locked: bool = False
    auto_archive_minutes: int = 1_440
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    needs_tag: bool = False
    tags: tuple[str, ...] = ()
    applied_tags: tuple[str, ...] = ()
    slow_s: float = 0.0
    messages: dict[int, Message] = field(default_factory=dict)
    typing: int = 0
    """How often the bot let its typing be seen."""

    @property
    def is_thread(self) -> bool:
        return self.type in (ChannelType.PUBLIC_THREAD, ChannelType.PRIVATE_THREAD)

    @property
    def home(self) -> Channel:
        """The channel whose permissions count."""
        return self.parent or self


@dataclass(eq=False, kw_only=True)
class Guild:
    """A server: its roles, its people (id -> role ids), its channels and threads."""

    id: int
    name: str
    owner: User
    everyone: Permission = MEMBER
    roles: dict[int, Role] = field(default_factory=dict)
    people: dict[int, tuple[User, list[int]]] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)

    def shard(self, count: int) -> int:
        """Which of so many shards serves this server."""
        return (self.id >> 22) % count

    def permissions(self, user: User, channel: Channel) -> Permission:
        """What somebody may do in a channel, or in a thread of one."""
        if user.id not in self.people:
            return NOBODY
        held = self.everyone
        role_ids = self.people[user.id][1]
        for role_id in role_ids:
            held |= self.roles[role_id].permissions
        if user is self.owner or P.ADMINISTRATOR in held:
            return EVERYTHING
        for target in (self.id, *role_ids, user.id):
            allowed, denied = channel.home.overwrites.get(target, (NOBODY, NOBODY))
            held = (held & ~denied) | allowed
        if P.VIEW_CHANNEL not in held:
            return NOBODY
        hidden = channel.type is ChannelType.PRIVATE_THREAD and user.id not in channel.members
        return NOBODY if hidden and P.MANAGE_THREADS not in held else held


@dataclass(eq=False, kw_only=True)
class StoredFile:
    """An attachment; its address is signed anew whenever a message is shown."""

    id: int
    channel_id: int
    name: str
    data: bytes = field(repr=False)
    media_type: str = ""
    claimed_bytes: int | None = None
    """What the message says of its size, when that is not true."""
    fetched: int = 0


@dataclass(eq=False, kw_only=True)
class Pings:
    """Whom a message really notified."""

    everyone: bool = False
    users: frozenset[int] = frozenset()
    roles: frozenset[int] = frozenset()


@dataclass(eq=False, kw_only=True)
class Message:
    """A message as it is kept.

    Args:
        only_for: id of the one person who sees it (ephemeral).
        shown: every text that was shown in its place, oldest first.
    """

    id: int
    channel: Channel
    author: User
    content: str
    at: datetime
    type: MessageType = MessageType.DEFAULT
    edited_at: datetime | None = None
    files: list[StoredFile] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    flags: MessageFlag = field(default_factory=lambda: MessageFlag(0))
    nonce: str | None = None
    reference: Json | None = None
    replies_to: Message | None = None
    snapshots: list[Message] = field(default_factory=list)
    pings: Pings = field(default_factory=Pings)
    webhook_id: int | None = None
    application_id: int | None = None
    only_for: int | None = None
    allowed_mentions: Json | None = None
    shown: list[str] = field(default_factory=list)

    @property
    def buttons(self) -> list[Json]:
        """The buttons below the message, in order."""
        return [item for item in inside(self.components) if item.get("type") == 2]

    def is_visible_to(self, user: User) -> bool:
        return self.only_for in (None, user.id)


def inside(components: list[Json]) -> list[Json]:
    """Every component, however deep it stands."""
    found: list[Json] = []
    for component in components:
        found.append(component)
        inner = component.get("components", [])
        found += inside([*inner, *(component[name] for name in ("component", "accessory") if name in component)])
    return found

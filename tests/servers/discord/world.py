"""The platform's state, and everything that may be done to it: by people, by the bot, by the platform itself."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.servers.discord.errors import refused
from tests.servers.discord.shapes import channel_json, guild_json, message_json, thread_json, user_json
from tests.servers.discord.values import (
    BOT,
    Channel,
    ChannelType,
    Clock,
    Guild,
    Intent,
    Json,
    Message,
    MessageFlag,
    MessageType,
    P,
    Permission,
    Pings,
    Role,
    Snowflakes,
    StoredFile,
    User,
)

SIGNED_S = 24 * 3_600.0
"""How long the address of a file works."""

MENTION = re.compile(r"<@!?(\d+)>")
ROLE_MENTION = re.compile(r"<@&(\d+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that sessions are told.

    Args:
        guild: whose shard is told; without one the shard of direct messages.
        channel: told only to a bot that may see it.
        message: whose content a session may have to be kept from.
    """

    name: str
    data: Json
    intent: Intent
    guild: Guild | None = None
    channel: Channel | None = None
    message: Message | None = None


@dataclass(eq=False)
class Application:
    """The bot as its developer portal has it.

    Args:
        intents: the privileged intents that are switched on.
        commands: guild id (0: everywhere) -> registered commands.
        syncs: each registration, in order.
        is_public: anybody may let it into a server of theirs ("Public Bot").
    """

    id: int
    bot: User
    token: str
    is_public: bool = False
    intents: Intent = Intent.MESSAGE_CONTENT
    commands: dict[int, list[Json]] = field(default_factory=dict)
    syncs: list[tuple[int, list[Json]]] = field(default_factory=list)

    @property
    def reads_content(self) -> bool:
        return Intent.MESSAGE_CONTENT in self.intents


class World:
    """Servers, channels, people and messages; `tell` hears of every change."""

    def __init__(self, token: str) -> None:
        self.clock = Clock()
        self.ids = Snowflakes(self.clock)
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, StoredFile] = {}
        self.nonces: dict[tuple[int, str], tuple[float, Message]] = {}
        self.tell: Callable[[Happening], None] = lambda happening: None
        self.url = ""
        self.blocked = ""
        """A pattern of what automatic moderation lets stand in no server, be it a text or the name of a thread."""
        self.harmful = ""
        """A pattern of what the filter of harmful links lets stand in no server."""
        bot = self.user("Frontdesk", bot=True)
        self.app = Application(id=bot.id, bot=bot, token=token)

    # ----------------------------------------------------------------------------------------------------- making

    def user(self, name: str, *, bot: bool = False) -> User:
        user = User(id=self.ids.next(), name=name, bot=bot)
        self.users[user.id] = user
        return user

    def guild(self, name: str, *, shard: tuple[int, int] | None = None, bot: Permission = BOT) -> Guild:
        """A server that the bot was invited to, with a role of its own.

        Args:
            shard: (shard, of how many) that serves it.
        """
        owner = self.user(f"{name} owner")
        guild = Guild(id=self.ids.on_shard(*shard) if shard else self.ids.next(), name=name, owner=owner)
        role = Role(id=self.ids.next(), name=self.app.bot.name, permissions=bot, bot_id=self.app.bot.id)
        guild.roles[role.id] = role
        guild.people = {owner.id: (owner, []), self.app.bot.id: (self.app.bot, [role.id])}
        self.guilds[guild.id] = guild
        self.tell(
            Happening(name="GUILD_CREATE", data=guild_json(guild, self.app.bot), intent=Intent.GUILDS, guild=guild)
        )
        return guild

    def role(self, guild: Guild, name: str, permissions: Permission, *people: User) -> Role:
        role = Role(id=self.ids.next(), name=name, permissions=permissions)
        guild.roles[role.id] = role
        for person in people:
            guild.people[person.id][1].append(role.id)
        return role

    def channel(self, guild: Guild, name: str, kind: ChannelType = ChannelType.TEXT, **more: Any) -> Channel:
        """A text channel or a forum."""
        channel = Channel(id=self.ids.next(), type=kind, name=name, guild=guild, **more)
        self._add(channel)
        self._tell_channel("CHANNEL_CREATE", channel)
        return channel

    def dm(self, user: User) -> Channel:
        """The direct conversation of a person with the bot: there is one."""
        for channel in self.channels.values():
            if channel.type is ChannelType.DM and user.id in channel.members:
                return channel
        channel = Channel(id=self.ids.next(), type=ChannelType.DM)
        channel.members = {user.id: user, self.app.bot.id: self.app.bot}
        self._add(channel)
        return channel

    def thread(
        self, parent: Channel, name: str, owner: User, *, starter: Message | None = None, private: bool = False,
        minutes: int = 1_440, tags: Iterable[str] = (),
    ) -> Channel:  # fmt: skip
        """A thread from a message, whose id it takes, or one that begins by itself."""
        thread = Channel(
            id=starter.id if starter else self.ids.next(),
            type=ChannelType.PRIVATE_THREAD if private else ChannelType.PUBLIC_THREAD,
            name=name,
            guild=parent.guild,
            parent=parent,
            owner=owner,
            members={owner.id: owner},
            auto_archive_minutes=minutes,
            created_at=self.clock.now(),
            applied_tags=tuple(tags),
        )
        self._add(thread)
        self._tell_thread("THREAD_CREATE", thread, newly_created=True)
        if starter is not None:
            starter.flags |= MessageFlag.HAS_THREAD
            self.tell_message("MESSAGE_UPDATE", starter)
            reference = {"message_id": str(starter.id), "channel_id": str(parent.id), "type": 0}
            self.post(
                Message(
                    id=self.ids.next(), channel=thread, author=starter.author, content="", at=self.clock.now(),
                    type=MessageType.THREAD_STARTER_MESSAGE, reference=reference, replies_to=starter,
                )
            )  # fmt: skip
        elif parent.type is ChannelType.TEXT and not private:
            created = {"channel_id": str(thread.id), "type": 0}
            self.post(
                Message(
                    id=self.ids.next(), channel=parent, author=owner, content=name, at=self.clock.now(),
                    type=MessageType.THREAD_CREATED, reference=created,
                )
            )  # fmt: skip
        return thread

    def file(self, channel: Channel, name: str, data: bytes, media_type: str = "") -> StoredFile:
        file = StoredFile(id=self.ids.next(), channel_id=channel.id, name=name, data=data, media_type=media_type)
        self.files[file.id] = file
        return file

    # --------------------------------------------------------------------------------------------------- changing

    def post(self, message: Message) -> Message:
        """Put a message into its channel; a thread that sleeps wakes up."""
        channel = message.channel
        if channel.is_thread:
            channel.members.setdefault(message.author.id, message.author)
        if channel.archived:
            self.change_thread(channel, archived=False)
        message.shown.append(message.content)
        channel.messages[message.id] = message
        if message.only_for is None:
            self.tell_message("MESSAGE_CREATE", message)
        return message

    def rewrite(self, message: Message, content: str | None = None) -> None:
        """Another text in the place of one, or another state of the message."""
        if content is not None:
            message.content = content
            message.shown.append(content)
        message.edited_at = self.clock.now()
        if message.only_for is None:
            self.tell_message("MESSAGE_UPDATE", message)

    def remove(self, message: Message) -> None:
        del message.channel.messages[message.id]
        if message.only_for is None:
            self._tell(
                "MESSAGE_DELETE",
                _placed({"id": str(message.id), "channel_id": str(message.channel.id)}, message.channel.guild),
                message.channel,
                message_intent(message.channel),
            )

    def remove_many(self, channel: Channel, messages: Iterable[Message]) -> None:
        """Delete at once, as moderators do."""
        ids = [message.id for message in messages]
        for message_id in ids:
            channel.messages.pop(message_id, None)
        data: Json = {"ids": [str(id) for id in ids], "channel_id": str(channel.id)}
        self._tell("MESSAGE_DELETE_BULK", _placed(data, channel.guild), channel, message_intent(channel))

    def change_thread(self, thread: Channel, **changes: Any) -> None:
        """Archive it, lock it, call it something else."""
        for name, value in changes.items():
            setattr(thread, name, value)
        self._tell_thread("THREAD_UPDATE", thread)

    def delete_channel(self, channel: Channel) -> None:
        """A channel with its threads, or a thread, and all that was said there."""
        assert channel.guild is not None
        for inner in [c for c in channel.guild.channels.values() if c.parent is channel]:
            self._drop(inner)
        self._drop(channel)
        if not channel.is_thread:
            self._tell_channel("CHANNEL_DELETE", channel)
            return
        assert channel.parent is not None
        data: Json = {
            "id": str(channel.id), "guild_id": str(channel.guild.id), "parent_id": str(channel.parent.id),
            "type": int(channel.type),
        }  # fmt: skip
        self.tell(Happening(name="THREAD_DELETE", data=data, intent=Intent.GUILDS, guild=channel.guild))

    def forbid(self, channel: Channel, permission: Permission, *, to: int | None = None) -> None:
        """Deny something in a channel to a role or person; to the bot when nobody is named."""
        target = to or self.app.bot.id
        allowed, denied = channel.overwrites.get(target, (Permission(0), Permission(0)))
        channel.overwrites[target] = (allowed & ~permission, denied | permission)
        self._tell_channel("CHANNEL_UPDATE", channel)

    # ---------------------------------------------------------------------------------------------------- looking

    def find_channel(self, channel_id: int) -> Channel:
        """A channel by its id.

        Raises:
            Refused: there is none (10003), or the bot does not see it (50001).
        """
        if (channel := self.channels.get(channel_id)) is None:
            raise refused(10003)
        if channel.guild is not None and P.VIEW_CHANNEL not in self.may(channel):
            raise refused(50001)
        return channel

    def may(self, channel: Channel) -> Permission:
        """What the bot may do in a channel."""
        if channel.guild is None:
            return BOT
        return channel.guild.permissions(self.app.bot, channel)

    def find_message(self, channel: Channel, message_id: int) -> Message:
        """A message that others see too.

        Raises:
            Refused: there is none (10008).
        """
        message = channel.messages.get(message_id)
        if message is None or message.only_for is not None:
            raise refused(10008)
        return message

    def mentioned(self, text: str) -> list[User]:
        """The people whose names stand in a text."""
        ids = dict.fromkeys(int(found) for found in MENTION.findall(text))
        return [self.users[id] for id in ids if id in self.users]

    def pings(self, channel: Channel, author: User, text: str, allowed: Json | None, replied: User | None) -> Pings:
        """Whom a text notifies: everybody whose name stands in it, unless the sender says otherwise."""
        rights = channel.guild.permissions(author, channel) if channel.guild else Permission(0)
        everyone = P.MENTION_EVERYONE in rights and bool(re.search(r"@(everyone|here)\b", text))
        users = {user.id for user in self.mentioned(text)}
        roles = {int(found) for found in ROLE_MENTION.findall(text)} if channel.guild else set()
        if allowed is not None:
            parse = allowed.get("parse", [])
            everyone = everyone and "everyone" in parse
            users = users if "users" in parse else users & {int(id) for id in allowed.get("users", [])}
            roles = roles if "roles" in parse else roles & {int(id) for id in allowed.get("roles", [])}
        if replied is not None and (allowed is None or allowed.get("replied_user", False)):
            users.add(replied.id)
        return Pings(everyone=everyone, users=frozenset(users), roles=frozenset(roles))

    def sign(self, file: StoredFile) -> str:
        """The address of a file, good for a day."""
        path = f"/attachments/{file.channel_id}/{file.id}/{quote(file.name)}"
        issued = int(self.clock.time())
        ends = issued + int(SIGNED_S)
        return f"{self.url}{path}?ex={ends:x}&is={issued:x}&hm={self.signature(path, ends)}"

    def signature(self, path: str, ends: int) -> str:
        return hmac.new(b"only-for-tests", f"{path}:{ends}".encode(), hashlib.sha256).hexdigest()

    def show(self, message: Message, *, event: bool = False) -> Json:
        """A message in JSON, its content as it is."""
        mentioned = self.mentioned(message.content)
        if message.replies_to is not None and message.type is MessageType.REPLY and _was_pinged(message):
            mentioned = list(dict.fromkeys([*mentioned, message.replies_to.author]))
        return message_json(message, self.sign, mentioned=mentioned, event=event)

    def is_open_to_the_bot(self, message: Message) -> bool:
        """Whether the content may be read without the privileged intent."""
        mine = message.author is self.app.bot
        return mine or message.channel.guild is None or self.app.bot.id in message.pings.users

    # ---------------------------------------------------------------------------------------------------- telling

    def tell_message(self, name: str, message: Message) -> None:
        self.tell(
            Happening(
                name=name,
                data=self.show(message, event=True),
                intent=message_intent(message.channel),
                guild=message.channel.guild,
                channel=message.channel,
                message=message,
            )
        )

    def tell_person(self, name: str, user: User, channel: Channel, **more: Any) -> None:
        """Something about a person in a place, such as typing."""
        data = _placed({"channel_id": str(channel.id), "user_id": str(user.id), **more}, channel.guild)
        self._tell(name, data | {"user": user_json(user)}, channel, Intent.GUILDS)

    def _tell_thread(self, name: str, thread: Channel, *, newly_created: bool = False) -> None:
        data = thread_json(thread, newly_created=newly_created, member=self.app.bot)
        self._tell(name, data, thread, Intent.GUILDS)

    def _tell_channel(self, name: str, channel: Channel) -> None:
        self._tell(name, channel_json(channel), None, Intent.GUILDS, guild=channel.guild)

    def _tell(
        self, name: str, data: Json, channel: Channel | None, intent: Intent, *, guild: Guild | None = None
    ) -> None:
        where = channel.guild if channel else guild
        self.tell(Happening(name=name, data=data, intent=intent, guild=where, channel=channel))

    def _add(self, channel: Channel) -> None:
        self.channels[channel.id] = channel
        if channel.guild is not None:
            channel.guild.channels[channel.id] = channel

    def _drop(self, channel: Channel) -> None:
        self.channels.pop(channel.id, None)
        if channel.guild is not None:
            channel.guild.channels.pop(channel.id, None)


def message_intent(channel: Channel) -> Intent:
    """The intent with which messages of a channel are told."""
    return Intent.DIRECT_MESSAGES if channel.guild is None else Intent.GUILD_MESSAGES


def _placed(data: Json, guild: Guild | None) -> Json:
    return data | ({"guild_id": str(guild.id)} if guild else {})


def _was_pinged(message: Message) -> bool:
    return message.replies_to is not None and message.replies_to.author.id in message.pings.users

"""What each route of the API does.

Source: Discord API documentation, the resources that each route belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.servers.discord import posting
from tests.servers.discord.errors import invalid, refused
from tests.servers.discord.gateway import app_flags
from tests.servers.discord.interactions import Interactions
from tests.servers.discord.shapes import channel_json, guild_json, member_json, roles_json, thread_json, user_json
from tests.servers.discord.values import Channel, ChannelType, Guild, Json, Message, MessageFlag, P, Permission
from tests.servers.discord.world import World


@dataclass(eq=False, slots=True)
class Call:
    """One request.

    Args:
        ids: the numbers in its path, in order.
        words: what else varies in its path.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Json = field(default_factory=dict)
    uploads: dict[int, posting.Upload] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


Answer = tuple[int, object]
Route = Callable[[Call], Awaitable[Answer]]


class Routes:
    """The routes over a world."""

    def __init__(self, world: World, interactions: Interactions, gateway_url: Callable[[], str]) -> None:
        self.shards = 1
        """How many the platform asks for."""
        self.identifies_left = 900
        self.identifies_again_s = 86_400.0
        self._world = world
        self._interactions = interactions
        self._gateway_url = gateway_url
        self._routes = [(method, _pattern(path), route) for method, path, route in self._table()]

    def find(self, call: Call) -> Route | None:
        """The route of a request, which learns what its path says."""
        for method, pattern, route in self._routes:
            if method == call.method and (match := pattern.fullmatch(call.path)):
                call.ids = [int(part) for part in match.groups() if part.isdigit()]
                call.words = [part for part in match.groups() if not part.isdigit()]
                return route
        return None

    def _table(self) -> list[tuple[str, str, Route]]:
        return [
            ("GET", "/users/@me", self._me),
            ("GET", "/users/#", self._user),
            ("POST", "/users/@me/channels", self._open_dm),
            ("GET", "/users/@me/guilds", self._guilds),
            ("GET", "/oauth2/applications/@me", self._application),
            ("GET", "/applications/@me", self._application),
            ("GET", "/gateway", self._gateway),
            ("GET", "/gateway/bot", self._gateway),
            ("GET", "/guilds/#", self._guild),
            ("GET", "/guilds/#/channels", self._guild_channels),
            ("GET", "/guilds/#/roles", self._guild_roles),
            ("GET", "/guilds/#/members/#", self._member),
            ("GET", "/guilds/#/threads/active", self._active_threads),
            ("GET", "/channels/#", self._channel),
            ("PATCH", "/channels/#", self._change_channel),
            ("DELETE", "/channels/#", self._delete_channel),
            ("POST", "/channels/#/typing", self._typing),
            ("GET", "/channels/#/messages", self._history),
            ("POST", "/channels/#/messages", self._create),
            ("GET", "/channels/#/messages/#", self._message),
            ("PATCH", "/channels/#/messages/#", self._edit),
            ("DELETE", "/channels/#/messages/#", self._delete),
            ("POST", "/channels/#/messages/#/threads", self._thread_from_message),
            ("POST", "/channels/#/threads", self._thread),
            ("GET", "/channels/#/threads/archived/~", self._archived_threads),
            ("GET", "/channels/#/thread-members", self._thread_members),
            ("PUT", "/channels/#/thread-members/@me", self._join),
            ("PUT", "/channels/#/thread-members/#", self._invite),
            ("DELETE", "/channels/#/thread-members/#", self._remove),
            ("GET", "/applications/#/commands", self._commands),
            ("PUT", "/applications/#/commands", self._sync),
            ("GET", "/applications/#/guilds/#/commands", self._commands),
            ("PUT", "/applications/#/guilds/#/commands", self._sync),
            ("POST", "/interactions/#/~/callback", self._callback),
            ("POST", "/webhooks/#/~", self._follow_up),
            ("GET", "/webhooks/#/~/messages/~", self._get_answer),
            ("PATCH", "/webhooks/#/~/messages/~", self._edit_answer),
            ("DELETE", "/webhooks/#/~/messages/~", self._delete_answer),
        ]

    # ------------------------------------------------------------------------------------------ the bot and people

    async def _me(self, call: Call) -> Answer:
        return 200, user_json(self._world.app.bot) | {"verified": True, "mfa_enabled": True, "flags": 0}

    async def _user(self, call: Call) -> Answer:
        if (user := self._world.users.get(call.ids[0])) is None:
            raise refused(10013)
        return 200, user_json(user)

    async def _open_dm(self, call: Call) -> Answer:
        user = self._world.users.get(int(call.body["recipient_id"]))
        if user is None:
            raise refused(10013)
        return 200, channel_json(self._world.dm(user))

    async def _guilds(self, call: Call) -> Answer:
        return 200, [
            {"id": str(g.id), "name": g.name, "icon": None, "owner": False, "permissions": "0", "features": []}
            for g in self._world.guilds.values()
        ]

    async def _application(self, call: Call) -> Answer:
        app = self._world.app
        return 200, {
            "id": str(app.id),
            "name": app.bot.name,
            "description": "",
            "icon": None,
            "bot_public": app.is_public,
            "bot_require_code_grant": False,
            "owner": user_json(app.bot),
            "verify_key": "0" * 64,
            "team": None,
            "flags": app_flags(app.intents),
            "bot": user_json(app.bot),
            "interactions_endpoint_url": None,
            "approximate_guild_count": len(self._world.guilds),
        }

    async def _gateway(self, call: Call) -> Answer:
        limit = {
            "total": 1_000,
            "remaining": self.identifies_left,
            "reset_after": int(self.identifies_again_s * 1_000),
            "max_concurrency": 1,
        }
        return 200, {"url": self._gateway_url(), "shards": self.shards, "session_start_limit": limit}

    async def _guild(self, call: Call) -> Answer:
        return 200, guild_json(self._guild_of(call), self._world.app.bot)

    async def _guild_channels(self, call: Call) -> Answer:
        return 200, [channel_json(c) for c in self._guild_of(call).channels.values() if not c.is_thread]

    async def _guild_roles(self, call: Call) -> Answer:
        return 200, roles_json(self._guild_of(call))

    async def _member(self, call: Call) -> Answer:
        guild, user_id = self._guild_of(call), call.ids[1]
        if user_id not in guild.people:
            raise refused(10007 if user_id in self._world.users else 10013)
        return 200, member_json(guild, guild.people[user_id][0])

    async def _active_threads(self, call: Call) -> Answer:
        bot = self._world.app.bot
        threads = [
            c for c in self._guild_of(call).channels.values() if c.is_thread and not c.archived and self._world.may(c)
        ]
        return 200, {"threads": [thread_json(thread, member=bot) for thread in threads], "members": []}

    # ---------------------------------------------------------------------------------------------------- channels

    async def _channel(self, call: Call) -> Answer:
        return 200, channel_json(self._channel_of(call))

    async def _change_channel(self, call: Call) -> Answer:
        channel = self._channel_of(call)
        self._need(channel, P.MANAGE_THREADS if channel.is_thread else P.MANAGE_CHANNELS, owner=True)
        known = {"archived": "archived", "locked": "locked", "name": "name"}
        changes = {known[name]: value for name, value in call.body.items() if name in known}
        if channel.archived and "archived" not in changes and channel.is_thread:
            raise refused(50083)
        if "name" in changes:
            _check_name(changes["name"])
        self._world.change_thread(channel, **changes)
        return 200, channel_json(channel)

    async def _delete_channel(self, call: Call) -> Answer:
        channel = self._channel_of(call)
        self._need(channel, P.MANAGE_THREADS if channel.is_thread else P.MANAGE_CHANNELS)
        shape = channel_json(channel)
        self._world.delete_channel(channel)
        return 200, shape

    async def _typing(self, call: Call) -> Answer:
        channel = self._channel_of(call)
        posting.check_place(self._world, channel)
        channel.typing += 1
        return 204, None

    async def _history(self, call: Call) -> Answer:
        channel = self._channel_of(call)
        if channel.type is ChannelType.FORUM:
            raise refused(50024)
        if channel.guild is not None:
            self._need(channel, P.READ_MESSAGE_HISTORY)
        limit = int(call.query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise invalid("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
        seen = [message for _, message in sorted(channel.messages.items()) if message.only_for is None]
        if after := call.query.get("after"):
            chosen = [message for message in seen if message.id > int(after)][:limit]
        elif before := call.query.get("before"):
            chosen = [message for message in seen if message.id < int(before)][-limit:]
        elif around := call.query.get("around"):
            near = sorted(seen, key=lambda message: abs(message.id - int(around)))[:limit]
            chosen = sorted(near, key=lambda message: message.id)
        else:
            chosen = seen[-limit:]
        return 200, [self._shown(message) for message in reversed(chosen)]

    # ---------------------------------------------------------------------------------------------------- messages

    async def _create(self, call: Call) -> Answer:
        return 200, self._shown(posting.create(self._world, self._channel_of(call), call.body, call.uploads))

    async def _message(self, call: Call) -> Answer:
        channel = self._channel_of(call)
        if channel.guild is not None:
            self._need(channel, P.READ_MESSAGE_HISTORY)
        return 200, self._shown(self._world.find_message(channel, call.ids[1]))

    async def _edit(self, call: Call) -> Answer:
        message = self._world.find_message(self._channel_of(call), call.ids[1])
        return 200, self._shown(posting.edit(self._world, message, call.body, call.uploads))

    async def _delete(self, call: Call) -> Answer:
        message = self._world.find_message(self._channel_of(call), call.ids[1])
        if message.author is not self._world.app.bot:
            self._need(message.channel, P.MANAGE_MESSAGES)
            if message.channel.guild is None:
                raise refused(50013)
        self._world.remove(message)
        return 204, None

    # ----------------------------------------------------------------------------------------------------- threads

    async def _thread_from_message(self, call: Call) -> Answer:
        channel = self._channel_of(call)
        starter = self._world.find_message(channel, call.ids[1])
        if channel.type is not ChannelType.TEXT:
            raise refused(50024)
        self._need(channel, P.CREATE_PUBLIC_THREADS)
        if MessageFlag.HAS_THREAD in starter.flags:
            raise refused(160004)
        _check_thread(call.body)
        posting.check_title(self._world, call.body["name"])
        bot = self._world.app.bot
        minutes = call.body.get("auto_archive_duration") or 1_440
        thread = self._world.thread(channel, call.body["name"], bot, starter=starter, minutes=minutes)
        return 201, thread_json(thread, member=bot)

    async def _thread(self, call: Call) -> Answer:
        channel = self._channel_of(call)
        _check_thread(call.body)
        posting.check_title(self._world, call.body["name"])
        bot = self._world.app.bot
        if channel.type is ChannelType.FORUM:
            self._need(channel, P.SEND_MESSAGES)
            if channel.needs_tag and not call.body.get("applied_tags"):
                raise invalid("applied_tags", "BASE_TYPE_REQUIRED", "A tag is required to create a forum post.")
            posting.check_body(call.body["message"], call.uploads)
            post = self._world.thread(channel, call.body["name"], bot)
            first = posting.create(self._world, post, call.body["message"], call.uploads)
            return 201, thread_json(post, member=bot) | {"message": self._shown(first)}
        private = call.body.get("type", 12) == ChannelType.PRIVATE_THREAD
        self._need(channel, P.CREATE_PRIVATE_THREADS if private else P.CREATE_PUBLIC_THREADS)
        thread = self._world.thread(channel, call.body["name"], bot, private=private)
        return 201, thread_json(thread, member=bot)

    async def _archived_threads(self, call: Call) -> Answer:
        channel = self._channel_of(call)
        kind = ChannelType.PUBLIC_THREAD if call.words == ["public"] else ChannelType.PRIVATE_THREAD
        found = [c for c in self._world.channels.values() if c.parent is channel and c.archived and c.type is kind]
        return 200, {"threads": [thread_json(c) for c in reversed(found)], "members": [], "has_more": False}

    async def _thread_members(self, call: Call) -> Answer:
        thread = self._channel_of(call)
        return 200, [
            {"id": str(thread.id), "user_id": str(id), "join_timestamp": thread.created_at.isoformat(), "flags": 0}
            for id in thread.members
        ]

    async def _join(self, call: Call) -> Answer:
        thread = self._channel_of(call)
        thread.members[self._world.app.bot.id] = self._world.app.bot
        return 204, None

    async def _invite(self, call: Call) -> Answer:
        thread, user_id = self._channel_of(call), call.ids[1]
        if thread.archived:
            raise refused(50083)
        assert thread.guild is not None
        if user_id not in thread.guild.people:
            raise refused(10007)
        thread.members[user_id] = self._world.users[user_id]
        return 204, None

    async def _remove(self, call: Call) -> Answer:
        thread = self._channel_of(call)
        self._need(thread, P.MANAGE_THREADS)
        thread.members.pop(call.ids[1], None)
        return 204, None

    # ------------------------------------------------------------------------------------ commands and interactions

    async def _commands(self, call: Call) -> Answer:
        return 200, self._world.app.commands.get(call.ids[1] if len(call.ids) > 1 else 0, [])

    async def _sync(self, call: Call) -> Answer:
        guild_id = call.ids[1] if len(call.ids) > 1 else 0
        wanted = call.body["list"]
        for command in wanted:
            if command.get("type", 1) == 1 and not re.fullmatch(r"[-_\w]{1,32}", command["name"]):
                raise invalid("0.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
        registered = [
            {"type": 1, "description": "", "options": [], **command}
            | {
                "id": str(self._world.ids.next()),
                "application_id": str(self._world.app.id),
                "version": str(self._world.ids.next()),
            }
            | ({"guild_id": str(guild_id)} if guild_id else {})
            for command in wanted
        ]
        self._world.app.commands[guild_id] = registered
        self._world.app.syncs.append((guild_id, wanted))
        return 200, registered

    async def _callback(self, call: Call) -> Answer:
        told = await self._interactions.callback(call.ids[0], call.words[0], call.body, call.uploads)
        return (200, told) if call.query.get("with_response") in ("1", "true") else (204, None)

    async def _follow_up(self, call: Call) -> Answer:
        message = await self._interactions.follow_up(call.words[0], call.body, call.uploads)
        return 200, self._world.show(message)

    async def _get_answer(self, call: Call) -> Answer:
        it = self._interactions.by_token.get(call.words[0])
        if it is None:
            raise refused(10015)
        return 200, self._world.show(self._interactions.find(it, _which(call)))

    async def _edit_answer(self, call: Call) -> Answer:
        message = await self._interactions.edit(call.words[0], _which(call), call.body, call.uploads)
        return 200, self._world.show(message)

    async def _delete_answer(self, call: Call) -> Answer:
        await self._interactions.delete(call.words[0], _which(call))
        return 204, None

    # ------------------------------------------------------------------------------------------------------ inside

    def _guild_of(self, call: Call) -> Guild:
        guild = self._world.guilds.get(call.ids[0])
        if guild is None or self._world.app.bot.id not in guild.people:
            raise refused(10004)
        return guild

    def _channel_of(self, call: Call) -> Channel:
        return self._world.find_channel(call.ids[0])

    def _need(self, channel: Channel, permission: Permission, *, owner: bool = False) -> None:
        if owner and channel.owner is self._world.app.bot and not channel.locked:
            return
        if permission not in self._world.may(channel):
            raise refused(50013)

    def _shown(self, message: Message) -> Json:
        shape = self._world.show(message)
        if not self._world.app.reads_content and not self._world.is_open_to_the_bot(message):
            shape |= {"content": "", "embeds": [], "attachments": [], "components": []}
        return shape


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(path.replace("#", r"(\d+)").replace("~", r"([^/]+)"))


def _which(call: Call) -> str:
    return call.words[1] if len(call.words) > 1 else str(call.ids[1])


def _check_name(name: object) -> None:
    if not 1 <= len(str(name or "").strip()) <= 100:
        raise invalid("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def _check_thread(body: Json) -> None:
    _check_name(body.get("name"))
    if (body.get("auto_archive_duration") or 1_440) not in (60, 1_440, 4_320, 10_080):
        raise invalid("auto_archive_duration", "BASE_TYPE_CHOICES", "Value must be one of (60, 1440, 4320, 10080).")

"""Where things are and who people are: what the gateway told, and what the HTTP interface tells of the rest."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from adapters.discord.permissions import PUBLIC_BOT, is_public
from adapters.discord.places import Place, Self, Server, to_person, to_place, to_server
from adapters.discord.rest import Refused, Rest
from bot.errors import Transient
from bot.messages import DEFAULT_TENANT, Person

log = structlog.get_logger(__name__)

Json = dict[str, Any]

MEMBER_S = 300.0
PUBLIC_S = 300.0
"""How long it is believed who may let the bot into servers."""

_CACHED = 20_000
_MEMBERS = 5_000


class Atlas:
    """Channels, servers and members, as far as they are known to this process.

    Args:
        admins: ids of roles and people who count as staff.
        tenant_of: server -> tenant.
    """

    def __init__(self, rest: Rest, admins: frozenset[str], tenant_of: Callable[[str], str]) -> None:
        self._rest = rest
        self._admins = admins
        self._tenant_of = tenant_of
        self._public: tuple[float, bool] | None = None
        self._channels: OrderedDict[str, Json] = OrderedDict()
        self._servers: dict[str, Json] = {}
        self._members: OrderedDict[tuple[str, str], tuple[float, Json | None]] = OrderedDict()

        self._hears: dict[str, Callable[[Json], None]] = {
            "GUILD_CREATE": self._guild_create,
            "GUILD_UPDATE": self._keep_server,
            "GUILD_DELETE": self._guild_delete,
            "GUILD_ROLE_CREATE": self._role,
            "GUILD_ROLE_UPDATE": self._role,
            "GUILD_ROLE_DELETE": self._role,
            "CHANNEL_CREATE": self._keep,
            "CHANNEL_UPDATE": self._keep,
            "CHANNEL_DELETE": self._channel_delete,
            "THREAD_CREATE": self._keep,
            "THREAD_UPDATE": self._keep,
            "THREAD_DELETE": self._channel_delete,
            "THREAD_LIST_SYNC": self._threads,
        }

    def hear(self, event: str, data: Json) -> None:
        """Take note of what the gateway tells."""
        if (take := self._hears.get(event)) is not None:
            take(data)

    async def place(self, channel: str) -> Place:
        """What and where a channel is.

        Raises:
            Refused: it cannot be looked at.
        """
        return to_place(await self._channel(channel))

    async def server(self, guild: str) -> Server:
        """Who may do what in a server."""
        return to_server(await self._guild(guild))

    async def me(self, guild: str) -> Self:
        """How the bot is addressed in a server."""
        me = await self._rest.me()
        if not guild:
            return Self(id=me)
        roles = (await self._guild(guild)).get("roles", ())
        own = (str(role["id"]) for role in roles if str((role.get("tags") or {}).get("bot_id", "")) == me)
        return Self(id=me, roles=frozenset(own))

    async def person(self, user: Json, member: Json | None, guild: str) -> Person:
        """Somebody who speaks; what the event does not tell of them is looked up."""
        if not guild:
            return to_person(user, None, None, self._admins)
        member = member if member is not None else await self._member(guild, str(user["id"]))
        if self._admins:
            return to_person(user, member, None, self._admins)
        person = to_person(user, member, await self.server(guild), self._admins)
        return person if not person.is_staff or await self._is_ours(guild) else replace(person, is_staff=False)

    async def describe(self, guild: str, user: str) -> Person:
        """A person of whom only the id is known."""
        member = await self._member(guild, user) if guild else None
        if member is not None and "user" in member:
            return await self.person(member["user"], member, guild)
        return await self.person(await self._rest.request("GET", "/users/{user_id}", user_id=user), member or {}, guild)

    async def _is_ours(self, guild: str) -> bool:
        """Whether who manages this server may give orders to the desk: it has a tenant of its own, or nobody but the
        bot's owner can let the bot into servers. Else anybody would be staff in a server that they made for that."""
        if self._tenant_of(guild) != DEFAULT_TENANT:
            return True
        if self._public is None or time.monotonic() - self._public[0] >= PUBLIC_S:
            try:
                application = await self._rest.request("GET", "/applications/@me")
            except (Refused, Transient):
                return self._public is not None and not self._public[1]
            self._public = time.monotonic(), is_public(application)
            if self._public[1]:
                log.warning("discord_public_bot", mend=PUBLIC_BOT)
        return not self._public[1]

    async def _channel(self, channel: str) -> Json:
        if (known := self._channels.get(channel)) is None:
            known = await self._rest.request("GET", "/channels/{channel_id}", channel_id=channel)
            self._keep(known)
        else:
            self._channels.move_to_end(channel)
        return known

    async def _guild(self, guild: str) -> Json:
        if (known := self._servers.get(guild)) is None:
            known = await self._rest.request("GET", "/guilds/{guild_id}", guild_id=guild)
            self._keep_server(known)
        return known

    async def _member(self, guild: str, user: str) -> Json | None:
        at, member = self._members.get((guild, user), (0.0, None))
        if time.monotonic() - at < MEMBER_S:
            return member
        try:
            member = await self._rest.request(
                "GET", "/guilds/{guild_id}/members/{user_id}", guild_id=guild, user_id=user
            )
        except Refused as refused:
            if refused.status != 404:
                raise
            member = {}
        self._members[guild, user] = (time.monotonic(), member)
        while len(self._members) > _MEMBERS:
            self._members.popitem(last=False)
        return member

    def _keep(self, channel: Json) -> None:
        kept: Json = {name: channel[name] for name in ("id", "type", "guild_id", "parent_id") if name in channel}
        self._channels[str(channel["id"])] = kept
        while len(self._channels) > _CACHED:
            self._channels.popitem(last=False)

    def _keep_server(self, guild: Json) -> None:
        roles = [{name: role.get(name) for name in ("id", "permissions", "tags")} for role in guild.get("roles", ())]
        self._servers[str(guild["id"])] = {"id": guild["id"], "owner_id": guild.get("owner_id"), "roles": roles}

    def _guild_create(self, data: Json) -> None:
        if data.get("unavailable"):
            return
        self._keep_server(data)
        for channel in (*data.get("channels", ()), *data.get("threads", ())):
            self._keep({**channel, "guild_id": data["id"]})

    def _guild_delete(self, data: Json) -> None:
        self._servers.pop(str(data["id"]), None)

    def _threads(self, data: Json) -> None:
        for thread in data.get("threads", ()):
            self._keep({**thread, "guild_id": data["guild_id"]})

    def _channel_delete(self, data: Json) -> None:
        self._channels.pop(str(data["id"]), None)

    def _role(self, data: Json) -> None:
        """The roles of a server changed: they are read again when somebody asks."""
        self._servers.pop(str(data["guild_id"]), None)

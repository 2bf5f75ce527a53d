"""Where things happen on Discord and who is there, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from bot.messages import Audience, Person

Json = dict[str, Any]

_ADMINISTRATOR, _MANAGE_GUILD = 1 << 3, 1 << 5


class Kind(IntEnum):
    """What a channel is; numbers are Discord's."""

    TEXT = 0
    DIRECT = 1
    VOICE = 2
    GROUP = 3
    ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13
    FORUM = 15
    MEDIA = 16

    @property
    def is_thread(self) -> bool:
        return self in (Kind.ANNOUNCEMENT_THREAD, Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD)

    @property
    def is_forum(self) -> bool:
        return self in (Kind.FORUM, Kind.MEDIA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something happened.

    Args:
        id: the channel, thread or direct conversation.
        guild: the server; empty for direct messages.
        parent: the channel that a thread belongs to; empty for anything else.
    """

    id: str
    kind: Kind
    guild: str = ""
    parent: str = ""

    @property
    def audience(self) -> Audience:
        """Who can read along here."""
        if not self.guild:
            return Audience.DIRECT
        return Audience.PRIVATE if self.kind is Kind.PRIVATE_THREAD else Audience.PUBLIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What of a server decides who may do what.

    Args:
        permissions: role id -> what it may do; the role of everybody has the server's own id.
    """

    id: str
    owner: str
    permissions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Self:
    """The bot as others address it: its id, and the roles that stand for it alone."""

    id: str
    roles: frozenset[str] = frozenset()


def to_kind(number: object) -> Kind:
    """The kind of a channel; one that is not known is treated like a text channel."""
    try:
        return Kind(int(str(number)))
    except ValueError:
        return Kind.TEXT


def to_place(channel: Json) -> Place:
    """A channel as the API describes it."""
    kind = to_kind(channel["type"])
    return Place(
        id=str(channel["id"]),
        kind=kind,
        guild=str(channel.get("guild_id") or ""),
        parent=str(channel.get("parent_id") or "") if kind.is_thread else "",
    )


def to_server(guild: Json) -> Server:
    """A server as the API describes it."""
    roles = {str(role["id"]): int(role["permissions"]) for role in guild.get("roles", ())}
    return Server(id=str(guild["id"]), owner=str(guild.get("owner_id") or ""), permissions=roles)


def to_person(user: Json, member: Json | None, server: Server | None, admins: frozenset[str]) -> Person:
    """Somebody who speaks. Staff are whom the settings name; where they name nobody, who may manage the server."""
    member = member or {}
    user_id = str(user["id"])
    roles = [str(role) for role in member.get("roles", ())]
    return Person(
        id=user_id,
        display_name=str(member.get("nick") or user.get("global_name") or user.get("username") or user_id),
        is_staff=_is_staff(user_id, roles, member, server, admins),
    )


def _is_staff(user: str, roles: Sequence[str], member: Json, server: Server | None, admins: frozenset[str]) -> bool:
    if admins:
        return user in admins or not admins.isdisjoint(roles)
    if "permissions" in member:
        permissions = int(member["permissions"])
    elif server is None:
        return False
    elif server.owner == user:
        return True
    else:
        permissions = 0
        for role in (server.id, *roles):
            permissions |= server.permissions.get(role, 0)
    return bool(permissions & (_ADMINISTRATOR | _MANAGE_GUILD))

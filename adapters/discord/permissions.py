"""What the bot has to be allowed, and what it is allowed in a channel. Pure.

Source: Discord API documentation, `topics/permissions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

VIEW_CHANNEL = 1 << 10
_ADMINISTRATOR = 1 << 3

NEEDED: Mapping[str, int] = {
    "View Channels": VIEW_CHANNEL,
    "Send Messages": 1 << 11,
    "Manage Messages": 1 << 13,
    "Embed Links": 1 << 14,
    "Attach Files": 1 << 15,
    "Read Message History": 1 << 16,
    "Manage Threads": 1 << 34,
    "Create Public Threads": 1 << 35,
    "Create Private Threads": 1 << 36,
    "Send Messages in Threads": 1 << 38,
}
"""The names are those of Discord's own settings."""

NUMBER = sum(NEEDED.values())

_IN_FORUM = ("View Channels", "Manage Messages", "Attach Files", "Read Message History", "Send Messages in Threads")
_KINDS = (0, 5, 15, 16)

PUBLIC_BOT = (
    "Anybody may let this bot into a server of theirs, so who manages a server is no colleague: nobody may use "
    "`/support` where no tenant is set. Set ADMINS_DISCORD to the ids of your team's roles or people. Or open "
    "https://discord.com/developers/applications, choose the application, set Installation, Install Link to None, and "
    "switch Bot, Public Bot off; then take the bot out of servers that are not yours."
)


def invite_url(application: str) -> str:
    """Where somebody who manages a server lets the bot in, with exactly what it needs."""
    return (
        f"https://discord.com/oauth2/authorize?client_id={application}"
        f"&scope=bot%20applications.commands&permissions={NUMBER}"
    )


def is_public(application: Json) -> bool:
    """Whether anybody who manages a server can let the bot in ("Public Bot")."""
    return bool(application.get("bot_public", True))


def in_server(roles: Iterable[Json], member_roles: Iterable[str], guild: str) -> int:
    """What a member may do by its roles."""
    held = {guild, *member_roles}
    permissions = 0
    for role in roles:
        if str(role["id"]) in held:
            permissions |= int(role["permissions"])
    return -1 if permissions & _ADMINISTRATOR else permissions


def in_channel(base: int, channel: Json, member: str, member_roles: Iterable[str], guild: str) -> int:
    """What a member may do in a channel: its roles, then the exceptions for all, for roles, for the member."""
    if base == -1:
        return base
    overwrites = {str(entry["id"]): entry for entry in channel.get("permission_overwrites", ())}
    permissions = _changed(base, [overwrites[guild]] if guild in overwrites else [])
    permissions = _changed(permissions, [overwrites[role] for role in member_roles if role in overwrites])
    permissions = _changed(permissions, [overwrites[member]] if member in overwrites else [])
    return permissions if permissions & VIEW_CHANNEL else 0


def missing(permissions: int, channel: Json | None = None) -> list[str]:
    """Names of what is not allowed; in a channel, of what matters in one of its kind."""
    kind = None if channel is None else int(channel["type"])
    if kind is not None and kind not in _KINDS:
        return []
    names = _IN_FORUM if kind in (15, 16) else tuple(NEEDED)
    return [name for name in names if not permissions & NEEDED[name]]


def _changed(permissions: int, overwrites: Iterable[Json]) -> int:
    allow = deny = 0
    for entry in overwrites:
        allow |= int(entry.get("allow") or 0)
        deny |= int(entry.get("deny") or 0)
    return permissions & ~deny | allow

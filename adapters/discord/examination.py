"""What `frontdesk check` says of Discord: the token, the intents, the servers and what the bot may do in them."""

from __future__ import annotations

from typing import Any

from adapters.discord.gateway import INTENT_MISSING, RESET_IT
from adapters.discord.permissions import (
    PUBLIC_BOT,
    VIEW_CHANNEL,
    in_channel,
    in_server,
    invite_url,
    is_public,
    missing,
)
from adapters.discord.rest import Refused, Rest
from adapters.discord.settings import DiscordSettings
from bot.errors import Transient
from bot.ports import Examination

Json = dict[str, Any]

SERVERS_LIMIT = 25
LINES_LIMIT = 40
_CONTENT_INTENT = 1 << 18 | 1 << 19
"""Application flags: the intent is granted to a verified, or switched on for a small application."""


async def examine(rest: Rest, settings: DiscordSettings) -> Examination:
    """Look at what can be looked at, and say what has to be mended."""
    facts: list[str] = []
    problems: list[str] = []
    try:
        await _look(rest, settings, facts, problems)
    except Refused as refused:
        problems.append(
            RESET_IT if refused.status == 401 else f"Discord refused to be looked at (error {refused.code})."
        )
    except Transient as failure:
        problems.append(f"Discord could not be reached ({failure.reason}); try again, and look at discordstatus.com.")
    return Examination(facts=facts, problems=problems[:LINES_LIMIT])


async def _look(rest: Rest, settings: DiscordSettings, facts: list[str], problems: list[str]) -> None:
    me = await rest.me()
    application = await rest.request("GET", "/applications/@me")
    facts.append(f"bot: {await rest.name()} ({me})")
    facts.append(f"invite: {invite_url(str(application['id']))}")
    if settings.reads_messages and not int(application.get("flags") or 0) & _CONTENT_INTENT:
        problems.append(INTENT_MISSING)
    if not settings.admins and is_public(application):
        problems.append(PUBLIC_BOT)
    if application.get("interactions_endpoint_url"):
        problems.append(
            "The application has an Interactions Endpoint URL, so commands and buttons do not reach Frontdesk: open "
            "https://discord.com/developers/applications, General Information, and empty that field."
        )
    gateway = await rest.request("GET", "/gateway/bot")
    limit = gateway["session_start_limit"]
    facts.append(f"shards: {settings.shard_count or gateway['shards']}; {limit['remaining']} identifies left today")
    facts.append(f"refused requests in these ten minutes: {await rest.limits.refusals()} of 10000")
    guilds = await rest.request("GET", "/users/@me/guilds", query={"limit": 200})
    facts.append(f"servers: {len(guilds)}")
    if not guilds:
        problems.append(f"The bot is in no server; open {invite_url(str(application['id']))} and let it in.")
    for guild in guilds[:SERVERS_LIMIT]:
        await _look_at(rest, me, guild, problems)
    await _look_at_handover(rest, settings, problems)


async def _look_at(rest: Rest, me: str, guild: Json, problems: list[str]) -> None:
    """What the bot may not do in a server, channel by channel, with the mend."""
    id, name = str(guild["id"]), str(guild["name"])
    roles = await rest.request("GET", "/guilds/{guild_id}/roles", guild_id=id)
    member = await rest.request("GET", "/guilds/{guild_id}/members/{user_id}", guild_id=id, user_id=me)
    held = [str(role) for role in member.get("roles", ())]
    base = in_server(roles, held, id)
    lacking = missing(base)
    if lacking:
        problems.append(
            f"{name}: the bot may not {_listed(lacking)}; open Server Settings, Roles, the bot's role, Permissions, "
            "and allow it (or let the bot in again with the link above)."
        )
    for channel in await rest.request("GET", "/guilds/{guild_id}/channels", guild_id=id):
        permissions = in_channel(base, channel, me, held, id)
        if not permissions & VIEW_CHANNEL:
            continue  # a channel that is hidden from the bot is none of its business
        here = [one for one in missing(permissions, channel) if one not in lacking]
        if here:
            problems.append(
                f"{name}, #{channel['name']}: the bot may not {_listed(here)}; open the channel's settings, "
                "Permissions, the bot's role, and allow it."
            )


async def _look_at_handover(rest: Rest, settings: DiscordSettings, problems: list[str]) -> None:
    if not settings.handover_channel:
        return
    try:
        await rest.request("GET", "/channels/{channel_id}", channel_id=settings.handover_channel)
    except Refused:
        problems.append(
            "HANDOVER_CHANNEL_DISCORD names a channel that the bot cannot see; copy its id again (Developer Mode, the "
            "channel's menu, Copy Channel ID), or allow the bot's role to view it."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)

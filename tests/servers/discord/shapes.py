"""Values as the platform writes them in JSON: only fields that clients read, each as the public documentation has it.

Source: Discord API documentation, `resources/user`, `resources/guild`, `resources/channel`, `resources/message`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tests.servers.discord.values import (
    Channel,
    ChannelType,
    Guild,
    Json,
    Message,
    MessageFlag,
    MessageType,
    Permission,
    Role,
    StoredFile,
    User,
)

Signer = Callable[[StoredFile], str]
"""The address of a file, signed for this moment."""

HIDDEN: Json = {"content": "", "embeds": [], "attachments": [], "components": []}
"""What stands in the place of a message's content when the bot may not read it."""


def moment(at: datetime) -> str:
    return at.isoformat()


def user_json(user: User) -> Json:
    return {
        "id": str(user.id),
        "username": user.name.lower().replace(" ", "."),
        "global_name": user.name,
        "discriminator": "0",
        "avatar": None,
        "bot": user.bot,
        "public_flags": 0,
    }


def member_json(guild: Guild, user: User, *, channel: Channel | None = None, bare: bool = False) -> Json:
    """A person in a server.

    Args:
        channel: adds what the person may do there, as interactions have it.
        bare: without the user, as messages have it.
    """
    shape: Json = {
        "nick": None,
        "avatar": None,
        "roles": [str(role) for role in guild.people[user.id][1]],
        "joined_at": "2024-01-01T00:00:00+00:00",
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "communication_disabled_until": None,
    }
    if not bare:
        shape["user"] = user_json(user)
    if channel is not None:
        shape["permissions"] = str(int(guild.permissions(user, channel)))
    return shape


def role_json(role_id: int, name: str, permissions: Permission, *, position: int = 1, bot: int | None = None) -> Json:
    tags = {"tags": {"bot_id": str(bot)}} if bot is not None else {}
    return tags | {
        "id": str(role_id), "name": name, "color": 0, "hoist": False, "position": position, "managed": False,
        "permissions": str(int(permissions)), "mentionable": False, "flags": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
    }  # fmt: skip


def roles_json(guild: Guild) -> list[Json]:
    held: list[Role] = list(guild.roles.values())
    everyone = role_json(guild.id, "@everyone", guild.everyone, position=0)
    return [everyone, *(role_json(role.id, role.name, role.permissions, bot=role.bot_id) for role in held)]


def channel_json(channel: Channel) -> Json:
    """A channel or a thread."""
    if channel.type is ChannelType.DM:
        people = [user_json(user) for user in channel.members.values() if not user.bot]
        return {
            "id": str(channel.id),
            "type": int(channel.type),
            "last_message_id": _last(channel),
            "recipients": people,
        }
    if channel.is_thread:
        return thread_json(channel)
    assert channel.guild is not None
    shape: Json = {
        "id": str(channel.id),
        "type": int(channel.type),
        "guild_id": str(channel.guild.id),
        "name": channel.name,
        "position": 0,
        "parent_id": None,
        "topic": None,
        "nsfw": False,
        "last_message_id": _last(channel),
        "rate_limit_per_user": 0,
        "permission_overwrites": [
            {
                "id": str(target),
                "type": 1 if target in channel.guild.people else 0,
                "allow": str(int(allow)),
                "deny": str(int(deny)),
            }
            for target, (allow, deny) in channel.overwrites.items()
        ],
    }
    if channel.type is ChannelType.FORUM:
        posts = [other.id for other in channel.guild.channels.values() if other.parent is channel]
        shape |= {
            "last_message_id": str(max(posts)) if posts else None,  # the latest post, which has an id of its own
            "flags": 1 << 4 if channel.needs_tag else 0,
            "available_tags": [
                {"id": str(channel.id + place), "name": tag, "moderated": False, "emoji_id": None, "emoji_name": None}
                for place, tag in enumerate(channel.tags, 1)
            ],
            "default_reaction_emoji": None,
            "default_sort_order": None,
            "default_forum_layout": 0,
        }
    return shape


def thread_json(thread: Channel, *, newly_created: bool = False, member: User | None = None) -> Json:
    assert thread.guild is not None
    assert thread.parent is not None
    assert thread.owner is not None
    count = sum(1 for message in thread.messages.values() if message.only_for is None)
    shape: Json = {
        "id": str(thread.id),
        "type": int(thread.type),
        "guild_id": str(thread.guild.id),
        "parent_id": str(thread.parent.id),
        "owner_id": str(thread.owner.id),
        "name": thread.name,
        "last_message_id": _last(thread),
        "message_count": count,
        "member_count": min(50, len(thread.members)),
        "total_message_sent": count,
        "rate_limit_per_user": 0,
        "flags": 0,
        "applied_tags": [
            str(thread.parent.id + place)
            for place, tag in enumerate(thread.parent.tags, 1)
            if tag in thread.applied_tags
        ],
        "thread_metadata": {
            "archived": thread.archived,
            "auto_archive_duration": thread.auto_archive_minutes,
            "archive_timestamp": moment(thread.created_at),
            "locked": thread.locked,
            "create_timestamp": moment(thread.created_at),
        },
    }
    if thread.type is ChannelType.PRIVATE_THREAD:
        shape["thread_metadata"]["invitable"] = False
    if newly_created:
        shape["newly_created"] = True
    if member is not None and member.id in thread.members:
        shape["member"] = {
            "id": str(thread.id), "user_id": str(member.id), "join_timestamp": moment(thread.created_at), "flags": 1,
        }  # fmt: skip
    return shape


def guild_json(guild: Guild, bot: User) -> Json:
    """A server as it is told when a session begins: archived threads are not in it."""
    seen = [c for c in guild.channels.values() if not c.is_thread]
    threads = [c for c in guild.channels.values() if c.is_thread and not c.archived and guild.permissions(bot, c)]
    return {
        "id": str(guild.id),
        "name": guild.name,
        "icon": None,
        "owner_id": str(guild.owner.id),
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "afk_timeout": 300,
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "features": [],
        "emojis": [],
        "stickers": [],
        "system_channel_flags": 0,
        "member_count": len(guild.people),
        "large": False,
        "unavailable": False,
        "joined_at": "2024-01-01T00:00:00+00:00",
        "roles": roles_json(guild),
        "members": [member_json(guild, bot)],
        "channels": [channel_json(channel) for channel in seen],
        "threads": [thread_json(thread, member=bot) for thread in threads],
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def file_json(file: StoredFile, sign: Signer) -> Json:
    url = sign(file)
    shape: Json = {
        "id": str(file.id),
        "filename": file.name,
        "size": len(file.data) if file.claimed_bytes is None else file.claimed_bytes,
        "url": url,
        "proxy_url": url,
    }
    return shape | ({"content_type": file.media_type} if file.media_type else {})


def message_json(message: Message, sign: Signer, *, mentioned: list[User], event: bool = False) -> Json:
    """A message.

    Args:
        mentioned: the people whose names stand in it.
        event: as the gateway tells it, with its place and the author's membership.
    """
    channel = message.channel
    shape: Json = {
        "id": str(message.id),
        "type": int(message.type),
        "channel_id": str(channel.id),
        "author": user_json(message.author),
        "content": message.content,
        "timestamp": moment(message.at),
        "edited_timestamp": moment(message.edited_at) if message.edited_at else None,
        "tts": False,
        "mention_everyone": message.pings.everyone,
        "mentions": [_mention(message, user) for user in mentioned],
        "mention_roles": [str(role) for role in sorted(message.pings.roles)],
        "attachments": [file_json(file, sign) for file in message.files],
        "embeds": message.embeds,
        "components": message.components,
        "pinned": False,
        "flags": int(message.flags),
    }
    if message.nonce is not None:
        shape["nonce"] = message.nonce
    if message.webhook_id is not None:
        shape["webhook_id"] = str(message.webhook_id)
    if message.application_id is not None:
        shape["application_id"] = str(message.application_id)
    if message.reference is not None:
        shape["message_reference"] = message.reference
        if message.type in (MessageType.REPLY, MessageType.THREAD_STARTER_MESSAGE):
            original = message.replies_to
            stands = original is not None and original.id in original.channel.messages
            shape["referenced_message"] = message_json(original, sign, mentioned=[]) if original and stands else None
    if message.snapshots:
        shape["message_snapshots"] = [{"message": _snapshot(kept, sign)} for kept in message.snapshots]
    if MessageFlag.HAS_THREAD in message.flags and channel.guild is not None:
        thread = channel.guild.channels.get(message.id)
        if thread is not None:
            shape["thread"] = thread_json(thread)
    if event and channel.guild is not None:
        shape["guild_id"] = str(channel.guild.id)
        if message.author.id in channel.guild.people and message.webhook_id is None:
            shape["member"] = member_json(channel.guild, message.author, bare=True)
    return shape


def _mention(message: Message, user: User) -> Json:
    guild = message.channel.guild
    if guild is None or user.id not in guild.people:
        return user_json(user)
    return user_json(user) | {"member": member_json(guild, user, bare=True)}


def _snapshot(message: Message, sign: Signer) -> Json:
    """What a forward carries of its original: everything but the author."""
    return {
        "type": int(message.type),
        "content": message.content,
        "timestamp": moment(message.at),
        "edited_timestamp": None,
        "attachments": [file_json(file, sign) for file in message.files],
        "embeds": message.embeds,
        "components": [],
        "mentions": [],
        "mention_roles": [],
        "flags": int(message.flags),
    }


def _last(channel: Channel) -> str | None:
    return str(max(channel.messages)) if channel.messages else None

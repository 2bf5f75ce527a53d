"""What the bot may post, and what becomes of it: the rules of creating and editing a message.

Source: Discord API documentation, `resources/message` (Create Message, Edit Message), `components/reference`.
"""

from __future__ import annotations

import re

from tests.servers.discord.errors import invalid, refused, slowed
from tests.servers.discord.values import (
    Channel,
    ChannelType,
    Json,
    Message,
    MessageFlag,
    MessageType,
    P,
    Permission,
    StoredFile,
    inside,
)
from tests.servers.discord.world import World

CONTENT_LIMIT_CHARS = 2_000
NONCE_LIMIT_CHARS = 25
NONCE_WINDOW_S = 180.0
"""The documentation says "a few minutes"."""

FILE_LIMIT_BYTES = 10 << 20
FILES_LIMIT = 10
SETTABLE = MessageFlag.SUPPRESS_EMBEDS | MessageFlag.SUPPRESS_NOTIFICATIONS | MessageFlag.IS_COMPONENTS_V2

Upload = tuple[str, bytes, str]
"""Name, bytes, claimed type."""


def create(world: World, channel: Channel, body: Json, uploads: dict[int, Upload]) -> Message:
    """The bot posts a message.

    Raises:
        Refused: it may not, or the body is not valid.
    """
    check_place(world, channel, with_files=bool(uploads))
    content = check_body(body, uploads)
    check_moderation(world, channel, _words(content, body))
    nonce = body.get("nonce")
    if nonce is not None and body.get("enforce_nonce"):
        if len(str(nonce)) > NONCE_LIMIT_CHARS:
            raise invalid("nonce", "NONCE_TYPE_TOO_LONG", f"Must be {NONCE_LIMIT_CHARS} or fewer in length.")
        if (earlier := _same_nonce(world, str(nonce))) is not None:
            return earlier
    check_pace(world, channel)
    flags = MessageFlag(body.get("flags") or 0)
    if flags & ~SETTABLE:
        raise invalid("flags", "MESSAGE_FLAGS_INVALID", "These flags cannot be set.")
    reference, original = _reference(world, channel, body.get("message_reference"))
    allowed = body.get("allowed_mentions")
    replied = original.author if original else None
    message = Message(
        id=world.ids.next(),
        channel=channel,
        author=world.app.bot,
        content=content,
        at=world.clock.now(),
        type=MessageType.REPLY if reference else MessageType.DEFAULT,
        files=store(world, channel, body, uploads),
        components=body.get("components") or [],
        embeds=body.get("embeds") or [],
        flags=flags,
        nonce=str(nonce) if nonce is not None else None,
        reference=reference,
        replies_to=original,
        pings=world.pings(channel, world.app.bot, content, allowed, replied),
        allowed_mentions=allowed,
    )
    world.post(message)
    if nonce is not None:
        world.nonces[world.app.bot.id, str(nonce)] = (world.clock.time(), message)
    return message


def edit(world: World, message: Message, body: Json, uploads: dict[int, Upload]) -> Message:
    """The bot changes a message of its own.

    Raises:
        Refused: it may not, or the body is not valid.
    """
    if message.channel.archived:
        raise refused(50083)
    if message.author is not world.app.bot and not _only_hides_embeds(world, message, body):
        raise refused(50013)
    check_moderation(world, message.channel, _words(str(body.get("content") or ""), body))
    return rewrite(world, message, body, uploads)


def rewrite(world: World, message: Message, body: Json, uploads: dict[int, Upload]) -> Message:
    """Put what stands in the body in the place of what stood in the message."""
    kept = {int(item["id"]) for item in body.get("attachments") or [] if "id" in item}
    if "attachments" in body:
        message.files = [file for file in message.files if file.id in kept]
    after = {
        "content": message.content,
        "components": message.components,
        "embeds": message.embeds,
        **{name: value for name, value in body.items() if value is not None},
    }
    content = check_body(after, uploads, has_files=bool(message.files))
    message.files += store(world, message.channel, body, uploads)
    if "components" in body:
        message.components = body["components"] or []
    if "embeds" in body:
        message.embeds = body["embeds"] or []
    if body.get("flags") is not None:
        message.flags = (message.flags & ~MessageFlag.SUPPRESS_EMBEDS) | MessageFlag(body["flags"])
    message.flags &= ~MessageFlag.LOADING
    if "allowed_mentions" in body:
        message.allowed_mentions = body["allowed_mentions"]
    world.rewrite(message, content if content != message.content else None)
    return message


def store(world: World, channel: Channel, body: Json, uploads: dict[int, Upload]) -> list[StoredFile]:
    """Keep the files that came with a body."""
    names = {str(item.get("id")): item.get("filename") for item in body.get("attachments") or []}
    return [
        world.file(channel, names.get(str(place)) or name, data, media_type)
        for place, (name, data, media_type) in sorted(uploads.items())
    ]


def check_place(world: World, channel: Channel, *, with_files: bool = False) -> None:
    """Whether the bot may post here at all."""
    if channel.type is ChannelType.FORUM:
        raise refused(50024)
    if channel.type is ChannelType.DM:
        if not all(user.takes_dms for user in channel.members.values()):
            raise refused(50007)
        return
    rights = world.may(channel)
    if not rights:
        raise refused(50001)
    if channel.locked and P.MANAGE_THREADS not in rights:
        raise refused(160005)
    needed = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
    if with_files:
        needed |= P.ATTACH_FILES
    if Permission(needed) & ~rights:
        raise refused(50013)


def check_body(body: Json, uploads: dict[int, Upload], *, has_files: bool = False) -> str:
    """Whether this can be a message; its text."""
    content = str(body.get("content") or "")
    if len(content) > CONTENT_LIMIT_CHARS:
        raise invalid("content", "BASE_TYPE_MAX_LENGTH", f"Must be {CONTENT_LIMIT_CHARS} or fewer in length.")
    if len(uploads) > FILES_LIMIT:
        raise invalid("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {FILES_LIMIT} or fewer in length.")
    if any(len(data) > FILE_LIMIT_BYTES for _, data, _ in uploads.values()):
        raise refused(40005)
    components = body.get("components") or []
    check_components(components)
    is_v2 = MessageFlag.IS_COMPONENTS_V2 in MessageFlag(body.get("flags") or 0)
    if is_v2 and (content or body.get("embeds")):
        raise invalid("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "Not with components v2.")
    if not (content.strip() or uploads or has_files or (components and is_v2) or body.get("embeds")):
        raise refused(50006)
    return content.strip()


def check_moderation(world: World, channel: Channel, content: str) -> None:
    """Whether automatic moderation lets a text stand here."""
    if channel.guild is None:
        return
    if world.blocked and re.search(world.blocked, content):
        raise refused(200000)
    if world.harmful and re.search(world.harmful, content):
        raise refused(240000)


def check_title(world: World, title: str) -> None:
    """Whether automatic moderation lets a thread be called so."""
    if world.blocked and re.search(world.blocked, title):
        raise refused(200001)


def check_pace(world: World, channel: Channel) -> None:
    """Whether the last message of the bot's is long enough ago for this channel."""
    mine = [message.at for message in channel.messages.values() if message.author is world.app.bot]
    since_s = (world.clock.now() - max(mine)).total_seconds() if mine else channel.slow_s
    if since_s < channel.slow_s:
        raise slowed(channel.slow_s - since_s)


def check_components(components: list[Json]) -> None:
    """Rows of five, ids of a hundred characters, each of them once."""
    found = inside(components)
    rows = [component for component in components if component.get("type") == 1]
    if len(rows) > 5 or len(found) > 40:
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    ids = [str(item["custom_id"]) for item in found if "custom_id" in item]
    if len(set(ids)) != len(ids):
        raise invalid("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
    if any(not 1 <= len(id) <= 100 for id in ids):
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "A custom id has 1 to 100 characters.")
    for row in rows:
        if not 1 <= len(row.get("components", [])) <= 5:
            raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for button in (item for item in found if item.get("type") == 2):
        if len(str(button.get("label") or "")) > 80 or not (button.get("label") or button.get("emoji")):
            raise invalid("components", "BASE_TYPE_BAD_LENGTH", "A label has 1 to 80 characters.")


def _words(content: str, body: Json) -> str:
    """All that is there to read in a body."""
    embeds = body.get("embeds") or []
    return "\n".join([content, *(f"{embed.get('title', '')}\n{embed.get('description', '')}" for embed in embeds)])


def _only_hides_embeds(world: World, message: Message, body: Json) -> bool:
    """What may be done to another's message, with the right to manage messages."""
    return not set(body) - {"flags", "tts"} and P.MANAGE_MESSAGES in world.may(message.channel)


def _same_nonce(world: World, nonce: str) -> Message | None:
    """The message that was posted with this nonce a moment ago.

    Raises:
        Refused: it was, and is gone.
    """
    at, message = world.nonces.get((world.app.bot.id, nonce), (0.0, None))
    if message is None or world.clock.time() - at > NONCE_WINDOW_S:
        return None
    if message.id not in message.channel.messages:
        raise refused(10008)
    return message


def _reference(world: World, channel: Channel, reference: Json | None) -> tuple[Json | None, Message | None]:
    if reference is None or reference.get("type", 0) != 0:
        return None, None
    message_id = int(reference["message_id"])
    original = channel.messages.get(message_id)
    if original is None or original.only_for is not None:
        if reference.get("fail_if_not_exists", True):
            raise invalid("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
        return None, None
    if P.READ_MESSAGE_HISTORY not in world.may(channel):
        raise refused(50013)
    kept: Json = {"type": 0, "message_id": str(message_id), "channel_id": str(channel.id)}
    return kept | ({"guild_id": str(channel.guild.id)} if channel.guild else {}), original

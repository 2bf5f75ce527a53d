"""Reading messages: whose they are, which conversation they belong to, and what was written before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from adapters.discord.atlas import Atlas
from adapters.discord.inbound import DIRECT, is_human_message, replied_to, to_edit, to_key, to_message
from adapters.discord.places import Place
from adapters.discord.rest import Refused, Rest
from adapters.discord.threads import Threads
from bot.messages import IncomingMessage, MessageEdited, ThreadKey

log = structlog.get_logger(__name__)

Json = dict[str, Any]

EARLIER_LIMIT = 50
_MESSAGES = "/channels/{channel_id}/messages"
_STARTER = 21


class Reader:
    """Makes events of messages, whether they came through the gateway or were read."""

    def __init__(self, rest: Rest, atlas: Atlas, threads: Threads) -> None:
        self._rest = rest
        self._atlas = atlas
        self._threads = threads

    async def message(self, data: Json) -> IncomingMessage | None:
        """A message of a person; nothing when it is not one, or stands where we may not look."""
        if not is_human_message(data, await self._rest.me()):
            return None
        place = await self.place(str(data["channel_id"]))
        if place is None:
            return None
        me = await self._atlas.me(place.guild)
        key = await self.key(place, str(data["id"]), replies_to=replied_to(data, me.id))
        author = await self._atlas.person(data["author"], data.get("member"), place.guild)
        return to_message(data, place, key, author, me)

    async def edit(self, data: Json) -> MessageEdited | None:
        """Another text of a person's message; nothing when it is not that."""
        if "author" not in data or not is_human_message(data, await self._rest.me()):
            return None
        place = await self.place(str(data["channel_id"]))
        if place is None:
            return None
        key = await self.key(place, str(data["id"]), replies_to=str(data["id"]))
        author = await self._atlas.person(data["author"], data.get("member"), place.guild)
        return to_edit(data, key, author, await self._atlas.me(place.guild))

    async def key(self, place: Place, root: str, *, replies_to: str = "") -> ThreadKey:
        """The conversation that goes on in a place; without one, the conversation that `root` begins.

        Args:
            replies_to: a message of a conversation that had to stay in a channel, if it is one.
        """
        if place.kind.is_thread:
            key = to_key(place, root, await self._threads.register.conversation(place.id, root))
            await self._threads.register.meet(key, place.id, private=not place.audience.is_overheard)
            return key
        register = self._threads.register
        known = await register.conversation_of(replies_to) if replies_to and place.guild else None
        if known is not None and root != replies_to:  # something new in the conversation, if it is here still
            where = await register.place(known)
            if where is not None and where.private:
                return to_key(place, root)
            await register.note(root, known)
        return to_key(place, root, known)

    async def place(self, channel: str) -> Place | None:
        """What and where a channel is; nothing when we may not look at it."""
        try:
            return await self._atlas.place(channel)
        except Refused as refused:
            log.info("discord_channel_hidden", code=refused.code)
            return None

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """What people wrote in a thread before a message: oldest first, the newest kept.

        Raises:
            Refused, Transient: it cannot be read.
        """
        where = await self._threads.register.place(thread)
        if thread.space == DIRECT or where is None or not where.is_thread or not before.isdecimal():
            return ()
        read = await self._rest.request(
            "GET", _MESSAGES, channel_id=where.channel, query={"before": before, "limit": EARLIER_LIMIT}
        )
        place = await self._atlas.place(where.channel)
        me = await self._atlas.me(place.guild)
        found = []
        for raw in sorted(read, key=lambda message: int(message["id"])):
            # The message that a thread was made from stands in its parent; the thread holds a pointer to it.
            is_pointer = int(raw.get("type", 0)) == _STARTER
            data = (raw.get("referenced_message") or raw) if is_pointer else raw
            if is_human_message(data, me.id) and str(data["id"]) != before:
                author = await self._atlas.person(data["author"], None, place.guild)
                found.append(to_message({"channel_id": where.channel, **data}, place, thread, author, me))
        return found[-EARLIER_LIMIT:]

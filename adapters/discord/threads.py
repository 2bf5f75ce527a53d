"""Which of Discord's threads is which conversation, and how a conversation gets a thread of its own.

A conversation is named by what began it; Discord's thread is made later, by the worker that answers first. Both
directions are kept in shared state before anything is posted, so that no message in a thread of ours is a stranger's.

| key                  | holds |
|----------------------|-------|
| `thread/<thread id>` | the conversation of a thread, where it does not follow from the thread itself |
| `former/<thread id>` | the conversations that went on in it before and moved to a private thread, oldest first |
| `place/<key>`        | where a conversation is answered: a thread, or the channel or direct messages in its stead |
| `origin/<key>`       | how a conversation began that no message began (`Origin`) |
| `said/<message id>`  | the conversation of a message in a channel, where there could be no thread |
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec
import structlog

from adapters.discord.inbound import DIRECT
from adapters.discord.render import PLAIN_TITLE, clipped, nonce, render_text, title_of
from adapters.discord.rest import (
    ARCHIVED,
    CANNOT_DM,
    NO_ACCESS,
    NO_PERMISSION,
    THREAD_EXISTS,
    THREAD_LOCKED,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    Refused,
    Rest,
)
from bot.errors import Permanent, Transient
from bot.messages import ThreadKey
from bot.ports import Listening, Resources

log = structlog.get_logger(__name__)

Json = dict[str, Any]

ARCHIVE_MINUTES = 4_320
MAKING_S = 20.0
"""A private thread is made from no message, so nothing but this keeps two processes from making two."""

_CACHED = 10_000
_CLOSED = frozenset({UNKNOWN_CHANNEL, NO_ACCESS, NO_PERMISSION, CANNOT_DM, ARCHIVED, THREAD_LOCKED})
_QUESTION_LIMIT_CHARS = 1_500
_PRIVATE_THREAD = 12


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a conversation began that no message in a channel began.

    Args:
        person: who began it.
        private: it goes on where only the person and the team read along.
        asks: it has no message of its own that a thread could be made from.
    """

    person: str
    private: bool = False
    asks: bool = False


class Venue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a conversation is answered.

    Args:
        channel: id of a thread, channel or direct conversation.
        private: only the customer and the team read along there.
        is_thread: it is a thread; else it stands in for one that could not be made.
    """

    channel: str
    private: bool = False
    is_thread: bool = True


class Threads:
    """The conversations of this token.

    Args:
        keep_s: how long an idle conversation is remembered.
    """

    def __init__(self, rest: Rest, resources: Resources, *, keep_s: float) -> None:
        self._rest = rest
        self._resources = resources
        self._state = resources.state.within("threads")
        self._keep_s = keep_s
        self._seen: OrderedDict[str, ThreadKey] = OrderedDict()

    async def conversation(self, thread: str, message: str = "") -> ThreadKey | None:
        """The conversation that a thread of Discord's was found to be, if it does not follow from the thread.

        Args:
            message: what in the thread is asked about; it may be from before another conversation began there.
        """
        kept = await self._state.get(f"thread/{thread}")
        key = None if kept is None else ThreadKey.parse(kept.decode())
        if key is None or not (message.isdecimal() and key.root.isdecimal()) or int(message) >= int(key.root):
            return key
        former = [ThreadKey.parse(row.decode()) for row in await self._state.read(f"former/{thread}")]
        begun = [one for one in former if int(one.root) <= int(message)]
        return begun[-1] if begun else key

    async def meet(self, key: ThreadKey, thread: str, *, private: bool) -> None:
        """Remember that this conversation goes on in a thread that somebody else made, such as a post in a forum."""
        if self._seen.get(thread) == key:
            self._seen.move_to_end(thread)
            return
        place = Venue(channel=thread, private=private)
        await self._state.compare_and_set(f"place/{key}", None, _encoded(place), ttl_s=self._keep_s)
        self._seen[thread] = key
        if len(self._seen) > _CACHED:
            self._seen.popitem(last=False)

    async def conversation_of(self, message: str) -> ThreadKey | None:
        """The conversation that a message in a channel belongs to, where there could be no thread for it."""
        kept = await self._state.get(f"said/{message}")
        return None if kept is None else ThreadKey.parse(kept.decode())

    async def note(self, message: str, key: ThreadKey) -> None:
        """Remember that a message in a channel belongs to this conversation."""
        await self._state.set(f"said/{message}", str(key).encode(), ttl_s=self._keep_s)

    async def begin(self, key: ThreadKey, origin: Origin) -> None:
        """Remember how a conversation began."""
        await self._state.set(f"origin/{key}", _encoded(origin), ttl_s=self._keep_s)

    async def place(self, key: ThreadKey) -> Venue | None:
        """Where a conversation is answered, if that is known already."""
        if key.space == DIRECT:
            return Venue(channel=key.channel, private=True, is_thread=False)
        kept = await self._state.get(f"place/{key}")
        return None if kept is None else msgspec.json.decode(kept, type=Venue)

    async def settle(self, key: ThreadKey, place: Venue) -> None:
        """Answer a conversation there from now on."""
        if place.is_thread:
            await self._state.set(f"thread/{place.channel}", str(key).encode(), ttl_s=self._keep_s)
        await self._state.set(f"place/{key}", _encoded(place), ttl_s=self._keep_s)

    async def part(self, thread: str, former: ThreadKey, key: ThreadKey) -> None:
        """What is written in this thread from now on belongs to another conversation, named by this moment's id.

        What was written before stays with the former: who takes it back there takes it off that record.
        """
        self._seen.pop(thread, None)
        await self._state.append(f"former/{thread}", str(former).encode(), ttl_s=self._keep_s)
        await self._state.set(f"thread/{thread}", str(key).encode(), ttl_s=self._keep_s)

    async def open(self, key: ThreadKey, person: str, question: str) -> Venue:
        """The place of a conversation; its thread is made when there is none. Only the holder of the lease calls this.

        Args:
            person: whom the thread is for.
            question: what began it, secrets masked.

        Raises:
            Permanent: it can be answered nowhere.
            Transient: it may work later.
        """
        if (place := await self.place(key)) is not None:
            return place
        kept = await self._state.get(f"origin/{key}")
        origin = Origin(person=person) if kept is None else msgspec.json.decode(kept, type=Origin)
        private = origin.private or await self.goes_private(key)
        try:
            thread = await self._make(key, origin, question, private=private)
            place = Venue(channel=thread, private=private)
        except Refused as refused:
            log.warning("discord_no_thread", code=refused.code, channel=key.channel, private=private)
            place = await self._instead(key, origin.person or person, private=private)
        await self.settle(key, place)
        return place

    async def keep_root(self, key: ThreadKey, person: str, question: str) -> None:
        """Make a conversation's public thread while the message that it is made from stands.

        Whoever else makes it at the same time gets the same thread: its id is the message's.

        Raises:
            Permanent, Transient: it was not made.
        """
        if await self.place(key) is None and not await self.goes_private(key):
            await self.open(key, person, question)

    async def goes_private(self, key: ThreadKey) -> bool:
        """Whether what begins in this channel goes on where only the person and the team read along."""
        return (await self._resources.channel_rules(key)).private

    async def hears_all(self, key: ThreadKey) -> bool:
        """Whether every message in this channel, or post in this forum, begins a conversation."""
        return (await self._resources.channel_rules(key)).listening is Listening.EVERYTHING

    async def welcome(self, place: Venue, person: str) -> None:
        """Let a person see a thread of ours and hear of what is written there; repeating it changes nothing."""
        if place.is_thread:
            await self._add(place.channel, person)

    async def private(self, key: ThreadKey, person: str, title: str) -> Venue:
        """A private thread with this person, in which the conversation goes on.

        Raises:
            Permanent, Transient: there can be none.
        """
        await self._alone(key)
        try:
            thread = await self._private(key.channel, title)
        except Refused:
            await self._state.delete(f"making/{key}")
            raise
        place = Venue(channel=thread, private=True)
        await self.settle(key, place)
        await self._add(thread, person, needed=True)
        return place

    async def elsewhere(self, key: ThreadKey, place: Venue, person: str, refused: Refused) -> Venue:
        """Another place for a conversation whose own is closed to us: its channel, else direct messages.

        Raises:
            Permanent: there is none.
        """
        log.warning("discord_place_closed", code=refused.code, channel=place.channel)
        if place.is_thread and not place.private:
            found = Venue(channel=key.channel, is_thread=False)
        else:
            try:
                direct = await self.dm(person) if person else place.channel
            except Refused:
                direct = place.channel
            if direct == place.channel:
                raise Permanent(f"undeliverable_{refused.code or refused.status}") from refused
            found = Venue(channel=direct, private=True, is_thread=False)
        await self.settle(key, found)
        return found

    async def dm(self, person: str) -> str:
        """The channel of direct messages with a person.

        Raises:
            Permanent: there can be none.
        """
        channel = await self._rest.request("POST", "/users/@me/channels", json={"recipient_id": person})
        return str(channel["id"])

    async def _make(self, key: ThreadKey, origin: Origin, question: str, *, private: bool) -> str:
        title = title_of(question)
        if private:
            await self._alone(key)
            return await self._private(key.channel, title)
        root = key.root
        if origin.asks:
            root = await self._announce(key, origin.person, question)
        try:
            return await self._from_message(key.channel, root, title)
        except Refused as refused:
            if refused.code != UNKNOWN_MESSAGE or origin.asks:
                raise
            root = await self._announce(key, origin.person, question)  # the question was taken away meanwhile
            return await self._from_message(key.channel, root, title)

    async def _alone(self, key: ThreadKey) -> None:
        """Be the one who makes a conversation's private thread.

        Raises:
            Transient: somebody else does at this moment.
        """
        if not await self._state.compare_and_set(f"making/{key}", None, b"1", ttl_s=MAKING_S):
            raise Transient("discord_thread_in_making", retry_after_s=1.0)

    async def _from_message(self, channel: str, message: str, title: str) -> str:
        try:
            made = await self._rest.request(
                "POST",
                "/channels/{channel_id}/messages/{message_id}/threads",
                channel_id=channel,
                message_id=message,
                json={"name": title, "auto_archive_duration": ARCHIVE_MINUTES},
            )
        except Refused as refused:
            if refused.code == THREAD_EXISTS:
                return message  # a thread has the id of the message that it was made from
            if refused.is_filtered and title != PLAIN_TITLE:
                return await self._from_message(channel, message, PLAIN_TITLE)
            raise
        return str(made["id"])

    async def _announce(self, key: ThreadKey, person: str, question: str) -> str:
        """The message from which the thread of a command is made; the same one however often this is tried."""
        # Words that a stranger puts into our mouth lead nowhere that they do not name.
        shown = clipped(question, _QUESTION_LIMIT_CHARS).replace("](", "] (").replace("\n", "\n> ")
        try:
            return await self._begun(key, render_text(f"<@{person}> asks:\n> {shown}", addressee=person))
        except Refused as refused:
            if not refused.is_filtered:
                raise
        return await self._begun(key, render_text(f"<@{person}> asks support.", addressee=person))

    async def _begun(self, key: ThreadKey, body: Json) -> str:
        body |= {"nonce": nonce("begin", key), "enforce_nonce": True}
        message = await self._rest.request("POST", "/channels/{channel_id}/messages", channel_id=key.channel, json=body)
        return str(message["id"])

    async def _private(self, channel: str, title: str) -> str:
        body = {
            "name": title,
            "type": _PRIVATE_THREAD,
            "invitable": False,
            "auto_archive_duration": ARCHIVE_MINUTES,
        }
        try:
            made = await self._rest.request("POST", "/channels/{channel_id}/threads", channel_id=channel, json=body)
        except Refused as refused:
            if refused.is_filtered and title != PLAIN_TITLE:
                return await self._private(channel, PLAIN_TITLE)
            raise
        return str(made["id"])

    async def _instead(self, key: ThreadKey, person: str, *, private: bool) -> Venue:
        """Where to answer when there can be no thread: the channel itself, or direct messages.

        Raises:
            Permanent: neither is possible.
        """
        if not private:
            return Venue(channel=key.channel, is_thread=False)
        try:
            return Venue(channel=await self.dm(person), private=True, is_thread=False)
        except Refused as refused:
            raise Permanent(f"undeliverable_{refused.code}") from refused

    async def _add(self, thread: str, person: str, *, needed: bool = False) -> None:
        if not person:
            return
        try:
            await self._rest.request(
                "PUT", "/channels/{channel_id}/thread-members/{user_id}", channel_id=thread, user_id=person
            )
        except Refused as refused:
            if needed:
                raise
            log.info("discord_member_not_added", code=refused.code)


def is_closed(refused: Refused) -> bool:
    """Whether nothing can be posted in a place, so that another one has to be found."""
    return refused.status in (403, 404) or refused.code in _CLOSED


def _encoded(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value)

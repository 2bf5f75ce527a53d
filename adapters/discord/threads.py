"""How a conversation gets a thread of Discord's, and where it goes when it can have none.

A conversation is named by what began it; its thread is made later, by the worker that answers first. Both directions
are registered before anything is posted, so that no message in a thread of ours is a stranger's.
"""

from __future__ import annotations

from typing import Any

import structlog

from adapters.discord.register import Origin, Register, Venue
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

_CLOSED = frozenset({UNKNOWN_CHANNEL, NO_ACCESS, NO_PERMISSION, CANNOT_DM, ARCHIVED, THREAD_LOCKED})
_QUESTION_LIMIT_CHARS = 1_500
_PRIVATE_THREAD = 12


class Threads:
    """The conversations of this token.

    Args:
        keep_s: how long an idle conversation is remembered.
    """

    def __init__(self, rest: Rest, resources: Resources, *, keep_s: float) -> None:
        self._rest = rest
        self._resources = resources
        self._state = resources.state.within("threads")
        self.register = Register(self._state, keep_s=keep_s)

    async def open(self, key: ThreadKey, person: str, question: str) -> Venue:
        """The place of a conversation; its thread is made when there is none. Only the holder of the lease calls this.

        Args:
            person: whom the thread is for.
            question: what began it, secrets masked.

        Raises:
            Permanent: it can be answered nowhere.
            Transient: it may work later.
        """
        if (place := await self.register.place(key)) is not None:
            return place
        origin = await self.register.origin(key) or Origin(person=person)
        private = origin.private or await self.goes_private(key)
        try:
            thread = await self._make(key, origin, question, private=private)
            place = Venue(channel=thread, private=private)
        except Refused as refused:
            log.warning("discord_no_thread", code=refused.code, channel=key.channel, private=private)
            place = await self._instead(key, origin.person or person, private=private)
        await self.register.settle(key, place)
        return place

    async def keep_root(self, key: ThreadKey, person: str, question: str) -> None:
        """Make a conversation's public thread while the message that it is made from stands.

        Whoever else makes it at the same time gets the same thread: its id is the message's.

        Raises:
            Permanent, Transient: it was not made.
        """
        if await self.register.place(key) is None and not await self.goes_private(key):
            await self.open(key, person, question)

    async def goes_private(self, key: ThreadKey) -> bool:
        """Whether what begins in this channel goes on where only the person and the team read along."""
        return (await self._resources.channel_rules(key)).private

    async def hears_all(self, key: ThreadKey) -> bool:
        """Whether every message in this channel, or post in this forum, begins a conversation."""
        return (await self._resources.channel_rules(key)).listening is Listening.EVERYTHING

    async def welcome(self, place: Venue, person: str) -> None:
        """Let a person see a thread of ours and hear of what is written there; repeating it changes nothing.

        Raises:
            Refused: they cannot see it, as nobody but the team can who was not let in.
        """
        if place.is_thread:
            await self._add(place.channel, person, needed=place.private)

    async def private(self, key: ThreadKey, person: str, title: str) -> Venue:
        """A private thread with this person, in which the conversation goes on.

        Raises:
            Permanent, Transient: there can be none.
        """
        await self._alone(key)
        thread = await self._private(key.channel, title)
        place = Venue(channel=thread, private=True)
        await self._add(thread, person, needed=True)  # first: nothing moves to where the person is not
        await self.register.settle(key, place)
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
        await self.register.settle(key, found)
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

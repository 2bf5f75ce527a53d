"""The messages of one turn's answer: each posted once, wherever it can stand, and edited then.

A message whose id was stored is edited; one that may or may not have been posted is found again by its nonce or, when
Discord has forgotten that, by looking.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.discord.register import Venue
from adapters.discord.render import Part, is_of_turn, nonce, reads
from adapters.discord.rest import (
    ARCHIVED,
    EDITED_TOO_OFTEN,
    THREAD_LOCKED,
    UNKNOWN_MESSAGE,
    Refused,
    Rest,
    route_of,
)
from adapters.discord.threads import Threads, is_closed
from bot.conversation import AssistantTurn, NoteTurn, UserTurn
from bot.errors import Permanent
from bot.ports import Lease

log = structlog.get_logger(__name__)

Json = dict[str, Any]

OWNER_S = 2.0
"""How long a process may trust that a thread is still its own before it shows more."""

OWNER = "owner"
"""A reference that is no message: keeping it is how a process hears that it may."""

NONCE_S = 120.0
"""Discord keeps nonces for "a few minutes"; after this time a message is looked for instead."""

_LOOKED_AT = 50
_EDIT = "/channels/{channel_id}/messages/{message_id}"
_POST = "/channels/{channel_id}/messages"
_WRITES = (("PATCH", _EDIT), ("POST", _POST))


class Delivery:
    """Where the answer of a turn stands, message by message."""

    def __init__(self, rest: Rest, threads: Threads, lease: Lease) -> None:
        self._rest = rest
        self._threads = threads
        self._lease = lease
        self.addressee, self._question, self._message = _asked(lease)
        self._begun_at = _committed_at(lease)
        self._place: Venue | None = None
        self._shown: dict[int, Json] = {}
        self._generations: dict[int, int] = {}
        self._owned_at = time.monotonic()

    async def open(self) -> Venue:
        """Where the answer goes; its thread is made when there is none."""
        if self._place is None:
            key, person = self._lease.thread, self.addressee
            self._place = await self._threads.open(key, person, self._question)
            if self._lease.turn == 1 and self._lease.refs.get("0") is None:
                try:
                    await self._threads.welcome(self._place, person)
                except Refused as refused:
                    self._place = await self._threads.elsewhere(key, self._place, person, refused)
        return self._place

    def reads(self, index: int, body: Json) -> bool:
        """Whether this message of the answer reads so already."""
        return self._shown.get(index) == body

    async def show(self, index: int, body: Json, part: Part) -> None:
        """Make this message of the answer read so: edit it, or post it."""
        if self.reads(index, body):
            return
        ref = self._lease.refs.get(str(index))
        if ref is None or not await self._edit(index, ref, body, part):
            await self._post(index, body, part)
        self._shown[index] = body

    async def pace_s(self) -> float:
        """How long to rest before the next edit or message, so that the limits of the place last."""
        major = (await self.open()).channel
        return max(self._rest.limits.pace_s(route_of(method, path, major)) for method, path in _WRITES)

    async def remove_from(self, index: int) -> None:
        """Take away this message and those behind it: the committed answer does not need them."""
        while (ref := self._lease.refs.get(str(index))) is not None:
            await self._stay_owner()
            channel, message = ref.split("/")
            with suppress(Refused):
                await self._rest.request("DELETE", _EDIT, channel_id=channel, message_id=message)
            index += 1

    async def tell_directly(self, body: Json) -> None:
        """Post something for the addressee where no filter of a server reads it, once.

        Raises:
            Refused: the person takes no direct messages.
        """
        channel = await self._threads.dm(self.addressee)
        named = {"nonce": nonce("direct", self._lease.thread, self._lease.turn), "enforce_nonce": True}
        await self._rest.request("POST", _POST, channel_id=channel, json={**body, **named})

    async def _edit(self, index: int, ref: str, body: Json, part: Part) -> bool:
        """Edit a message; false when it is gone and has to be posted anew."""
        await self._stay_owner()
        channel, message = ref.split("/")
        files = [part.file] if part.file else []
        try:
            try:
                await self._rest.request("PATCH", _EDIT, channel_id=channel, message_id=message, json=body, files=files)
            except Refused as refused:
                if refused.code != ARCHIVED:
                    raise
                await self._rest.request(
                    "PATCH", "/channels/{channel_id}", channel_id=channel, json={"archived": False}
                )
                await self._rest.request("PATCH", _EDIT, channel_id=channel, message_id=message, json=body, files=files)
            return True
        except Refused as refused:
            if refused.status == 400 and refused.code not in (ARCHIVED, THREAD_LOCKED, EDITED_TOO_OFTEN):
                raise
            log.info("discord_message_gone", code=refused.code)
        self._generations[index] = self._generations.get(index, 0) + 1
        return False

    async def _post(self, index: int, body: Json, part: Part) -> None:
        """Post a message once, wherever it can be posted.

        Raises:
            Permanent: nowhere.
        """
        for _ in range(6):  # a deleted first post, then thread, channel, direct messages
            place = await self.open()
            if (found := await self._posted(index, place, part)) is not None:
                await self._keep(index, place, found)
                if not await self._edit(index, f"{place.channel}/{found}", body, part):
                    continue
                return
            await self._stay_owner()
            generation = self._generations.get(index, 0)
            named = {"nonce": nonce(self._lease.thread, self._lease.turn, index, generation), "enforce_nonce": True}
            try:
                message = await self._rest.request(
                    "POST",
                    _POST,
                    channel_id=place.channel,
                    json={**body, **named, **self._reference(index, place)},
                    files=[part.file] if part.file else [],
                )
            except Refused as refused:
                if refused.code == UNKNOWN_MESSAGE and generation < 3:  # posted with this nonce, and deleted
                    self._generations[index] = generation + 1
                elif is_closed(refused):
                    key, person = self._lease.thread, self.addressee
                    self._place = await self._threads.elsewhere(key, place, person, refused)
                else:
                    raise
                continue
            await self._keep(index, place, str(message["id"]))
            if not reads(message, body):  # the nonce gave back what an earlier try had posted
                await self._edit(index, f"{place.channel}/{message['id']}", body, part)
            return
        raise Permanent("undeliverable")

    async def _keep(self, index: int, place: Venue, message: str) -> None:
        await self._lease.refs.put(str(index), f"{place.channel}/{message}")
        self._owned_at = time.monotonic()
        if not place.is_thread and not place.private:
            await self._threads.register.note(message, self._lease.thread)

    async def _stay_owner(self) -> None:
        """Ask whether the thread is ours still, if that was last heard a while ago: this process may have been paused.

        Raises:
            LeaseLost: it is not; the answer is another worker's.
        """
        if time.monotonic() - self._owned_at > OWNER_S:
            await self._lease.refs.put(OWNER, self._lease.token)
            self._owned_at = time.monotonic()

    def _reference(self, index: int, place: Venue) -> Json:
        """Reply to the question where it stands in the same place; a question that is gone fails nothing."""
        key = self._lease.thread
        if index > 0 or not self._message.isdecimal() or (place.is_thread and self._message == key.root):
            return {}
        if place.channel != key.channel and not place.is_thread:
            return {}
        return {"message_reference": {"message_id": self._message, "fail_if_not_exists": False}}

    async def _posted(self, index: int, place: Venue, part: Part) -> str | None:
        """What an earlier holder of the thread posted for this part, when its nonce may be forgotten."""
        if (datetime.now(UTC) - self._begun_at).total_seconds() < NONCE_S:
            return None
        me = await self._rest.me()
        after = self._message if self._message.isdecimal() else self._lease.thread.root
        try:
            messages = await self._rest.request(
                "GET", _POST, channel_id=place.channel, query={"after": after, "limit": _LOOKED_AT}
            )
        except Refused:
            return None
        known = {self._lease.refs.get(str(other)) for other in range(index + 2)}
        for message in sorted(messages, key=lambda message: int(message["id"])):
            if str(message["author"]["id"]) != me or f"{place.channel}/{message['id']}" in known:
                continue
            content = str(message.get("content", "")).strip()
            is_marked = index == 0 and is_of_turn(message, self._lease.thread, self._lease.turn)
            if is_marked or (content and part.content.strip().startswith(content)):
                return str(message["id"])
        return None


def _asked(lease: Lease) -> tuple[str, str, str]:
    """Who is answered, the question (secrets masked), and the id of its last message."""
    person = question = message = ""
    for entry in lease.mail:
        turn = entry.turn
        if isinstance(turn, UserTurn):
            person, message = turn.author.id, turn.message_ids[-1] if turn.message_ids else message
            question = question or turn.text
        elif isinstance(turn, NoteTurn):
            person = person or turn.author.id
    return person, question, message


def _committed_at(lease: Lease) -> datetime:
    """When posting may first have been tried: at the commit of a reply that is delivered again, else now."""
    if lease.attempt > 1 or lease.committed is not None:
        times = [entry.turn.at for entry in lease.mail if isinstance(entry.turn, AssistantTurn | UserTurn)]
        if times:
            return times[-1]
    return datetime.now(UTC)

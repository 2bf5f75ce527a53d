"""What people write, on its way from the gateway to intake."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.discord.atlas import Atlas
from adapters.discord.inbound import (
    PLATFORM,
    Place,
    is_human_message,
    to_deletion,
    to_edit,
    to_key,
    to_message,
)
from adapters.discord.render import nonce, render_text
from adapters.discord.rest import Refused, Rest
from adapters.discord.threads import Threads
from bot.errors import Permanent, Transient
from bot.messages import Event, IncomingMessage, ThreadKey
from bot.ports import Intake, Outcome, SharedState, Verdict

log = structlog.get_logger(__name__)

Json = dict[str, Any]

AGAIN_S = (0.2, 1.0, 5.0)
"""Pauses while what happened cannot be stored; the gateway sends nothing twice, so it is kept until it can be."""

TOLD_S = 60.0
"""Somebody whose messages are refused is told so once in this time."""

TAKEN_AWAY_S = 3_600.0


class Reception:
    """Takes messages, their changes and their end.

    Args:
        state: the adapter's own; remembers how far a channel was read.
        keep_s: how long that is remembered.
    """

    def __init__(
        self, rest: Rest, atlas: Atlas, threads: Threads, state: SharedState, intake: Intake, *, keep_s: float
    ) -> None:
        self._rest = rest
        self._atlas = atlas
        self._threads = threads
        self._state = state
        self._intake = intake
        self._keep_s = keep_s

    async def message(self, data: Json) -> None:
        """Take a message, live or read again."""
        if not is_human_message(data, await self._rest.me()):
            return
        event = await self._to_event(data)
        if event is None:
            return
        outcome = await self.bring(event)
        await self._state.set(f"cursor/{data['channel_id']}", str(data["id"]).encode(), ttl_s=self._keep_s)
        if outcome.secrets and event.audience.is_overheard:
            await self.take_away(str(data["channel_id"]), event.message_id)
        if outcome.verdict in (Verdict.BUSY, Verdict.REFUSED) and outcome.text:
            await self._tell(str(data["channel_id"]), event, outcome.text)

    async def edited(self, data: Json) -> None:
        """Take the new text of a message."""
        if "author" not in data or not is_human_message(data, await self._rest.me()):
            return
        place = await self._place(str(data["channel_id"]))
        if place is None:
            return
        key = await self._key(place, str(data["id"]))
        author = await self._atlas.person(data["author"], data.get("member"), place.guild)
        event = to_edit(data, key, author, await self._atlas.me(place.guild))
        if event is None:
            return
        outcome = await self.bring(event)
        if outcome.secrets and place.audience.is_overheard:
            await self.take_away(place.id, event.message_id)

    async def deleted(self, channel: str, message: str) -> None:
        """Forget a message, unless it was us who took it off the screen."""
        if await self._state.get(f"taken/{message}") is not None:
            return
        place = await self._place(channel)
        if place is not None:
            await self.bring(to_deletion(message, await self._key(place, message), datetime.now(UTC)))

    async def bring(self, event: Event) -> Outcome:
        """Hand an event to intake, as often as it takes."""
        tries = 0
        while True:
            try:
                return await self._intake(event)
            except Transient as failure:
                log.warning("discord_event_waits", kind=type(event).__name__, reason=failure.reason)
                await asyncio.sleep(failure.retry_after_s or AGAIN_S[min(tries, len(AGAIN_S) - 1)])
                tries += 1

    async def take_away(self, channel: str, message: str) -> bool:
        """Delete a message off the screen where the bot may; what was said stays on the record."""
        await self._state.set(f"taken/{message}", b"1", ttl_s=TAKEN_AWAY_S)
        try:
            await self._rest.request(
                "DELETE", "/channels/{channel_id}/messages/{message_id}", channel_id=channel, message_id=message
            )
        except Refused as refused:
            if refused.status == 404:
                return True
            await self._state.delete(f"taken/{message}")
            log.info("discord_message_kept", code=refused.code)
            return False
        return True

    async def _to_event(self, data: Json) -> IncomingMessage | None:
        place = await self._place(str(data["channel_id"]))
        if place is None:
            return None
        key = await self._key(place, str(data["id"]))
        author = await self._atlas.person(data["author"], data.get("member"), place.guild)
        return to_message(data, place, key, author, await self._atlas.me(place.guild))

    async def _key(self, place: Place, message: str) -> ThreadKey:
        if not place.kind.is_thread:
            return to_key(place, message)
        key = to_key(place, message, await self._threads.conversation(place.id))
        await self._threads.meet(key, place.id, private=not place.audience.is_overheard)
        return key

    async def _place(self, channel: str) -> Place | None:
        try:
            return await self._atlas.place(channel)
        except Refused as refused:
            log.info("discord_channel_hidden", code=refused.code)
            return None

    async def _tell(self, channel: str, event: IncomingMessage, text: str) -> None:
        """Tell an author why a message was not taken: not often, and without a mention of anybody else."""
        who = f"told/{channel}/{event.author.id}"
        if not await self._state.compare_and_set(who, None, b"1", ttl_s=TOLD_S):
            return
        body = render_text(text, addressee=event.author.id)
        body |= {
            "message_reference": {"message_id": event.message_id, "fail_if_not_exists": False},
            "nonce": nonce(PLATFORM, "told", event.message_id),
            "enforce_nonce": True,
        }
        try:
            await self._rest.request("POST", "/channels/{channel_id}/messages", channel_id=channel, json=body)
        except (Permanent, Transient) as failure:
            log.info("discord_not_told", reason=failure.reason)

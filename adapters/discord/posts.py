"""What the desk itself posts: sentences, cards for the team, ways to a form; and what it takes off the screen.

Where a filter of the server lets the words of a post not stand, others stand there that say so, or the person reads
them directly; a filter that takes these, too, is told to whoever asked for the post.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from adapters.discord.inbound import DIRECT
from adapters.discord.render import (
    HELD_BACK,
    MILD_CARD,
    MILD_TITLE,
    link_to,
    nonce,
    render_card,
    render_mild_offer,
    render_offer,
    render_text,
    to_parts,
)
from adapters.discord.rest import ARCHIVED, EDITED_TOO_OFTEN, NO_PERMISSION, UNKNOWN_MESSAGE, Refused, Rest
from adapters.discord.threads import Threads, is_closed
from bot.conversation import UserTurn
from bot.errors import Permanent
from bot.messages import Person, ThreadKey
from bot.ports import Card, Form, Resources

log = structlog.get_logger(__name__)

Json = dict[str, Any]

FORM_S = 24 * 3_600.0
TAKEN_AWAY_S = 3_600.0
OFFER_AGAIN_S = 60.0
"""A form that is offered again within this time is the same offer, made twice by a crash."""

_POST = "/channels/{channel_id}/messages"
_ONE = "/channels/{channel_id}/messages/{message_id}"


class OpenForm(msgspec.Struct, frozen=True, kw_only=True):
    """A form that was offered; it opens and counts whichever process runs, for this person alone."""

    thread: str
    person: str
    title: str
    fields: Mapping[str, str]


class ShownCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card that stands somewhere, and the conversation that its buttons act on."""

    thread: str
    channel: str
    message: str = ""
    generation: int = 0


class Posts:
    """Posts of the desk's own.

    Args:
        handover_channel: where the team is told; empty: nowhere.
        keep_s: how long posts are remembered, so that none is made twice.
    """

    def __init__(
        self, rest: Rest, threads: Threads, resources: Resources, *, handover_channel: str, keep_s: float
    ) -> None:
        self._rest = rest
        self._threads = threads
        self._mailbox = resources.mailbox
        self._state = resources.state.within("posts")
        self._handover_channel = handover_channel
        self._keep_s = keep_s

    async def say(self, thread: ThreadKey, text: str, key: str) -> None:
        """Post a sentence in a conversation, once per key.

        Raises:
            Transient, Permanent: it was not said.
        """
        said = f"said/{thread}/{key}"
        if await self._state.get(said) is not None:
            return
        for index, part in enumerate(to_parts(text)):
            body, mild = render_text(part.content), render_text(HELD_BACK)
            await self._post_in(thread, body, nonce("say", thread, key, index), mild=mild)
        await self._state.set(said, b"1", ttl_s=self._keep_s)

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """Put a way to a form before a person.

        Raises:
            Transient, Permanent: it was not offered.
        """
        kept = OpenForm(thread=str(thread), person=person.id, title=form.title, fields=form.fields)
        await self._state.set(f"form/{form.id}", msgspec.json.encode(kept), ttl_s=FORM_S)
        if not await self._state.compare_and_set(f"offered/{form.id}", None, b"1", ttl_s=OFFER_AGAIN_S):
            return
        try:
            when = int(time.time() // OFFER_AGAIN_S)
            body, mild = render_offer(form, person.id), render_mild_offer(form, person.id)
            await self._post_in(thread, body, nonce("offer", form.id, when), person.id, mild=mild)
        except BaseException:
            await self._state.delete(f"offered/{form.id}")
            raise

    async def form(self, form_id: str) -> OpenForm | None:
        """A form that was offered."""
        kept = await self._state.get(f"form/{form_id}")
        return None if kept is None else msgspec.json.decode(kept, type=OpenForm)

    async def notify(self, place: str, card: Card) -> None:
        """Show the team a card, or change the one that stands there.

        Raises:
            Transient, Permanent: nobody was told.
        """
        channel = place or self._handover_channel
        if not channel:
            raise Permanent("no_handover_channel")
        digest = nonce("card", channel, card.key)
        kept = await self._state.get(f"card/{digest}")
        shown = (
            ShownCard(thread=str(card.thread), channel=channel)
            if kept is None
            else msgspec.structs.replace(msgspec.json.decode(kept, type=ShownCard), thread=str(card.thread))
        )
        link = await self.link(card.thread)
        try:
            await self._show(shown, digest, card.key, render_card(card, digest, link))
        except Refused as refused:
            if not refused.is_filtered:
                raise
            log.warning("discord_card_filtered", code=refused.code)
            mild = dataclasses.replace(card, title=MILD_TITLE, text=MILD_CARD)
            await self._show(shown, digest, card.key, render_card(mild, digest, link))

    async def _show(self, shown: ShownCard, digest: str, key: str, body: Json) -> None:
        """Change a card that stands, or post it."""
        if shown.message:
            if await self._changed(shown.channel, shown.message, body):
                await self._keep_card(digest, shown)
                return
            shown = msgspec.structs.replace(shown, message="", generation=shown.generation + 1)
        await self._keep_card(digest, shown)  # before it is posted: its buttons work from the first moment
        message = await self.post(shown.channel, body, nonce("card", shown.channel, key, shown.generation))
        await self._keep_card(digest, msgspec.structs.replace(shown, message=message))

    async def link(self, thread: ThreadKey) -> str:
        """Where members of a server open a conversation; empty for a direct one, and while it has no place."""
        where = await self._threads.register.place(thread)
        return link_to(thread.space, where.channel) if where is not None and thread.space != DIRECT else ""

    async def card(self, digest: str) -> ShownCard | None:
        """A card by the digest that its buttons carry."""
        kept = await self._state.get(f"card/{digest}")
        return None if kept is None else msgspec.json.decode(kept, type=ShownCard)

    async def direct(self, thread: ThreadKey, person: str, text: str) -> None:
        """Tell one person something: where only they read along, else by direct message.

        Raises:
            Transient, Permanent: they were not told.
        """
        place = await self._threads.register.place(thread)
        channel = place.channel if place is not None and place.private else ""
        for part in to_parts(text):
            body = render_text(part.content, addressee=person)
            if not channel or not await self._stands(channel, body):
                await self.post(await self._threads.dm(person), body)

    async def greet(self, channel: str, text: str, person: str, name: str) -> None:
        """Post the first words of a private thread, which call the person there."""
        if not await self._stands(channel, render_text(text, addressee=person), nonce("greet", name)):
            await self._stands(channel, render_text(f"<@{person}>", addressee=person), nonce("call", name))

    async def reply(self, channel: str, message: str, person: str, text: str) -> None:
        """Tell the author of a message something below it, else directly.

        Raises:
            Transient, Permanent: they were not told.
        """
        body = render_text(text, addressee=person)
        below = {**body, "message_reference": {"message_id": message, "fail_if_not_exists": False}}
        if not await self._stands(channel, below, nonce("told", message)):
            await self.post(await self._threads.dm(person), body, nonce("told", message, "directly"))

    async def delete(self, thread: ThreadKey, message: str) -> bool:
        """Take a person's message off the screen; whether it is gone."""
        place = await self._threads.register.place(thread)
        channels = dict.fromkeys(([place.channel] if place else []) + [thread.channel])
        if message == thread.root:  # it stands in the channel that the thread belongs to
            channels = dict.fromkeys(reversed(channels))
        gone = False
        for channel in channels:
            status = await self.take_away(channel, message)
            if status == 204:
                return True
            gone = gone or status == 404
            if status == 403:
                return False
        return gone

    async def take_away(self, channel: str, message: str) -> int:
        """Delete a message here if the bot may: 204 for deleted, 404 for not there, 403 for forbidden."""
        await self._state.set(f"taken/{message}", b"1", ttl_s=TAKEN_AWAY_S)
        try:
            await self._rest.request("DELETE", _ONE, channel_id=channel, message_id=message)
        except Refused as refused:
            await self._state.delete(f"taken/{message}")
            if refused.status == 404:
                return 404
            log.info("discord_message_kept", code=refused.code)
            return 403
        return 204

    async def was_taken(self, message: str) -> bool:
        """Whether it was us who deleted a message; what was said in it stays on the record."""
        return await self._state.get(f"taken/{message}") is not None

    async def post(self, channel: str, body: Json, name: str = "") -> str:
        """Post a message; with a name once, within the minutes for which Discord remembers names."""
        named = {"nonce": name, "enforce_nonce": True} if name else {}
        message = await self._rest.request("POST", _POST, channel_id=channel, json={**body, **named})
        return str(message["id"])

    async def _stands(self, channel: str, body: Json, name: str = "") -> bool:
        """Post a message; false where the place is closed or a filter takes the words."""
        try:
            await self.post(channel, body, name)
        except Refused as refused:
            if not refused.is_filtered and not is_closed(refused):
                raise
            log.warning("discord_not_posted_here", code=refused.code)
            return False
        return True

    async def _post_in(self, thread: ThreadKey, body: Json, name: str, person: str = "", *, mild: Json) -> None:
        """Post in a conversation, wherever it can go on.

        Args:
            mild: what stands there when a filter takes the words of `body`, which the person is told directly only
                when it takes these, too.

        Raises:
            Permanent: nowhere.
        """
        asker, question = await self._asked(thread) if await self._threads.register.place(thread) is None else ("", "")
        place = await self._threads.open(thread, person or asker, question)
        while True:  # a thread, its channel, direct messages
            try:
                await self.post(place.channel, body, name)
            except Refused as refused:
                who = person or (await self._asked(thread))[0]
                if refused.is_filtered:
                    log.warning("discord_words_filtered", code=refused.code)
                    if not await self._stands(place.channel, mild, nonce("mild", name)):
                        await self.post(await self._threads.dm(who), body, nonce("directly", name))
                    return
                if not is_closed(refused):
                    raise
                place = await self._threads.elsewhere(thread, place, who, refused)
            else:
                return

    async def _asked(self, thread: ThreadKey) -> tuple[str, str]:
        """Who began a conversation, and with what, secrets masked."""
        for entry in (*(await self._mailbox.load(thread)).entries, *await self._mailbox.inbox(thread)):
            if isinstance(entry.turn, UserTurn):
                return entry.turn.author.id, entry.turn.text
        return "", ""

    async def _changed(self, channel: str, message: str, body: Json) -> bool:
        """Edit a message; false when it cannot be edited any more."""
        try:
            await self._rest.request("PATCH", _ONE, channel_id=channel, message_id=message, json=body)
        except Refused as refused:
            if refused.status == 404 or refused.code in (UNKNOWN_MESSAGE, EDITED_TOO_OFTEN, ARCHIVED, NO_PERMISSION):
                return False
            raise
        return True

    async def _keep_card(self, digest: str, card: ShownCard) -> None:
        await self._state.set(f"card/{digest}", msgspec.json.encode(card), ttl_s=self._keep_s)

"""The answer of one turn on its way to Discord: posted once, then edited.

The text is shown by a task of its own. It has one request under way at a time, always with the latest text, and rests
between two of them for as long as the rate limit of the place asks. `close` makes what is shown the committed answer;
a message whose id was stored is edited, and one that may or may not have been posted is found again by its nonce or,
when Discord has forgotten that, by looking.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.discord.render import (
    CONTENT_LIMIT_CHARS,
    PARTS_LIMIT,
    Part,
    is_of_turn,
    nonce,
    render_answer_buttons,
    render_part,
    render_stop_button,
    render_text,
    to_parts,
)
from adapters.discord.rest import (
    ARCHIVED,
    AUTOMOD,
    EDITED_TOO_OFTEN,
    LINK_FILTER,
    THREAD_LOCKED,
    UNKNOWN_MESSAGE,
    Refused,
    Rest,
    route_of,
)
from adapters.discord.threads import Threads, Venue, is_closed
from bot.conversation import AssistantTurn, NoteTurn, UserTurn
from bot.errors import LeaseLost, Permanent, Transient
from bot.ports import Activity, Lease, Reply, ToolStarted
from bot.tasks import end

log = structlog.get_logger(__name__)

Json = dict[str, Any]

PACE_S = 0.25
"""Least time between two edits: faster than this nobody reads."""

TYPING_S = 8.0
"""Discord shows that somebody types for ten seconds."""

TYPING_AT_MOST_S = 3.0
OWNER_S = 2.0
"""How long a process may trust that a thread is still its own before it shows more."""

OWNER = "owner"
"""A reference that is no message: keeping it is how a process hears that it may."""

NONCE_S = 120.0
"""Discord keeps nonces for "a few minutes"; after this time a message is looked for instead."""

HELD_BACK = "This server's filters held my answer back. Please write to me in a direct message, or tell a moderator."

LAST_WRITE_S = 10.0
LIVE_CHARS = (PARTS_LIMIT + 1) * CONTENT_LIMIT_CHARS
"""What is looked at of an answer that is being written: what comes after it will stand in a file."""
_LOOKED_AT = 50
_EDIT = "/channels/{channel_id}/messages/{message_id}"
_POST = "/channels/{channel_id}/messages"


class DiscordReply:
    """Writes at the pace of the place; only `close` must arrive."""

    def __init__(self, rest: Rest, threads: Threads, lease: Lease) -> None:
        self._rest = rest
        self._threads = threads
        self._lease = lease
        self._addressee, self._question, self._message = _asked(lease)
        self._begun_at = _committed_at(lease)
        self._place: Venue | None = None
        self._text = ""
        self._shown: dict[int, Json] = {}
        self._generations: dict[int, int] = {}
        self._tools = 0
        self._owned_at = time.monotonic()
        self._types = True
        self._ending = asyncio.Event()
        self._wake = asyncio.Event()
        self._wake.set()
        name = f"discord-reply-{lease.thread.root}-{lease.turn}"
        self._task = asyncio.create_task(self._write(), name=name)

    def append(self, delta: str) -> None:
        """Show more text, soon."""
        self._text += delta
        self._wake.set()

    def status(self, activity: Activity) -> None:
        """Type while tools run."""
        self._tools += 1 if isinstance(activity, ToolStarted) else -1
        if self._tools > 0:
            self._wake.set()

    async def close(self, reply: Reply) -> None:
        """Make what is shown the committed answer; repeating it changes nothing.

        Raises:
            Transient: not delivered; it is delivered again by whoever holds the thread then.
            Permanent: it can be delivered nowhere.
            LeaseLost: another worker does it.
        """
        await self._end_writing()
        parts = to_parts(reply.text) if reply.text.strip() else []
        for index, part in enumerate(parts):
            body = render_part(part, addressee=reply.addressee)
            if index == len(parts) - 1:
                body["components"] = self._buttons(await self._open(), reply)
            try:
                await self._show(index, body, part)
            except Refused as refused:
                if refused.code in (AUTOMOD, LINK_FILTER):
                    said = render_text(HELD_BACK, addressee=reply.addressee) | {"components": []}
                    await self._show(index, said, Part(content=HELD_BACK))
                raise
        await self._remove_from(len(parts))

    def _buttons(self, place: Venue, reply: Reply) -> list[Json]:
        """What stands under the answer; nothing where it could not be told which server it belongs to."""
        key = self._lease.thread
        if place.channel != key.channel and not place.is_thread:
            return []
        return render_answer_buttons(key, reply.turn, reply.addressee, public=not place.private)

    async def abandon(self) -> None:
        """Stop writing at once and leave what is shown."""
        await end(self._task)

    # ----------------------------------------------------------------------------------------------------- writing

    async def _end_writing(self) -> None:
        """Let the request under way come to its end: an old edit must not arrive after the last one."""
        self._ending.set()
        self._wake.set()
        if not self._task.done():
            await asyncio.wait({self._task}, timeout=LAST_WRITE_S)
        await end(self._task)

    async def _write(self) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(TYPING_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                wait_s = await self._flush() if self._text.strip() else None
                if (self._tools > 0 or wait_s is None) and not self._ending.is_set():
                    await self._type()
            except (LeaseLost, Permanent) as over:
                log.info("discord_live_text_ended", reason=getattr(over, "reason", "lease_lost"))
                return
            except Transient as failure:
                wait_s = min(LAST_WRITE_S, failure.retry_after_s or 1.0)
                self._wake.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s or 0.0):
                    await self._ending.wait()

    async def _flush(self) -> float:
        """Show the latest text in the first message that differs; how long to rest after it."""
        parts = [part for part in to_parts(self._text[:LIVE_CHARS]) if part.file is None]
        for index, part in enumerate(parts):
            body = render_part(part, addressee=self._addressee)
            if index == 0:
                body["components"] = render_stop_button(self._lease.thread, self._lease.turn, self._addressee)
            if self._shown.get(index) == body:
                continue
            await self._show(index, body, part)
            self._wake.set()
            place = await self._open()
            major = place.channel
            return max(PACE_S, *(self._rest.limits.pace_s(route_of(method, path, major)) for method, path in _WRITES))
        return 0.0

    async def _type(self) -> None:
        if not self._types:
            return
        try:
            place = await self._open()
            await self._rest.request(
                "POST", "/channels/{channel_id}/typing", channel_id=place.channel, timeout_s=TYPING_AT_MOST_S
            )
        except Refused:
            self._types = False
        except Transient:
            pass  # it is only a sign

    # ------------------------------------------------------------------------------------------------------ posting

    async def _open(self) -> Venue:
        if self._place is None:
            key, person = self._lease.thread, self._addressee
            self._place = await self._threads.open(key, person, self._question)
            if self._lease.turn == 1 and self._lease.refs.get("0") is None:
                await self._threads.welcome(self._place, person)
        return self._place

    async def _show(self, index: int, body: Json, part: Part) -> None:
        """Make this message of the answer read so: edit it, or post it."""
        if self._shown.get(index) == body:
            return
        ref = self._lease.refs.get(str(index))
        if ref is None or not await self._edit(index, ref, body, part):
            await self._post(index, body, part)
        self._shown[index] = body

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
            place = await self._open()
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
                    key, person = self._lease.thread, self._addressee
                    self._place = await self._threads.elsewhere(key, place, person, refused)
                else:
                    raise
                continue
            await self._keep(index, place, str(message["id"]))
            if str(message.get("content", "")).strip() != body["content"].strip():
                # The nonce gave back what an earlier try had posted.
                await self._edit(index, f"{place.channel}/{message['id']}", body, part)
            return
        raise Permanent("undeliverable")

    async def _keep(self, index: int, place: Venue, message: str) -> None:
        await self._lease.refs.put(str(index), f"{place.channel}/{message}")
        self._owned_at = time.monotonic()
        if not place.is_thread and not place.private:
            await self._threads.note(message, self._lease.thread)

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

    async def _remove_from(self, index: int) -> None:
        """Take away messages that the committed answer does not need."""
        while (ref := self._lease.refs.get(str(index))) is not None:
            await self._stay_owner()
            channel, message = ref.split("/")
            with suppress(Refused):
                await self._rest.request("DELETE", _EDIT, channel_id=channel, message_id=message)
            index += 1


_WRITES = (("PATCH", _EDIT), ("POST", _POST))


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

"""One message of an answer: streamed while it is written, edited where streams are not to be had, and in the end equal
to what was committed, there once.

A message begins with one call that cannot be repeated. Before it shared state says that it is about to be made, after
it the message's id goes to the lease, and everything later changes that message. Whoever finds neither knows that there
is none; whoever finds the first without the second looks for it in Slack.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import structlog

from adapters.slack.calls import Unsure
from adapters.slack.posts import GONE, Line, Message, Posts, payload
from adapters.slack.render import Block, Post, render_part, render_plain, render_simple, turn_metadata
from adapters.slack.tables import has_table
from bot.errors import LeaseLost, Permanent, Transient
from bot.ports import Lease

log = structlog.get_logger(__name__)

ROTATE_S = 240.0
"""Slack closes a stream about five minutes after its start; before that it goes on by edits."""

SETTLE_S = 0.3
"""How long a call whose answer was lost may take to show its effect, before the thread is looked through."""

GENERATIONS = 3
"""How often a message that somebody deletes is posted anew."""

TRIES = 3

OWN_S = 3.0
"""How long it is believed that the thread is ours; a lease lasts longer."""

BEGIN_S = 2.0
"""How long the beginning of a stream waits when Slack asks for it: a workspace has about twenty a minute, and when they
are used up an answer is better edited than late."""

LIVE_S = 0.0
FINAL_S = 30.0
"""How long a call waits by itself when Slack asks for it: while the answer is written, and when it is complete."""

_STREAMING = "streaming_state_conflict"
_UNREADABLE = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long"})
_FATAL = frozenset(
    {
        "account_inactive",
        "cannot_reply_to_message",
        "channel_not_found",
        "ekm_access_denied",
        "invalid_auth",
        "is_archived",
        "channel_archived",
        "missing_scope",
        "no_permission",
        "not_authed",
        "not_in_channel",
        "not_installed",
        "org_login_required",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "team_access_not_granted",
        "team_not_found",
        "thread_not_found",
        "token_expired",
        "token_revoked",
    }
)
"""Refusals that meet every way of writing in this place."""

_SPACES = re.compile(r"[ \t]+(?=\n|\Z)")


class Way(StrEnum):
    """How the message is written."""

    NONE = "none"
    STREAM = "stream"
    EDIT = "edit"
    UNKNOWN = "unknown"
    """An earlier owner of the thread began it; it may be an open stream."""


class Part:
    """One message of an answer.

    Args:
        index: which part of the answer it is, from 0.
        recipient: arguments of `chat.startStream` that name the reader; nothing when it is not to be streamed.
        question: id of the message that is answered; ours are younger.
    """

    def __init__(
        self, posts: Posts, line: Line, lease: Lease, *, index: int, recipient: dict[str, str] | None, question: str
    ) -> None:
        self._posts = posts
        self._line = line
        self._lease = lease
        self._index = index
        self._recipient = recipient
        self._question = question
        self._generation = 1
        while lease.refs.get(self._named(self._generation + 1)) is not None:
            self._generation += 1
        self._ts = lease.refs.get(self._name)
        self._kept = self._ts
        self._way = Way.NONE if self._ts is None else Way.UNKNOWN
        self._shown = ""
        self._opened_at = 0.0
        self._owned_at = time.monotonic()
        self._patience_s = LIVE_S

    @property
    def is_begun(self) -> bool:
        """Whether there is a message."""
        return self._ts is not None

    @property
    def streams(self) -> bool:
        """Whether text is appended, rather than the whole edited."""
        return self._way is Way.STREAM or (self._way is Way.NONE and self._recipient is not None)

    async def show(self, text: str) -> None:
        """Show the text as far as it has come.

        Raises:
            Transient, Permanent: it is not shown yet, or not at all.
            LeaseLost: somebody else writes this answer.
        """
        await self._keep()
        await self._own()
        if self._ts is None and not await self._adopted():
            await self._begin(text)
            return
        if self._way is Way.STREAM and (
            time.monotonic() - self._opened_at > ROTATE_S or not text.startswith(self._shown)
        ):
            await self._stop()
        if self._way is Way.UNKNOWN:
            await self._stop()
        if self._way is Way.STREAM:
            await self._append(text)
        elif text != self._shown:
            await self._edit(lambda: self._post(closed(text)))
            self._shown = text

    async def finish(self, text: str, closing: Sequence[Block]) -> None:
        """Make the message equal to this text, with `closing` under it; repeating it changes nothing.

        Raises:
            Transient, Permanent: it is not.
            LeaseLost: somebody else writes this answer.
        """
        self._patience_s = FINAL_S
        await self._keep()
        if self._ts is None and not await self._adopted():
            await self._new(text, closing)
            return
        if self._way is Way.STREAM and await self._stopped_with(text, closing):
            self._shown = text
            return
        for make in self._forms(text, closing):
            try:
                await self._edit(make)
                break
            except Permanent as failure:
                if failure.reason not in _UNREADABLE:
                    raise
                log.warning("slack_blocks_refused", reason=failure.reason)
        else:
            raise Permanent("invalid_blocks")
        self._shown = text

    async def retract(self) -> None:
        """Take away what was shown: the turn ends without words."""
        await self._keep()
        if self._ts is not None or await self._adopted():
            assert self._ts is not None
            await self._posts.delete(self._line, self._ts)

    # ------------------------------------------------------------------------------------------------- beginning

    async def _begin(self, text: str) -> None:
        if self._recipient is not None:
            await self._posts.turn(self._line)
            try:
                arguments = {**self._place(), "thread_ts": self._line.root, **self._recipient, "markdown_text": text}
                ts = (await self._posts.call(self._line, "chat.startStream", arguments, patience_s=BEGIN_S))["ts"]
            except Unsure:
                await asyncio.sleep(SETTLE_S)
                if await self._adopted():
                    return
                self._recipient = None
            except Transient as failure:
                log.info("slack_stream_not_begun", reason=failure.reason)
                self._recipient = None
            except Permanent as failure:
                if failure.reason in _FATAL - {"missing_scope"}:
                    raise
                log.warning("slack_stream_refused", reason=failure.reason)
                self._recipient = None
            else:
                await self._take(str(ts), Way.STREAM, text)
                return
        await self._new(text, ())

    async def _new(self, text: str, closing: Sequence[Block]) -> None:
        """Post a message with all that is known."""
        posts = self._forms(text if closing else closed(text), closing)
        for attempt in range(TRIES):
            try:
                ts = await self._posts.post(self._line, posts[0]())
            except Unsure:
                if attempt + 1 == TRIES:
                    raise
                await asyncio.sleep(SETTLE_S)
                if await self._adopted():
                    await self._edit(posts[0])
                    break
            except Permanent as failure:
                if failure.reason not in _UNREADABLE or len(posts) == 1:
                    await self._posts.forget(self._key)
                    raise
                posts.pop(0)
            else:
                await self._take(ts, Way.EDIT, text)
                break
        self._shown = text

    async def _adopted(self) -> bool:
        """Whether an earlier owner of the thread, or a call whose answer was lost, has begun this message."""
        stands = await self._posts.begin(self._key)
        if stands is None:
            return False
        ts = stands or await self._posts.look(self._line, self._question, self._is_it)
        if not ts:
            return False
        await self._take(ts, Way.UNKNOWN, "")
        return True

    def _is_it(self, message: Message) -> bool:
        """A message of this part; or a stream that was never stopped, which nothing of ours names."""
        if not message.get("metadata"):
            return self._index == 0 and str(message.get("ts", "")) > self._question
        said = payload(message)
        mine = (str(self._lease.thread), self._lease.turn, self._name)
        return (said.get("thread"), said.get("turn"), said.get("part")) == mine

    async def _take(self, ts: str, way: Way, shown: str) -> None:
        self._ts, self._way, self._shown, self._opened_at = ts, way, shown, time.monotonic()
        await self._keep()

    async def _keep(self) -> None:
        """Put the message's id on record, before anything else happens with it."""
        if self._ts is None or self._kept == self._ts:
            return
        try:
            await self._lease.refs.put(self._name, self._ts)
        except LeaseLost:
            # Whoever has the thread may have found this message, or posted another; only the second makes it a stray.
            if await self._posts.claim(self._key, self._ts) != self._ts:
                await self._posts.delete(self._line, self._ts)
            raise
        stands = await self._posts.claim(self._key, self._ts)
        if stands != self._ts:  # posted by an owner who had lost the thread, and has been told that it stands
            await self._posts.stands(self._key, self._ts)
            await self._posts.delete(self._line, stands)
        self._kept = self._ts

    async def _own(self) -> None:
        """Ask whether the thread is ours still, when that was last heard a while ago: this process may have been
        paused, and somebody else may have completed the message."""
        if self._ts is not None and time.monotonic() - self._owned_at > OWN_S:
            await self._lease.refs.put(self._name, self._ts)
        self._owned_at = time.monotonic()

    # ------------------------------------------------------------------------------------------------- going on

    async def _append(self, text: str) -> None:
        more = text[len(self._shown) :]
        if not more:
            return
        self._way = Way.UNKNOWN  # until the call has come to an end: it may be cut off
        arguments = {**self._place(), "ts": self._ts, "markdown_text": more}
        try:
            await self._posts.call(self._line, "chat.appendStream", arguments, patience_s=self._patience_s)
        except Unsure:
            await self._stop()  # it may have been appended; an edit says the whole, however often
        except Transient:
            self._way = Way.STREAM
            raise
        except Permanent as failure:
            if failure.reason in _FATAL:
                raise
            if failure.reason in GONE:
                self._anew()
                return
            await self._stop()
        else:
            self._way, self._shown = Way.STREAM, text

    async def _stopped_with(self, text: str, closing: Sequence[Block]) -> bool:
        """Stop the stream with the rest of the text; whether the message is what it should be."""
        if has_table(text) or not same_beginning(self._shown, text):
            await self._stop()
            return False
        rest = text[len(self._shown) :] if text.startswith(self._shown) else ""
        arguments: dict[str, Any] = {**self._place(), "ts": self._ts, "metadata": self._metadata()}
        if rest.strip():
            arguments["markdown_text"] = rest
        if closing:
            arguments["blocks"] = list(closing)
        self._way = Way.UNKNOWN
        try:
            await self._posts.call(self._line, "chat.stopStream", arguments)
        except (Unsure, Permanent) as failure:
            if failure.reason in _FATAL:
                raise
            log.info("slack_stream_not_stopped", reason=failure.reason)
            return False
        self._way = Way.EDIT
        return True

    async def _stop(self) -> None:
        assert self._ts is not None
        await self._posts.stop_stream(self._line, self._ts)
        self._way, self._shown = Way.EDIT, ""

    async def _edit(self, post: Callable[[], Post]) -> None:
        """Edit the message; one that is still a stream is stopped, and one that is gone is posted anew."""
        for _ in range(GENERATIONS + 1):
            assert self._ts is not None
            try:
                await self._posts.update(self._line, self._ts, post(), patience_s=self._patience_s)
            except Permanent as failure:
                if failure.reason == _STREAMING:
                    await self._stop()
                elif failure.reason in GONE and self._generation < GENERATIONS:
                    self._anew()
                    if not await self._adopted():
                        await self._take(await self._posts.post(self._line, post()), Way.EDIT, "")
                        return
                else:
                    raise
            else:
                self._way = Way.EDIT
                return
        raise Transient("slack_not_updated")

    def _anew(self) -> None:
        """The message is gone; the next one is another."""
        self._generation += 1
        self._ts, self._kept, self._way, self._shown = None, None, Way.NONE, ""
        self._recipient = None

    # --------------------------------------------------------------------------------------------------- values

    def _named(self, generation: int) -> str:
        return f"{self._index}" if generation == 1 else f"{self._index}.{generation}"

    @property
    def _name(self) -> str:
        return self._named(self._generation)

    @property
    def _key(self) -> str:
        return f"{self._lease.thread}/{self._lease.turn}/{self._name}"

    def _place(self) -> dict[str, Any]:
        return {"channel": self._line.channel}

    def _metadata(self) -> dict[str, Any]:
        return turn_metadata(self._lease.thread, self._lease.turn, self._name)

    def _forms(self, text: str, closing: Sequence[Block]) -> list[Callable[[], Post]]:
        """The same text, richest first: a place that refuses one form takes the next."""
        return [
            lambda: self._post(text, closing),
            lambda: render_simple(text, self._metadata()),
            lambda: render_plain(text, self._metadata()),
        ]

    def _post(self, text: str, closing: Sequence[Block] = ()) -> Post:
        return render_part(text, self._metadata(), closing)


def same_beginning(shown: str, text: str) -> bool:
    """Whether what is shown is the beginning of the text, but for spaces at the ends of lines, which nobody sees."""
    return text.startswith(shown) or _SPACES.sub("", shown).rstrip() == _SPACES.sub("", text).rstrip()


def closed(text: str) -> str:
    """Text that is not complete, with the code block that is open in it closed."""
    fences = len(re.findall(r"^\s{0,3}```", text, flags=re.MULTILINE))
    return f"{text}\n```" if fences % 2 else text

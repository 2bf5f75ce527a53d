"""One message of an answer: streamed while it is written, edited where streams are not to be had, and in the end equal
to what was committed."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import structlog

from adapters.slack.anchor import Anchor
from adapters.slack.calls import Unsure
from adapters.slack.posts import Line, Posts
from adapters.slack.refusals import FATAL, GONE, STREAMING, UNREADABLE
from adapters.slack.render import Block, Post, render_part, render_plain, render_simple
from adapters.slack.tables import has_table
from bot.errors import Permanent, Transient
from bot.ports import Lease

log = structlog.get_logger(__name__)

ROTATE_S = 240.0
"""Slack closes a stream about five minutes after its start; before that it goes on by edits."""

SETTLE_S = 0.3
"""How long a call whose answer was lost may take to show its effect, before the thread is looked through."""

EDITS = 4
"""How often an edit is tried in another way: of a stream that is stopped first, or of a message that is posted anew."""

TRIES = 3

BEGIN_S = 2.0
"""How long the beginning of a stream waits when Slack asks for it: a workspace has about twenty a minute, and when they
are used up an answer is better edited than late."""

LIVE_S = 0.0
FINAL_S = 30.0
"""How long a call waits by itself when Slack asks for it: while the answer is written, and when it is complete."""

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
        self._recipient = recipient
        self._anchor = Anchor(posts, line, lease, index=index, question=question)
        self._way = Way.UNKNOWN if self._anchor.is_there else Way.NONE
        self._shown = ""
        self._opened_at = 0.0
        self._patience_s = LIVE_S

    @property
    def is_begun(self) -> bool:
        """Whether there is a message."""
        return self._anchor.is_there

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
        await self._anchor.keep()
        await self._anchor.own()
        if not self._anchor.is_there and not await self._adopted():
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
        await self._anchor.keep()
        if not self._anchor.is_there and not await self._adopted():
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
                if failure.reason not in UNREADABLE:
                    raise
                log.warning("slack_blocks_refused", reason=failure.reason)
        else:
            raise Permanent("invalid_blocks")
        self._shown = text

    async def retract(self) -> None:
        """Take away what was shown: the turn ends without words."""
        await self._anchor.keep()
        if self._anchor.is_there or await self._adopted():
            await self._posts.delete(self._line, self._anchor.ts)

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
                if failure.reason in FATAL - {"missing_scope"}:
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
                if failure.reason not in UNREADABLE or len(posts) == 1:
                    await self._anchor.forget()
                    raise
                posts.pop(0)
            else:
                await self._take(ts, Way.EDIT, text)
                break
        self._shown = text

    async def _adopted(self) -> bool:
        """Whether the message is there already; in which state it was left is not known."""
        try:
            return await self._anchor.adopt()
        finally:
            if self._anchor.is_there:
                self._is_written(Way.UNKNOWN, "")

    async def _take(self, ts: str, way: Way, shown: str) -> None:
        self._is_written(way, shown)
        await self._anchor.take(ts)

    def _is_written(self, way: Way, shown: str) -> None:
        self._way, self._shown, self._opened_at = way, shown, time.monotonic()

    # ------------------------------------------------------------------------------------------------- going on

    async def _append(self, text: str) -> None:
        more = text[len(self._shown) :]
        if not more:
            return
        self._way = Way.UNKNOWN  # until the call has come to an end: it may be cut off
        arguments = {**self._place(), "ts": self._anchor.ts, "markdown_text": more}
        try:
            await self._posts.call(self._line, "chat.appendStream", arguments, patience_s=self._patience_s)
        except Unsure:
            await self._stop()  # it may have been appended; an edit says the whole, however often
        except Transient:
            self._way = Way.STREAM
            raise
        except Permanent as failure:
            if failure.reason in FATAL:
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
        arguments: dict[str, Any] = {**self._place(), "ts": self._anchor.ts, "metadata": self._anchor.metadata}
        if rest.strip():
            arguments["markdown_text"] = rest
        if closing:
            arguments["blocks"] = list(closing)
        self._way = Way.UNKNOWN
        try:
            await self._posts.call(self._line, "chat.stopStream", arguments)
        except (Unsure, Permanent) as failure:
            if failure.reason in FATAL:
                raise
            log.info("slack_stream_not_stopped", reason=failure.reason)
            return False
        self._way = Way.EDIT
        return True

    async def _stop(self) -> None:
        await self._posts.stop_stream(self._line, self._anchor.ts)
        self._way, self._shown = Way.EDIT, ""

    async def _edit(self, post: Callable[[], Post]) -> None:
        """Edit the message; one that is still a stream is stopped, and one that is gone is posted anew."""
        for _ in range(EDITS):
            try:
                await self._posts.update(self._line, self._anchor.ts, post(), patience_s=self._patience_s)
            except Permanent as failure:
                if failure.reason == STREAMING:
                    await self._stop()
                elif failure.reason in GONE and self._anchor.may_be_anew:
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
        self._anchor.lose()
        self._way, self._shown, self._recipient = Way.NONE, "", None

    # --------------------------------------------------------------------------------------------------- values

    def _place(self) -> dict[str, Any]:
        return {"channel": self._line.channel}

    def _forms(self, text: str, closing: Sequence[Block]) -> list[Callable[[], Post]]:
        """The same text, richest first: a place that refuses one form takes the next."""
        return [
            lambda: self._post(text, closing),
            lambda: render_simple(text, self._anchor.metadata),
            lambda: render_plain(text, self._anchor.metadata),
        ]

    def _post(self, text: str, closing: Sequence[Block] = ()) -> Post:
        return render_part(text, self._anchor.metadata, closing)


def same_beginning(shown: str, text: str) -> bool:
    """Whether what is shown is the beginning of the text, but for spaces at the ends of lines, which nobody sees."""
    return text.startswith(shown) or _SPACES.sub("", shown).rstrip() == _SPACES.sub("", text).rstrip()


def closed(text: str) -> str:
    """Text that is not complete, with the code block that is open in it closed."""
    fences = len(re.findall(r"^\s{0,3}```", text, flags=re.MULTILINE))
    return f"{text}\n```" if fences % 2 else text

"""The answer of one turn on its way to Slack."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from adapters.slack.aliases import Aliases
from adapters.slack.part import Part
from adapters.slack.posts import Line, Posts
from adapters.slack.render import PART_CHARS, closing, status_of
from adapters.slack.status import THINKING, Status
from bot.conversation import NoteTurn, UserTurn
from bot.errors import BotError, LeaseLost, Permanent, Transient
from bot.markdown import split
from bot.ports import Activity, Lease, Reply, ToolStarted
from bot.tasks import end

log = structlog.get_logger(__name__)

FIRST_S = 0.4
"""How long the first words gather before anything is shown."""

APPEND_S = 0.5
EDIT_S = (1.0, 1.5, 2.0, 3.0)
"""Between two edits; a workspace has about fifty a minute for all its answers."""

IN_FLIGHT_S = 20.0
"""How long a call that is under way may take to come to its end before the answer is completed."""

LEAVE_S = 2.0


class SlackReply:
    """Writes what it is given at its own pace, in a task of its own; only `close` must arrive.

    Args:
        streaming: streams may be used at all.
    """

    def __init__(self, posts: Posts, aliases: Aliases, lease: Lease, *, streaming: bool) -> None:
        self._posts = posts
        self._aliases = aliases
        self._lease = lease
        self._streaming = streaming
        self._text = ""
        self._parts: dict[int, Part] = {}
        self._edits = 0
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
        self._line: asyncio.Future[Line] = asyncio.ensure_future(posts.line(lease.thread))
        self._line.add_done_callback(_heard)
        self._status = Status(posts, self._line)
        self._task = asyncio.create_task(self._write(), name=f"slack-reply-{lease.thread.root}-{lease.turn}")

    def append(self, delta: str) -> None:
        """Show more text, soon."""
        self._text += delta
        self._wake.set()

    def status(self, activity: Activity) -> None:
        """Show what is being done, soon."""
        self._status.say(status_of(activity.call.name) if isinstance(activity, ToolStarted) else THINKING)

    async def close(self, reply: Reply) -> None:
        """Make what is shown equal to the committed answer; repeating it changes nothing.

        Raises:
            Transient: not delivered.
            Permanent: cannot be delivered ever; `reason` is Slack's word.
            LeaseLost: somebody else delivers it.
        """
        try:
            await self._finish_writing(IN_FLIGHT_S)
            line = await self._whole_line()
            if not reply.text.strip():
                await self._part(line, 0).retract()
                return
            texts = split(reply.text, PART_CHARS)
            for index, text in enumerate(texts):
                under = closing(self._lease.thread, reply.turn) if index == len(texts) - 1 else ()
                await self._part(line, index).finish(text, under)
            await self._shown()
        finally:
            await self._status.clear()

    async def abandon(self) -> None:
        """Stop writing at once and leave what is shown; a call that is under way may still end."""
        await self._finish_writing(LEAVE_S)
        await self._status.leave()
        await end_quietly(self._line)

    async def _finish_writing(self, limit_s: float) -> None:
        self._ending.set()
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await asyncio.wait({self._task})
        await end(self._task)

    async def _whole_line(self) -> Line:
        """The thread's place; asked for again when it could not be told at first."""
        try:
            return await asyncio.shield(self._line)
        except (Transient, Permanent):
            return await self._posts.line(self._lease.thread)

    # ------------------------------------------------------------------------------------------------ live text

    async def _write(self) -> None:
        try:
            line = await asyncio.shield(self._line)
        except (Transient, Permanent):
            return
        part = self._part(line, 0)
        failures = 0
        while not self._ending.is_set():
            await self._wake.wait()
            self._wake.clear()
            if not self._text.strip():
                continue
            if not part.is_begun:
                await self._rest(FIRST_S)
            if self._ending.is_set():
                return
            try:
                pause_s = await self._flush(part)
                failures = 0
            except Transient as failure:
                log.info("slack_not_shown_yet", reason=failure.reason)
                self._wake.set()
                failures += 1
                pause_s = failure.retry_after_s or min(APPEND_S * 2**failures, 10.0)
            except (Permanent, LeaseLost) as failure:
                log.warning("slack_not_shown", reason=str(failure))
                return
            except BotError:
                return
            await self._rest(pause_s)

    async def _flush(self, part: Part) -> float:
        """Show what has gathered; how long to rest after it."""
        live = self._text[:PART_CHARS].rstrip()
        if not live:
            return 0.0
        first = not part.is_begun
        await part.show(live)
        if first:
            await self._shown()
        if part.streams:
            return APPEND_S
        self._edits += 1
        return EDIT_S[min(self._edits, len(EDIT_S)) - 1]

    async def _rest(self, seconds: float) -> None:
        """Pause, unless the answer is being completed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    async def _shown(self) -> None:
        if self._lease.thread.channel.startswith("D"):
            await self._aliases.shown(self._lease.thread.space, self._lease.thread.channel)

    def _part(self, line: Line, index: int) -> Part:
        if index not in self._parts:
            recipient = _recipient(self._lease, line) if self._streaming and index == 0 else None
            self._parts[index] = Part(
                self._posts, line, self._lease, index=index, recipient=recipient, question=_question(self._lease)
            )
        return self._parts[index]


def _recipient(lease: Lease, line: Line) -> dict[str, str] | None:
    """Who reads the stream: outside direct messages Slack wants the reader's own workspace, not ours."""
    if lease.thread.channel.startswith("D"):
        return {}
    for entry in reversed(lease.mail):
        turn = entry.turn
        if isinstance(turn, UserTurn | NoteTurn):
            team = turn.author.organisation
            return {"recipient_team_id": team, "recipient_user_id": turn.author.id} if team.startswith("T") else None
    return None


def _question(lease: Lease) -> str:
    """The id of the message that is answered, or a moment before the turn when a form or a button asked."""
    for entry in lease.mail:
        turn = entry.turn
        if isinstance(turn, UserTurn) and turn.message_ids:
            return min(turn.message_ids).partition("/")[0]
        if isinstance(turn, NoteTurn):
            return f"{turn.at.timestamp() - 60:.6f}"
    return lease.thread.root


async def end_quietly(task: asyncio.Future[Line]) -> None:
    """Cancel what is not needed any more."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})


def _heard(future: asyncio.Future[Line]) -> None:
    """Nobody may be left to hear why it failed."""
    if not future.cancelled():
        future.exception()

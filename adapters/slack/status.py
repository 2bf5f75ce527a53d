"""What Slack shows while we work: "is thinking …" beside our name, and the stop button of an agent's session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from adapters.slack.posts import Line, Posts
from bot.errors import Permanent, Transient
from bot.tasks import end

log = structlog.get_logger(__name__)

AGAIN_S = 90.0
"""Slack takes a status away after two minutes.

Source: https://docs.slack.dev/reference/methods/assistant.threads.setStatus
"""

CLEAR_S = 3.0
CLEAR_AGAIN_S = 0.3
CLEAR_TRIES = 6
PATIENCE_S = 1.0

THINKING = "is thinking…"


class Status:
    """The status of one turn, set in a task of its own; nothing waits for it and nothing depends on it."""

    def __init__(self, posts: Posts, thread_line: asyncio.Future[Line]) -> None:
        self._posts = posts
        self._line = thread_line
        self._text = THINKING
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._keep_up(), name="slack-status")

    def say(self, text: str) -> None:
        """Show something else, soon."""
        if text != self._text:
            self._text = text
            self._wake.set()

    async def clear(self) -> None:
        """Show nothing any more, and take the stop button away."""
        await end(self._task)
        if not self._line.done() or self._line.cancelled() or self._line.exception() is not None:
            return
        try:
            async with asyncio.timeout(CLEAR_S):
                await asyncio.gather(_surely(partial(self._set, "")), _surely(partial(self._session, "active")))
        except TimeoutError:
            log.info("slack_status_not_cleared")

    async def leave(self) -> None:
        """Stop; whoever has the thread next says what is to be shown."""
        await end(self._task)

    async def _keep_up(self) -> None:
        try:
            await asyncio.shield(self._line)
        except (Transient, Permanent):
            return
        await self._session("processing")
        while True:
            self._wake.clear()
            await self._set(self._text)
            try:
                async with asyncio.timeout(AGAIN_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _set(self, text: str) -> bool:
        line = await asyncio.shield(self._line)
        return await self._try(
            "assistant.threads.setStatus",
            {"channel_id": line.channel, "thread_ts": line.root, "status": text},
            line,
        )

    async def _session(self, state: str) -> bool:
        line = await asyncio.shield(self._line)
        return await self._try(
            "agents.sessions.setStatus", {"channel_id": line.channel, "thread_ts": line.root, "status": state}, line
        )

    async def _try(self, method: str, arguments: dict[str, str], line: Line) -> bool:
        """Call; whether there is an answer that another try would not change."""
        if (line.me.team, method) in self._posts.unsupported:
            return True
        try:
            await self._posts.call(line, method, arguments, patience_s=PATIENCE_S)
        except Transient as failure:
            log.debug("slack_status_not_set", reason=failure.reason)
            return False
        except Permanent as failure:
            if failure.reason in _NEVER:
                self._posts.unsupported.add((line.me.team, method))
            log.info("slack_status_refused", method=method, reason=failure.reason)
        return True


async def _surely(step: Callable[[], Awaitable[bool]]) -> None:
    """What is not to be left as it is, is tried again; the time is bounded by the caller."""
    for _ in range(CLEAR_TRIES):
        if await step():
            return
        await asyncio.sleep(CLEAR_AGAIN_S)


_NEVER = frozenset({"unknown_method", "missing_scope", "not_allowed_token_type", "feature_not_enabled", "not_an_agent"})

"""Words for one person alone."""

from __future__ import annotations

import structlog

from adapters.slack.posts import Line, Posts
from adapters.slack.render import PART_CHARS, body, notice
from bot.errors import Permanent
from bot.ports import File

log = structlog.get_logger(__name__)


class Words:
    """Tells people things that others do not see."""

    def __init__(self, posts: Posts) -> None:
        self._posts = posts

    async def tell(self, line: Line, user: str, text: str, blocks: list[dict[str, object]] | None = None) -> None:
        """Tell somebody in the thread, unseen by others; where that cannot be done, directly.

        Raises:
            Transient, Permanent: they were not told.
        """
        shown = {"text": notice(text), "blocks": blocks or body(text[:PART_CHARS])}
        where = {"channel": line.channel, "thread_ts": line.root or None}
        try:
            await self._posts.call(line, "chat.postEphemeral", {**where, "user": user, **shown})
        except Permanent as failure:
            log.info("slack_told_directly", reason=failure.reason)
            await self.direct(line, user, text, blocks)

    async def answer(self, line: Line, user: str, text: str, response_url: str) -> None:
        """Answer what somebody pressed or ordered, unseen by others."""
        if not (response_url and await self._posts.respond(response_url, text)):
            await self.tell(line, user, text)

    async def direct(self, line: Line, user: str, text: str, blocks: list[dict[str, object]] | None = None) -> None:
        """Tell somebody in a direct message."""
        shown = {"text": notice(text), "blocks": blocks or body(text[:PART_CHARS])}
        channel = await self.dm(line, user)
        arguments = {"channel": channel, **shown, "unfurl_links": False, "unfurl_media": False}
        await self._posts.call(line, "chat.postMessage", arguments)

    async def dm(self, line: Line, user: str) -> str:
        """The channel of direct messages with somebody."""
        answer = await self._posts.call(line, "conversations.open", {"users": user})
        return str(answer["channel"]["id"])

    async def give(self, line: Line, user: str, file: File) -> None:
        """Give somebody a file, directly."""
        await self._posts.upload(line, await self.dm(line, user), file)

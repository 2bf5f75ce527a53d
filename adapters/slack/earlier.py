"""What people wrote in a thread before we joined it, read back from Slack once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from adapters.slack.happenings import Said
from adapters.slack.inbound import read_written, to_message
from adapters.slack.markup import mentioned
from adapters.slack.people import People
from adapters.slack.posts import Posts
from bot.errors import Transient
from bot.messages import IncomingMessage, ThreadKey
from bot.ports import ChannelRules

log = structlog.get_logger(__name__)

KEPT = 50
PAGE = 200
PAGES = 25
PATIENCE_S = 5.0
"""How long it is waited when Slack asks for it: apps that are sold outside its Marketplace read one page a minute."""

WAIT_S = 5.0


class Earlier:
    """Reads threads back."""

    def __init__(self, posts: Posts, people: People) -> None:
        self._posts = posts
        self._people = people

    async def read(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """The newest of what people wrote before that message, oldest first.

        Slack gives the oldest first, so all pages are read to come to the newest.

        Raises:
            Transient: nothing could be read.
            Permanent: it may not be read.
        """
        if not thread.root or thread.root == before:
            return ()
        line = await self._posts.line(thread)
        kept: deque[Said] = deque(maxlen=KEPT)
        arguments = {"channel": line.channel, "ts": line.root, "latest": before, "inclusive": False, "limit": PAGE}
        cursor: str | None = None
        for page in range(PAGES):
            try:
                answer = await self._posts.call(
                    line, "conversations.replies", {**arguments, "cursor": cursor}, patience_s=PATIENCE_S
                )
            except Transient:
                if page == 0:
                    raise
                log.warning("slack_thread_read_in_part", pages=page)
                break
            messages: Sequence[Mapping[str, Any]] = answer.get("messages") or ()
            for message in messages:
                said = read_written(message, line.channel, line.me)
                # Every page begins with the thread's first message, whatever was asked for.
                if said is not None and said.place.ts < before and (not kept or kept[-1].place.ts < said.place.ts):
                    kept.append(said)
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return await asyncio.gather(*(self._message(thread, said) for said in kept))

    async def _message(self, thread: ThreadKey, said: Said) -> IncomingMessage:
        me = (await self._posts.line(thread)).me
        author, names = await asyncio.gather(
            self._people.person(me, said.user, said.actor_team, wait_s=WAIT_S),
            self._people.names(me, mentioned(said.text)),
        )
        return to_message(said, thread, author, me=me, names=names, rules=ChannelRules())

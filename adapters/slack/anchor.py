"""Which of Slack's messages a part of an answer is: put on record before anything else happens with it, found again by
whoever takes over, and there once.

A message begins with one call that cannot be repeated. Before it shared state says that it is about to be made, after
it the message's id goes to the lease, and everything later changes that message. Whoever finds neither knows that there
is none; whoever finds the first without the second looks for it in Slack.
"""

from __future__ import annotations

import time
from typing import Any

from adapters.slack.posts import Line, Message, Posts, payload
from adapters.slack.render import turn_metadata
from bot.errors import LeaseLost
from bot.ports import Lease

GENERATIONS = 3
"""How often a message that somebody deletes is posted anew."""

OWN_S = 3.0
"""How long it is believed that the thread is ours; a lease lasts longer."""


class Anchor:
    """The message of one part of an answer.

    Args:
        index: which part of the answer it is, from 0.
        question: id of the message that is answered; ours are younger.
    """

    def __init__(self, posts: Posts, line: Line, lease: Lease, *, index: int, question: str) -> None:
        self._posts = posts
        self._line = line
        self._lease = lease
        self._index = index
        self._question = question
        self._generation = 1
        while lease.refs.get(self._named(self._generation + 1)) is not None:
            self._generation += 1
        self._ts = lease.refs.get(self._name)
        self._kept = self._ts
        self._owned_at = time.monotonic()

    @property
    def is_there(self) -> bool:
        """Whether there is a message."""
        return self._ts is not None

    @property
    def ts(self) -> str:
        """Its id."""
        assert self._ts is not None
        return self._ts

    @property
    def metadata(self) -> dict[str, Any]:
        """By which it is known again."""
        return turn_metadata(self._lease.thread, self._lease.turn, self._name)

    @property
    def may_be_anew(self) -> bool:
        """Whether a message that is gone is to be posted once more."""
        return self._generation < GENERATIONS

    async def take(self, ts: str) -> None:
        """This message it is from now on.

        Raises:
            LeaseLost: somebody else writes this answer.
        """
        self._ts = ts
        await self.keep()

    async def adopt(self) -> bool:
        """Find the message that an earlier owner of the thread, or a call whose answer was lost, has begun, and take
        it; whether there is one."""
        stands = await self._posts.begin(self._key)
        if stands is None:
            return False
        ts = stands or await self._posts.look(self._line, self._question, self._is_it)
        if not ts:
            return False
        await self.take(ts)
        return True

    async def forget(self) -> None:
        """None was posted."""
        await self._posts.forget(self._key)

    def lose(self) -> None:
        """The message is gone; the next one is another."""
        self._generation += 1
        self._ts, self._kept = None, None

    async def keep(self) -> None:
        """Put the message's id on record, if it is not.

        Raises:
            LeaseLost: somebody else writes this answer.
        """
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

    async def own(self) -> None:
        """Ask whether the thread is ours still, when that was last heard a while ago: this process may have been
        paused, and somebody else may have completed the message.

        Raises:
            LeaseLost: it is not.
        """
        if self._ts is not None and time.monotonic() - self._owned_at > OWN_S:
            await self._lease.refs.put(self._name, self._ts)
        self._owned_at = time.monotonic()

    def _is_it(self, message: Message) -> bool:
        """A message of this part; or a stream that was never stopped, which nothing of ours names."""
        if not message.get("metadata"):
            return self._index == 0 and str(message.get("ts", "")) > self._question
        said = payload(message)
        mine = (str(self._lease.thread), self._lease.turn, self._name)
        return (said.get("thread"), said.get("turn"), said.get("part")) == mine

    def _named(self, generation: int) -> str:
        return f"{self._index}" if generation == 1 else f"{self._index}.{generation}"

    @property
    def _name(self) -> str:
        return self._named(self._generation)

    @property
    def _key(self) -> str:
        return f"{self._lease.thread}/{self._lease.turn}/{self._name}"

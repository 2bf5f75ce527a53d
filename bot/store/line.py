"""A connection that many use at once: what is asked in one round of the event loop goes out together.

The client's own way is a connection for each command that is under way, taken from a pool, looked at, and given back,
which costs several times what the command does. Here commands follow each other without waiting, and Redis answers
them in their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection, DefaultParser
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as Silence

_NOT_YET = object()


class Line(asyncio.Protocol):
    """Takes over a connection on which the client has logged in.

    Args:
        connection: connected; nothing is under way on it.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self.is_open = True
        """Whether it takes further commands."""
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        writer = connection._writer  # noqa: SLF001 - there is no public way to its transport
        assert writer is not None
        self._transport: Any = writer.transport
        self._before: asyncio.BaseProtocol = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=DefaultParser.parse_error, notEnoughData=_NOT_YET
        )
        self._asked: deque[tuple[asyncio.Future[Any], float]] = deque()
        """Who waits for an answer, and until when; also who has given up, because an answer will come for them."""
        self._out: list[bytes] = []
        self._alone = False
        self._timer: asyncio.TimerHandle | None = None
        self._lost = self._loop.create_future()
        self._ending = self._loop.create_task(self._end())

    def ask(self, packed: bytes, due: float, *, alone: bool = False) -> asyncio.Future[Any]:
        """Send a command; its answer.

        Args:
            due: the event loop's time from which on nobody waits for the answer.
            alone: the line is not free for others before the answer is there.
        """
        answer = self._loop.create_future()
        if not self.is_open:
            answer.set_exception(Disconnected("closed"))
            return answer
        self._asked.append((answer, due))
        self._out.append(packed)
        self._alone = alone
        if len(self._out) == 1:
            self._loop.call_soon(self._send)
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)
        return answer

    @property
    def is_free(self) -> bool:
        """Whether an answer would not wait for earlier ones: nothing was asked, or it goes out at this moment."""
        return not self._asked or (bool(self._out) and not self._alone)

    @property
    def is_idle(self) -> bool:
        """Whether nothing was asked."""
        return not self._asked

    def oldest_due(self) -> float:
        """Until when the one waits who has waited longest."""
        return self._asked[0][1]

    @property
    def has_ended(self) -> bool:
        """Whether it is closed and nobody waits for anything."""
        return self._ending.done()

    def leave(self) -> None:
        """Close soon; nobody waits for anything any more."""
        self.is_open = False
        self._transport.abort()

    async def aclose(self) -> None:
        """Close."""
        self.leave()
        await self._ending

    async def _end(self) -> None:
        await self._lost
        await self._connection.disconnect(nowait=True)

    def _send(self) -> None:
        out, self._out = self._out, []
        if not self._transport.is_closing():
            self._transport.writelines(out)

    def _look(self) -> None:
        """Give up what was waited for too long; the server, or the way to it, is not what it should be."""
        self._timer = None
        now = self._loop.time()
        for answer, due in self._asked:
            if due > now:
                self._timer = self._loop.call_at(due, self._look)
                break
            self.is_open = False
            if not answer.done():
                answer.set_exception(Silence("no answer in time"))
        self._close_if_done()

    def _close_if_done(self) -> None:
        """Close when no more commands are taken and those that were sent are answered."""
        if not self.is_open and all(answer.done() for answer, _ in self._asked):
            self._transport.abort()

    # ----------------------------------------------------------------------------------------- called by the event loop

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (told := self._reader.gets()) is not _NOT_YET:
                if isinstance(told, hiredis.PushNotification):  # nobody asked for it
                    continue
                answer, _ = self._asked.popleft()
                if isinstance(told, ReadOnlyError) or (isinstance(told, ResponseError) and "READONLY" in str(told)):
                    # It is a replica since a fail-over; behind the same address may be a master, for who asks again.
                    self.is_open = False
                if answer.done():
                    continue
                if isinstance(told, RedisError):
                    answer.set_exception(told)
                else:
                    answer.set_result(told)
        except (InvalidResponse, IndexError):  # it does not speak as Redis does
            self.leave()
        if not self.is_open:
            self._close_if_done()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        for answer, _ in self._asked:
            if not answer.done():
                answer.set_exception(Disconnected("the connection was lost"))
        self._asked.clear()
        self._before.connection_lost(exc)
        self._lost.set_result(None)

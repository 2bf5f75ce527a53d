"""Connections to Redis, and the one place where the client's exceptions become ours.

The same commands go to one Redis, to a cluster, or to the master that sentinels name. Commands are short, and each one
is answered within `ANSWER_S` or fails, whatever it waited for (a connection, its turn, the server): to one server they
share a few connections (`bot.store.line`), to a cluster they take turns at a bounded number. Listening holds a
connection each and has no such bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, cast

import hiredis
from redis.asyncio import Connection, ConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisClusterException, RedisError
from redis.exceptions import ConnectionError as Disconnected

from bot.errors import Transient
from bot.store.address import Address, Cluster, One, Sentinels, parse_address
from bot.store.line import Line
from bot.tasks import end, unasked

CONNECTIONS = 64
"""For commands, to each server of a cluster: callers wait for a free one instead of failing."""

LINES = 8
"""For commands, to one server; what is asked in the same round of the event loop goes over one of them."""

LISTENERS = 10_000
"""For subscriptions and blocking reads, to each server."""

ANSWER_S = 1.5
"""Longest time of a command. A platform waits 3 s for its acknowledgement and then sends the event again."""

NODE_S = 1.0
"""Longest silence of one server where there are several: short of `ANSWER_S`, so that the client itself notices,
forgets what it knew of the others' places, and asks again before the next command."""

LISTEN_S = 5.0
"""Longest silence of a server in a blocking read beyond what it was asked to wait."""

# The client repeats nothing, because it cannot know what may be done twice. Those who know do: `bot.store.lua` repeats
# what a turn has done, the worker its claim, a platform its event.
_NEVER = Retry(NoBackoff(), 0)


class mapped:  # noqa: N801  reads as a statement: `with mapped():`
    """Maps the client's exceptions to ours: whatever Redis says, the same work may succeed later."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RedisError | RedisClusterException | OSError):  # the time limit's error is an OSError
            is_refused = isinstance(error, AuthenticationError | NoPermissionError)
            raise Transient("redis_refuses" if is_refused else "redis_unavailable") from error


class _Direct(Redis):
    """Commands to one server, over lines."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lines: list[Line] = []

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections."""
        await asyncio.gather(*(line.aclose() for line in self._lines))
        await super().aclose(close_connection_pool)

    async def _open(self) -> Line:
        connection = self.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(ANSWER_S):
                await connection.connect()
            line = Line(connection)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._lines = [one for one in self._lines if not one.has_ended] + [line]
        return line

    async def _read(self, told: Any, name: str, options: dict[str, Any]) -> Any:
        """What the client makes of an answer."""
        if name not in self.response_callbacks:
            return told
        return await self.parse_response(cast("Connection", _Told(told)), name, **options)


class _Prompt(_Direct):
    """Commands to one server, each within its time, over a few lines that all of them share."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._opening: asyncio.Task[Line] | None = None

    async def execute_command(self, *args: Any, alone: bool = False, **options: Any) -> Any:
        due = asyncio.get_running_loop().time() + ANSWER_S
        line = self._ready(alone=alone) or await self._opened(due)
        return await self._read(await line.ask(_packed(args), due, alone=alone), args[0], options)

    async def execute_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Commands that go out together; what each is answered, errors among it."""
        return await asyncio.gather(*(self.execute_command(*command) for command in commands), return_exceptions=True)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections."""
        if self._opening is not None:
            await end(self._opening)
        await super().aclose(close_connection_pool)

    def _ready(self, *, alone: bool) -> Line | None:
        """A line on which nobody waits for something older; none while there may be more lines.

        So an answer that takes its time keeps those waiting who asked together with it, and nobody else.
        """
        lines: list[Line] = []
        for line in self._lines:
            if line.is_open:
                if line.is_idle if alone else line.is_free:
                    return line
                lines.append(line)
        return max(lines, key=Line.oldest_due) if len(lines) >= LINES else None

    async def _opened(self, due: float) -> Line:
        """A line; who needs one while it is being opened waits for it together with the others."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(unasked)
        async with asyncio.timeout_at(due):
            return await asyncio.shield(self._opening)

    async def _open(self) -> Line:
        try:
            return await super()._open()
        finally:
            self._opening = None


class _Patient(_Direct):
    """Commands to one server that wait there, each with a line of its own meanwhile."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._free: list[Line] = []

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        line = self._free.pop() if self._free else None
        if line is None or not line.is_open:
            line = await self._open()
        try:
            told = await line.ask(_packed(args), asyncio.get_running_loop().time() + LISTEN_S)
        except BaseException:
            line.leave()
            raise
        self._free.append(line)
        return await self._read(told, args[0], options)


class _Told:
    """Stands where the client reads an answer that has been read."""

    def __init__(self, told: Any) -> None:
        self._told = told

    async def read_response(self, **_: Any) -> Any:
        return self._told


def _packed(command: tuple[Any, ...]) -> bytes:
    name = command[0]
    packed: bytes = hiredis.pack_command((*name.split(), *command[1:]) if " " in name else command)
    return packed


class _Cluster(RedisCluster):
    """A cluster whose client may be used by many at once while it finds its way."""

    async def execute_command(self, *args: Any, alone: bool = False, **options: Any) -> Any:
        # Before it knows the cluster the client would send commands anywhere, to be told where they belong.
        await self.initialize()
        try:
            return await super().execute_command(*args, **options)
        except AttributeError as error:
            # The client closes all connections to a server that failed once, also those on which others are writing
            # at that moment, and these find no writer any more.
            raise Disconnected("closed while in use") from error


class _PromptCluster(_Cluster):
    """Commands to a cluster, each within its time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._room = asyncio.Semaphore(CONNECTIONS)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with asyncio.timeout(ANSWER_S), self._room:
            return await super().execute_command(*args, **options)


class Connections:
    """A client for commands and a client for listening, to the Redis of an address.

    Args:
        url: see `bot.store.address`.

    Raises:
        ConfigError: not a Redis address.
    """

    def __init__(self, url: str) -> None:
        self._sentinel: Sentinel | None = None
        self.commands: Redis
        self.listener: Redis
        self._connect(parse_address(url))

    def _connect(self, address: Address) -> None:
        match address:
            case One():
                # One limit around a whole command is enough here; the client's own costs a task for each write.
                commands = {"socket_timeout": None, "socket_connect_timeout": NODE_S, "retry": _NEVER}
                listener = {"socket_timeout": LISTEN_S, "socket_connect_timeout": NODE_S, "retry": _NEVER}
                pool = ConnectionPool.from_url(address.url, **commands)
                self.commands = _Prompt.from_pool(pool)
                pool = ConnectionPool.from_url(address.url, max_connections=LISTENERS, **listener)
                self.listener = _Patient.from_pool(pool)
            case Cluster():
                # A cluster's client takes the same commands, which its types do not say.
                self.commands = cast("Redis", _PromptCluster(**_cluster(address, CONNECTIONS, NODE_S)))
                self.listener = cast("Redis", _Cluster(**_cluster(address, LISTENERS, LISTEN_S)))
            case Sentinels():
                times = {"socket_timeout": NODE_S / 2, "socket_connect_timeout": NODE_S / 2}
                sentinel_kwargs = {**times, "retry": _NEVER, **address.asking}
                self._sentinel = Sentinel(address.nodes, sentinel_kwargs=sentinel_kwargs)  # type: ignore[no-untyped-call]
                self.commands = _Prompt.from_pool(_pool(self._sentinel, address, CONNECTIONS, NODE_S))
                self.listener = _Patient.from_pool(_pool(self._sentinel, address, LISTENERS, LISTEN_S))

    async def ping(self) -> None:
        """Reach every master and see that it is one and takes writes.

        Raises:
            Transient: one does not answer, or cannot write.
        """
        with mapped():
            # Redis refuses a ping while it loads its data or cannot write to its disk.
            await self.commands.ping(**_masters(self.commands))
        if any(state["role"] != "master" for state in await information(self.commands, "replication")):
            raise Transient("redis_readonly")

    async def time(self) -> datetime:
        """What time it is by Redis, aware UTC.

        Raises:
            Transient: it does not answer.
        """
        with mapped():
            seconds, microseconds = await self.commands.time()
        return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.commands.aclose()
        await self.listener.aclose()
        if self._sentinel is not None:
            await self._sentinel.aclose()


def is_one_place(redis: Redis) -> bool:
    """Whether all keys are in one place, so that one script may use any of them."""
    return isinstance(redis, _Prompt)


async def answered_together(redis: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What commands that hang on nothing of each other are answered: one way there and back, where it is one server.

    Raises:
        Transient: one of them failed; the others may have been done.
    """
    with mapped():
        if not isinstance(redis, _Prompt):  # each has its own place
            return await asyncio.gather(*(redis.execute_command(*command) for command in commands))  # type: ignore[no-untyped-call]
        answers = await redis.execute_all(commands)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers


async def read_list(redis: Redis, key: str, start: int = 0, end: int = -1) -> list[bytes]:
    """A list's values; our connections never decode, which the client's types cannot tell."""
    with mapped():
        return cast("list[bytes]", await redis.lrange(key, start, end))


async def information(redis: Redis, section: str) -> list[dict[str, Any]]:
    """What every master says of itself in a section of `INFO`."""
    with mapped():
        told = await redis.info(section, **_masters(redis))
    cluster = _cluster_in(redis)
    return list(told.values()) if cluster is not None and len(cluster.get_primaries()) > 1 else [told]


async def subscribed(redis: Redis, *channels: str) -> AsyncGenerator[dict[str, Any], None]:
    """Subscribe, and give what the subscription says, its beginning included; only wakes are to hang on it.

    In a cluster every node hears what is published at any, so one connection is enough.
    """
    with mapped():
        # Finds the place of the first channel as it is at this moment, which a subscription alone does not do.
        await redis.exists(channels[0])
        async with redis.pubsub() as pubsub:
            await pubsub.subscribe(*channels)
            async with aclosing(pubsub.listen()) as listening:
                async for message in listening:
                    yield message


def _cluster_in(redis: object) -> RedisCluster | None:
    return redis if isinstance(redis, RedisCluster) else None


def _masters(redis: Redis) -> dict[str, Any]:
    return {} if _cluster_in(redis) is None else {"target_nodes": RedisCluster.PRIMARIES}


def _cluster(address: Cluster, connections: int, silence_s: float) -> dict[str, Any]:
    return {
        "startup_nodes": [ClusterNode(host, port) for host, port in address.nodes],
        "max_connections": connections,
        "socket_timeout": silence_s,
        "socket_connect_timeout": NODE_S,
        "retry": _NEVER,
        # Who is told that a slot has moved follows it. The client's default is to close all connections, also those on
        # which others wait for their answers, at every fifth such word.
        "reinitialize_steps": 0,
        **address.login,
    }


def _pool(sentinel: Sentinel, address: Sentinels, connections: int, silence_s: float) -> SentinelConnectionPool:
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]
        address.service,
        sentinel,
        max_connections=connections,
        db=address.db,
        socket_timeout=silence_s,
        socket_connect_timeout=NODE_S,
        retry=_NEVER,
        **address.login,
    )

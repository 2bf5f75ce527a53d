"""Connections to Redis, and the one place where the client's exceptions become ours."""

from __future__ import annotations

from typing import cast

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.exceptions import RedisError

from bot.errors import ConfigError, Transient

CONNECTIONS = 64
"""For commands, which are short: callers wait for a free one instead of failing."""

LISTENERS = 10_000
"""For subscriptions and blocking reads, which hold theirs."""

TIMEOUT_S = 5.0


class mapped:  # noqa: N801  reads as a statement: `with mapped():`
    """Maps the client's exceptions to ours: whatever Redis says, the same work may succeed later."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RedisError | OSError):
            raise Transient("redis_unavailable") from error


async def read_list(redis: Redis, key: str, start: int = 0, end: int = -1) -> list[bytes]:
    """A list's values; our connections never decode, which the client's types cannot tell."""
    with mapped():
        return cast("list[bytes]", await redis.lrange(key, start, end))


class Connections:
    """A pool for commands and a pool for listening, to one Redis.

    Args:
        url: `redis://…`, `rediss://…` or `unix://…`.

    Raises:
        ConfigError: not a Redis address.
    """

    def __init__(self, url: str) -> None:
        try:
            self.commands = Redis.from_pool(
                BlockingConnectionPool.from_url(
                    url, max_connections=CONNECTIONS, timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S
                )
            )
            self.listener = Redis.from_pool(ConnectionPool.from_url(url, max_connections=LISTENERS))
        except ValueError:
            raise ConfigError(
                "REDIS_URL is not a Redis address; write redis://host:6379/0, rediss://… or unix:///path/to/socket."
            ) from None

    async def ping(self) -> None:
        """Reach the server.

        Raises:
            Transient: it does not answer.
        """
        with mapped():
            await self.commands.ping()

    async def aclose(self) -> None:
        """Close all connections."""
        await self.commands.aclose()
        await self.listener.aclose()

"""What is watched about the Redis that keeps conversations: its layout at the start, and its room all the time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from bot.errors import ConfigError, Transient
from bot.observe import ADMISSION_CLOSED, REDIS_MEMORY
from bot.store.client import information, mapped
from bot.store.keys import PARTITION_COUNT
from bot.store.mailbox import RedisMailbox

MEMORY_SHARE = 0.8
"""Share of Redis' `maxmemory` from which on nothing more is accepted: a full one can settle and so free nothing."""

INTERVAL_S = 1.0


async def keep_partitions(redis: Redis, partitions: int) -> None:
    """Make sure that every process counts the same partitions: a thread's place follows from their number.

    Raises:
        ConfigError: the conversations in this Redis were laid out for another number.
    """
    with mapped():
        await redis.set(PARTITION_COUNT, partitions, nx=True)
        kept = int(await redis.get(PARTITION_COUNT) or 0)
    if kept != partitions:
        raise ConfigError(
            f"PARTITIONS is {partitions}, but the conversations in this Redis were laid out for {kept}; set it to "
            f"{kept}, or begin with an empty Redis."
        )


async def guard_memory(redis: Redis, mailbox: RedisMailbox) -> None:
    """Close the mailbox's door while Redis has little room left; runs until cancelled."""
    while True:
        with suppress(Transient):  # while Redis is away, `put` says so itself
            fullest = max(map(_used_share, await information(redis, "memory")))
            mailbox.closed = fullest > MEMORY_SHARE
            REDIS_MEMORY.set(fullest)
            ADMISSION_CLOSED.set(mailbox.closed)
        await asyncio.sleep(INTERVAL_S)


def _used_share(memory: Mapping[str, Any]) -> float:
    limit = memory.get("maxmemory", 0)
    return memory["used_memory"] / limit if limit else 0.0


async def refuse_unsafe(redis: Redis) -> None:
    """Refuse a Redis, or a cluster one of whose masters, would lose what was accepted.

    Raises:
        ConfigError: it has no append-only file, or evicts keys when it is full; says how to mend it.
    """
    problems = []
    if not all(persistence.get("aof_enabled") for persistence in await information(redis, "persistence")):
        problems.append(
            "REDIS_URL: this Redis keeps no append-only file, so a restart would lose messages that were accepted; "
            "start it with: appendonly yes, appendfsync always (or everysec, which may lose the last second)."
        )
    policies = {memory.get("maxmemory_policy", "noeviction") for memory in await information(redis, "memory")}
    if evicting := policies - {"noeviction"}:
        problems.append(
            f"REDIS_URL: this Redis evicts keys when it is full ({', '.join(sorted(evicting))}), so conversations "
            "would vanish; start it with: maxmemory-policy noeviction."
        )
    if problems:
        raise ConfigError(*problems)

"""Lua scripts, and those of the mailbox, each declared in its first lines: the only writers of a thread's keys."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from bot.errors import LeaseLost, Transient
from bot.store.client import mapped

FOLDER = Path(__file__).parent / "scripts"

LONG = frozenset({"open"})
"""Scripts that answer with a conversation."""

PATIENCE_S = 5.0
"""How long what a turn has done is brought to a Redis that is away: a restart or a fail-over costs no turn."""

AGAIN_S = 0.1


class Script:
    """A script by its digest, and by its text for a server that has not seen it or has forgotten it.

    The text goes to the server that was asked and to no other: in a cluster one that is down costs the rest nothing.

    Args:
        alone: its answer may be long, and nobody else's is to come behind it.
    """

    def __init__(self, text: str, *, alone: bool = False) -> None:
        self._text = text
        self._alone = alone
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, redis: Redis, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it.

        Raises:
            Transient: Redis cannot be reached; the script ran or it did not.
        """
        run: Any = redis.execute_command
        with mapped():
            try:
                return await run("EVALSHA", self._digest, len(keys), *keys, *args, alone=self._alone)
            except NoScriptError:
                return await run("EVAL", self._text, len(keys), *keys, *args, alone=self._alone)


class Scripts:
    """Runs the mailbox's scripts by name."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = {
            path.stem: Script(path.read_text(), alone=path.stem in LONG) for path in sorted(FOLDER.glob("*.lua"))
        }

    async def run(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script.

        Raises:
            Transient: Redis cannot be reached; the script ran or it did not, and may be run again.
        """
        return await self._scripts[name](self._redis, keys, args)

    async def patiently(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script, again and again while Redis is away: each has its effect once, however often it runs.

        Raises:
            Transient: Redis could not be reached for `PATIENCE_S`.
        """
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self.run(name, keys, args)
            except Transient:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(AGAIN_S)

    async def fenced(self, name: str, keys: Sequence[str], args: Sequence[Any], *, patient: bool = True) -> Any:
        """Run a script that only the owner of a thread may run.

        Raises:
            LeaseLost: somebody else owns the thread.
            Transient: Redis cannot be reached.
        """
        result = await (self.patiently if patient else self.run)(name, keys, args)
        if result == b"fenced":
            raise LeaseLost(name)
        return result

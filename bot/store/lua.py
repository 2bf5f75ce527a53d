"""The mailbox's Lua scripts, each declared in its first lines: they are the only writers of a thread's keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from bot.errors import LeaseLost
from bot.store.client import mapped

FOLDER = Path(__file__).parent / "scripts"


class Scripts:
    """Runs scripts by name; loads one again when the server has forgotten it."""

    def __init__(self, redis: Redis) -> None:
        self._scripts: dict[str, AsyncScript] = {
            path.stem: redis.register_script(path.read_text()) for path in sorted(FOLDER.glob("*.lua"))
        }

    async def run(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script.

        Raises:
            Transient: Redis cannot be reached; the script ran or it did not, and may be run again.
        """
        with mapped():
            return await self._scripts[name](keys=keys, args=args)

    async def fenced(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script that only the owner of a thread may run.

        Raises:
            LeaseLost: somebody else owns the thread.
        """
        result = await self.run(name, keys, args)
        if result == b"fenced":
            raise LeaseLost(name)
        return result

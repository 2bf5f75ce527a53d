"""Everything that a measurement needs, running: Redis, the model, Frontdesk, the bare loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from bot.store.embedded import EmbeddedRedis
from tests.bench.part import Part
from tests.bench.seeds import seed


@dataclass(slots=True)
class House:
    """The parts, and new conversations.

    Args:
        quick: measure less often.
    """

    redis: Redis
    model: Part
    frontdesk: Part
    floor: Part
    quick: bool
    _threads: int = 0

    async def threads(self, count: int, *, earlier: int = 0) -> list[str]:
        """Conversations that nobody had yet, with this many earlier turns."""
        roots = [f"t{number}" for number in range(self._threads, self._threads + count)]
        self._threads += count
        if earlier:
            await seed(self.redis, roots, earlier)
        return roots


@asynccontextmanager
async def opened(folder: Path, *, quick: bool) -> AsyncIterator[House]:
    """The house while the context lasts; Redis as `frontdesk demo` starts it, every write on the disk at once."""
    async with EmbeddedRedis(folder) as server, Part("model", log=folder / "model.log") as model:
        url, base_url = server.url, model.told["base_url"]
        async with (
            Redis.from_url(url) as redis,
            Part("frontdesk", url, base_url, str(folder), log=folder / "frontdesk.log") as frontdesk,
            Part("floor", url, base_url, log=folder / "floor.log") as floor,
        ):
            yield House(redis=redis, model=model, frontdesk=frontdesk, floor=floor, quick=quick)

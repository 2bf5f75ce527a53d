"""Counting tries, so that nobody can go on guessing: a sliding window per person, exact across processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from bot.errors import Transient
from bot.ports import SharedState

_RACES = 50
"""How often a count is tried again because somebody else counted at the same moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """A limit on tries.

    Args:
        limit: tries within `window_s` after which the next one is refused.
        window_s: a try older than this does not count.
        pause_s: for how long after the last try one is refused; never longer than the window has it.
        now: the clock, aware UTC.
    """

    limit: int
    window_s: float
    pause_s: float
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def begin(self, state: SharedState, who: str, call: str) -> bool:
        """Count a try before it is made; whether it may be made. Counting the same call again counts it once.

        Args:
            who: whose tries these are.
            call: the call's idempotency key.
        """

        def decide(tries: Mapping[str, float]) -> Mapping[str, float] | None:
            if call in tries:
                return tries
            now = self.now().timestamp()
            refused = len(tries) >= self.limit and now - max(tries.values()) < self.pause_s
            return None if refused else {**tries, call: now}

        return await self._change(state, who, decide)

    async def forgive(self, state: SharedState, who: str, call: str) -> None:
        """Take back the try of this call, because it was none; the others stay counted."""
        await self._change(state, who, lambda tries: {key: at for key, at in tries.items() if key != call})

    async def forget(self, state: SharedState, who: str) -> None:
        """Count nothing of what somebody tried before."""
        await state.delete(f"tries/{who}")

    async def _change(
        self, state: SharedState, who: str, decide: Callable[[Mapping[str, float]], Mapping[str, float] | None]
    ) -> bool:
        key = f"tries/{who}"
        for _ in range(_RACES):
            stored = await state.get(key)
            before = self._recent(stored)
            after = decide(before)
            if after is None:
                return False
            if after == before or await state.compare_and_set(key, stored, orjson.dumps(after), ttl_s=self.window_s):
                return True
        raise Transient("attempts_contended")

    def _recent(self, stored: bytes | None) -> dict[str, float]:
        start = self.now().timestamp() - self.window_s
        tries: dict[str, float] = orjson.loads(stored) if stored else {}
        return {call: at for call, at in tries.items() if at > start}

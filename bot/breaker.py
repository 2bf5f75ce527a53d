"""Circuit breakers: a part that keeps failing is left alone for a while, then tried by one."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.observe import BREAKER_OPEN


class Breaker:
    """Closed while things work; open after several failures in a row; after a rest one call finds out.

    Args:
        part: what it is for, as metrics call it; from a fixed set.
        failures: how many in a row open it.
        rest_s: how long the part is left alone.
        clock: seconds that never go back.
    """

    def __init__(self, part: str, *, failures: int, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.part = part
        self._limit = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._rests_until: float | None = None
        self._probed = False
        BREAKER_OPEN.labels(part=part).set(0)

    @property
    def is_open(self) -> bool:
        """Whether the part has not been seen working since it was left alone."""
        return self._rests_until is not None

    def admits(self) -> bool:
        """Whether a call may be made; who is told yes says how it ended by `succeeded`, `failed` or `left`."""
        if self._rests_until is None:
            return True
        if self._probed or self._clock() < self._rests_until:
            return False
        self._probed = True
        return True

    def succeeded(self) -> None:
        """The part works."""
        self._failures, self._rests_until, self._probed = 0, None, False
        BREAKER_OPEN.labels(part=self.part).set(0)

    def failed(self) -> None:
        """The part does not work."""
        self._failures += 1
        if self._failures >= self._limit:
            self._rests_until, self._probed = self._clock() + self._rest_s, False
            BREAKER_OPEN.labels(part=self.part).set(1)

    def left(self) -> None:
        """The call ended without telling whether the part works; somebody else may find out."""
        self._probed = False


class Breakers:
    """A breaker for each part that has failed; the others cost nothing.

    Args:
        failures, rest_s: see `Breaker`.
    """

    def __init__(self, *, failures: int, rest_s: float) -> None:
        self._failures = failures
        self._rest_s = rest_s
        self._breakers: dict[str, Breaker] = {}

    def of(self, part: str) -> Breaker:
        """The breaker of a part."""
        breaker = self._breakers.get(part)
        if breaker is None:
            breaker = self._breakers[part] = Breaker(part, failures=self._failures, rest_s=self._rest_s)
        return breaker

"""What goes wrong on purpose: an order for the next requests that fit, one each."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

from tests.servers.discord.errors import Refused, refused, slowed


@dataclass(eq=False, kw_only=True)
class Fault:
    """What happens to one request, and whether it has happened.

    Args:
        error: the answer instead of what was asked; nothing is done.
        ratelimit_s: the answer is 429 with this time to wait.
        scope: `user`, `global` or `shared`, with a 429.
        html: the answer is a web page of this status, as a proxy in between sends one.
        lost: it is done, and the connection ends before the answer.
        dropped: the connection ends before anything is done.
        holds: it is done, and the answer waits for `release`.
    """

    error: Refused | None = None
    ratelimit_s: float | None = None
    scope: str = "user"
    html: int = 0
    lost: bool = False
    dropped: bool = False
    holds: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.go.set()

    async def hold(self) -> None:
        self.reached.set()
        await self.go.wait()


def fails(code: int) -> Fault:
    """The error of this number."""
    return Fault(error=refused(code))


def slow_mode(seconds: float) -> Fault:
    """429 with the number of slow mode and this time to wait."""
    return Fault(error=slowed(seconds))


def unavailable(status: int = 503) -> Fault:
    """A server error without a number."""
    return Fault(error=Refused(status, 0, f"{status}: Server Error"))


def ratelimited(seconds: float, *, scope: str = "user") -> Fault:
    """429."""
    return Fault(ratelimit_s=seconds, scope=scope)


def lost() -> Fault:
    """Done, but nobody is told."""
    return Fault(lost=True)


def dropped() -> Fault:
    """Not done, and nobody is told."""
    return Fault(dropped=True)


def held_after() -> Fault:
    """Done at once, told after `release`."""
    return Fault(holds=True)


@dataclass
class Faults:
    """Orders in the sequence in which they were given."""

    _orders: list[tuple[str, re.Pattern[str], Fault, bool]] = field(default_factory=list)

    def next(self, method: str, path: str, *faults: Fault) -> Fault:
        """The next requests whose method is this and whose path fits the pattern, one fault each; the first of them."""
        self._orders += [(method, re.compile(path), fault, False) for fault in faults]
        return faults[0]

    def always(self, method: str, path: str, fault: Fault) -> Fault:
        """Every request that fits, until `clear`."""
        self._orders.append((method, re.compile(path), fault, True))
        return fault

    def clear(self) -> None:
        self._orders.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """What shall happen to this request."""
        for order in self._orders:
            wanted, pattern, fault, stays = order
            if wanted in (method, "*") and pattern.fullmatch(path):
                if not stays:
                    self._orders.remove(order)
                return fault
        return None

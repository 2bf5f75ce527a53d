"""What goes wrong at this Slack, as a test asks for it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Gate:
    """Holds a call; `reached` tells that it came."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.go.set()


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to one call.

    Args:
        error: it is refused with this word.
        retry_after_s: it is refused with 429 and this.
        status: it is refused with this status and a web page.
        loses: it is done, and the connection ends before the answer.
        drops: it is not done, and the connection ends.
        gate: it waits before it is done.
        late: the gate stands after it was done.
    """

    error: str = ""
    retry_after_s: int | None = None
    status: int = 0
    loses: bool = False
    drops: bool = False
    gate: Gate | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the Web API as it came."""

    method: str
    arguments: Mapping[str, Any]
    token: str
    at: float
    """Monotonic seconds."""


class Faults:
    """Faults in the order in which they are to happen, for each method; `always` those that do not pass."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self.chance: Callable[[str], Fault] = lambda method: Fault()
        """What happens to a call for which nothing is planned."""
        self.seen: Counter[str] = Counter()
        """How often each method was called."""
        self.before: Callable[[Call, int], None] = lambda call, times: None
        """Told of a call before it is done."""
        self.after: Callable[[Call, int], None] = lambda call, times: None
        """Told of a call that was done, before its caller hears of it."""

    def plan(self, method: str, *faults: Fault) -> None:
        """The next calls of a method go wrong."""
        self._queues[method].extend(faults)

    def always(self, method: str, fault: Fault | None) -> None:
        """Every call of a method goes wrong from now on; nothing ends that."""
        if fault is None:
            self._always.pop(method, None)
        else:
            self._always[method] = fault

    @property
    def left(self) -> dict[str, int]:
        """Planned faults that have not happened."""
        return {method: len(queue) for method, queue in self._queues.items() if queue}

    def next(self, method: str) -> Fault:
        """What happens to this call."""
        queue = self._queues[method]
        return queue.popleft() if queue else self._always.get(method) or self.chance(method)

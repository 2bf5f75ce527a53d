"""How often what may be asked: buckets per route and place, all routes together, and the invalid requests.

The real numbers are not published and are read from headers. The counts here are the usual ones; the windows are
shorter, so that a test need not wait as long as a person would.

Source: Discord API documentation, `topics/rate-limits`.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.servers.discord.values import Json

BANNED_AT = 10_000
"""So many answers of 401, 403 or 429 in ten minutes, and the address is shut out."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in so many seconds."""

    count: int
    window_s: float


@dataclass(slots=True)
class Window:
    begins: float = 0.0
    used: int = 0


@dataclass
class Buckets:
    """Windows of every route and place.

    Args:
        routes: `POST messages` and the like -> its limit; `other` for the rest.
        overall: all routes together.
    """

    routes: dict[str, Limit] = field(
        default_factory=lambda: {
            "POST messages": Limit(5, 0.2),
            "PATCH messages": Limit(5, 0.2),
            "other": Limit(50, 0.2),
        }
    )
    overall: Limit = Limit(1_000, 1.0)
    invalid: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """429 by route: how often somebody asked too often."""
    banned_at: int = BANNED_AT
    _windows: dict[tuple[str, int], Window] = field(default_factory=dict)
    _all: Window = field(default_factory=Window)

    def enter(self, route: str, place: int) -> tuple[dict[str, str], Json | None]:
        """Count a request.

        Returns:
            The headers of its answer, and the body of a 429 if it came too soon.
        """
        limit = self.routes.get(route, self.routes["other"])
        window = self._current(self._windows.setdefault((route, place), Window()), limit)
        left_s = max(0.0, window.begins + limit.window_s - time.monotonic())
        over = window.used >= limit.count
        if not over:
            window.used += 1
        headers = {
            "X-RateLimit-Limit": str(limit.count),
            "X-RateLimit-Remaining": str(limit.count - window.used),
            "X-RateLimit-Reset": f"{time.time() + left_s:.3f}",
            "X-RateLimit-Reset-After": f"{left_s:.3f}",
            "X-RateLimit-Bucket": f"bucket-{route.replace(' ', '-').lower()}",
        }
        if over:
            self.refused[route] += 1
            return headers | too_many_headers(left_s, "user"), too_many(left_s)
        return headers, None

    def enter_all(self) -> tuple[dict[str, str], Json] | None:
        """Count a request of any route; what it is answered when there were too many."""
        window = self._current(self._all, self.overall)
        window.used += 1
        if window.used <= self.overall.count:
            return None
        left_s = max(0.01, window.begins + self.overall.window_s - time.monotonic())
        self.refused["global"] += 1
        return too_many_headers(left_s, "global"), too_many(left_s, everywhere=True)

    def note(self, status: int, scope: str = "") -> None:
        """Count an answer that the platform holds against the asker; a shared 429 is nobody's fault."""
        if status in (401, 403) or (status == 429 and scope != "shared"):
            self.invalid += 1

    @property
    def is_banned(self) -> bool:
        return self.invalid >= self.banned_at

    def _current(self, window: Window, limit: Limit) -> Window:
        if time.monotonic() >= window.begins + limit.window_s:
            window.begins, window.used = time.monotonic(), 0
        return window


def too_many(retry_after_s: float, *, everywhere: bool = False) -> Json:
    """The body of a 429."""
    return {"message": "You are being rate limited.", "retry_after": round(retry_after_s, 3), "global": everywhere}


def too_many_headers(retry_after_s: float, scope: str) -> dict[str, str]:
    """The headers of a 429; `Via` tells that it comes from the platform and not from what stands before it."""
    headers = {"Retry-After": str(max(1, round(retry_after_s))), "X-RateLimit-Scope": scope, "Via": "1.1 google"}
    return headers | ({"X-RateLimit-Global": "true"} if scope == "global" else {})

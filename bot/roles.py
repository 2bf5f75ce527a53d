"""What a process does."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Hold the platforms' sockets and serve HTTP, run turns, or both."""

    ALL = "all"
    PLATFORMS = "platforms"
    WORKERS = "workers"

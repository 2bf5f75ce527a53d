"""Erasing one person wherever something is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.messages import PersonRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """How much was looked at, and how much of it names the person."""

    looked_at: int
    found: int


class Forgetting(Protocol):
    """A store that can forget one person, and show that it has.

    Raises:
        Transient: the store cannot be reached; forgetting may be begun again.
    """

    async def forget(self, person: PersonRef) -> Mapping[str, int]:
        """Forget; what was erased, and how much of it. Repeating it changes nothing."""

    async def search(self, person: PersonRef) -> Mapping[str, Searched]:
        """Look at everything that is kept: place -> how much names the person."""

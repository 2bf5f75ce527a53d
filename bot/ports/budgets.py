"""What may be spent, and the counts behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.messages import Person, ThreadKey


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """How much of one limit is used.

    Args:
        scope: whose it is: `thread`, `person`, `organisation`, `day` (everybody together), or `messages` of a person.
        unit: `calls`, `tokens`, `money` (in the currency of the settings), or `messages`.
        ends_at: when counting begins anew, aware UTC; nothing while nothing is counted.
    """

    scope: str
    unit: str
    used: float
    limit: float
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Something that is counted for a while, from the first of it on."""

    name: str
    lasts_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a window holds, and when it ends, aware UTC."""

    total: int
    ends_at: datetime


class Counts(Protocol):
    """Counts that every process adds to.

    Raises:
        Transient: they cannot be reached.
    """

    async def add(self, amounts: Mapping[Window, int]) -> Mapping[Window, Counted]:
        """Add, and tell what the windows hold after it."""

    async def read(self, windows: Sequence[Window]) -> Mapping[Window, Counted]:
        """What the windows hold, those left out that hold nothing."""


class Budgets(Protocol):
    """What may be spent on models, and what was."""

    async def status(self, thread: ThreadKey, person: Person | None = None) -> Sequence[BudgetLine]:
        """Every limit that is set and concerns this thread and, when one is named, this person.

        Raises:
            Transient: the counts cannot be read.
        """

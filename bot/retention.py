"""What is kept ends: rows older than the retention are deleted, by one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from bot.errors import Transient
from bot.ports import Mailbox, SharedState

log = structlog.get_logger(__name__)

EVERY_S = 3_600.0
"""How often somebody looks for what is too old."""

LOOK_S = 60.0
"""How often each process asks whether it is to be the one."""

_CLAIM = "claim"


class Old(Protocol):
    """Rows that grow old."""

    async def purge(self, now: datetime, before: datetime) -> Mapping[str, int]:
        """Delete what is older than `before`, and what has an end of its own before `now`; how many of which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Deletes what is too old.

    Args:
        state: where the processes settle who does it; a namespace of its own.
        mailbox: whose dead letters end as well: the record that they are about is gone by then.
        days: how long things are kept.
    """

    state: SharedState
    mailbox: Mailbox
    rows: Old
    days: float
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def run(self) -> None:
        """Look now and then until cancelled; not at once, as a start has enough to do."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Transient as failure:
                log.warning("retention_waits", reason=failure.reason)
            except Exception as failure:  # what cannot be deleted this hour must not keep the process from working
                log.error("retention_failed", exc_info=failure)

    async def look(self) -> bool:
        """Delete what is too old, if nobody has done so within the hour; whether it was done here."""
        now = self.now()
        if not await self.state.compare_and_set(_CLAIM, None, now.isoformat().encode(), ttl_s=EVERY_S):
            return False
        before = now - timedelta(days=self.days)
        deleted = dict(await self.rows.purge(now, before))
        old = [letter.id for letter in await self.mailbox.dead_letters() if letter.at < before]
        deleted["dead letters"] = sum([await self.mailbox.drop(letter) for letter in old])
        if any(deleted.values()):
            log.info("retention", **{name.replace(" ", "_"): count for name, count in deleted.items() if count})
        return True

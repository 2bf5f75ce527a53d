"""How this process and what it stands on are doing: what `/metrics` and `/readyz` look at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from bot.errors import BotError, Transient, Unwell
from bot.observe import (
    DATABASE_UP,
    DEAD_LETTERS,
    LOOP_LAG,
    PART_READY,
    QUEUE_AGE,
    QUEUE_OPEN,
    QUEUE_READY,
    REDIS_UP,
)
from bot.ports import Figures, Mailbox

log = structlog.get_logger(__name__)

PATIENCE_S = 2.0
"""How long a part may take to answer before it counts as away; a scrape is cut off after ten seconds as a rule."""

LAG_EVERY_S = 0.25

SKEW_S = 60.0
"""Signatures of platforms are refused when they are older than five minutes or from the future by one."""

Probe = Callable[[], Awaitable[Figures | None]]
"""Raises when a part cannot be reached; may give what the part measured of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vital:
    """How a part does.

    Args:
        state: `ok`, or what is the matter with it, in a word of ours.
        figures: what it measured of itself.
    """

    state: str
    figures: Figures = field(default_factory=dict)


async def look(probe: Probe) -> Vital:
    """How a part does."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return Vital(state="ok", figures=await probe() or {})
    except TimeoutError:
        return Vital(state="no_answer")
    except Unwell as failure:
        return Vital(state=failure.reason, figures=failure.figures)
    except (BotError, OSError) as failure:
        return Vital(state=str(getattr(failure, "reason", "unavailable")))


async def same_time(
    told: Callable[[], Awaitable[datetime]], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """Whether this machine's clock agrees with that of Redis: with a wrong one every signed request looks forged.

    Raises:
        Transient: it is off by more than `SKEW_S`, or Redis does not tell.
    """
    offset_s = (now() - await told()).total_seconds()
    if abs(offset_s) > SKEW_S:
        log.error("clock_skew_suspected", offset_s=round(offset_s))
        raise Transient("clock_skew")


class Vitals:
    """Brings the gauges up to date that nobody else sets.

    Args:
        mailbox: whose backlog is told.
        probes: what `/readyz` asks; `redis` and `database` are among them.
    """

    def __init__(self, mailbox: Mailbox, probes: Mapping[str, Probe]) -> None:
        self._mailbox = mailbox
        self._probes = probes

    async def read(self) -> None:
        """Look at everything; what cannot be reached keeps its last numbers, and is told as down."""
        *told, _ = await asyncio.gather(*map(look, self._probes.values()), look(self._backlog))
        up = {name: each.state == "ok" for name, each in zip(self._probes, told, strict=True)}
        REDIS_UP.set(up["redis"])
        DATABASE_UP.set(up["database"])
        for name, is_up in up.items():
            PART_READY.labels(part=name).set(is_up)

    async def _backlog(self) -> None:
        backlog = await self._mailbox.backlog()
        QUEUE_READY.set(backlog.ready)
        QUEUE_AGE.set(backlog.oldest_s)
        QUEUE_OPEN.set(backlog.open)
        DEAD_LETTERS.set(backlog.dead)


async def watch_loop() -> None:
    """Measure how late the event loop is, until cancelled."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        LOOP_LAG.observe(max(0.0, clock() - due))

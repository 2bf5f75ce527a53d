"""How the gateway does: what `/readyz` and `/metrics` tell of it."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from discord.gateway import DiscordWebSocket
from prometheus_client import Gauge

from bot.ports import Figures

LATENCY = Gauge(
    "frontdesk_discord_latency_seconds", "From a heartbeat to its acknowledgement; infinite while not heard.", ["shard"]
)
HEARTBEAT = Gauge("frontdesk_discord_heartbeat_age_seconds", "Since the last acknowledged heartbeat.", ["shard"])
SHARDS_MISSING = Gauge("frontdesk_discord_shards_missing", "Shards of this process that bring no events.")
WAITING = Gauge("frontdesk_discord_events_waiting", "Events of Discord's that are not in intake yet.")
BEHIND = Gauge("frontdesk_discord_channels_behind", "Channels that are still to be read again after an outage.")

FRESH_S = 90.0
"""An acknowledged heartbeat is due every forty seconds or so; after twice that nothing can be coming in."""

SLOW_S = 10.0
"""A heartbeat that takes so long comes from a process or a line that cannot keep up."""

LATE_S = 120.0
"""What happened so long ago and is not in intake yet has waited for more than a hiccup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The connection of a shard that has a session.

    Args:
        latency_s: from the last heartbeat to its acknowledgement; infinite before the first.
        age_s: since the last acknowledgement.
    """

    latency_s: float
    age_s: float

    @property
    def is_felt(self) -> bool:
        """Whether events can be coming in."""
        return self.latency_s <= FRESH_S and self.age_s <= FRESH_S


def feel(socket: DiscordWebSocket) -> Pulse:
    """The pulse of a connection."""
    heart = socket._keep_alive  # noqa: SLF001 - the public `latency` stays as it was when acknowledgements stop
    if heart is None:
        return Pulse(latency_s=float("inf"), age_s=float("inf"))
    return Pulse(latency_s=heart.latency, age_s=time.perf_counter() - heart._last_ack)  # noqa: SLF001


def measure(wanted: Collection[int], pulses: Mapping[int, Pulse]) -> None:
    """Tell the gauges; a shard without a session has no latency."""
    LATENCY.clear()
    HEARTBEAT.clear()
    for shard, pulse in pulses.items():
        LATENCY.labels(shard=str(shard)).set(pulse.latency_s)
        HEARTBEAT.labels(shard=str(shard)).set(pulse.age_s)
    SHARDS_MISSING.set(sum(1 for shard in wanted if shard not in pulses or not pulses[shard].is_felt))


def sum_up(wanted: Collection[int], pulses: Mapping[int, Pulse]) -> Figures:
    """The same in short: the slowest and the oldest of all shards; what is not known is left out."""
    felt = sum(1 for shard in wanted if shard in pulses and pulses[shard].is_felt)
    figures: dict[str, float | str] = {"shards": f"{felt}/{len(wanted)}"}
    latency_s = max((pulse.latency_s for pulse in pulses.values()), default=math.inf)
    age_s = max((pulse.age_s for pulse in pulses.values()), default=math.inf)
    if math.isfinite(latency_s):
        figures["latency_ms"] = round(latency_s * 1_000)
    if math.isfinite(age_s):
        figures["heartbeat_age_s"] = round(age_s, 1)
    return figures


def trouble(wanted: Collection[int], pulses: Mapping[int, Pulse]) -> str:
    """What keeps events from coming in, in a few words; nothing when they do.

    Args:
        wanted: the shards of this process.
        pulses: those of them that have a session.
    """
    if missing := sorted(set(wanted) - set(pulses)):
        return f"discord_shards_missing: {', '.join(map(str, missing))}"
    if silent := [shard for shard, pulse in sorted(pulses.items()) if not pulse.is_felt]:
        return f"discord_shards_silent: {', '.join(map(str, silent))}"
    if (slowest_s := max((pulse.latency_s for pulse in pulses.values()), default=0.0)) > SLOW_S:
        return f"discord_slow: a heartbeat takes {slowest_s:.0f} s"
    return ""


def lateness(taken_until: float, events: int, channels: int) -> str:
    """Whether what was heard, or is to be read again, waits too long, in a few words.

    Args:
        taken_until: everything from before this moment is in intake, in seconds since 1970.
        events: that wait.
        channels: that are still to be read again.
    """
    if (late_s := time.time() - taken_until) <= LATE_S:
        return ""
    return f"discord_behind: by {late_s:.0f} s, {events} events, {channels} channels to read again"

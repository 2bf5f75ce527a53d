"""What `/readyz` says of the gateway, decided from how its connections do."""

from __future__ import annotations

import time

import pytest

from adapters.discord.pulse import FRESH_S, LATE_S, SLOW_S, Pulse, lateness, sum_up, trouble

WELL = Pulse(latency_s=0.1, age_s=41.0)
NEVER = Pulse(latency_s=float("inf"), age_s=0.0)
DUMB = Pulse(latency_s=0.1, age_s=FRESH_S + 1)
SLOW = Pulse(latency_s=SLOW_S + 2, age_s=1.0)


@pytest.mark.behaviour("discord.readyz")
@pytest.mark.parametrize(
    ("pulses", "told"),
    [
        ({0: WELL, 1: WELL, 2: WELL}, ""),
        ({0: WELL}, "discord_shards_missing: 1, 2"),
        ({0: WELL, 1: NEVER, 2: WELL}, "discord_shards_silent: 1"),
        ({0: DUMB, 1: WELL, 2: WELL}, "discord_shards_silent: 0"),
        ({0: WELL, 1: WELL, 2: SLOW}, "discord_slow: a heartbeat takes 12 s"),
        ({0: SLOW, 1: DUMB}, "discord_shards_missing: 2"),
    ],
)
def test_the_worst_is_told(pulses: dict[int, Pulse], told: str) -> None:
    assert trouble([0, 1, 2], pulses) == told


@pytest.mark.behaviour("discord.readyz")
@pytest.mark.parametrize(
    ("pulses", "told"),
    [
        ({0: WELL, 1: SLOW, 2: WELL}, {"shards": "3/3", "latency_ms": 12_000, "heartbeat_age_s": 41.0}),
        ({0: WELL, 1: DUMB}, {"shards": "1/3", "latency_ms": 100, "heartbeat_age_s": FRESH_S + 1}),
        ({0: NEVER}, {"shards": "0/3", "heartbeat_age_s": 0.0}),
        ({}, {"shards": "0/3"}),
    ],
)
def test_the_figures_are_those_of_the_worst_shard(pulses: dict[int, Pulse], told: dict[str, object]) -> None:
    assert sum_up([0, 1, 2], pulses) == told


@pytest.mark.behaviour("discord.readyz")
def test_what_waits_too_long_is_told_with_how_much_it_is() -> None:
    now = time.time()
    assert lateness(now - LATE_S / 2, 500, 20) == ""
    told = lateness(now - LATE_S - 60, 500, 20)
    assert told.startswith("discord_behind: by 18")
    assert told.endswith("500 events, 20 channels to read again")

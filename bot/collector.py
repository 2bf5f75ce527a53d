"""The garbage collector of a process that runs for weeks: what is loaded at its start is never looked at again."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 10_000
"""Containers made, less those gone, before the youngest are looked at; a turn makes hundreds, and they go with it."""


def spare_the_loaded() -> None:
    """Call once everything is imported: a look at all modules takes as long as several turns, and finds nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)

"""How long tests wait for what will surely happen."""

from __future__ import annotations

WAIT_S = 20.0
"""Many times what it takes on a quiet machine: a busy one is slow and not wrong, and waiting in vain fails anyway."""

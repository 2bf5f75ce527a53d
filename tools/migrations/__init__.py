"""The steps by which the tables came to be. `tools.database.migrate` takes them."""

from __future__ import annotations

from tools.database import migrate

__all__ = ["migrate"]

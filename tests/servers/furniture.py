"""The demo's database, made and filled once in a test process: that takes longer than everything else at a start."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bot.app import open_database
from bot.config import load
from tools import demo

_filled: list[bytes] = []


async def furnish(data_folder: Path) -> None:
    """Put a filled database where Frontdesk would make one, unless there is one."""
    place = data_folder / "desk.sqlite3"
    if place.exists():
        return
    if not _filled:
        with tempfile.TemporaryDirectory() as folder:
            async with open_database(load({"FRONTDESK_DATA_DIR": folder})) as database:
                await demo.fill(database)
            _filled.append((Path(folder) / "desk.sqlite3").read_bytes())
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.write_bytes(_filled[0])

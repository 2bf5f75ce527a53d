"""What was measured, as a table for people and as JSON for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

PACKAGES = ("openai", "aiohttp", "httpx2", "redis", "hiredis", "uvloop", "orjson", "msgspec", "pydantic", "structlog")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement.

    Args:
        target: the most (`least`: the least) that it may be; nothing when it is only told.
        note: what the number was measured beside or made of.
    """

    name: str
    measured: float
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self.target is None or self.measured <= self.target


def machine() -> dict[str, str]:
    """Where it was measured."""
    cores, load = os.cpu_count() or 0, os.getloadavg()[0]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {cores} cores, load {load:.1f} before the run",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def versions(redis_version: str) -> dict[str, str]:
    """What it was measured with."""
    return {"redis-server": redis_version, **{name: version(name) for name in PACKAGES}}


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return models[0] if models else platform.machine()


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | measured | target | |", "|---|---|---|---|"]
    for row in rows:
        measured = f"{_number(row.measured)} {row.unit}" + (f" ({row.note})" if row.note else "")
        target = "–" if row.target is None else f"≤ {_number(row.target)} {row.unit}"
        verdict = "" if row.target is None else "ok" if row.is_met else "MISSED"
        lines.append(f"| {row.name} | {measured} | {target} | {verdict} |")
    return "\n".join(lines)


def write(path: Path, rows: Sequence[Row], **about: Any) -> None:
    """The same as JSON."""
    path.parent.mkdir(exist_ok=True)
    values = about | {"rows": [asdict(row) | {"met": row.is_met} for row in rows]}
    path.write_bytes(orjson.dumps(values, option=orjson.OPT_INDENT_2) + b"\n")


def _number(value: float) -> str:
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"

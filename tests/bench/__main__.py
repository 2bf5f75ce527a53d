"""`make bench`: measure everything, print a table, write `artefacts/bench.json`; status 0 when every target is met."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import report
from tests.bench.house import opened
from tests.bench.measures import ALL
from tests.bench.part import ROOT
from tests.bench.slack import acknowledgement

RESULT = ROOT / "artefacts" / "bench.json"


def say(text: str = "") -> None:
    """Print."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def measure(*, quick: bool) -> tuple[list[report.Row], str]:
    """All rows, and the version of Redis."""
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with opened(Path(folder), quick=quick) as house:
            redis_version = str((await house.redis.info("server"))["redis_version"])
            for function in (*ALL, acknowledgement):
                began = time.monotonic()
                rows += await function(house)
                say(f"  {function.__name__}: {time.monotonic() - began:.0f} s")
    return rows, redis_version


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure less often: under a minute, less exact")
    options = parser.parse_args()
    command = "make bench" + (" ARGS=--quick" if options.quick else "")
    about = report.machine()
    for name, value in about.items():
        say(f"{name}: {value}")
    say(f"command: {command}")
    rows, redis_version = asyncio.run(measure(quick=options.quick))
    versions = report.versions(redis_version)
    say("versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()))
    say()
    say(report.table(rows))
    report.write(RESULT, rows, command=command, versions=versions, **about)
    missed = [row.name for row in rows if not row.is_met]
    say()
    say(f"Missed: {', '.join(missed)}" if missed else "Every target is met.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

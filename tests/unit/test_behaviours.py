"""The table of promises and the tests agree, both ways."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.behaviours import AREAS, BEHAVIOURS

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def tests_by_behaviour() -> dict[str, list[str]]:
    """What pytest itself finds, so that a mark counts wherever it comes from."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "--list-behaviours", "tests"]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert collected.returncode == 0, (collected.stdout + collected.stderr)[-2_000:]
    found: dict[str, list[str]] = {}
    for line in collected.stdout.splitlines():
        if line.startswith("behaviour "):
            _, behaviour, test = line.split(" ", 2)
            found.setdefault(behaviour, []).append(test)
    return found


@pytest.mark.behaviour("repository.behaviours")
def test_every_behaviour_has_a_test(tests_by_behaviour: dict[str, list[str]]) -> None:
    assert sorted(BEHAVIOURS.keys() - tests_by_behaviour.keys()) == []


@pytest.mark.behaviour("repository.behaviours")
def test_every_named_behaviour_is_promised(tests_by_behaviour: dict[str, list[str]]) -> None:
    assert {name: tests for name, tests in tests_by_behaviour.items() if name not in BEHAVIOURS} == {}


def test_ids_are_unique_and_every_row_is_whole() -> None:
    rows = [behaviour for area in AREAS for behaviour in area]
    assert [name for name, count in Counter(row.id for row in rows).items() if count > 1] == []
    assert [row.id for row in rows if not row.sentence.endswith(".") or not row.source or "." not in row.id] == []

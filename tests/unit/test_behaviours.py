"""The table of promises and the tests agree, both ways."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.behaviours import AREAS, BEHAVIOURS

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def tests_by_behaviour(request: pytest.FixtureRequest) -> dict[str, list[str]]:
    """What pytest itself finds, so that a mark counts wherever it comes from."""
    found: dict[str, list[str]] = {}
    for behaviour, test in _marks(request.session) if _is_whole(request.config) else _collected():
        found.setdefault(behaviour, []).append(test)
    return found


def _is_whole(config: pytest.Config) -> bool:
    """Whether this run has collected everything there is."""
    named, all_there_are = (
        {config.rootpath / path for path in paths} for paths in (config.args, config.getini("testpaths"))
    )
    options = config.option
    return named == all_there_are and not (options.keyword or options.markexpr or options.deselect or options.ignore)


def _marks(session: pytest.Session) -> Iterator[tuple[str, str]]:
    for item in session.items:
        for marker in item.iter_markers("behaviour"):
            yield from ((behaviour, item.nodeid) for behaviour in marker.args)


def _collected() -> Iterator[tuple[str, str]]:
    """The marks of every test, for a run of a few; it takes as long as collecting does."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "--list-behaviours", "tests"]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert collected.returncode == 0, (collected.stdout + collected.stderr)[-2_000:]
    for line in collected.stdout.splitlines():
        if line.startswith("behaviour "):
            _, behaviour, test = line.split(" ", 2)
            yield behaviour, test


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

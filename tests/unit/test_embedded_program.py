"""Which Redis is started, and what is said when none can be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.store.program import RedisProgram, explain, find_server

LOADING = """2471:C 08 Nov 2024 14:03:00.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo
2471:C 08 Nov 2024 14:03:00.000 # Redis version=7.0.15, bits=64, commit=00000000, modified=0, pid=2471, just started
2471:M 08 Nov 2024 14:03:00.001 # Server initialized
2471:M 08 Nov 2024 14:03:00.001 # WARNING Memory overcommit must be enabled!
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH, in an environment without an unpacked server."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    return tmp_path


def install(path: Path, version_line: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version_line}'\n")
    path.chmod(0o755)
    return path


def test_the_server_on_path_comes_first(programs: Path) -> None:
    install(programs / "environment" / "redis" / "redis-server", "Redis server v=6.2.14 sha=0 bits=64")
    path = install(programs / "redis-server", "Redis server v=7.0.15 sha=0 malloc=jemalloc-5.3.0 bits=64")
    assert find_server() == RedisProgram(path=path, version=(7, 0))


def test_valkey_serves_as_well(programs: Path) -> None:
    install(programs / "redis-server", "Redis server v=6.0.16 sha=0 bits=64")
    path = install(programs / "valkey-server", "Valkey server v=8.1.3 sha=00000000:0 malloc=libc bits=64")
    assert find_server() == RedisProgram(path=path, version=(8, 1))


def test_the_unpacked_server_stands_in_for_one_that_is_too_old(programs: Path) -> None:
    install(programs / "redis-server", "Redis server v=5.0.7 sha=0 bits=64")
    path = install(programs / "environment" / "redis" / "redis-server", "Redis server v=6.2.14 sha=0 bits=64")
    assert find_server() == RedisProgram(path=path, version=(6, 2))


@pytest.mark.behaviour("embedded.found")
@pytest.mark.parametrize(
    ("version_line", "why"),
    [
        (None, "was found: install it"),
        ("Redis server v=6.0.16 sha=0", "is 6.0"),
        ("Segmentation fault", "does not run"),
    ],
)
def test_without_a_server_the_error_says_what_to_install(programs: Path, version_line: str | None, why: str) -> None:
    if version_line is not None:
        install(programs / "redis-server", version_line)
    with pytest.raises(ConfigError, match=why) as caught:
        find_server()
    assert "apt-get install redis-server" in str(caught.value)
    assert "REDIS_URL" in str(caught.value)


def test_an_older_server_refuses_what_a_newer_one_wrote(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").mkdir()
    RedisProgram(path=Path("redis-server"), version=(7, 0)).refuse_newer_data(tmp_path)
    with pytest.raises(ConfigError, match=r"written by Redis 7 or newer, and redis-server is 6\.2"):
        RedisProgram(path=Path("redis-server"), version=(6, 2)).refuse_newer_data(tmp_path)


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (
            LOADING + "1:M 08 Nov 2024 14:03:00.002 # Bad file format reading the append only file: make a backup\n",
            "run `redis-check-aof --fix ",
        ),
        (
            LOADING + "1:M 08 Nov 2024 14:03:00.002 # Can't handle RDB format version 12\n",
            "A newer Redis wrote",
        ),
        (
            LOADING + "1:M 08 Nov 2024 14:03:00.002 # Can't open the append-only file: No space left on device\n",
            "did not start: Can't open the append-only file: No space left on device.",
        ),
        (
            "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n>>> 'appendfsync maybe'\nargument must be one of\n",
            "did not start: argument must be one of.",
        ),
        (LOADING, "Redis version=7.0.15"),
        ("", "did not start: it did not answer in time."),
    ],
)
def test_the_log_is_told_in_a_sentence_with_the_mend(log: str, says: str) -> None:
    program = RedisProgram(path=Path("absent/redis-server"), version=(7, 0))
    assert says in explain(log, program, Path("data/redis"))


def test_the_file_to_mend_is_the_one_that_is_there(tmp_path: Path) -> None:
    log = "1:M 08 Nov 2024 14:03:00.002 # Bad file format reading the append only file appendonly.aof.1.incr.aof\n"
    program = RedisProgram(path=Path("redis-server"), version=(7, 0))
    assert f"--fix {tmp_path}/appendonly.aof`" in explain(log, program, tmp_path)
    manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
    manifest.parent.mkdir()
    manifest.touch()
    assert f"--fix {manifest}`" in explain(log, program, tmp_path)

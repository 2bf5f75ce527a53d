"""Which Redis can be started here, and what its log means when it does not start."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ConfigError

OLDEST_VERSION = (6, 2)
APPEND_ONLY_FOLDER = "appendonlydir"
"""Where Redis 7 and newer keep the append-only file; older ones keep `appendonly.aof` beside it."""

_VERSION_TIMEOUT_S = 5.0
# "2471:M 08 Nov 2024 14:03:00.000 # Bad file format …": pid and role, time, level (# is a warning), message.
_WARNING = re.compile(r"^\d+:[A-Z] .{10,40} # (?P<message>.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisProgram:
    """A Redis (or Valkey) server that can be started."""

    path: Path
    version: tuple[int, int]

    @property
    def checker(self) -> str:
        """The command that mends a damaged append-only file: the one beside the server, else by its name."""
        beside = self.path.with_name(self.path.name.replace("-server", "-check-aof"))
        return shlex.quote(str(beside)) if beside.exists() else beside.name

    def refuse_newer_data(self, folder: Path) -> None:
        """Redis before 7 does not see what Redis 7 wrote, and would begin with nothing without a word.

        Raises:
            ConfigError: the folder holds such data and this is an older server.
        """
        if self.version < (7, 0) and (folder / APPEND_ONLY_FOLDER).exists():
            raise ConfigError(
                f"The data in {folder} was written by Redis 7 or newer, and {self.path} is {_shown(self.version)}: "
                "put a Redis 7 or newer on PATH."
            )


def find_server() -> RedisProgram:
    """The server on PATH, else the one that `make` unpacked into the environment that runs us.

    Raises:
        ConfigError: there is none that is new enough.
    """
    unpacked = Path(sys.prefix) / "redis" / "redis-server"
    candidates = (
        shutil.which("redis-server"),
        shutil.which("valkey-server"),
        str(unpacked) if unpacked.exists() else "",
    )
    unfit: list[str] = []
    for path in filter(None, candidates):
        version = _version(path)
        if version is not None and version >= OLDEST_VERSION:
            return RedisProgram(path=Path(path), version=version)
        unfit.append(f"{path} is {_shown(version)}" if version else f"{path} does not run")
    why = f" ({'; '.join(unfit)})" if unfit else ""
    raise ConfigError(
        f"No Redis {_shown(OLDEST_VERSION)} or newer was found{why}: install it (Debian, Ubuntu: `sudo apt-get install "
        "redis-server`; macOS: `brew install redis`), or set REDIS_URL to one that runs elsewhere."
    )


def explain(log: str, program: RedisProgram, folder: Path) -> str:
    """Why the server did not start, in one sentence with the mend.

    Args:
        log: what it wrote in this run.
        folder: where its data is.
    """
    reason = _reason(log)
    if "append only file" in reason.lower() and "RDB format" not in reason:
        newer = folder / APPEND_ONLY_FOLDER / "appendonly.aof.manifest"
        file = newer if newer.exists() else folder / "appendonly.aof"
        return (
            f"Redis cannot read its data: {reason} Keep a copy of {folder}, then run "
            f"`{program.checker} --fix {shlex.quote(str(file))}`: it cuts off what is damaged at the end."
        )
    if "RDB format" in reason:
        return f"Redis cannot read its data: {reason} A newer Redis wrote {folder}: put that version on PATH."
    return f"Redis ({program.path}) did not start: {reason} Its log is {folder / 'redis.log'}."


def _reason(log: str) -> str:
    """The last warning; for settings it does not understand, the last line; each ending like a sentence."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    warnings = [match["message"] for line in lines if (match := _WARNING.match(line))]
    told = [message for message in warnings if not message.startswith(("WARNING", "oO0O", "Server initialized"))]
    reason = told[-1] if told and "FATAL CONFIG" not in log else lines[-1] if lines else "it did not answer in time"
    return reason if reason.endswith((".", "!")) else f"{reason}."


def _version(path: str) -> tuple[int, int] | None:
    """What the program says of itself: "Redis server v=7.0.15 …", "Valkey server v=8.0.1 …"."""
    command = [path, "--version"]
    try:
        # The path comes from PATH or from our own environment, never from outside.
        shown = subprocess.run(command, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bv=(\d+)\.(\d+)", shown.stdout)
    return (int(match[1]), int(match[2])) if match else None


def _shown(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"

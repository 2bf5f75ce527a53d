"""A real PostgreSQL for tests: a cluster of our own in a temporary folder, on a unix socket, forgotten afterwards."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

LIMIT_S = 60

MEMORY = Path("/dev/shm")
ROOM_BYTES = 512 * 1024 * 1024
"""What a cluster may need; making a database there is twenty times as fast as on a disk."""

# Nothing of it outlives the tests, so nothing of it waits for a disk.
SETTINGS = (
    "-c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=100"
)


def find_postgres() -> Path | None:
    """The folder of the newest PostgreSQL's programs; Debian keeps them off PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda folder: float(folder.parent.name), default=None)


class Postgres:
    """A cluster that runs.

    Args:
        folder: where its socket is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    @classmethod
    @contextmanager
    def running(cls, binaries: Path) -> Iterator[Postgres]:
        """Make a cluster, start it, and remove it afterwards."""
        in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
        folder = Path(tempfile.mkdtemp(prefix="frontdesk-postgres-", dir=MEMORY if in_memory else None))
        data = folder / "data"
        user = _unprivileged_user()
        if user is not None:
            os.chown(folder, user, -1)

        def run(program: str, *arguments: str) -> None:
            command = [str(binaries / program), "-D", str(data), *arguments]
            with (folder / "output").open("ab") as output:
                subprocess.run(
                    command, cwd=folder, user=user, stdout=output, stderr=output, timeout=LIMIT_S, check=True
                )

        try:
            run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync")
            run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", f"-k {folder} {SETTINGS}")
            try:
                yield cls(folder)
            finally:
                run("pg_ctl", "stop", "-m", "immediate")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[str]:
        """The URL of a database, dropped afterwards with whoever is still connected.

        Args:
            template: the name, or the URL, of the database that it is a copy of; nobody may be connected to it.
        """
        name = f"test_{next(self._numbers)}"
        identifier = sql.Identifier(name)
        source = sql.Identifier(template.partition("@/")[2].partition("?")[0] or template)
        with psycopg.connect(host=str(self._folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(identifier, source))
            try:
                yield f"postgresql+psycopg://postgres@/{name}?host={self._folder}"
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root: then the user that Debian made for it, or nobody."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        return pwd.getpwnam("nobody").pw_uid

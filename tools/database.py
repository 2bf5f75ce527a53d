"""The SQL database: one engine per process, transactions that are tried again for a short while, readable refusals."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiosqlite
import stamina
import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import ConfigError, Transient

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

ATTEMPTS = 3
"""How often a transaction is begun before the database counts as unavailable."""

PATIENCE_S = 5.0
"""How long all attempts together may take."""

_SQLITE_BUSY_MS = 1_300
"""How long one attempt waits for another writer; three of them fit into `PATIENCE_S`."""

LOCK_WAIT_S = 60.0
"""How long a process waits while another one migrates."""

_ADVISORY_LOCK = 0x46524F4E54  # "FRONT"

_MIGRATIONS = Path(__file__).with_name("migrations")

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class DatabaseUnavailable(Transient):
    """The database did not answer within `PATIENCE_S`."""

    def __init__(self) -> None:
        super().__init__("database_unavailable")


class Database:
    """Where business data lives; use it as an async context manager.

    Args:
        url: `sqlite:////path/to/file.db` or `postgresql://user:password@host/name`.

    Raises:
        ConfigError: not such an address; on entering: it cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._engine = create_engine(self._url)

    async def __aenter__(self) -> Self:
        try:
            await self.ping()
        except DatabaseUnavailable:
            await self._engine.dispose()
            raise _unreachable(self._url) from None
        return self

    async def ping(self) -> None:
        """Reach the database.

        Raises:
            DatabaseUnavailable: it does not answer within five seconds.
        """
        try:
            async with asyncio.timeout(PATIENCE_S), self._engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (OperationalError, InterfaceError, PoolTimeout, TimeoutError, OSError):
            raise DatabaseUnavailable from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engine.dispose()

    async def read(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Run `work`, which only reads, in a transaction.

        Raises:
            DatabaseUnavailable: after three tries or five seconds.
        """
        return await self._run(work, writes=False)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction and commit. It may run again after a fault, so what it does must be repeatable.

        Raises:
            DatabaseUnavailable: after three tries or five seconds; what was written may or may not be there.
        """
        return await self._run(work, writes=True)

    async def _run(self, work: Callable[[AsyncConnection], Awaitable[Result]], *, writes: bool) -> Result:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._attempts(work, writes=writes)
        except (OperationalError, InterfaceError, PoolTimeout, TimeoutError, OSError) as error:
            structlog.get_logger(__name__).warning("database_unavailable", error=type(error).__name__)
            raise DatabaseUnavailable from None

    async def _attempts(self, work: Callable[[AsyncConnection], Awaitable[Result]], *, writes: bool) -> Result:
        passing = (OperationalError, InterfaceError, PoolTimeout, OSError)
        async for attempt in stamina.retry_context(
            on=passing, attempts=ATTEMPTS, timeout=PATIENCE_S, wait_initial=0.05, wait_max=0.5, wait_jitter=0.1
        ):
            with attempt:
                async with self._engine.connect() as connection:
                    await connection.execution_options(frontdesk_writes=writes)
                    async with connection.begin():
                        return await work(connection)
        raise AssertionError("stamina ends by returning or raising")


async def migrate(url: str) -> None:
    """Bring the tables to the state that this version knows. Safe when many processes start at once: one does the work.

    All steps run in one transaction: on SQLite it takes the write lock, on PostgreSQL an advisory lock, so that whoever
    dies in the middle leaves the database as it was, and nobody locked.

    Raises:
        ConfigError: the database cannot be reached, or another process holds it for longer than `LOCK_WAIT_S`.
    """
    engine = create_engine(parse_url(url), busy_ms=int(LOCK_WAIT_S * 1000))
    try:
        async with asyncio.timeout(LOCK_WAIT_S + 5):
            await _upgrade(engine)
    except (OperationalError, InterfaceError, TimeoutError, OSError):
        raise ConfigError(
            "DATABASE_URL: the tables could not be made or changed: check that the database runs, that its user may "
            "create tables, and that no other program holds it locked"
        ) from None
    finally:
        await engine.dispose()


async def _upgrade(engine: AsyncEngine) -> None:
    # Nearly always there is nothing to do, and then nobody is waited for who holds the database.
    async with engine.connect() as connection, connection.begin():
        if await connection.run_sync(_is_current):
            return
    async with engine.connect() as connection:
        await connection.execution_options(frontdesk_writes=True)
        async with connection.begin():
            if engine.dialect.name == "postgresql":
                await connection.execute(text(f"SET LOCAL lock_timeout = '{int(LOCK_WAIT_S)}s'"))
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            await connection.run_sync(_to_head)


def _is_current(connection: Connection) -> bool:
    """Whether the tables are as this version knows them, or newer."""
    scripts = ScriptDirectory.from_config(_config())
    there = set(MigrationContext.configure(connection).get_current_heads())
    if newer := there - {script.revision for script in scripts.walk_revisions()}:
        # Migrations only add, so that workers of the version before go on beside those of the next one.
        log.warning("database_is_newer", revisions=sorted(newer))
        return True
    return there == set(scripts.get_heads())


def _to_head(connection: Connection) -> None:
    if _is_current(connection):  # another process was faster
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def parse_url(url: str) -> URL:
    """The address with the driver that Frontdesk uses.

    Raises:
        ConfigError: not an address of SQLite (a file in an existing folder) or PostgreSQL.
    """
    example = (
        "write sqlite:////folder/frontdesk.db (four slashes before an absolute path) or postgresql://user:…@host/name"
    )
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(f"DATABASE_URL is not an address of a database: {example}") from None
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ConfigError(f"DATABASE_URL names {parsed.drivername!r}, which Frontdesk does not speak: {example}")
    if driver.startswith("sqlite"):
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError(f"DATABASE_URL names no file, and data in memory would be lost: {example}")
        folder = Path(parsed.database).absolute().parent
        if not folder.is_dir():
            raise ConfigError(f"DATABASE_URL: the folder {folder} does not exist: make it, or name another file")
    return parsed.set(drivername=driver)


def create_engine(url: URL, *, busy_ms: int = _SQLITE_BUSY_MS) -> AsyncEngine:
    """An engine for an address that `parse_url` gave.

    Args:
        busy_ms: how long a SQLite writer waits for another one.
    """
    # An exception's text may reach a log; what customers wrote must not be in it.
    common: dict[str, Any] = {"hide_parameters": True, "pool_timeout": PATIENCE_S}
    if url.drivername.startswith("sqlite"):
        files = _SqliteFile(str(url.database), busy_s=busy_ms / 1000)
        engine = create_async_engine(url, async_creator=files.open, **common)
        event.listen(engine.sync_engine, "engine_disposed", files.wait)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    return create_async_engine(
        url, connect_args={"connect_timeout": 2}, pool_pre_ping=True, pool_recycle=1800, **common
    )


def insert(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """`INSERT` with `ON CONFLICT`, which SQLite and PostgreSQL write alike and SQLAlchemy in two classes."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


class _SqliteFile:
    """Opens connections to one file and waits for their threads to end.

    A connection that could not be opened, or was given up by a cancelled task, is stopped without waiting. Its thread
    reports to the event loop a moment later and, if that is closed by then, ends with a traceback on the screen.
    """

    def __init__(self, path: str, busy_s: float) -> None:
        self._path = path
        self._busy_s = busy_s
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    async def open(self) -> aiosqlite.Connection:
        connection = aiosqlite.connect(self._path, timeout=self._busy_s, check_same_thread=False)
        thread = connection._thread  # noqa: SLF001 - there is no public way to wait for it
        thread.daemon = True
        self._threads.add(thread)
        return await connection

    def wait(self, _: Engine) -> None:
        """Called when the engine is disposed of: each thread has only to hand over one result."""
        for thread in [thread for thread in self._threads if thread.is_alive()]:
            thread.join(timeout=1.0)


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    """Foreign keys on, readers beside writers; transactions begin where `_begin_sqlite` says, not in the driver."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone() != ("wal",):
        # Of several who change it at once SQLite lets one wait for nobody; the file is changed for all of them.
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: one that first reads could not wait for it later."""
    writes = connection.get_execution_options().get("frontdesk_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _unreachable(url: URL) -> ConfigError:
    if url.drivername.startswith("sqlite"):
        return ConfigError(f"DATABASE_URL: the file {url.database} cannot be opened: check that it may be written to")
    where = f"{url.host or 'the local socket'}:{url.port or 5432}"
    return ConfigError(
        f"DATABASE_URL: PostgreSQL at {where} does not let us in: check that it runs, that host, user and password are "
        f"right, and that the database {url.database!r} exists"
    )

"""The database itself: addresses, migrations, tenants' tables, and what happens when it is away."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from redis.asyncio import Redis
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import ConfigError
from bot.store.shared_state import RedisSharedState
from tests.integration.tools.conftest import Shop, hash_quickly
from tools import demo
from tools.database import PATIENCE_S, Database, DatabaseUnavailable, create_engine, migrate, parse_url
from tools.desk import SqlDesk
from tools.tables import METADATA, audit, orders, tickets


@pytest.mark.behaviour("database.address")
@pytest.mark.parametrize(
    "url",
    ("", "nonsense", "mysql://host/name", "sqlite://", "sqlite:///:memory:", "sqlite:////nowhere/at/all/frontdesk.db"),
)
def test_an_address_that_cannot_work_is_refused_with_the_mend(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    assert "DATABASE_URL" in caught.value.problems[0]


@pytest.mark.behaviour("database.address")
def test_plain_addresses_get_the_drivers_that_are_used(tmp_path: Path) -> None:
    assert parse_url(f"sqlite:///{tmp_path}/a.db").drivername == "sqlite+aiosqlite"
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        assert parse_url(f"{scheme}://user:word@host/name").drivername == "postgresql+psycopg"


@pytest.mark.behaviour("database.address")
async def test_a_database_that_cannot_be_reached_says_where_and_never_the_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        async with Database("postgresql://frontdesk:s3cret@127.0.0.1:1/shop"):
            pass
    assert "127.0.0.1:1" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.db"):
        async with Database(f"sqlite:///{tmp_path}/folder.db"):
            pass
    with pytest.raises(ConfigError, match="tables could not be made"):
        await migrate(f"sqlite:///{tmp_path}/folder.db")
    # A thread that reports to an event loop that has ended writes a traceback onto the operator's screen.
    assert not [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]


@pytest.mark.behaviour("database.migrate")
async def test_the_migrations_make_exactly_the_tables_that_the_code_knows(database_url: str) -> None:
    await migrate(database_url)
    await migrate(database_url)
    engine = create_engine(parse_url(database_url))

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


@pytest.mark.behaviour("tools.tenants")
async def test_every_table_has_the_tenant_in_its_key() -> None:
    for table in METADATA.tables.values():
        assert "tenant" in {column.name for column in table.primary_key}, table.name


@pytest.mark.behaviour("database.migrate")
@pytest.mark.timeout_s(120)
async def test_processes_that_start_at_once_migrate_once(database_url: str) -> None:
    # Four processes that have everything loaded and wait for one pipe to be closed.
    program = (
        "import asyncio, os, sys\n"
        "from tools.database import migrate\n"
        "wait, go = os.pipe()\n"
        "children = []\n"
        "for _ in range(4):\n"
        "    if (child := os.fork()) == 0:\n"
        "        os.close(go)\n"
        "        os.read(wait, 1)\n"
        "        asyncio.run(migrate(sys.argv[1]))\n"
        "        os._exit(0)\n"
        "    children.append(child)\n"
        "os.close(go)\n"
        "sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))\n"
    )
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, database_url, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await started.communicate()
    assert started.returncode == 0, errors
    async with Database(database_url) as database:
        await demo.fill(database)


@pytest.mark.behaviour("database.migrate")
async def test_migrating_in_one_process_many_times_at_once_is_safe(database_url: str) -> None:
    await asyncio.gather(*(migrate(database_url) for _ in range(5)))


@pytest.mark.behaviour("database.kept")
async def test_the_demo_shop_is_put_in_once_and_changes_are_kept(database: Database) -> None:
    await demo.fill(database, hash_key=hash_quickly)
    closed = update(tickets).where(tickets.c.number == 12345).values(status="Closed")
    await database.write(lambda connection: connection.execute(closed))
    await asyncio.gather(*(demo.fill(database, hash_key=hash_quickly) for _ in range(3)))
    ticket = await SqlDesk(database).find_ticket("default", 12345)
    assert ticket is not None
    assert (ticket.status, ticket.issue, ticket.customer) == ("Closed", "Billing Query", "john_doe")


@pytest.mark.behaviour("database.kept")
async def test_times_come_back_aware_and_naive_ones_are_refused(database: Database) -> None:
    east = datetime(2024, 11, 8, 23, 30, tzinfo=timezone(timedelta(hours=9)))
    ticket = await SqlDesk(database, now=lambda: east).open_ticket(
        "default", name="a", issue="b", person="p", customer=None, thread="t", idempotency_key="k"
    )
    assert ticket.created_at == east
    assert ticket.created_at.tzinfo is UTC
    naive = SqlDesk(database, now=lambda: datetime(2024, 11, 8))  # noqa: DTZ001  # what must be refused
    with pytest.raises(Exception, match="aware"):
        await naive.record_vote("default", thread="t", turn=1, person="p", value=1)


@pytest.mark.behaviour("tools.audit")
async def test_the_audit_cannot_be_rewritten(database: Database) -> None:
    await SqlDesk(database).record_audit("default", actor="a", action="b", target="c", result="d")
    for change in (update(audit).values(actor="nobody"), delete(audit)):
        with pytest.raises(DBAPIError, match="append-only"):
            await database.write(lambda connection, change=change: connection.execute(change))  # type: ignore[misc]
    rows = await database.read(_audit_rows)
    assert rows == [("default", "a", "b", "c", "d")]


async def _audit_rows(connection: AsyncConnection) -> list[tuple[str, ...]]:
    query = select(audit.c.tenant, audit.c.actor, audit.c.action, audit.c.target, audit.c.result)
    return [tuple(row) for row in await connection.execute(query)]


@pytest.mark.behaviour("database.away")
async def test_a_locked_sqlite_is_unavailable_within_five_seconds_and_then_works(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    async with Database(sqlite_url) as database:
        desk = SqlDesk(database)
        with contextlib.closing(sqlite3.connect(sqlite_url.partition("///")[2], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                await desk.record_vote("default", thread="t", turn=1, person="p", value=1)
            assert time.monotonic() - started < PATIENCE_S + 0.5
            assert await desk.find_ticket("default", 1) is None, "readers do not wait for a writer"
            other.execute("ROLLBACK")
        await desk.record_vote("default", thread="t", turn=1, person="p", value=1)


class Valve:
    """A way to PostgreSQL's socket that can be closed: connections break, and further ones are refused."""

    def __init__(self, folder: Path, behind: Path) -> None:
        self._path = folder / ".s.PGSQL.5432"
        self._behind = behind
        self._streams: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._pass, self._path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for stream in self._streams:
            stream.transport.abort()
        self._path.unlink(missing_ok=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(self._behind)
        self._streams += [writer, inner_writer]
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def valve(postgres_url: str, tmp_path: Path) -> AsyncIterator[Valve]:
    """The tests' own PostgreSQL behind a valve."""
    folder = postgres_url.partition("host=")[2]
    made = Valve(tmp_path, Path(folder) / ".s.PGSQL.5432")
    await made.open()
    yield made
    await made.close()


@pytest.mark.behaviour("database.away")
async def test_a_postgres_that_goes_away_is_unavailable_and_comes_back(
    valve: Valve, postgres_url: str, tmp_path: Path
) -> None:
    await migrate(postgres_url)
    async with Database(f"{postgres_url.partition('host=')[0]}host={tmp_path}") as database:
        desk = SqlDesk(database)
        await desk.record_vote("default", thread="t", turn=1, person="p", value=1)
        await valve.close()
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await desk.record_vote("default", thread="t", turn=1, person="p", value=-1)
        assert time.monotonic() - started < PATIENCE_S + 0.5
        await valve.open()
        await desk.record_vote("default", thread="t", turn=1, person="p", value=-1)


@pytest.mark.behaviour("database.away")
async def test_tools_say_that_the_order_system_is_away_and_count_no_miss_and_no_try(
    valve: Valve, postgres_url: str, tmp_path: Path, redis: Redis
) -> None:
    await migrate(postgres_url)
    async with Database(f"{postgres_url.partition('host=')[0]}host={tmp_path}") as database:
        await demo.fill(database, hash_key=hash_quickly)
        shop = Shop(database, RedisSharedState(redis, namespace="test"))
        question = {"order_id": "123123", "email": "santa@clau.se"}
        john = {"username": "john_doe", "api_key": "secret:1"}
        await valve.close()
        for name, arguments in (("get_order_status", question), ("verify_user", john)):
            contexts = [await shop.context(secrets={"secret:1": "key"}) for _ in range(6)]
            refusals = await asyncio.gather(*(shop.refusal(name, arguments, context) for context in contexts))
            assert {code for code, _ in refusals} == {"unavailable"}, name
            assert all("ticket" in sentence for _, sentence in refusals)
        assert await shop.call("hand_over_to_human", {"reason": "nothing works"}, await shop.context())
        await valve.open()
        assert await shop.call("get_order_status", question, await shop.context())
        assert await shop.call("verify_user", john, await shop.context(secrets={"secret:1": "key"}))


@pytest.mark.behaviour("database.kept")
async def test_an_exceptions_text_does_not_hold_what_a_customer_wrote(database: Database) -> None:
    row = orders.insert().values(tenant="t", id="1", email="canary-7d1f@example.com", status=None, address="x")
    with pytest.raises(DBAPIError) as caught:
        await database.write(lambda connection: connection.execute(row))
    assert "hidden" in str(caught.value)

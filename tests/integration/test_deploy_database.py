"""The database is backed up and restored as the runbook says, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import missing
from tests.deployment.runbook import steps
from tools import demo
from tools.database import Database, migrate


def follow(name: str, address: str, backup: Path) -> None:
    """Do what a block of the runbook says."""
    if shutil.which("pg_dump") is None:
        missing("pg_dump is not installed: `sudo apt-get install postgresql`.")
    done = subprocess.run(
        ["sh", "-euc", steps(name)],
        env={"PATH": os.defpath, "DATABASE_URL": address, "BACKUP": str(backup)},
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rows(address: str) -> dict[str, int]:
    """Table -> how many rows it has."""
    with psycopg.connect(address) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        counted = {}
        for (table,) in tables:
            found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
            assert found is not None
            counted[str(table)] = int(found[0])
        return counted


@pytest.mark.behaviour("deploy.restore")
async def test_a_backup_of_the_database_is_restored_over_what_is_left_of_it(postgres_url: str, tmp_path: Path) -> None:
    address = postgres_url.replace("+psycopg", "")
    await migrate(postgres_url)
    async with Database(postgres_url) as database:
        await demo.fill(database, hash_key=lambda key: f"hash of {key}")
    before = await asyncio.to_thread(rows, address)
    assert before["orders"] > 0
    await asyncio.to_thread(follow, "back-up-database", address, tmp_path / "backup")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE tickets CASCADE")
        connection.execute("DELETE FROM orders")
    await asyncio.to_thread(follow, "restore-database", address, tmp_path / "backup")
    assert await asyncio.to_thread(rows, address) == before
    await migrate(postgres_url)
    async with Database(postgres_url) as database:
        await database.ping()

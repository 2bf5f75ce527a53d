"""Old and new workers side by side (F65): a newer version's records wait for a newer worker."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.chaos.test_roles import TOKEN, Visitor, process
from tests.servers.openai import ScriptedModel
from tests.servers.patience import WAIT_S
from tests.servers.process import FrontdeskProcess
from tests.servers.redis import RedisServer, serving
from tests.stages.customers import archive, becomes, echoes
from tests.stages.play import environment
from tools.database import Database, migrate

pytestmark = pytest.mark.timeout_s(120)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(echoes)
        yield model


@pytest.fixture
def variables(tmp_path: Path, model: ScriptedModel) -> Iterator[dict[str, str]]:
    server = RedisServer(tmp_path / "redis", {"appendfsync": "everysec"})
    with serving(server):
        yield environment(
            tmp_path, server.url, model, WEB_TOKEN=TOKEN, MAX_ATTEMPTS="1", LEASE_S="1", MESSAGES_PER_HOUR="0"
        )


def newer(role: str, variables: dict[str, str], folder: Path) -> FrontdeskProcess:
    return FrontdeskProcess(variables, folder, module="tests.servers.next_version", command=("run", "--only", role))


@pytest.mark.behaviour("upgrade.records")
async def test_what_a_newer_version_wrote_waits_for_a_newer_worker(
    variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    async with (
        archive(variables["REDIS_URL"]) as kept,
        process("all", variables, tmp_path) as old,
    ):
        customer = Visitor(old.url)
        await customer.say("to the old version")
        await kept.settled()
        async with newer("platforms", variables, tmp_path) as door:
            customer.url = door.url
            await customer.say("to the new version")
            # More often than a turn may be tried: it is no try of theirs.
            await becomes(lambda: old.printed.count("newer_version") >= 3)
            assert await kept.mailbox.dead_letters() == []
            assert len(model.requests) == 1
            other = Visitor(old.url)
            await other.say("to the old version, meanwhile")
            await becomes(lambda: len(model.requests) == 2)
            async with newer("workers", variables, tmp_path):
                await kept.settled()
    assert [request.last_user for request in model.requests] == [
        customer.accepted[0],
        other.accepted[0],
        customer.accepted[1],
    ]
    assert "Traceback" not in old.printed


@pytest.mark.behaviour("upgrade.tables")
async def test_the_version_before_starts_on_newer_tables(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite3"
    await migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.execute("ALTER TABLE tickets ADD COLUMN mood TEXT NOT NULL DEFAULT ''")
    await asyncio.wait_for(migrate(f"sqlite:///{path}"), WAIT_S)
    async with Database(f"sqlite:///{path}") as reached:
        await reached.ping()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]

"""One person is forgotten by the command, while Frontdesk runs; others in the same places go on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select

from bot.errors import Transient
from bot.llm.wire import to_wire
from bot.messages import PersonRef, ThreadKey
from bot.ports import TurnRow
from bot.retention import Retention
from bot.store.client import Connections
from bot.store.forgetting import RedisForgetting
from bot.store.mailbox import RedisMailbox
from bot.store.shared_state import RedisSharedState
from tests.scenarios import ORDER
from tests.servers.openai import ScriptedModel, calls, fails, held, says
from tests.servers.patience import WAIT_S
from tests.servers.process import frontdesk
from tests.stages.meters import Meters
from tests.stages.play import assert_whole, played, record
from tests.stages.search import redis_bytes
from tests.stages.web import ADA, BEN, web_stage
from tools.database import Database, migrate
from tools.forgetting import BATCH, SqlForgetting
from tools.report import SqlTurnLog
from tools.tables import turns

REF = f"web:page:{ADA}"
CANARY = "blueberry-pancake"


async def everything(redis: Redis, database: Path) -> bytes:
    """All that is kept, as bytes."""
    kept = [part async for key, held in redis_bytes(redis) for part in (key.encode(), held)]
    with sqlite3.connect(database) as tables:
        names = [row[0] for row in tables.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept += [str(tables.execute(f"SELECT * FROM {name}").fetchall()).encode() for name in names if name != "audit"]
    return b"\n".join(kept)


@pytest.mark.behaviour("forget.person", "forget.proof")
@pytest.mark.timeout_s(120)
async def test_a_person_stands_nowhere_any_more_and_others_lose_nothing(
    variables: dict[str, str], model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    database = tmp_path / "data" / "desk.sqlite3"
    async with played(variables) as app, web_stage({}, app=app) as own, web_stage({}, app=app) as shared:
        ticket = ("create_customer_ticket", {"name": f"Ada {CANARY}", "issue": f"No sled, {CANARY}"})
        model.plays(calls(ORDER, ticket), says(f"You ordered a sled, {CANARY}."), fails(401))
        await own.say(
            f"Order 123123, santa@clau.se, my API key is: {CANARY}-secret, {CANARY}",
            files=((f"{CANARY}.png", b"\x89PNG"),),
        )
        await own.answer()
        await own.say(f"And again, {CANARY}")
        await own.answer()
        await own.request("POST", "turns/1/vote", json={"value": -1})
        model.plays(says("Hello Ben."), says(f"Hello Ada, {CANARY}."))
        await shared.say("Ben speaks of ducks", by=BEN)
        await shared.answer()
        await shared.say(f"@frontdesk Ada speaks of {CANARY}", by=ADA)
        await shared.answer()
        async with asyncio.timeout(WAIT_S):
            while len(sqlite3.connect(database).execute("SELECT * FROM turns").fetchall()) < 4:
                await asyncio.sleep(0.05)
        assert CANARY.encode() in await everything(redis, database)
        ran = await frontdesk("forget", "--person", REF, folder=tmp_path, **variables)
        assert ran.status == 0, ran.out + ran.err
        assert f"Nothing of {REF} is left." in ran.out
        assert "looked at" in ran.out
        left = await everything(redis, database)
        assert CANARY.encode() not in left
        assert f'"{ADA}"'.encode() not in left
        assert REF.encode() not in left
        assert b"Ben speaks of ducks" in left
        assert b"Hello Ben." in left
        assert await app.mailbox.dead_letters() == []
        with sqlite3.connect(database) as tables:
            assert tables.execute("SELECT name, status FROM tickets WHERE number > 100000").fetchall() == [
                ("[forgotten]", "Open")
            ]
        model.plays(says("Quack."))
        await shared.say("more about ducks", by=BEN)
        assert await shared.answer() == "Quack."
        assert "Ben speaks of ducks" in str(model.requests[-1].messages)
        assert_whole(await record(shared))
        again = await frontdesk("forget", "--person", REF, folder=tmp_path, **variables)
        actions = [(entry.actor, entry.action, entry.target) for entry in await app.desk.read_audit(limit=2)]
        assert actions == [("operator", "forget", "one person on web")] * 2
        assert (again.status, f"Nothing of {REF} was here" in again.out) == (0, True), "repeating it changes nothing"


@pytest.mark.behaviour("forget.proof")
async def test_what_is_left_is_found(variables: dict[str, str], model: ScriptedModel, redis: Redis) -> None:
    model.plays(says("Hello."))
    async with web_stage(variables) as stage:
        await stage.say("Hi", by=ADA)
        await stage.answer()
        connections = Connections(variables["REDIS_URL"])
        forgetting, person = RedisForgetting(connections, to_wire, partitions=1), PersonRef.parse(REF)
        before = await forgetting.search(person)
        assert before["records"].found > 0
        assert before["facts of adapter"].found > 0
        await forgetting.forget(person)
        assert not any(searched.found for searched in (await forgetting.search(person)).values())
        await redis.set("frontdesk:state:adapter/web:profile/x", f'{{"who":"{ADA}"}}')
        assert (await forgetting.search(person))["facts of adapter"].found == 1
        await connections.aclose()


@pytest.mark.behaviour("forget.running")
async def test_who_is_forgotten_while_being_answered_is_not_answered_any_more(
    variables: dict[str, str], model: ScriptedModel, redis: Redis
) -> None:
    slow = held(f"The {CANARY} ", "is here.")
    model.plays(slow, says("Hello."))
    async with web_stage(variables) as stage:
        await stage.say(f"Where is my {CANARY}?")
        await slow.pause.reached.wait()
        connections = Connections(variables["REDIS_URL"])
        forgetting, person = RedisForgetting(connections, to_wire, partitions=1), PersonRef.parse(REF)
        await forgetting.forget(person)
        for pause in slow.pauses:
            pause.release()
        async with asyncio.timeout(WAIT_S):
            while "fenced" not in str(await outcomes(stage.app.url)):
                await asyncio.sleep(0.05)
        assert await stage.app.mailbox.load(stage.thread) is not None
        assert (await stage.app.mailbox.load(stage.thread)).entries == ()
        assert int(await redis.get("frontdesk:{0}:open") or 0) == 0
        assert not any(searched.found for searched in (await forgetting.search(person)).values())
        await connections.aclose()


async def outcomes(url: str) -> list[str]:
    return [str(sorted(labels)) for name, labels in await Meters(url).all() if name == "frontdesk_turns_total"]


@pytest.mark.behaviour("forget.person")
async def test_who_is_nobody_is_said(tmp_path: Path) -> None:
    for person, told in (("somebody", "write PLATFORM:SPACE:ID"), ("slak:T1:U1", "it is one of console, discord")):
        ran = await frontdesk("forget", "--person", person, folder=tmp_path)
        assert ran.status == 2
        assert told in ran.err


# -------------------------------------------------------------------------------------------------------- retention


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    await migrate(url)
    async with Database(url) as database:
        yield database


def rows(count: int, at: datetime, first: int) -> list[TurnRow]:
    thread = ThreadKey(platform="web", space="page", channel="main", root="1")
    return [
        TurnRow(
            tenant="default", thread=thread, turn=first + number, person=REF, outcome="answered", at=at, duration_ms=1
        )
        for number in range(count)
    ]


@pytest.mark.behaviour("retention.rows")
async def test_what_is_too_old_is_deleted_by_one_process(redis_url: str, database: Database) -> None:
    now = datetime.now(UTC)
    log, old = SqlTurnLog(database), SqlForgetting(database)
    await log.record(rows(BATCH + 5, now - timedelta(days=31), 1))
    await log.record(rows(3, now - timedelta(days=29), 5_000))
    connections = Connections(redis_url)
    state = RedisSharedState(connections.commands, "retention")
    mailbox = RedisMailbox(connections, to_wire)
    processes = [Retention(state=state, mailbox=mailbox, rows=old, days=30) for _ in range(3)]
    did = await asyncio.gather(*(process.look() for process in processes))
    assert sorted(did) == [False, False, True]
    async with database._engine.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(turns))).scalar_one() == 3
    await connections.aclose()
    with pytest.raises(Transient):
        await Retention(
            state=RedisSharedState(Connections("redis://127.0.0.1:1").commands, "x"), mailbox=mailbox, rows=old, days=1
        ).look()

"""Reports of conversations that took place: from the worker through SQL to the command."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.journal import Journal
from bot.messages import ThreadKey
from bot.ports import TurnRow
from tests.scenarios import ORDER
from tests.servers.openai import ScriptedModel, calls, fails, says
from tests.servers.process import frontdesk
from tests.stages.play import environment
from tests.stages.web import web_stage
from tools.database import Database, migrate
from tools.report import SqlTurnLog

NOW = datetime.now(UTC)
ROW = TurnRow(
    tenant="default",
    thread=ThreadKey(platform="web", space="page", channel="main", root="1"),
    turn=1,
    person="web:page:ada",
    outcome="answered",
    at=NOW,
    duration_ms=10,
    response_ms=5,
    calls=1,
    input_tokens=100,
    output_tokens=20,
    money=0.5,
)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.mark.behaviour("report.command", "report.numbers", "report.unresolved")
async def test_the_command_reports_what_took_place(redis_url: str, model: ScriptedModel, tmp_path: Path) -> None:
    prices = {"PRICE_PER_MILLION_INPUT_TOKENS": "1000", "CURRENCY": "EUR"}
    variables = environment(tmp_path, redis_url, model, **prices)
    async with web_stage(variables) as stage:
        model.plays(
            calls(ORDER),
            says("It is out for delivery."),
            fails(401),
            calls(("hand_over_to_human", {"reason": "wishes it"})),
            says("A human comes."),
        )
        for text in ("Order 123123, santa@clau.se, secret words", "And now?", "I want a human"):
            await stage.say(text)
            await stage.answer()
        await stage.request("POST", "turns/1/vote", json={"value": 1})
    ran = await frontdesk("report", "--csv", folder=tmp_path, **variables)
    assert ran.status == 0, ran.err
    names, values = (line.split(",") for line in ran.out.splitlines())
    line = dict(zip(names, values, strict=True))
    assert (line["platform"], line["channel"], line["conversations"], line["turns"]) == ("web", "main", "1", "3")
    assert (line["alone"], line["handed_over_bot"], line["unresolved"]) == ("0", "1", "1")
    assert line["tokens"] == str(4 * 120)
    assert float(line["cost_EUR"]) == pytest.approx(4 * 0.1)
    assert 0 < int(line["first_response_median_ms"]) < 20_000
    table = await frontdesk("report", "--days", "1", folder=tmp_path, **variables)
    assert "0.40 EUR" in table.out
    head, human, wish, silence, words = table.out.partition("\n\n")[2].splitlines()
    assert "frontdesk replay" in head
    assert ("handed over by the bot" in human, wish) == (True, '    "I want a human"')
    assert ("no answer: given up after several tries" in silence, words) == (True, '    "And now?"')
    assert f"web:page:main:{human.split('web:page:main:')[1].split()[0]}" in human
    with sqlite3.connect(tmp_path / "data" / "desk.sqlite3") as database:
        rows = str(database.execute("SELECT * FROM turns").fetchall())
    assert "secret words" not in rows
    assert "delivery" not in rows


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'report.sqlite3'}"
    await migrate(url)
    async with Database(url) as database:
        yield database


@pytest.mark.behaviour("report.away")
@pytest.mark.timeout_s(120)
async def test_what_the_database_missed_is_brought_later(database: Database, tmp_path: Path) -> None:
    journal = Journal(log := SqlTurnLog(database))
    with sqlite3.connect(tmp_path / "report.sqlite3", isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        journal.note(ROW)
        await journal.flush()
        journal.note(replace(ROW, turn=2))
        holder.execute("ROLLBACK")
    running = asyncio.create_task(journal.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    (line,) = await log.report("default", NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert line.turns == 2

"""Turns, reports, retention and forgetting on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import PersonRef, ThreadKey
from bot.ports import TurnRow, Upload
from tools.database import Database
from tools.desk import SqlDesk
from tools.forgetting import BATCH, FORGOTTEN, SqlForgetting
from tools.report import SqlTurnLog
from tools.tables import turns

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
ADA, BEN = (PersonRef(platform="web", space="page", id=name) for name in ("ada", "ben"))
ROW = TurnRow(
    tenant="default",
    thread=ThreadKey(platform="web", space="page", channel="main", root="1"),
    turn=1,
    person=str(ADA),
    outcome="answered",
    at=NOW,
    duration_ms=10,
    response_ms=5,
    calls=1,
    input_tokens=100,
    output_tokens=20,
    money=0.5,
)


@pytest.mark.behaviour("report.once")
async def test_a_turn_that_was_tried_again_is_one_turn_at_the_price_of_all_its_tries(database: Database) -> None:
    log = SqlTurnLog(database)
    await log.record([replace(ROW, outcome="retried", response_ms=None), ROW])
    await log.record([replace(ROW, outcome="fenced", response_ms=900), replace(ROW, turn=2, outcome="given_up")])
    (line,) = await log.report("default", NOW - DAY, NOW + DAY)
    assert (line.turns, line.conversations, line.tokens, line.money) == (2, 1, 480, 2.0)
    assert (line.first_response_ms, line.unresolved, line.alone) == ([5], 1, 1)
    assert await log.report("another", NOW - DAY, NOW + DAY) == []
    assert await log.report("default", NOW + DAY, NOW + 2 * DAY) == []


@pytest.mark.behaviour("report.numbers")
async def test_votes_and_colleagues_are_counted_from_their_own_rows(database: Database) -> None:
    log, desk = SqlTurnLog(database), SqlDesk(database)
    thread = str(ROW.thread)
    await log.record([replace(ROW, handed_over=True)])
    await desk.record_vote("default", thread=thread, turn=1, person=str(ADA), value=-1)
    for action, result in (("takeover", "done"), ("takeover", "refused: staff only"), ("human", "handed_over")):
        await desk.record_audit("default", actor="somebody", action=action, target=thread, result=result)
    (line,) = await log.report("default", NOW - DAY, NOW + DAY)
    assert line.handed_over == {"bot": 1, "colleague": 1, "customer": 1}
    assert (line.alone, line.votes_down, line.unresolved) == (0, 1, 1)


@pytest.mark.behaviour("retention.rows")
async def test_what_is_too_old_is_deleted_however_much_it_is(database: Database) -> None:
    log, desk = SqlTurnLog(database), SqlDesk(database)
    await log.record([replace(ROW, turn=number, at=NOW - 31 * DAY) for number in range(BATCH + 5)])
    await log.record([replace(ROW, turn=5_000 + number, at=NOW - 29 * DAY) for number in range(3)])
    upload = Upload(id="u", thread="t", person=str(ADA), name="n", media_type="image/png", data=b"x")
    await desk.save_upload("default", upload)
    deleted = await SqlForgetting(database).purge(NOW, NOW - 30 * DAY)
    assert deleted == {"uploads": 0, "receipts": 0, "turns": BATCH + 5, "votes": 0}
    assert (await SqlForgetting(database).purge(NOW + 2 * DAY, NOW - 30 * DAY))["uploads"] == 1

    async def count(connection: AsyncConnection) -> int:
        return int((await connection.execute(select(func.count()).select_from(turns))).scalar_one())

    assert await database.read(count) == 3


@pytest.mark.behaviour("forget.person", "forget.proof")
async def test_one_person_is_forgotten_and_no_other(database: Database) -> None:
    log, desk, forgetting = SqlTurnLog(database), SqlDesk(database), SqlForgetting(database)
    for number, person in enumerate((ADA, BEN), 1):
        await log.record([replace(ROW, turn=number, person=str(person))])
        await desk.record_vote("default", thread="t:t:t:t", turn=number, person=str(person), value=1)
        await desk.open_ticket(
            "default",
            name=person.id,
            issue="No sled",
            person=str(person),
            customer=person.id,
            thread="t:t:t:t",
            idempotency_key=person.id,
        )
    await desk.record_audit("default", actor=str(ADA), action="verify_user", target="x", result="verified")
    before = await forgetting.search(ADA)
    assert {name for name, searched in before.items() if searched.found} == {"turns", "votes", "tickets", "audit"}
    erased, again = await forgetting.forget(ADA), await forgetting.forget(ADA)
    assert {name: count for name, count in erased.items() if count} == {"turns": 1, "votes": 1, "tickets": 1}
    assert not any(again.values())
    after = await forgetting.search(ADA)
    assert {name for name, searched in after.items() if searched.found} == {"audit"}
    assert sum(searched.found for searched in (await forgetting.search(BEN)).values()) == 3
    found = await asyncio.gather(*(desk.find_ticket("default", number) for number in (100_001, 100_002)))
    assert [ticket and (ticket.name, ticket.customer, ticket.status) for ticket in found] == [
        (FORGOTTEN, None, "Open"),
        ("ben", "ben", "Open"),
    ]

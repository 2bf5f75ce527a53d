"""The desk's uploads and votes; tickets and customers are tested with the tools that use them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import ToolFailed
from bot.ports import Desk, Upload
from tools import desk as desks
from tools.database import Database
from tools.desk import UPLOAD_LIMIT_BYTES, SqlDesk
from tools.tables import audit, uploads, votes

START = datetime(2024, 11, 8, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


def _upload(upload_id: str = "u1", data: bytes = b"\x89PNG\0\xff", name: str = "a.png") -> Upload:
    return Upload(id=upload_id, thread="t", person="p", name=name, media_type="image/png", data=data)


async def test_it_is_a_desk(database: Database) -> None:
    desk: Desk = SqlDesk(database)
    assert await desk.find_ticket("default", 12345) is None


@pytest.mark.behaviour("tools.uploads")
async def test_an_upload_comes_back_as_it_was_for_24_hours(database: Database) -> None:
    clock = Clock()
    desk = SqlDesk(database, now=clock)
    await desk.save_upload("default", _upload())
    assert await desk.read_upload("default", "u1") == _upload()
    assert await desk.read_upload("other", "u1") is None
    assert await desk.read_upload("default", "u2") is None
    clock.at = START + timedelta(hours=23, minutes=59)
    assert await desk.read_upload("default", "u1") == _upload()
    clock.at = START + timedelta(hours=24)
    assert await desk.read_upload("default", "u1") is None


@pytest.mark.behaviour("tools.uploads")
async def test_what_has_expired_is_gone_with_the_next_upload(database: Database) -> None:
    clock = Clock()
    desk = SqlDesk(database, now=clock)
    await desk.save_upload("default", _upload("old"))
    clock.at = START + timedelta(hours=25)
    await desk.save_upload("default", _upload("young"))

    async def ids(connection: AsyncConnection) -> list[str]:
        return list((await connection.scalars(select(uploads.c.id))).all())

    assert await database.read(ids) == ["young"]


@pytest.mark.behaviour("tools.uploads")
async def test_an_upload_of_more_than_10_mib_is_refused_and_one_of_10_is_not(database: Database) -> None:
    desk = SqlDesk(database)
    await desk.save_upload("default", _upload(data=b"\0" * UPLOAD_LIMIT_BYTES))
    with pytest.raises(ToolFailed) as caught:
        await desk.save_upload("default", _upload("u2", data=b"\0" * (UPLOAD_LIMIT_BYTES + 1)))
    assert caught.value.code == "too_large"


@pytest.mark.behaviour("tools.uploads")
async def test_one_person_cannot_fill_the_database_with_files(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "PERSON_LIMIT_BYTES", 10)
    desk = SqlDesk(database)
    await desk.save_upload("default", _upload("u1", data=b"12345"))
    await desk.save_upload("default", _upload("u1", data=b"12345"))
    await desk.save_upload("default", _upload("u2", data=b"12345"))
    with pytest.raises(ToolFailed) as caught:
        await desk.save_upload("default", _upload("u3", data=b"1"))
    assert caught.value.code == "too_many_files"
    await desk.save_upload("default", replace(_upload("u4", data=b"12345"), person="somebody else"))


@pytest.mark.behaviour("tools.uploads")
async def test_saving_an_upload_twice_keeps_the_first_and_names_are_made_harmless(database: Database) -> None:
    desk = SqlDesk(database)
    await desk.save_upload("default", _upload(name="../\u202egnp.exe\x00\n"))
    await desk.save_upload("default", _upload(data=b"other"))
    kept = await desk.read_upload("default", "u1")
    assert kept is not None
    assert (kept.name, kept.data) == ("../gnp.exe", _upload().data)


@pytest.mark.behaviour("tools.votes")
async def test_a_later_vote_of_the_same_person_on_the_same_turn_replaces_the_first(database: Database) -> None:
    desk = SqlDesk(database)
    await asyncio.gather(
        *(desk.record_vote("default", thread="t", turn=1, person="p", value=1) for _ in range(20)),
        desk.record_vote("default", thread="t", turn=2, person="p", value=1),
        desk.record_vote("default", thread="t", turn=1, person="q", value=1),
        desk.record_vote("other", thread="t", turn=1, person="p", value=1),
    )
    await desk.record_vote("default", thread="t", turn=1, person="p", value=-1)

    async def kept(connection: AsyncConnection) -> list[tuple[str, int, str, int]]:
        rows = await connection.execute(select(votes))
        return sorted((row.tenant, row.turn, row.person, row.value) for row in rows)

    assert await database.read(kept) == [
        ("default", 1, "p", -1),
        ("default", 1, "q", 1),
        ("default", 2, "p", 1),
        ("other", 1, "p", 1),
    ]


@pytest.mark.behaviour("tools.audit")
async def test_twenty_audit_rows_at_once_are_twenty_rows(database: Database) -> None:
    desk = SqlDesk(database)
    await asyncio.gather(
        *(desk.record_audit("default", actor="a" * 9999, action="b", target="c\x00", result="d") for _ in range(20))
    )

    async def count(connection: AsyncConnection) -> int:
        return int((await connection.execute(select(func.count()).select_from(audit))).scalar_one())

    assert await database.read(count) == 20

"""The acceptance conversations, on every platform, through the real core."""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image
from redis.asyncio import Redis

from tests.scenarios import SCENARIOS, Beat, Scenario
from tests.servers.openai import ScriptedModel
from tests.stages.console import console_stage
from tests.stages.discord import discord_stage
from tests.stages.play import Stage, assert_whole, calls_of, record, results_of
from tests.stages.search import places_of
from tests.stages.slack import slack_stage
from tests.stages.web import web_stage

PLATFORMS = ("web", "console", "slack", "discord")

IN_SHORT = {
    "slack-http": ("acceptance.receipt", "acceptance.ticket"),
    "slack-updates": ("acceptance.order", "acceptance.secret"),
    "slack-direct": ("acceptance.login", "acceptance.languages"),
    "discord-direct": ("acceptance.order", "acceptance.receipt", "acceptance.secret", "acceptance.languages"),
}
"""Other ways to talk on a platform, each shown by a few scenarios."""

STAGES: dict[str, Callable[[dict[str, str], Path], AbstractAsyncContextManager[Stage]]] = {
    "web": lambda variables, _: web_stage(variables),
    "console": console_stage,
    "slack": lambda variables, _: slack_stage(variables),
    "slack-http": lambda variables, _: slack_stage(variables, mode="http"),
    "slack-updates": lambda variables, _: slack_stage(variables, streaming="off"),
    "slack-direct": lambda variables, _: slack_stage(variables, channel="im"),
    "discord": lambda variables, _: discord_stage(variables),
    "discord-direct": lambda variables, _: discord_stage(variables, direct=True),
}


def picture() -> bytes:
    """Any picture: what stands on it is the vision model's business."""
    data = io.BytesIO()
    Image.new("RGB", (300, 400), "white").save(data, "PNG")
    return data.getvalue()


CASES = [
    pytest.param(platform, scenario, id=f"{platform}-{scenario.id}", marks=pytest.mark.behaviour(scenario.id))
    for scenario in SCENARIOS
    for platform in STAGES
    if platform not in scenario.not_on and (platform in PLATFORMS or scenario.id in IN_SHORT[platform])
]


@pytest.mark.parametrize(("platform", "scenario"), CASES)
async def test_scenario(
    platform: str,
    scenario: Scenario,
    variables: dict[str, str],
    model: ScriptedModel,
    redis: Redis,
    tmp_path: Path,
    log: io.StringIO,
) -> None:
    async with STAGES[platform]({**variables, **scenario.settings}, tmp_path) as stage:
        for beat in scenario.beats:
            await play(stage, beat, model, tmp_path)
        assert_whole(await record(stage))
    assert len(tickets(tmp_path)) == scenario.tickets
    for word in scenario.never:
        assert await places_of(word, redis, tmp_path / "data", model, log.getvalue()) == []
    for line in log.getvalue().splitlines():
        orjson.loads(line)


async def play(stage: Stage, beat: Beat, model: ScriptedModel, folder: Path) -> None:
    before = await record(stage)
    model.plays(*beat.model)
    model.sees(*beat.sees)
    if beat.always is not None:
        model.answers(beat.always)
    if beat.spoils:
        with sqlite3.connect(folder / "data" / "desk.sqlite3") as database:
            assert database.execute(beat.spoils).rowcount == 1
    with held(folder) if beat.holds else nullcontext():
        if beat.fill is not None:
            assert beat.told in await stage.fill(beat.fill)
        else:
            receipt = (("receipt.png", picture()),) if beat.picture else ()
            await stage.say(beat.says, files=beat.files or receipt)
        if not beat.model and beat.always is None:
            return
        answer = await stage.answer()
    came = (await record(stage))[len(before) :]
    called = [(call.name, call.arguments) for call in calls_of(came)]
    assert [name for name, _ in called] == [name for name, _ in beat.calls]
    for (_, arguments), (_, wanted) in zip(called, beat.calls, strict=True):
        given = orjson.loads(arguments) if wanted else {}
        for key, value in wanted.items():
            assert value.fullmatch(given[key]) if isinstance(value, re.Pattern) else given[key] == value
    for result, words in zip(results_of(came), beat.results, strict=False):
        assert [word for word in words if word not in result.content] == [], result.content
    numbers = [str(number) for number, _ in tickets(folder)]
    for word in beat.answer:
        assert word.replace("{ticket}", numbers[-1] if numbers else "no ticket") in answer
    for word in beat.lacks:
        assert word not in answer


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Somebody else has the database."""
    with closing(sqlite3.connect(folder / "data" / "desk.sqlite3", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield


def tickets(folder: Path) -> list[tuple[int, str]]:
    """Number and name of the tickets that conversations opened in the SQLite file, oldest first."""
    if not (folder / "data" / "desk.sqlite3").exists():
        return []
    with sqlite3.connect(folder / "data" / "desk.sqlite3") as database:
        rows: list[Any] = database.execute(
            "SELECT number, name FROM tickets WHERE thread != '' AND name = 'Omar' ORDER BY number"
        ).fetchall()
    return [(int(number), str(name)) for number, name in rows]


@pytest.mark.behaviour("acceptance.ticket")
async def test_on_postgresql(
    variables: dict[str, str], postgres_url: str, model: ScriptedModel, tmp_path: Path
) -> None:
    """The same conversation with the database of production."""
    (scenario,) = (scenario for scenario in SCENARIOS if scenario.id == "acceptance.ticket")
    async with web_stage({**variables, "DATABASE_URL": postgres_url}) as stage:
        for beat in scenario.beats:
            await play(stage, beat, model, tmp_path)
        assert_whole(await record(stage))

"""Conversations of several people (acceptance 7, 11, 13, 20), on every platform where several speak."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import pytest

from bot.conversation import StaffTurn, Turn, UserTurn
from tests.scenes import SCENES, Company, Move, Scene
from tests.servers.openai import ScriptedModel
from tests.servers.patience import WAIT_S
from tests.stages.company import discord_company, slack_company, square_company, web_company
from tests.stages.play import assert_whole, record, results_of

STAGES: Mapping[str, Callable[[Mapping[str, str]], AbstractAsyncContextManager[Company]]] = {
    "web": web_company,
    "slack": slack_company,
    "discord": discord_company,
    "square": square_company,
}
"""A platform's stage is one line here."""

CASES = [
    pytest.param(platform, scene, id=f"{platform}-{scene.id}", marks=pytest.mark.behaviour(scene.id))
    for scene in SCENES
    for platform in STAGES
    if platform not in scene.not_on
]


@pytest.mark.parametrize(("platform", "scene"), CASES)
async def test_scene(platform: str, scene: Scene, variables: dict[str, str], model: ScriptedModel) -> None:
    variables |= scene.settings
    async with STAGES[platform](variables) as stage:
        for move in scene.moves:
            with locked(variables) if move.broken else nullcontext():
                await play(stage, move, model)
        kept = await settled(stage, scene.kept)
        assert_whole(kept)
        assert await unwritten(stage, scene.kept) == []


@contextmanager
def locked(variables: Mapping[str, str]) -> Iterator[None]:
    """The business database is held by somebody else."""
    file = Path(variables["FRONTDESK_DATA_DIR"]) / "desk.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")


async def play(stage: Company, move: Move, model: ScriptedModel) -> None:
    model.plays(*move.model)
    asked = len(model.requests)
    if move.fill is not None:
        told = await stage.fill(move.fill, by=move.by)
    elif move.order:
        told = await stage.order(move.order, by=move.by)
    elif move.press:
        told = await stage.press(move.press, by=move.by)
    else:
        told = await stage.say(mentioned(stage, move.says), by=move.by)
    assert move.told in told
    if move.answer or move.model:
        answer = await stage.answer()
        assert [word for word in move.answer if word not in answer] == [], answer
        assert [word for word in move.lacks if word in answer] == [], answer
    if move.knows:
        known = str(model.requests[-1].messages)
        assert [word for word in move.knows if word not in known] == [], known
    if move.results:
        last = results_of(await record(stage))[-1].content
        assert [word for word in move.results if word not in last] == [], last
    if move.said:
        await stage.said(move.said)
    for words in move.card:
        await stage.card(words)
    if move.mode is not None:
        assert await stage.app.mailbox.mode(stage.thread) is move.mode
    assert len(model.requests) == asked + len(move.model)


def mentioned(stage: Company, text: str) -> str:
    return text.replace("{bot}", stage.mention("bot")).replace("{other}", stage.mention("other"))


async def settled(stage: Company, kept: tuple[str, ...]) -> list[Turn]:
    """The record, once nothing waits to be put on it."""
    async with asyncio.timeout(WAIT_S):
        while await stage.app.mailbox.inbox(stage.thread) or len(await spoken(stage)) < len(kept):
            await asyncio.sleep(0.01)
    return await record(stage)


async def spoken(stage: Company) -> list[str]:
    return [turn.text for turn in await record(stage) if isinstance(turn, UserTurn | StaffTurn)]


async def unwritten(stage: Company, kept: tuple[str, ...]) -> list[str]:
    """What should be on the record and is not, or is and should not."""
    found = [text.removeprefix(stage.mention("bot")).strip() for text in await spoken(stage)]
    return sorted(set(found) ^ set(kept)) if kept else []

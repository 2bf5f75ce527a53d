"""A whole Frontdesk for one test: real Redis, real SQL, the real client of the model, over real sockets.

A stage is the same on every platform: `say`, `answer`, `fill`, and the record behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from bot.app import App, PlatformMaker, running
from bot.config import load
from bot.conversation import AssistantTurn, ToolCall, ToolTurn, Turn
from bot.messages import ThreadKey
from bot.ports import Form
from tests.servers.furniture import furnish
from tests.servers.openai import ScriptedModel


class Stage(Protocol):
    """What a scenario needs of a platform."""

    app: App

    @property
    def thread(self) -> ThreadKey:
        """The conversation."""

    async def say(self, text: str, *, by: str = "", files: tuple[tuple[str, bytes], ...] = ()) -> str:
        """Write a message and wait until the platform has it; how it is shown."""

    async def answer(self) -> str:
        """The next answer that stands, as the customer reads it."""

    async def form(self, *, by: str = "") -> Form:
        """The private form that was put before this person."""

    async def fill(self, fields: Mapping[str, str], *, by: str = "") -> str:
        """Fill in the last form; what the person is told."""


def environment(tmp_path: Path, redis_url: str, model: ScriptedModel, **more: str) -> dict[str, str]:
    """Settings of a Frontdesk under test."""
    return {
        "OPENAI_API_KEY": "test-key-of-nobody",
        "OPENAI_BASE_URL": model.base_url,
        "OPENAI_MODEL": "scripted",
        "REDIS_URL": redis_url,
        "FRONTDESK_SECRET_KEY": "only-for-tests-0123456789",
        "FRONTDESK_DATA_DIR": str(tmp_path / "data"),
        "HTTP_PORT": "0",
        "LEASE_S": "2",
        "DRAIN_S": "1",
        **more,
    }


@asynccontextmanager
async def played(
    variables: Mapping[str, str],
    *,
    registry: Mapping[str, PlatformMaker] | None = None,
    http: bool = True,
    fetch: Callable[[str], Awaitable[bytes]] | None = None,
) -> AsyncIterator[App]:
    """Frontdesk at work while the context lasts; links lead where `fetch` says."""
    settings = load(variables)
    if settings.database_url is None:
        await furnish(settings.frontdesk_data_dir)
    async with running(settings, variables, is_demo=True, registry=registry, http=http, fetch=fetch) as app:
        work = asyncio.create_task(app.run())
        try:
            yield app
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def record(stage: Stage) -> list[Turn]:
    """The conversation as it is kept."""
    return [entry.turn for entry in (await stage.app.mailbox.load(stage.thread)).entries]


def calls_of(turns: list[Turn]) -> list[ToolCall]:
    """Every call, in order."""
    return [call for turn in turns if isinstance(turn, AssistantTurn) for call in turn.tool_calls]


def results_of(turns: list[Turn]) -> list[ToolTurn]:
    """Every result, in order."""
    return [turn for turn in turns if isinstance(turn, ToolTurn)]


def assert_whole(turns: list[Turn]) -> None:
    """Every call has exactly one result, in order, before anything else."""
    waiting: list[str] = []
    for turn in turns:
        if isinstance(turn, ToolTurn):
            assert waiting, f"a result without a call: {turn.call_id}"
            assert turn.call_id == waiting.pop(0)
            continue
        assert not waiting, f"calls without a result: {waiting}"
        if isinstance(turn, AssistantTurn):
            waiting = [call.id for call in turn.tool_calls]
    assert not waiting, f"calls without a result: {waiting}"

"""A Frontdesk on a local Slack, with a model that says what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.openai import ScriptedModel
from tests.servers.slack import Slack
from tests.stages.play import environment


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    """The model's endpoint; the test says what it answers."""
    async with ScriptedModel() as model:
        yield model


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    """A Slack that raises for what it had to refuse."""
    async with Slack() as slack:
        yield slack


@pytest.fixture
def variables(tmp_path: Path, redis_url: str, model: ScriptedModel) -> dict[str, str]:
    """The settings of a Frontdesk with that model, the test's Redis and a database of its own."""
    return environment(tmp_path, redis_url, model)

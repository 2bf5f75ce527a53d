"""What `frontdesk check` says of platforms and of production, and what `frontdesk run` refuses to start with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config import load
from bot.safety import leaks
from tests.integration.test_cli import frontdesk
from tests.servers.openai import ScriptedModel, says
from tests.servers.redis import RedisServer, serving
from tests.servers.slack.server import Slack
from tests.stages.play import environment
from tests.stages.slack import settings

TOKEN = "correct-horse-battery"


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(says("ok"))
        yield model


@pytest.mark.behaviour("operate.check")
async def test_each_platform_says_what_it_is_and_what_is_to_be_mended(model: ScriptedModel, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", {"appendfsync": "everysec"})
    with serving(server):
        async with Slack() as slack:
            variables = environment(tmp_path, server.url, model) | settings(slack, "socket") | {"WEB_TOKEN": TOKEN}
            ran = await frontdesk("check", folder=tmp_path, **variables)
            lines = {line.split()[1].rstrip(":"): line for line in ran.out.splitlines()}
            assert lines["Slack"].split()[0] == "ok", ran.out
            assert "T0HOME" in lines["Slack"] or " in " in lines["Slack"]
            assert lines["Production"].startswith("ok")
            assert lines["Web"].startswith("ok")
            ran = await frontdesk("check", folder=tmp_path, **{**variables, "SLACK_BOT_TOKEN": "xoxb-nobody"})
            assert ran.status == 2
            (line,) = [line for line in ran.out.splitlines() if " Slack: " in line]
            assert line.startswith("MISSING")
            assert "SLACK_BOT_TOKEN" in line
            assert "xoxb-nobody" not in ran.out + ran.err


@pytest.mark.behaviour("operate.refused")
@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"PUBLIC_URL": "http://support.example"}, "PUBLIC_URL begins with http://"),
        ({"FRONTDESK_SECRET_KEY": "a" * 32}, "FRONTDESK_SECRET_KEY can be guessed"),
        ({"WEB_TOKEN": "only-for-tests-0123456789"}, "WEB_TOKEN is FRONTDESK_SECRET_KEY"),
    ],
)
def test_what_would_leak_is_told_with_its_mend(variables: dict[str, str], problem: str) -> None:
    whole = {"FRONTDESK_SECRET_KEY": "only-for-tests-0123456789", "PUBLIC_URL": "https://support.example"}
    assert leaks(load(whole)) == []
    assert leaks(load({"PUBLIC_URL": "http://127.0.0.1:8080"})) == []
    (told,) = leaks(load({**whole, **variables}))
    assert told.startswith(problem)


@pytest.mark.behaviour("operate.refused")
@pytest.mark.parametrize(
    ("redis", "more", "told"),
    [
        ({"appendonly": "no"}, {}, "appendonly yes"),
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, {}, "maxmemory-policy noeviction"),
        ({}, {"PUBLIC_URL": "http://support.example"}, "write https://"),
        ({}, {"WEB_TOKEN": "short"}, "WEB_TOKEN"),
        ({}, {"SLACK_BOT_TOKEN": "xoxb-home", "SLACK_SIGNING_SECRET": " "}, "SLACK_SIGNING_SECRET for HTTP"),
    ],
    ids=["no-aof", "evicting", "clear", "short-token", "no-signing-secret"],
)
async def test_a_start_that_would_lose_or_leak_is_refused_with_the_mend(
    redis: dict[str, str], more: dict[str, str], told: str, model: ScriptedModel, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis", redis)
    with serving(server):
        variables = environment(tmp_path, server.url, model) | {"WEB_TOKEN": TOKEN} | more
        ran = await frontdesk("run", folder=tmp_path, **variables)
        assert ran.status == 2
        assert told in ran.err
        assert "Traceback" not in ran.err
        checked = await frontdesk("check", folder=tmp_path, **variables)
        assert checked.status == 2
        assert told in checked.out + checked.err

"""What `frontdesk check` says of platforms and of production, and what `frontdesk run` refuses to start with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import running
from bot.check import examine
from bot.config import load
from bot.errors import ConfigError
from bot.safety import leaks
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
            found = {finding.part: finding for finding in await examine(load(variables), variables)}
            assert [part for part, finding in found.items() if not finding.ok] == []
            assert found.keys() >= {"Redis", "Production", "Database", "Model", "Slack", "Web"}
            assert "in Home" in found["Slack"].told
            slack.may_refuse.add("invalid_auth")
            wrong = {**variables, "SLACK_BOT_TOKEN": "xoxb-nobody"}
            (finding,) = [finding for finding in await examine(load(wrong), wrong) if not finding.ok]
            assert finding.part == "Slack"
            assert "SLACK_BOT_TOKEN" in finding.told
            assert "xoxb-nobody" not in finding.told


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
    ("token", "told"),
    [
        ("", "or set WEB_TOKEN for the web page"),
        ("open", "WEB_TOKEN: shorter than 16 characters; make one with `openssl rand -hex 32`."),
    ],
    ids=["none", "short"],
)
async def test_there_is_no_page_in_production_that_anybody_can_open(
    token: str, told: str, redis_url: str, model: ScriptedModel, tmp_path: Path
) -> None:
    variables = environment(tmp_path, redis_url, model) | {"WEB_TOKEN": token}
    with pytest.raises(ConfigError) as refused:
        async with running(load(variables), variables):
            pass
    assert any(told in problem for problem in refused.value.problems), refused.value.problems


@pytest.mark.behaviour("operate.refused")
@pytest.mark.parametrize(
    ("redis", "more", "told"),
    [
        ({"appendonly": "no"}, {}, "appendonly yes"),
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, {}, "maxmemory-policy noeviction"),
        ({}, {"PUBLIC_URL": "http://support.example"}, "write https://"),
        ({}, {"SLACK_BOT_TOKEN": "xoxb-home", "SLACK_SIGNING_SECRET": " "}, "SLACK_SIGNING_SECRET for HTTP"),
    ],
    ids=["no-aof", "evicting", "clear", "no-signing-secret"],
)
async def test_a_start_that_would_lose_or_leak_is_refused_with_the_mend(
    redis: dict[str, str], more: dict[str, str], told: str, model: ScriptedModel, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis", redis)
    with serving(server):
        variables = environment(tmp_path, server.url, model) | {"WEB_TOKEN": TOKEN} | more
        with pytest.raises(ConfigError) as refused:
            async with running(load(variables), variables):
                pass
        assert any(told in problem for problem in refused.value.problems)
        findings = await examine(load(variables), variables)
        assert any(told in finding.told for finding in findings if not finding.ok)


@pytest.mark.behaviour("cli.check")
@pytest.mark.parametrize("login", ["", ":nope@"], ids=["no-password", "wrong-password"])
async def test_a_redis_that_refuses_the_password_is_not_called_out_of_reach(
    login: str, model: ScriptedModel, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis", {"requirepass": "quite-secret"}, login={"password": "quite-secret"})
    with serving(server):
        variables = environment(tmp_path, server.url.replace("//", f"//{login}"), model)
        (finding,) = [finding for finding in await examine(load(variables), variables) if finding.part == "Redis"]
        assert not finding.ok
        assert finding.told.startswith("refuses us; write its user and password into REDIS_URL")

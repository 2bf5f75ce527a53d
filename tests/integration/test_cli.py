"""The command as an operator uses it: a process, its output, its exit status."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sentences import APOLOGY
from tests.servers.openai import ScriptedModel, calls, fails, says
from tests.servers.process import FrontdeskProcess, frontdesk, frontdesk_from_nothing
from tests.stages.play import environment
from tools.database import Database, migrate
from tools.desk import SqlDesk


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.mark.behaviour("cli.readable")
@pytest.mark.parametrize("command", ["run", "demo", "chat", "check"])
async def test_wrong_settings_are_a_list_and_status_2(command: str, tmp_path: Path) -> None:
    ran = await frontdesk(command, folder=tmp_path, HTTP_PORT="eighty", LEASE_S="-1")
    assert ran.status == 2
    assert "HTTP_PORT" in ran.err
    assert "LEASE_S" in ran.err
    assert "Traceback" not in ran.err + ran.out


@pytest.mark.behaviour("cli.readable")
@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"OPENAI_API_KEY": "x", "REDIS_URL": "redis://127.0.0.1:1", "FRONTDESK_SECRET_KEY": "0" * 16}, "REDIS_URL"),
        ({"OPENAI_API_KEY": "x", "REDIS_URL": "nonsense", "FRONTDESK_SECRET_KEY": "0" * 16}, "REDIS_URL"),
        ({"OPENAI_API_KEY": "x", "DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"OPENAI_API_KEY": "x", "DATABASE_URL": "postgresql://u:hidden-password@127.0.0.1:1/d"}, "DATABASE_URL"),
        ({"OPENAI_API_KEY": "x", "HANDBOOK": "missing.md", "WEB_TOKEN": "0123456789abcdef"}, "HANDBOOK"),
        ({"OPENAI_API_KEY": "x"}, "WEB_TOKEN"),
        ({"WEB_TOKEN": "0123456789abcdef"}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "x", "WEB_TOKEN": "0123456789abcdef", "HTTP_HOST": "203.0.113.1"}, "HTTP_HOST"),
    ],
    ids=["redis-away", "redis-url", "database-url", "database-away", "handbook", "no-platform", "no-key", "host"],
)
async def test_run_says_what_is_missing(variables: dict[str, str], named: str, tmp_path: Path) -> None:
    ran = await frontdesk("run", folder=tmp_path, **variables)
    assert ran.status == 2
    assert named in ran.err
    assert "Traceback" not in ran.err + ran.out
    assert "hidden-password" not in ran.err + ran.out


@pytest.mark.behaviour("cli.check")
async def test_check_reaches_every_part(tmp_path: Path, model: ScriptedModel) -> None:
    model.plays(says("ok"))
    variables = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": model.base_url, "WEB_TOKEN": "0123456789abcdef"}
    ran = await frontdesk_from_nothing("check", folder=tmp_path, **variables)
    assert ran.status == 0, ran.out + ran.err
    assert [line.split()[0] for line in ran.out.splitlines()] == ["ok"] * 6
    model.plays(fails(401))
    ran = await frontdesk("check", folder=tmp_path, **variables)
    assert ran.status == 2
    assert "OPENAI_API_KEY" in ran.out
    ran = await frontdesk("check", folder=tmp_path)
    assert ran.status == 2
    assert [line.split()[0] for line in ran.out.splitlines()] == ["ok", "ok", "ok", "MISSING", "ok", "MISSING"]


@pytest.mark.behaviour("cli.chat")
@pytest.mark.parametrize("leave", ["exit", "quit", ""], ids=["exit", "quit", "end-of-input"])
async def test_chat_answers_and_leaves(leave: str, tmp_path: Path, model: ScriptedModel) -> None:
    model.plays(says("Hello from the model."))
    ran = await frontdesk(
        "chat", folder=tmp_path, typed=f"Hi\n{leave}\n" if leave else "Hi\n",
        OPENAI_API_KEY="k", OPENAI_BASE_URL=model.base_url,
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "Traceback" not in ran.err
    assert "Hello from the model." in ran.out


@pytest.mark.behaviour("cli.chat")
@pytest.mark.timeout_s(120)
async def test_chat_without_a_key_talks_to_the_stand_in(tmp_path: Path) -> None:
    ran = await frontdesk_from_nothing("chat", folder=tmp_path, typed="Order 123123, email santa@clau.se\n")
    assert ran.status == 0, ran.err
    assert "stand-in" in ran.out
    for words in ("2024-11-08", "Snowy Mountain 123", "Large wooden sled", "Reindeer harness"):
        assert words in ran.out


@pytest.mark.behaviour("cli.dead_letters")
@pytest.mark.timeout_s(120)
async def test_dead_letters_are_listed_retried_and_dropped(
    tmp_path: Path, model: ScriptedModel, redis_url: str
) -> None:
    variables = environment(tmp_path, redis_url, model, MAX_ATTEMPTS="1")
    model.plays(fails(500), fails(500))
    for _ in range(2):
        ran = await frontdesk("chat", folder=tmp_path, typed="Hi\n", **variables)
        assert APOLOGY in ran.out
    ran = await frontdesk("dead-letters", "list", folder=tmp_path, **variables)
    assert ran.status == 0
    first, second = (line.split()[0] for line in ran.out.splitlines())
    ran = await frontdesk("dead-letters", "retry", first, folder=tmp_path, **variables)
    assert (ran.status, "is due again" in ran.out) == (0, True)
    ran = await frontdesk("dead-letters", "retry", first, folder=tmp_path, **variables)
    assert (ran.status, "no such" in ran.out) == (1, True)
    ran = await frontdesk("dead-letters", "drop", second, folder=tmp_path, **variables)
    assert ran.status == 0
    audit = await frontdesk("audit", folder=tmp_path, **variables)
    assert [line.split("  ")[2:4] for line in audit.out.splitlines()] == [
        ["operator", f"dead-letters retry {first}"],
        ["operator", f"dead-letters drop {second}"],
    ]
    for order in (("list",), ("retry", "all")):
        ran = await frontdesk("dead-letters", *order, folder=tmp_path, **variables)
        assert (ran.status, "no dead letters" in ran.out) == (0, True)


@pytest.mark.behaviour("cli.restart")
@pytest.mark.timeout_s(120)
async def test_a_second_start_on_the_embedded_default_finds_its_conversations(
    tmp_path: Path, model: ScriptedModel
) -> None:
    from tests.chaos.test_crashes import post
    from tests.stages.web import page_stage

    variables = {
        name: value
        for name, value in environment(tmp_path, "", model).items()
        if name not in ("REDIS_URL", "FRONTDESK_SECRET_KEY")
    }
    root, ticket = "0b6f4d1e-6f0e-4a55-9a39-0f6a7c1d2e3f", {"name": "Omar", "issue": "Unable to log in"}
    model.plays(calls(("create_customer_ticket", ticket)), says("There is a ticket."))
    async with FrontdeskProcess(variables, tmp_path, preloaded=False) as first:
        assert await post(first, root, "5d0c1f0a-0f6b-4b1f-8a43-2f4a0f3a9b11")
        async with page_stage(first.url, root) as page:
            await page.answer()
    async with FrontdeskProcess(variables, tmp_path) as second, page_stage(second.url, root) as page:
        assert await page.answer() == "There is a ticket."


@pytest.mark.behaviour("cli.audit")
async def test_the_audit_is_printed_oldest_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'desk.sqlite3'}"
    await migrate(url)
    async with Database(url) as database:
        desk = SqlDesk(database)
        for number, tenant in enumerate(("default", "other", "default")):
            await desk.record_audit(tenant, actor="web:page:robin", action=f"order-{number}", target="t", result="done")
    ran = await frontdesk_from_nothing("audit", folder=tmp_path, DATABASE_URL=url)
    assert [line.split("  ")[1:5] for line in ran.out.splitlines()] == [
        ["default", "web:page:robin", "order-0", "t"],
        ["other", "web:page:robin", "order-1", "t"],
        ["default", "web:page:robin", "order-2", "t"],
    ]
    nobody = await frontdesk("audit", "--tenant", "ohter", folder=tmp_path, DATABASE_URL=url, TENANTS="T1=other")
    assert "'ohter', which is no tenant of TENANTS; there are default, other." in nobody.out
    last = await frontdesk("audit", "--last", "1", "--tenant", "other", folder=tmp_path, DATABASE_URL=url)
    assert "order-1" in last.out
    assert "order-2" not in last.out


@pytest.mark.behaviour("cli.readable")
async def test_a_manifest_for_an_address_that_slack_cannot_reach_is_refused(tmp_path: Path) -> None:
    ran = await frontdesk("slack-manifest", "--url", "support.example", folder=tmp_path)
    assert (ran.status, ran.out) == (2, "")
    assert "https://" in ran.err

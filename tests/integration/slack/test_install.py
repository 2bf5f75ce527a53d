"""Many workspaces: installed, rotated, taken out again; what is kept of them is sealed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from redis.asyncio import Redis

from adapters.slack import installations
from adapters.slack.platform import create
from bot.app import App
from bot.store import keys
from tests.servers.openai import ScriptedModel, says
from tests.servers.slack import ADA, HOME, SHARED, Slack, payloads
from tests.servers.slack.delivery import SECRET
from tests.servers.slack.world import Member
from tests.stages.play import played
from tests.stages.search import redis_bytes

pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # the SDK's own business


@asynccontextmanager
async def desk(variables: Mapping[str, str], slack: Slack) -> AsyncIterator[App]:
    """A Frontdesk that any workspace may install."""
    own = {
        **variables,
        "SLACK_CLIENT_ID": "client-id",
        "SLACK_CLIENT_SECRET": "client-secret",
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_API_URL": slack.api_url,
        "PUBLIC_URL": "https://desk.example",
    }
    async with played(own, registry={"slack": create}) as app:
        slack.delivery.request_url = f"{app.url}/slack/events"
        yield app


async def install(
    app: App, slack: Slack, *, state: str | None = None, other_browser: bool = False, times: int = 1
) -> httpx2.Response:
    """Somebody installs the app into the home workspace; what the last of `times` returns is answered with."""
    async with httpx2.AsyncClient(base_url=app.url, follow_redirects=False) as browser:
        begun = await browser.get("/slack/install")
        link = begun.headers.get("location", "")
        if not link:
            link = next(part for part in begun.text.replace("&amp;", "&").split('"') if "/oauth/v2/authorize" in part)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        assert asked["client_id"] == "client-id"
        assert "chat:write" in asked["scope"]
        code = f"code-{slack.world.number()}"
        slack.api.codes[code] = HOME
        back = {"code": code, "state": asked["state"] if state is None else state}
        # The cookie is for https alone; the browser of a test has none.
        kept = {"cookie": "; ".join(f"{name}={value}" for name, value in begun.cookies.items())}
        for _ in range(times - 1):
            await browser.get("/slack/oauth_redirect", params=back, headers=kept)
        return await browser.get("/slack/oauth_redirect", params=back, headers={} if other_browser else kept)


async def answer(slack: Slack, model: ScriptedModel, words: str) -> str:
    """What Ada is answered."""
    model.plays(says(words))
    said = await slack.person(ADA).say("@Frontdesk hi")
    assert said.acknowledged, [receipt.statuses for receipt in said.receipts]
    return await slack.shows(SHARED, said.root, words)


@pytest.mark.behaviour("slack.install")
async def test_a_workspace_installs_the_app_and_is_served(
    variables: dict[str, str], slack: Slack, model: ScriptedModel, redis: Redis
) -> None:
    async with desk(variables, slack) as app:
        done = await install(app, slack)
        assert done.status_code in (200, 302), done.text
        assert await answer(slack, model, "Hello!") == "Hello!"
        tokens = [token for token in (*slack.api.bot_tokens, *slack.api.refresh) if token != "xoxb-home"]
        assert tokens
        kept = b"\n".join([held async for _, held in redis_bytes(redis)])
        assert not [token for token in tokens if token.encode() in kept], "tokens are sealed"
        used = {call.token for call in slack.calls if call.method.startswith("chat.")}
        assert used <= set(tokens)
    async with desk(variables, slack):
        assert await answer(slack, model, "Hello again!") == "Hello again!"


@pytest.mark.behaviour("slack.install")
@pytest.mark.parametrize(
    ("how", "asked"), [({"state": "made-up"}, 0), ({"other_browser": True}, 0), ({"times": 2}, 1)], ids=str
)
async def test_who_comes_back_with_another_state_installs_nothing(
    how: dict[str, Any], asked: int, variables: dict[str, str], slack: Slack
) -> None:
    async with desk(variables, slack) as app:
        refused = await install(app, slack, **how)
        assert refused.status_code >= 400
        assert slack.faults.seen["oauth.v2.access"] == asked


@pytest.mark.behaviour("slack.uninstall")
@pytest.mark.parametrize("how", ["uninstall", "revoke_tokens"])
async def test_a_workspace_that_takes_the_app_out_is_forgotten(
    how: str, variables: dict[str, str], slack: Slack, model: ScriptedModel, redis: Redis
) -> None:
    slack.may_refuse.add("token_revoked")
    slack.delivery.retries_after_s = ()
    async with desk(variables, slack) as app:
        await install(app, slack)
        await answer(slack, model, "Hello!")
        assert (await (slack.uninstall() if how == "uninstall" else slack.revoke_tokens())).acknowledged
        asked = len(model.requests)
        said = await slack.person(ADA).say("@Frontdesk still there?")
        assert slack.answers(SHARED, said.root) == []
        assert len(model.requests) == asked
        await install(app, slack)
        assert await answer(slack, model, "Hello again!") == "Hello again!"


@pytest.mark.behaviour("slack.strangers")
@pytest.mark.parametrize("tenants", ["", f"{HOME}=home"])
async def test_who_leads_a_workspace_that_installed_the_app_is_a_colleague_only_where_it_has_a_tenant(
    tenants: str, variables: dict[str, str], slack: Slack
) -> None:
    boss = slack.person(Member(id="U0BOSS001", name="Boss", team=HOME, leads=True))
    slack.world.members[boss.member.id] = boss.member
    told = "There are no such tickets." if tenants else "work here"
    async with desk({**variables, "ADMINS_SLACK": "", "TENANTS": tenants}, slack) as app:
        await install(app, slack)
        for _ in range(2):  # who somebody is may be learnt too late for their first command
            assert (await boss.command("tickets all")).acknowledged
        await slack.until(lambda: len(boss.ephemerals()) >= 2)
        assert told in boss.ephemerals()[-1].shown


@pytest.mark.behaviour("slack.uninstall")
async def test_a_removal_that_is_told_again_after_the_app_was_installed_anew_removes_nothing(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    async with desk(variables, slack) as app:
        await install(app, slack)
        event = {"type": "app_uninstalled", "event_ts": slack.world.now()}
        old = {**payloads.enveloped(event, slack.event_id()), "event_time": int(time.time()) - 300}
        assert (await slack.delivery.event(old)).acknowledged
        assert await answer(slack, model, "Still here!") == "Still here!"


@pytest.mark.behaviour("slack.acknowledged")
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_when_the_installation_store_fails_nothing_is_acknowledged_and_nothing_lost(
    mode: str,
    variables: dict[str, str],
    slack: Slack,
    model: ScriptedModel,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bolt answers 200 without running the listener when it cannot authorise; nobody here remembers who we are."""
    monkeypatch.setattr(installations, "MEMORY_S", 0.0)
    slack.delivery.patience_s = 0.5
    key = keys.state("adapter/slack", f"installation/{HOME}")
    more = {"SLACK_APP_TOKEN": "xapp-home"} if mode == "socket" else {}
    async with desk({**variables, **more}, slack) as app:
        await install(app, slack)
        if mode == "socket":
            slack.delivery.request_url = ""
            await slack.delivery.connected()
        model.plays(says("Here."))
        ada = slack.person(ADA)
        message = ada.writes("@Frontdesk are you there?")
        body = ada.events(message)[0]
        await redis.rename(key, "aside")
        await redis.rpush(key, "what no read of a value survives")
        failed = await slack.delivery.event(body, retries=False)
        assert failed.statuses == [503 if mode == "http" else 0]
        await redis.delete(key)
        unknown = await slack.delivery.event(body, retries=False)
        assert unknown.statuses == [503 if mode == "http" else 0], "nor when the store does not know us"
        await redis.rename("aside", key)
        assert (await slack.delivery.event(body)).acknowledged
        assert await slack.shows(SHARED, message.ts, "Here.") == "Here."


@pytest.mark.behaviour("slack.rotation")
async def test_a_token_that_runs_out_is_replaced(variables: dict[str, str], slack: Slack, model: ScriptedModel) -> None:
    slack.api.lasts_s = 1  # it is due at once
    async with desk(variables, slack) as app:
        await install(app, slack)
        assert await answer(slack, model, "Hello!") == "Hello!"
        assert await answer(slack, model, "Hello again!") == "Hello again!"
        rotated = [
            call for call in slack.calls_of("oauth.v2.access") if call.arguments.get("grant_type") == "refresh_token"
        ]
        assert rotated
        last = [call for call in slack.calls if call.method.startswith("chat.")][-1]
        assert last.token in slack.api.bot_tokens

"""How the gateway does is known (issue 5, scale): what `/readyz` says, what is done before a session can be held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from prometheus_client import REGISTRY as METRICS

from adapters.discord import catchup, gateway, identify, pulse, session
from bot.app import App
from bot.conversation import UserTurn
from bot.vitals import Vital, look
from tests.servers.discord import DiscordServer
from tests.servers.discord.faults import held_after
from tests.servers.openai import ScriptedModel, says
from tests.servers.patience import WAIT_S
from tests.stages.customers import echoes
from tests.stages.discord import REGISTRY, DiscordStage, Town, discord_stage, frontdesk
from tests.stages.play import played, record

MESSAGES = r"/channels/\d+/messages"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that spare the platform, in proportion to this one."""
    monkeypatch.setattr(gateway, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(session, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(identify, "IDENTIFY_S", 0.2)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(heartbeat_ms=100) as server:
        yield server


@pytest.fixture
def town(server: DiscordServer) -> Town:
    return Town(server)


async def told(app: App, begins: str) -> str:
    """Wait until `/readyz` says of Discord what begins so."""
    return (await vital(app, begins)).state


async def vital(app: App, begins: str) -> Vital:
    """Wait until the state of Discord begins so; with its figures."""
    async with asyncio.timeout(WAIT_S):
        while not (seen := await look(app.platforms["discord"].ping)).state.startswith(begins):
            await asyncio.sleep(0.02)
    return seen


async def greeted(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Hello!"))
    await stage.say("Hi")
    assert await stage.answer() == "Hello!"


def metric(name: str, **labels: str) -> float:
    """What `/metrics` tells."""
    value = METRICS.get_sample_value(f"frontdesk_discord_{name}", labels)
    assert value is not None, name
    return value


# --------------------------------------------------------------------------------------------------- readiness


@pytest.mark.behaviour("discord.readyz")
async def test_a_shard_without_a_session_is_named(
    variables: dict[str, str], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identify, "IDENTIFY_S", 60.0)
    town.server.routes.shards = 3
    async with frontdesk(town, variables) as app:
        seen = await vital(app, "discord_shards")
        assert seen.state == "discord_shards_missing: 1, 2"
        assert seen.figures["shards"] == "1/3"
        assert metric("shards_missing") == 2
        assert 0 <= metric("latency_seconds", shard="0") < 5


@pytest.mark.behaviour("discord.readyz", "operate.ready")
async def test_the_page_that_an_orchestrator_asks_tells_how_the_gateway_does(
    variables: dict[str, str], town: Town
) -> None:
    async with played({**town.variables(), **variables}, registry=REGISTRY) as app:
        await vital(app, "ok")
        async with httpx2.AsyncClient(base_url=app.url, timeout=10) as client:
            response = await client.get("/readyz")
            assert response.status_code == 200, response.text
            page = response.json()
            figures = page.pop("figures")["discord"]
            assert set(page.values()) == {"ok"}
            assert set(figures) == {"shards", "latency_ms", "heartbeat_age_s", "events_waiting", "channels_behind"}
            assert figures["shards"] == "1/1"
            assert 0 <= figures["latency_ms"] < 5_000
            assert 0 <= figures["heartbeat_age_s"] < 5
            await town.server.stop()
            await vital(app, "discord_")
            response = await client.get("/readyz")
            assert response.status_code == 503
            assert response.json()["discord"].startswith("discord_")
            assert response.json()["figures"]["discord"]["channels_behind"] == 0


@pytest.mark.behaviour("discord.readyz")
async def test_heartbeats_that_nobody_acknowledges_are_told_until_they_are_again(
    variables: dict[str, str], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latency of the last good heartbeat stays as it was; its age is what tells."""
    monkeypatch.setattr(pulse, "FRESH_S", 1.0)
    async with frontdesk(town, variables) as app:
        await told(app, "ok")
        town.server.gateway.acknowledges = False
        assert await told(app, "discord_shards") == "discord_shards_silent: 0"
        assert metric("heartbeat_age_seconds", shard="0") > 1.0
        assert metric("shards_missing") == 1
        town.server.gateway.acknowledges = True
        await told(app, "ok")
        assert metric("shards_missing") == 0


@pytest.mark.behaviour("discord.readyz", "discord.backfill")
async def test_what_is_read_again_too_slowly_is_told(
    variables: dict[str, str], town: Town, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with discord_stage(variables, town=town) as talk:
        await greeted(talk, model)
    model.answers(echoes)
    await talk.say("while you slept")
    monkeypatch.setattr(pulse, "LATE_S", 0.3)
    reading = town.server.faults.next("GET", MESSAGES, held_after())
    async with frontdesk(town, variables) as app:
        await reading.reached.wait()
        late = await vital(app, "discord_behind")
        assert "channels to read again" in late.state
        assert float(late.figures["channels_behind"]) >= 1
        assert float(late.figures["events_waiting"]) >= 1
        assert metric("channels_behind") >= 1
        assert metric("events_waiting") >= 1
        reading.release()
        await told(app, "ok")
        assert metric("channels_behind") == 0
        assert "while you slept" in await talk.answer()


# --------------------------------------------------------------------------------------------------- the session


@pytest.mark.behaviour("discord.supervised")
@pytest.mark.parametrize("left", [0, identify.IDENTIFY_RESERVE])
async def test_the_end_of_the_identify_budget_is_waited_for(
    left: int, variables: dict[str, str], town: Town, model: ScriptedModel
) -> None:
    town.server.routes.identifies_left = left
    town.server.routes.identifies_again_s = wait_s = 1.0
    began = time.monotonic()
    async with played({**town.variables(), **variables}, registry=REGISTRY, http=False) as app:
        await told(app, "discord_identify_budget")
        assert town.server.gateway.identified == []
        async with asyncio.timeout(WAIT_S):
            await town.server.gateway.until_connected()
        assert time.monotonic() - began >= wait_s
        await greeted(DiscordStage(app, town), model)
        await told(app, "ok")
        assert len(town.server.gateway.identified) == 1


@pytest.mark.behaviour("discord.supervised")
async def test_one_identify_more_than_the_reserve_is_used(variables: dict[str, str], town: Town) -> None:
    town.server.routes.identifies_left = identify.IDENTIFY_RESERVE + 1
    async with frontdesk(town, variables) as app:
        await told(app, "ok")
        assert len(town.server.gateway.identified) == 1


@pytest.mark.behaviour("discord.resume")
async def test_a_connection_on_which_nothing_comes_is_given_up_and_the_session_goes_on(
    variables: dict[str, str], town: Town, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SILENT_S", 1.0)
    async with discord_stage(variables, town=town) as stage:
        await greeted(stage, model)
        live = town.server.gateway
        live.acknowledges = False
        async with asyncio.timeout(WAIT_S):
            await live.until_resumed(1)
        live.acknowledges = True
        model.plays(says("Still here."))
        await stage.say("are you there?")
        assert await stage.answer() == "Still here."
        assert len(live.identified) == 1
        await told(stage.app, "ok")


@pytest.mark.behaviour("discord.backfill")
@pytest.mark.parametrize(("pages", "read"), [(5, 5), (2, 2)])
async def test_a_thread_is_read_again_in_order_and_no_further_than_the_limit(
    pages: int,
    read: int,
    variables: dict[str, str],
    town: Town,
    model: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catchup, "PAGE", 2)
    monkeypatch.setattr(catchup, "PAGES", pages)
    async with discord_stage(variables, town=town) as talk:
        await greeted(talk, model)
    model.answers(echoes)
    said = [f"message {number}" for number in range(5)]
    for text in said:
        await talk.say(text)
    async with frontdesk(town, variables) as app:
        stage = DiscordStage(app, town)
        stage.root = talk.root

        async def taken() -> list[str]:
            turns = [turn.text for turn in await record(stage) if isinstance(turn, UserTurn)]
            return [line for text in turns for line in text.splitlines() if line.startswith("message")]

        async with asyncio.timeout(WAIT_S):
            while len(await taken()) < read:
                await asyncio.sleep(0.05)
        await told(app, "ok")
        assert await taken() == said[:read]


@pytest.mark.behaviour("discord.backfill")
async def test_what_is_older_than_the_limit_is_not_read_again(
    variables: dict[str, str], town: Town, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catchup, "AGE_LIMIT_S", 0.0)
    async with discord_stage(variables, town=town) as talk:
        await greeted(talk, model)
    await talk.say("while you slept")
    async with frontdesk(town, variables) as app:
        await told(app, "ok")
        model.plays(says("Good morning."))
        await talk.say("are you awake?")
        assert await talk.answer() == "Good morning."
        stage = DiscordStage(app, town)
        stage.root = talk.root
        said = [turn.text for turn in await record(stage) if isinstance(turn, UserTurn)]
        assert said == ["Hi", "are you awake?"]

"""What an operator looks at: `/metrics`, `/readyz` and `/healthz` of a process that works, and of one that cannot."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.app import open_platforms
from bot.config import load
from bot.errors import ConfigError, Transient
from bot.llm.wire import to_wire
from bot.store.client import Connections
from bot.store.mailbox import RedisMailbox
from bot.vitals import LAG_EVERY_S, Vitals, same_time
from tests.scenarios import ORDER
from tests.servers.openai import ScriptedModel, calls, fails, held, says
from tests.servers.redis import RedisServer, serving
from tests.stages.meters import Meters
from tests.stages.play import environment, played
from tests.stages.web import WebStage, web_stage
from tools.database import Database

SERIES: dict[str, set[str]] = {
    "frontdesk_discord_latency_seconds": {"shard"},
    "frontdesk_discord_heartbeat_age_seconds": {"shard"},
    "frontdesk_discord_shards_missing": set(),
    "frontdesk_discord_events_waiting": set(),
    "frontdesk_discord_channels_behind": set(),
    "frontdesk_slack_refused_total": {"why"},
    "frontdesk_events_total": {"kind", "verdict"},
    "frontdesk_limited_total": {"scope", "unit"},
    "frontdesk_queue_ready": set(),
    "frontdesk_queue_oldest_seconds": set(),
    "frontdesk_queue_open": set(),
    "frontdesk_dead_letters": set(),
    "frontdesk_admission_closed": set(),
    "frontdesk_turns_total": {"outcome"},
    "frontdesk_turn_seconds": set(),
    "frontdesk_turns_running": set(),
    "frontdesk_takeovers_total": set(),
    "frontdesk_fenced_total": set(),
    "frontdesk_given_up_total": {"reason"},
    "frontdesk_tool_calls_total": {"tool", "result"},
    "frontdesk_first_text_seconds": set(),
    "frontdesk_model_requests_total": {"result"},
    "frontdesk_model_request_seconds": set(),
    "frontdesk_model_first_token_seconds": set(),
    "frontdesk_model_tokens_total": {"kind"},
    "frontdesk_model_cost_total": set(),
    "frontdesk_redis_up": set(),
    "frontdesk_redis_memory_ratio": set(),
    "frontdesk_db_up": set(),
    "frontdesk_part_ready": {"part"},
    "frontdesk_loop_lag_seconds": set(),
    "frontdesk_breaker_open": {"part"},
    "frontdesk_rate_limit_waits_total": {"where"},
    "frontdesk_rate_limit_wait_seconds_total": {"where"},
}
"""Every metric and its labels; an operator's alerts and dashboards hang on these names."""


OF_ONE_PLATFORM = {name for name in SERIES if name.startswith(("frontdesk_discord_", "frontdesk_slack_"))}


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.fixture
def variables(tmp_path: Path, redis_url: str, model: ScriptedModel) -> dict[str, str]:
    return environment(tmp_path, redis_url, model)


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[WebStage]:
    async with web_stage(variables) as stage:
        yield stage


@pytest.mark.behaviour("operate.no_person")
async def test_the_metrics_are_these_with_these_labels(stage: WebStage) -> None:
    async with httpx2.AsyncClient() as client:
        text = (await client.get(f"{stage.app.url}/metrics")).text
    ours = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE frontdesk_")}
    named = {name for name in ours if not name.endswith("_created")}
    # What only one platform can tell is there once its adapter is in use.
    assert named | OF_ONE_PLATFORM == set(SERIES)
    for family in text_string_to_metric_families(text):
        if family.name.startswith("frontdesk_") and not family.name.endswith("_created"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == SERIES[name], sample


@pytest.mark.behaviour("operate.metrics")
async def test_a_conversation_is_counted(stage: WebStage, model: ScriptedModel) -> None:
    meters = Meters(stage.app.url)
    await meters.begin()
    model.plays(calls(ORDER), says("It is out for delivery."))
    sent = await stage.post("Order 123123, santa@clau.se")
    await stage.answer()
    await stage.post("Order 123123, santa@clau.se", message_id=sent["id"])
    assert await meters.added("frontdesk_events_total", kind="IncomingMessage", verdict="stored") == 1
    assert await meters.added("frontdesk_events_total", verdict="duplicate") == 1
    assert await meters.added("frontdesk_tool_calls_total", tool="get_order_status", result="ok") == 1
    assert await meters.added("frontdesk_model_requests_total", result="ok") == 2
    assert await meters.added("frontdesk_model_request_seconds_count") == 2
    assert await meters.added("frontdesk_model_first_token_seconds_count") == 2
    assert await meters.added("frontdesk_model_tokens_total", kind="input") > 0
    async with asyncio.timeout(20):
        while await meters.added("frontdesk_turns_total", outcome="answered") != 1:
            await asyncio.sleep(0.01)
    assert await meters.added("frontdesk_turn_seconds_count") == 1
    assert await meters.value("frontdesk_redis_up") == 1
    assert await meters.value("frontdesk_db_up") == 1
    assert "ada" not in str(await meters.all()).lower()


@pytest.mark.behaviour("operate.metrics")
async def test_the_model_is_priced_and_its_faults_are_counted(variables: dict[str, str], model: ScriptedModel) -> None:
    prices = {
        "PRICE_PER_MILLION_INPUT_TOKENS": "1000",
        "PRICE_PER_MILLION_CACHED_TOKENS": "100",
        "PRICE_PER_MILLION_OUTPUT_TOKENS": "2000",
    }
    async with web_stage({**variables, **prices}) as stage:
        meters = Meters(stage.app.url)
        await meters.begin()
        model.plays(fails(429, retry_after=0.1), says("Hello."))
        await stage.say("Hi")
        await stage.answer()
        assert await meters.added("frontdesk_model_requests_total", result="model_rate_limited") == 1
        assert await meters.added("frontdesk_rate_limit_waits_total", where="model") == 1
        assert await meters.added("frontdesk_rate_limit_wait_seconds_total", where="model") == pytest.approx(0.1)
        tokens = {
            kind: await meters.added("frontdesk_model_tokens_total", kind=kind)
            for kind in ("input", "cached", "output")
        }
        fresh = tokens["input"] - tokens["cached"]
        cost = fresh * 0.001 + tokens["cached"] * 0.0001 + tokens["output"] * 0.002
        assert cost > 0
        assert await meters.added("frontdesk_model_cost_total") == pytest.approx(cost)


@pytest.mark.behaviour("operate.metrics")
async def test_what_waits_is_told_with_its_age(variables: dict[str, str], model: ScriptedModel) -> None:
    slow = held("One ", "moment.")
    model.plays(slow, says("Yes."))
    async with played({**variables, "WORKER_CONCURRENCY": "1"}) as app:
        meters = Meters(app.url)
        async with web_stage({}, app=app) as first, web_stage({}, app=app) as second:
            await first.say("first")
            await slow.pause.reached.wait()
            await second.say("second")
            async with asyncio.timeout(20):
                while not await meters.value("frontdesk_queue_oldest_seconds") > 0.05:
                    await asyncio.sleep(0.01)
            assert await meters.value("frontdesk_queue_ready") == 1
            assert await meters.value("frontdesk_queue_open") == 2
            assert await meters.value("frontdesk_turns_running") == 1
            for pause in slow.pauses:
                pause.release()
            await second.answer()
    assert LAG_EVERY_S < 1, "the loop's lateness is looked at often"


@pytest.mark.behaviour("operate.metrics")
async def test_turns_that_were_given_up_are_counted(variables: dict[str, str], model: ScriptedModel) -> None:
    async with web_stage(variables) as stage:
        meters = Meters(stage.app.url)
        await meters.begin()
        model.plays(fails(401))
        await stage.say("Hi")
        await stage.answer()
        assert await meters.value("frontdesk_dead_letters") == 1
        assert await meters.added("frontdesk_given_up_total", reason="model_unauthorized") == 1


async def ready(url: str, query: str = "") -> tuple[int, dict[str, str]]:
    async with httpx2.AsyncClient(base_url=url, timeout=10) as client:
        response = await client.get(f"/readyz{query}")
        assert (await client.get("/healthz")).status_code == 200
    return response.status_code, response.json()


@pytest.mark.behaviour("operate.ready")
async def test_a_redis_that_takes_no_writes_makes_a_process_unready(variables: dict[str, str], tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", {"appendfsync": "no"})
    with serving(server):
        async with played({**variables, "REDIS_URL": server.url}) as app:
            meters = Meters(app.url)
            assert await ready(app.url) == (200, dict.fromkeys(("redis", "clock", "database", "model", "web"), "ok"))
            with server.client() as client:
                # It answers a ping and refuses every write, as one that is full does.
                client.config_set("maxmemory", 1)
                assert client.ping()
            status, states = await ready(app.url)
            assert (status, states["redis"], states["database"]) == (503, "redis_unavailable", "ok")
            assert (await ready(app.url, "?exclude=model&exclude=nothing"))[0] == 503
            assert await meters.value("frontdesk_redis_up") == 0
            async with asyncio.timeout(20):
                while await meters.value("frontdesk_admission_closed") != 1:
                    await asyncio.sleep(0.05)
            assert await meters.value("frontdesk_redis_memory_ratio") > 1
            with server.client() as client:
                client.config_set("maxmemory", 0)
            assert (await ready(app.url))[0] == 200


@pytest.mark.behaviour("operate.clock")
@pytest.mark.parametrize("off_s", [-600, 600, 20])
async def test_a_clock_that_is_off_by_ten_minutes_is_noticed(redis_url: str, off_s: int) -> None:
    connections = Connections(redis_url)

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=off_s)

    with pytest.raises(Transient, match="clock_skew") if abs(off_s) > 60 else contextlib.nullcontext():
        await same_time(connections.time, now)
    await connections.aclose()


@pytest.mark.behaviour("operate.ready")
async def test_a_database_that_is_away_is_told(redis_url: str) -> None:
    connections = Connections(redis_url)
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    vitals = Vitals(RedisMailbox(connections, to_wire), {"redis": connections.ping, "database": away.ping})
    await vitals.read()
    meters = Meters()
    assert await meters.value("frontdesk_db_up") == 0
    assert await meters.value("frontdesk_redis_up") == 1
    assert await meters.value("frontdesk_part_ready", part="database") == 0
    await connections.aclose()


@pytest.mark.behaviour("operate.key")
async def test_a_key_that_was_cut_short_is_refused_and_a_new_one_is_made_whole(tmp_path: Path) -> None:
    environment = {"FRONTDESK_DATA_DIR": str(tmp_path), "WEB_TOKEN": "0123456789abcdef"}
    key = tmp_path / "secret.key"
    key.touch()  # whoever made it died, or its disk was full
    with pytest.raises(ConfigError, match="cut short"):
        async with open_platforms(load(environment), environment):
            pass
    key.unlink()
    kept: set[bytes] = set()
    for _ in range(2):
        async with open_platforms(load(environment), environment):
            kept.add(key.read_bytes())
    assert [len(one) for one in kept] == [64]
    assert key.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("secret.key.*"))

"""Limits on spending and messages, and parts that keep failing: what customers and admins see of it."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import orjson
import pytest

from adapters.web.platform import WebPlatform
from adapters.web.platform import create as web
from bot.budget import FLUSH_S, REST_S, Allowance, LedgerBudgets, Limits, Spending
from bot.config import load
from bot.messages import Person, ThreadKey
from bot.ports import Card, Resources, Verdict, Window
from bot.sentences import LIMIT_REACHED, MODEL_AWAY, TOO_MANY_MESSAGES, TURN_LIMIT
from bot.store.client import Connections
from bot.store.rates import RedisCounts
from tests.scenarios import ORDER, relays
from tests.servers.openai import ScriptedModel, calls, fails, says
from tests.servers.redis import RedisServer, serving
from tests.stages.meters import Meters
from tests.stages.play import assert_whole, played, record, results_of
from tests.stages.web import ADA, BEN, web_stage

TENANT = "default"


class TeamPlatform(WebPlatform):
    """The page, with a place where the team reads cards."""

    cards: list[Card]

    async def notify(self, place: str, card: Card) -> None:
        self.cards.append(card)


def team(environment: Mapping[str, str], resources: Resources) -> TeamPlatform:
    platform = web(environment, resources)
    assert platform is not None
    platform.__class__ = TeamPlatform
    assert isinstance(platform, TeamPlatform)
    platform.cards = []
    return platform


def tickets(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "data" / "desk.sqlite3") as database:
        return [row[0] for row in database.execute("SELECT issue FROM tickets WHERE number > 100000")]


@pytest.mark.behaviour("limits.polite", "limits.ticket")
@pytest.mark.parametrize("limit", ["BUDGET_THREAD", "BUDGET_PERSON", "BUDGET_DAY"])
async def test_at_a_limit_everybody_is_told_once_and_tickets_stay_open(
    limit: str, variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    model.answers(says("Hello."))
    async with played({**variables, limit: "calls=2"}, registry={"web": team}) as app:
        platform = app.platforms["web"]
        assert isinstance(platform, TeamPlatform)
        async with web_stage({}, app=app) as stage:
            for text in ("one", "two"):
                await stage.say(text)
                assert await stage.answer() == "Hello."
            await stage.say("three")
            assert await stage.answer() == LIMIT_REACHED
            await stage.say("four")
            await stage.say("ticket: I cannot log in")
            assert (await stage.answer()).startswith("I have opened ticket 1")
            await stage.say("Ticket")
            assert "What shall the ticket say?" in await stage.answer()
            assert_whole(await record(stage))
        assert len(model.requests) == 2
        assert tickets(tmp_path) == ["I cannot log in"]
        (card,) = platform.cards
        assert "calls" in card.title
        assert "BUDGET_" in card.text


@pytest.mark.behaviour("limits.polite")
async def test_the_limit_of_a_person_is_that_persons_alone(variables: dict[str, str], model: ScriptedModel) -> None:
    model.answers(says("Hello."))
    async with played({**variables, "BUDGET_PERSON": "tokens=1"}) as app:
        async with web_stage({}, app=app) as stage:
            await stage.say("one", by=ADA)
            assert await stage.answer() == "Hello."
        async with web_stage({}, app=app) as another:
            await another.say("two", by=ADA)
            assert await another.answer() == LIMIT_REACHED, "in every thread"
        async with web_stage({}, app=app, reads=BEN) as theirs:
            await theirs.say("three", by=BEN)
            assert await theirs.answer() == "Hello."


@pytest.mark.behaviour("limits.turn")
async def test_a_turn_that_has_spent_what_it_may_ends_honestly(variables: dict[str, str], model: ScriptedModel) -> None:
    async with web_stage({**variables, "BUDGET_TURN": "calls=2"}) as stage:
        model.plays(calls(ORDER), calls(("get_order_status", {"order_id": "1", "email": "a@b.c"})), says("Fine."))
        await stage.say("Where are they all?")
        assert await stage.answer() == TURN_LIMIT
        await stage.say("and now?")
        assert await stage.answer() == "Fine."
        assert_whole(await record(stage))
        assert await stage.app.mailbox.dead_letters() == []


@pytest.mark.behaviour("limits.messages")
async def test_five_hundred_messages_of_one_person(variables: dict[str, str], model: ScriptedModel) -> None:
    model.answers(says("Hello."))
    variables |= {"MESSAGES_PER_HOUR": "20", "INBOX_LIMIT": "1000"}
    async with web_stage(variables) as stage:
        app = stage.app
        async with web_stage({}, app=app, reads=BEN) as other:
            meters = Meters(app.url)
            await meters.begin()
            verdicts = []
            for _ in range(10):
                posted = await asyncio.gather(*(stage.post(f"message {number}") for number in range(50)))
                verdicts += [(post["verdict"], post.get("text")) for post in posted]
            refused = [text for verdict, text in verdicts if verdict == Verdict.REFUSED]
            assert len(refused) == 480
            assert [text for text in refused if text] == [TOO_MANY_MESSAGES], "said once"
            assert await meters.added("frontdesk_limited_total", scope="messages") == 480
            await other.say("hello", by=BEN)
            assert await other.answer() == "Hello."
            assert len(model.requests) <= 21


async def _ledger(counts: RedisCounts, limits: Limits) -> LedgerBudgets:
    return LedgerBudgets(counts, limits, tenant_of=lambda space: TENANT)


PERSON = Person(id="ada", display_name="Ada", organisation="acme")
THREAD = ThreadKey(platform="web", space="page", channel="main", root="1")


@pytest.fixture
async def counts(redis_url: str) -> AsyncIterator[RedisCounts]:
    connections = Connections(redis_url)
    yield RedisCounts(connections.commands)
    await connections.aclose()


@pytest.mark.behaviour("limits.counted", "limits.shared")
async def test_what_one_process_spends_another_knows(counts: RedisCounts) -> None:
    settings = load({f"BUDGET_{scope}": "calls=10 tokens=1000 money=1" for scope in ("THREAD", "ORGANISATION", "DAY")})
    one, two = [await _ledger(counts, replace(settings.limits, messages_per_hour=3)) for _ in range(2)]
    spent = Spending(calls=4, input_tokens=100, output_tokens=20, money=0.25)
    for ledger in (one, two, one):
        assert ledger.over(THREAD, PERSON) is None
        ledger.spend(THREAD, PERSON, spent)
        ledger.take_message(THREAD, PERSON)
        await ledger.flush()
    over = one.over(THREAD, PERSON)
    assert over is not None
    assert (over.scope, over.unit) == ("thread", "calls")
    lines = {(line.scope, line.unit): line for line in await two.status(THREAD, PERSON)}
    assert {scope for scope, _ in lines} == {"thread", "person", "organisation", "day", "messages"}
    for scope in ("thread", "organisation", "day"):
        assert [lines[scope, unit].used for unit in ("calls", "tokens", "money")] == [12, 360, 0.75]
        assert [lines[scope, unit].limit for unit in ("calls", "tokens", "money")] == [10, 1000, 1]
        assert lines[scope, "calls"].ends_at is not None
    assert lines["messages", "messages"].used == 3
    assert one.too_many_messages(THREAD, PERSON) is not None
    assert one.too_many_messages(THREAD, replace(PERSON, id="ben")) is None
    assert one.too_many_messages(THREAD, replace(PERSON, is_staff=True)) is None
    elsewhere = replace(THREAD, root="2")
    over = one.over(elsewhere, replace(PERSON, id="ben"))
    assert over is not None
    assert over.scope == "organisation"
    (line,) = [line for line in await one.status(elsewhere) if (line.scope, line.unit) == ("thread", "money")]
    assert (line.used, line.ends_at) == (0, None)


@pytest.mark.behaviour("limits.idle")
async def test_nothing_stays_of_threads_in_which_nobody_speaks(counts: RedisCounts) -> None:
    later_s = 0.0
    limits = Limits(thread=Allowance(calls=10, tokens=1_000))
    ledger = LedgerBudgets(
        counts, limits, tenant_of=lambda space: TENANT, now=lambda: datetime.now(UTC) + timedelta(seconds=later_s)
    )
    spent, quiet = replace(THREAD, root="remembered-0"), [replace(THREAD, root=f"idle-{n}") for n in range(200)]
    for thread in quiet:
        ledger.spend(thread, PERSON, Spending(calls=9, input_tokens=10))
    ledger.spend(spent, PERSON, Spending(calls=10))
    await ledger.flush()
    ledger.spend(quiet[0], PERSON, Spending(calls=1))
    assert ledger.over(quiet[0], PERSON) is not None, "a limit is exact while one speaks"
    await ledger.flush()
    assert len(_held("idle-")) == 400
    later_s = REST_S + 1
    await ledger.flush()
    assert _held("idle-") == {"calls/thread/web:page:main:idle-0"}, "who may not go on is remembered"
    assert ledger.over(spent, PERSON) is not None
    assert ledger.over(quiet[1], PERSON) is None
    ledger.spend(quiet[1], PERSON, Spending(calls=1))
    await ledger.flush()
    assert ledger.over(quiet[1], PERSON) is not None, "what was spent before the rest counts"
    later_s = 86_400.0 + 60
    await ledger.flush()
    assert _held("idle-") | _held("remembered-") == set()


def _held(part: str) -> set[str]:
    """Names of the counts that live in this process."""
    gc.collect()
    return {it.name for it in gc.get_objects() if type(it) is Window and part in it.name}


@pytest.mark.behaviour("limits.shared")
async def test_what_redis_missed_is_brought_later(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", {"appendfsync": "no"})
    with serving(server):
        connections = Connections(server.url)
        ledger = await _ledger(RedisCounts(connections.commands), load({"BUDGET_DAY": "calls=5"}).limits)
        ledger.spend(THREAD, PERSON, Spending(calls=3))
        server.kill()
        await ledger.flush()
        ledger.spend(THREAD, PERSON, Spending(calls=2))
        assert ledger.over(THREAD, PERSON) is not None, "the limit holds while Redis is away"
        server.start()
        await asyncio.to_thread(server.wait)
        await ledger.flush()
        (line,) = [line for line in await ledger.status(THREAD) if line.scope == "day"]
        assert line.used == 5
        await connections.aclose()
    assert FLUSH_S <= 1


@pytest.mark.behaviour("breaker.model")
async def test_while_the_model_is_left_alone_everybody_is_told_at_once(
    variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    async with played({**variables, "BREAKER_FAILURES": "4", "BREAKER_REST_S": "1.5", "MESSAGES_PER_HOUR": "0"}) as app:
        meters = Meters(app.url)
        model.answers(fails(500))
        async with web_stage({}, app=app) as stage, web_stage({}, app=app) as other:
            await stage.say("Hi")
            await stage.answer()
            asked = len(model.requests)
            assert asked == 4
            await other.say("Anybody there?")
            assert await other.answer() == MODEL_AWAY
            await other.say("ticket it is urgent")
            assert (await other.answer()).startswith("I have opened ticket")
            assert len(model.requests) == asked, "nobody asked it meanwhile"
            assert tickets(tmp_path) == ["it is urgent"]
            assert await meters.value("frontdesk_breaker_open", part="model") == 1
            async with httpx2.AsyncClient(base_url=app.url) as client:
                unready, rollout = await client.get("/readyz"), await client.get("/readyz?exclude=model")
            assert (unready.status_code, unready.json()["model"]) == (503, "model_resting")
            assert (rollout.status_code, rollout.json()) == (200, unready.json()), (
                "new workers may take over all the same"
            )
            assert [letter.reason for letter in await app.mailbox.dead_letters()][-1] == "model_resting"
            model.answers(says("I am back."))
            async with asyncio.timeout(20):
                while True:
                    await other.say("And now?")
                    if await other.answer() == "I am back.":
                        break
                    await asyncio.sleep(0.2)
            assert await meters.value("frontdesk_breaker_open", part="model") == 0


@pytest.mark.behaviour("breaker.tool")
async def test_a_tool_that_keeps_failing_is_left_alone_and_the_others_work(
    variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    limits = {"BREAKER_FAILURES": "2", "BREAKER_REST_S": "60", "TOOL_TIMEOUT_S": "0.2"}
    async with web_stage({**variables, **limits}) as stage:
        ticket = ("create_customer_ticket", {"name": "Omar", "issue": "Unable to log in"})
        with sqlite3.connect(tmp_path / "data" / "desk.sqlite3", isolation_level=None) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            for _ in range(3):
                model.plays(calls(ticket), relays("Sorry:"))
                await stage.say("I cannot log in")
                await stage.answer()
            holder.execute("ROLLBACK")
        codes = [orjson.loads(result.content)["error"] for result in results_of(await record(stage))]
        assert codes == ["timed_out", "timed_out", "resting"]
        model.plays(calls(ORDER), relays())
        await stage.say("Order 123123, santa@clau.se")
        assert "delivery" in await stage.answer()
        assert_whole(await record(stage))

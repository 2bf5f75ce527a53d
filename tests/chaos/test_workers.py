"""Workers that hang, die of a message, crash on it, are flooded, or are away; and replies that are lost
(F05, F13, F17, F18, F20, F21)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.web.platform import WebPlatform
from adapters.web.platform import create as web
from bot.app import running
from bot.config import load
from bot.conversation import AssistantTurn
from bot.ports import Lease, ReplyStream, Resources
from bot.sentences import APOLOGY
from bot.store.client import ANSWER_S
from bot.worker import CLAIMS
from tests.servers.openai import Reply, Request, ScriptedModel, calls, held
from tests.servers.process import FrontdeskProcess
from tests.servers.redis_proxy import RedisProxy
from tests.stages.customers import Archive, Customer, archive, becomes, echoes
from tests.stages.play import assert_whole, environment, played
from tests.stages.web import page_stage

pytestmark = pytest.mark.timeout_s(120)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(echoes)
        yield model


@pytest.fixture
def variables(tmp_path: Path, redis_url: str, model: ScriptedModel) -> dict[str, str]:
    return environment(tmp_path, redis_url, model, LEASE_S="1")


@pytest.fixture
async def kept(redis_url: str) -> AsyncIterator[Archive]:
    async with archive(redis_url) as kept:
        yield kept


def hazard(variables: Mapping[str, str], folder: Path) -> FrontdeskProcess:
    return FrontdeskProcess({}, folder, module="tests.servers.hazard", command=(json.dumps(variables),))


def opens_the_link(request: Request) -> Reply:
    """A model that looks at every link it is sent, and then echoes."""
    link = next((word for word in request.last_user.split() if word.startswith("https://")), None)
    if link is None or request.messages[-1]["role"] == "tool":
        return echoes(request)
    return calls(("analyze_receipt_image", {"image": link}))


async def answers(kept: Archive, customer: Customer) -> list[str]:
    """What was answered, without words before calls."""
    turns = await kept.turns(customer)
    assert_whole(turns)
    return [turn.text for turn in turns if isinstance(turn, AssistantTurn) and not turn.tool_calls]


@pytest.mark.behaviour("crash.blocked")
async def test_a_worker_whose_loop_was_held_up_writes_nothing_any_more(
    variables: dict[str, str], kept: Archive, model: ScriptedModel, tmp_path: Path
) -> None:
    model.answers(opens_the_link)
    async with hazard(variables, tmp_path) as victim:
        customer = Customer(victim.url)
        await customer.say("https://127.0.0.1/blocks?6")
        await model.asked(1)
        # The heir's guarded download refuses an address that is not public.
        async with FrontdeskProcess(variables, tmp_path) as heir, page_stage(heir.url, customer.root) as page:
            await kept.settled()
            assert "turn_ended" not in victim.printed, "it was held up for longer than its lease"
            await becomes(lambda: '"fenced"' in victim.printed)
            (answer,) = await answers(kept, customer)
            assert answer.startswith("Re: customer")
            assert await page.answer() == answer
            assert page.answers() == [answer]


@pytest.mark.behaviour("crash.poison")
async def test_a_message_that_ends_the_process_is_given_up_after_its_tries(
    variables: dict[str, str], kept: Archive, model: ScriptedModel, tmp_path: Path
) -> None:
    variables["MAX_ATTEMPTS"] = "2"
    model.answers(opens_the_link)
    async with hazard(variables, tmp_path) as first:
        customer = Customer(first.url)
        await customer.say("https://127.0.0.1/ends")
        assert await first.ended() == 70
    async with hazard(variables, tmp_path) as second:
        assert await second.ended() == 70
    async with hazard(variables, tmp_path) as third:
        await kept.settled()
        assert await answers(kept, customer) == [APOLOGY]
        (letter,) = await kept.mailbox.dead_letters()
        assert letter.reason == "crash"
        customer.url = third.url
        await customer.say("and now?")
        await kept.settled()
        assert await answers(kept, customer) == [APOLOGY, f"Re: {customer.accepted[-1]}"]


class FaultyStream:
    """An answer on its way that breaks at a word; with `closes` off, also at its end."""

    def __init__(self, stream: ReplyStream, *, closes: bool) -> None:
        self._stream = stream
        self._closes = closes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def append(self, delta: str) -> None:
        if "poison" in delta:
            raise ValueError("a fault of ours")
        self._stream.append(delta)

    async def close(self, reply: Any) -> None:
        if not self._closes and reply.text == APOLOGY:
            raise ValueError("another fault of ours")
        await self._stream.close(reply)


class FaultyPlatform(WebPlatform):
    """The page, with a fault in how it writes answers."""

    closes = True

    def reply(self, lease: Lease) -> Any:
        return FaultyStream(super().reply(lease), closes=self.closes)


def faulty(environment: Mapping[str, str], resources: Resources) -> FaultyPlatform:
    platform = web(environment, resources)
    assert platform is not None
    platform.__class__ = FaultyPlatform
    assert isinstance(platform, FaultyPlatform)
    return platform


@pytest.mark.behaviour("crash.poison")
@pytest.mark.parametrize("closes", [True, False], ids=["answer", "apology"])
async def test_a_message_that_always_crashes_is_given_up_and_the_thread_goes_on(
    closes: bool, variables: dict[str, str], kept: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaultyPlatform, "closes", closes)
    # A lease that outlasts the test: a crash is noticed as such and waits for its back-off alone.
    variables |= {"MAX_ATTEMPTS": "2", "LEASE_S": "60"}
    async with played(variables, registry={"web": faulty}) as app:
        customer = Customer(app.url)
        await customer.say("poison")
        await kept.settled()
        reasons = [letter.reason for letter in await kept.mailbox.dead_letters()]
        assert reasons == (["error"] if closes else ["error", "undeliverable: error"])
        await customer.say("and now?")
        await kept.settled()
        assert await answers(kept, customer) == [APOLOGY, f"Re: {customer.accepted[-1]}"]


@pytest.mark.behaviour("machines.lost_replies")
async def test_replies_that_are_lost_double_nothing(
    variables: dict[str, str], redis_url: str, kept: Archive, tmp_path: Path
) -> None:
    """One in five of each kind, however the requests of a moment share their packets."""
    async with RedisProxy(redis_url, tmp_path / "proxy") as proxy:
        proxy.loses = lambda name, times: times % 5 == 2
        async with FrontdeskProcess({**variables, "REDIS_URL": proxy.url}, tmp_path) as process:
            customers = [Customer(process.url) for _ in range(8)]
            await asyncio.gather(*(customer.talk(4) for customer in customers))
            await kept.assert_answered(customers)
    assert all(proxy.seen[name] >= 2 for name in ("put", "open", "commit", "done")), "one of each was lost"
    assert any(customer.refused for customer in customers), "some acknowledgements were lost"
    assert "crashed" not in process.printed


@pytest.mark.behaviour("machines.claims")
async def test_a_claim_that_takes_its_time_keeps_no_other_thread_waiting(
    variables: dict[str, str], redis_url: str, kept: Archive, tmp_path: Path
) -> None:
    async with RedisProxy(redis_url, tmp_path / "proxy") as proxy:
        proxy.holds = lambda name, times: name == "open" and times == 1
        async with played({**variables, "REDIS_URL": proxy.url, "LEASE_S": "60"}) as app:
            first, others = Customer(app.url), [Customer(app.url) for _ in range(3)]
            await first.say("hello")
            await becomes(lambda: proxy.seen["open"] == 1)
            await asyncio.gather(*(other.say("hello") for other in others))
            async with asyncio.timeout(ANSWER_S):  # a claim that has waited so long is given up
                while not all([await answers(kept, other) for other in others]):
                    await asyncio.sleep(0.01)
            proxy.let_go.set()
            await kept.assert_answered([first, *others])


@pytest.mark.behaviour("machines.claims")
async def test_who_was_woken_does_not_keep_who_is_due_longer_from_their_turn(
    variables: dict[str, str], kept: Archive, model: ScriptedModel
) -> None:
    """With room for one turn, and somebody else always waking, a thread that nothing wakes for has its turn in time."""
    variables |= {"WORKER_CONCURRENCY": "1", "LEASE_S": "60"}
    slow = held("One ", "moment.")
    model.plays(slow)

    async def chats(talker: Customer) -> None:
        for _ in range(8):
            await talker.say("and again")
            await becomes(lambda: place_of(talker.accepted[-1]) is not None)

    def place_of(text: str) -> int | None:
        return next((place for place, request in enumerate(model.requests) if request.last_user == text), None)

    async with played(variables) as app:
        patient, talkers = Customer(app.url), [Customer(app.url) for _ in range(6)]
        await talkers[0].say("hello")
        await slow.pause.reached.wait()
        await patient.say("hello")
        await kept.forget_wakes()
        talks = [asyncio.create_task(chats(talker)) for talker in talkers]
        await becomes(lambda: all(talker.accepted for talker in talkers))
        for pause in slow.pauses:
            pause.release()
        await asyncio.gather(*talks)
        await kept.assert_answered([patient, *talkers])
    place = place_of(patient.accepted[0])
    assert place is not None
    assert place <= 1 + CLAIMS, "at most those were before it who were woken while there was no room"


@pytest.mark.behaviour("machines.flood")
async def test_a_flood_in_one_thread_keeps_no_other_waiting(
    variables: dict[str, str], kept: Archive, model: ScriptedModel
) -> None:
    variables |= {"LEASE_S": "15", "INBOX_LIMIT": "50"}
    slow = held("One ", "moment.")
    model.plays(slow)
    async with played(variables) as app:
        flood = Customer(app.url)
        await flood.say("the first")
        await slow.pause.reached.wait()
        verdicts = await asyncio.gather(*(flood.verdict(f"more {number}") for number in range(120)))
        others = [Customer(app.url) for _ in range(5)]
        await asyncio.gather(*(other.say("hello") for other in others))
        async with asyncio.timeout(20):  # without an end if they had to wait for the first one
            while [await answers(kept, other) for other in others] != [[f"Re: {o.accepted[0]}"] for o in others]:
                await asyncio.sleep(0.02)
        # Who was stored while the acknowledgement came too late brings the message again.
        assert verdicts.count("stored") + verdicts.count("duplicate") == 50
        assert verdicts.count("refused") == 70
        for pause in slow.pauses:
            pause.release()
        await kept.settled()
        turns = await kept.turns(flood)
        assert len([turn for turn in turns if not isinstance(turn, AssistantTurn)]) == 51


@pytest.mark.behaviour("machines.workers_away")
async def test_what_came_while_no_worker_was_there_is_answered_in_order(
    variables: dict[str, str], kept: Archive
) -> None:
    async with running(load(variables), variables, is_demo=True, registry={"web": web}) as app:
        doors = [asyncio.create_task(platform.run(app.intake)) for platform in app.platforms.values()]
        customers = [Customer(app.url) for _ in range(5)]
        await asyncio.gather(*(customer.talk(3) for customer in customers))
        assert not any([await answers(kept, customer) for customer in customers])
        assert app.worker is not None
        worker = asyncio.create_task(app.worker.run())
        await kept.assert_answered(customers)
        for task in (worker, *doors):
            task.cancel()
        await asyncio.gather(worker, *doors, return_exceptions=True)

"""The process is killed, or paused, around each step of an answer on Slack; a fresh one leaves one answer
(F03, F04, F47, F49)."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.servers.openai import Reply, ScriptedModel, held, says
from tests.servers.process import FrontdeskProcess
from tests.servers.redis_proxy import RedisProxy
from tests.servers.slack import ADA, SHARED, Slack
from tests.servers.slack.delivery import SECRET
from tests.stages.customers import becomes
from tests.stages.play import assert_whole, environment, record
from tests.stages.slack import settings, slack_stage

pytestmark = pytest.mark.timeout_s(120)

ANSWER = "This is an answer that is long enough to be shown while it is being written. And it ends here."


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        model.answers(says(ANSWER))
        yield model


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as slack:
        # A worker that takes over does not know in which state a stream was left, and finds it out.
        slack.may_refuse |= {"message_not_in_streaming_state", "streaming_state_conflict"}
        slack.delivery.retries_after_s = (0.1,) * 60
        slack.delivery.patience_s = 1.0
        yield slack


@pytest.fixture
def variables(tmp_path: Path, redis_url: str, model: ScriptedModel) -> dict[str, str]:
    return environment(tmp_path, redis_url, model, LEASE_S="1")


def desk(variables: Mapping[str, str], folder: Path) -> FrontdeskProcess:
    return FrontdeskProcess({}, folder, module="tests.servers.slack.desk", command=(json.dumps(dict(variables)),))


async def goes_on(slack: Slack, running: Reply) -> None:
    """The model speaks on once what it said first is shown."""
    await running.pause.reached.wait()
    seen = slack.faults.seen
    await slack.until(lambda: seen["chat.startStream"] or seen["chat.postMessage"], within_s=30)
    for pause in running.pauses:
        pause.release()


POINTS = [
    ("auto", "slack", "chat.startStream"),
    ("auto", "redis", "ref"),
    ("auto", "redis", "commit"),
    ("auto", "slack", "chat.stopStream"),
    ("off", "slack", "chat.postMessage"),
    ("off", "redis", "ref"),
    ("off", "redis", "commit"),
    ("off", "slack", "chat.update"),
]


@pytest.mark.behaviour("slack.crash")
@pytest.mark.parametrize(("streaming", "where", "point"), POINTS, ids=[f"{way}-{at}" for way, _, at in POINTS])
async def test_killed_after_a_step_a_fresh_process_leaves_one_answer(
    streaming: str,
    where: str,
    point: str,
    variables: dict[str, str],
    slack: Slack,
    model: ScriptedModel,
    redis_url: str,
    tmp_path: Path,
) -> None:
    """The step was taken (the message is there, the script ran), and whoever took it never hears of it."""
    async with RedisProxy(redis_url, tmp_path / "proxy") as proxy:
        own = {**variables, **settings(slack, "socket", streaming=streaming), "REDIS_URL": proxy.url}
        async with desk(own, tmp_path) as victim:
            await slack.delivery.connected()
            if where == "slack":
                slack.faults.after = lambda call, times: victim.kill() if call.method == point else None
            else:
                asked: list[int] = []
                # What passes before the message was put belongs to something else.
                proxy.before = lambda name, times: asked.append(1) if name == "put" else None
                proxy.after = lambda name, times: victim.kill() if name == point and asked else None
            ada = slack.person(ADA)
            said = ada.writes("@Frontdesk tell me")
            running = held(ANSWER[:77], ANSWER[77:])
            model.plays(running)
            sending = [slack.start(slack.delivery.event(body)) for body in ada.events(said)]
            slack.start(goes_on(slack, running))
            async with asyncio.timeout(30):
                await victim.ended()
            slack.faults.after = lambda call, times: None
    async with slack_stage(variables, streaming=streaming, slack=slack) as stage:
        stage.root = said.ts
        for task in sending:
            assert (await task).acknowledged
        await slack.shows(SHARED, said.ts, "ends here", within_s=20)
        await stage.settled()
        assert stage.shown() == [ANSWER], slack.picture()
        assert_whole(await record(stage))
        assert await stage.app.mailbox.dead_letters() == []


@pytest.mark.behaviour("slack.zombie")
@pytest.mark.parametrize("streaming", ["auto", "off"], ids=["streaming", "updates"])
async def test_a_paused_worker_that_wakes_up_writes_nothing_more(
    streaming: str, variables: dict[str, str], slack: Slack, model: ScriptedModel, tmp_path: Path
) -> None:
    """Its thread was taken over, its message adopted; what it still wanted to write stays unwritten."""
    running = held(ANSWER[:77], ANSWER[77:])
    model.plays(running)
    own = {**variables, **settings(slack, "socket", streaming=streaming)}
    async with desk(own, tmp_path) as zombie:
        await slack.delivery.connected()
        ada = slack.person(ADA)
        said = ada.writes("@Frontdesk tell me")
        for body in ada.events(said):
            await slack.delivery.event(body)
        await slack.shows(SHARED, said.ts, "long enough", within_s=20)
        zombie.signal(signal.SIGSTOP)
        try:
            async with slack_stage(variables, streaming=streaming, slack=slack) as stage:
                stage.root = said.ts
                await slack.shows(SHARED, said.ts, "ends here", within_s=20)
                await stage.settled()
                for pause in running.pauses:
                    pause.release()
                zombie.signal(signal.SIGCONT)
                await becomes(lambda: '"fenced"' in zombie.printed)
                zombie.signal(signal.SIGTERM)  # and whatever it still had in hand is done or dropped
                await zombie.ended()
                assert stage.shown() == [ANSWER], slack.picture()
                slack.assert_at_rest()
        finally:
            zombie.signal(signal.SIGCONT)
    assert SECRET not in zombie.printed

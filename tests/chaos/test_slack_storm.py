"""Many conversations at once on a Slack that fails at random: every question has its one answer, and nothing else is
left on any screen (F42, F46, F47)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.openai import Reply, Request, ScriptedModel, held
from tests.servers.slack import ADA, Fault, Slack
from tests.stages.play import environment
from tests.stages.slack import slack_stage

pytestmark = pytest.mark.timeout_s(90)

THREADS, QUESTIONS = 8, 2
FAILING = 0.15
"""Which part of the calls goes wrong."""

KINDS = (Fault(loses=True), Fault(drops=True), Fault(status=503), Fault(retry_after_s=0), Fault(error="internal_error"))
PIECES = ("is being written slowly, piece by piece, ", "so that much can go wrong on its way, ", "and ends here.")


def answer_to(question: str) -> str:
    return f"The answer to {question} {''.join(PIECES)}"


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    """A model that takes its time, as models do."""
    speaking: set[asyncio.Task[None]] = set()

    async def speak(reply: Reply) -> None:
        for pause in reply.pauses:
            await pause.reached.wait()
            await asyncio.sleep(0.4)
            pause.release()

    def slowly(request: Request) -> Reply:
        question = request.last_user.removeprefix("@Frontdesk ").strip()
        reply = held(f"The answer to {question} {PIECES[0]}", *PIECES[1:])
        task = asyncio.create_task(speak(reply))
        speaking.add(task)
        task.add_done_callback(speaking.discard)
        return reply

    async with ScriptedModel() as model:
        model.answers(slowly)
        yield model
    for task in speaking:
        task.cancel()


@pytest.mark.behaviour("slack.storm")
@pytest.mark.parametrize("streaming", ["auto", "off"], ids=["streaming", "updates"])
async def test_whatever_fails_every_question_has_its_one_answer(
    streaming: str, model: ScriptedModel, redis_url: str, tmp_path: Path
) -> None:
    chances = random.Random(11)
    async with Slack(strict=False) as slack:
        slack.delivery.patience_s = 1.5
        slack.delivery.retries_after_s = (0.1,) * 20
        variables = environment(tmp_path, redis_url, model, MAX_ATTEMPTS="10")
        async with slack_stage(variables, streaming=streaming, slack=slack) as stage:
            slack.faults.chance = lambda method: chances.choice(KINDS) if chances.random() < FAILING else Fault()
            rooms = slack.world.rooms(THREADS)

            async def talk(room: str) -> tuple[str, str]:
                root = ""
                for number in range(QUESTIONS):
                    question = f"question {number} of {room}"
                    said = await slack.person(ADA).say(f"@Frontdesk {question}", room, thread=root or None)
                    assert said.acknowledged
                    root = root or said.root
                    await slack.shows(room, root, answer_to(question), within_s=40)
                return room, root

            async def goodbyes() -> None:
                for reason in ("warning", "refresh_requested"):
                    await slack.called("chat.postMessage", 3)
                    await slack.delivery.connected()
                    await slack.delivery.say_goodbye(reason)
                    await slack.delivery.opened(slack.delivery.connections)

            slack.start(goodbyes())
            threads = await asyncio.gather(*(talk(room) for room in rooms))
            slack.faults.chance = lambda method: Fault()
            await stage.settled()
            for room, root in threads:
                shown = [message.shown for message in slack.answers(room, root)]
                assert shown == [answer_to(f"question {number} of {room}") for number in range(QUESTIONS)], (
                    slack.picture()
                )
            assert await stage.app.mailbox.dead_letters() == []

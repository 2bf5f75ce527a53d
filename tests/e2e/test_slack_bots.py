"""Other bots on Slack: answered only when they are listed, a few times, and never as a person (F40)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack import bots
from adapters.slack.bots import TURNS, Bots
from bot.app import App
from bot.conversation import UserTurn
from bot.errors import Rejected
from bot.messages import ThreadKey
from bot.store.client import Connections
from bot.store.shared_state import RedisSharedState
from tests.servers.openai import ScriptedModel, calls, says
from tests.servers.slack import HOME, OTHER_BOT, PLAIN, SHARED, Member, Slack
from tests.servers.slack.echo import EchoBot, Says, in_channel, in_thread
from tests.stages.meters import Meters
from tests.stages.play import record, results_of
from tests.stages.slack import slack_stage

pytestmark = pytest.mark.timeout_s(120)

ROBOT = OTHER_BOT.id
HELPER = Member(id="U0HELPER1", name="Helper", team=HOME, bot_id="B0HELPER1", app_id="A0HELPER1")
"""A bot of the home workspace."""


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    """A Slack that raises for what it had to refuse."""
    async with Slack() as slack:
        yield slack


async def authors(app: App, root: str, channel: str) -> list[UserTurn]:
    """What is on the record as somebody's question."""
    thread = ThreadKey(platform="slack", space=HOME, channel=channel, root=root)
    entries = (await app.mailbox.load(thread)).entries
    return [entry.turn for entry in entries if isinstance(entry.turn, UserTurn)]


@pytest.mark.behaviour("slack.bots_limited")
@pytest.mark.parametrize(("mode", "says_it"), [("socket", in_thread), ("http", in_channel)])
async def test_a_conversation_with_a_bot_that_answers_everything_ends(
    mode: str, says_it: Says, variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    """Two of us hear it in turns over sockets, and count together."""
    model.answers(says("Hello bot!"))
    meters = Meters()
    await meters.begin()
    async with (
        slack_stage(variables, mode=mode, slack=slack, SLACK_BOTS=OTHER_BOT.bot_id) as stage,
        slack_stage(variables, mode=mode, slack=slack, SLACK_BOTS=OTHER_BOT.bot_id),
    ):
        echo = EchoBot(slack, SHARED, says_it)
        first = await echo.begin()
        await echo.spoke(TURNS + 1)
        assert all(said.acknowledged for said in echo.said)
        await stage.settled()
        assert len(echo.said) == TURNS + 1, "the last one it said was left unanswered"
        assert len(model.requests) == TURNS
        # The message and its mention.
        assert await meters.added("frontdesk_limited_total", scope="bot", unit="messages") == 2
        (turn, *_) = await authors(stage.app, first.root, SHARED)
        assert (turn.author.id, turn.author.is_bot, turn.author.is_staff) == (ROBOT, True, False)
        assert turn.author.organisation == OTHER_BOT.team
        stage.root = (await stage.person().say("@Frontdesk and I?", SHARED)).root
        assert await stage.answer() == "Hello bot!", "people are not counted with it"
        said = await slack.person(OTHER_BOT).say("@Frontdesk hello", PLAIN)
        await slack.shows(PLAIN, said.root, "Hello bot!")
        await stage.settled()


@pytest.mark.behaviour("slack.bots_limited")
async def test_a_place_is_free_again_when_its_time_is_over(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots, "WINDOW_S", 0.3)
    connections = Connections(redis_url)
    limits = Bots(RedisSharedState(connections.commands, "tests"), frozenset({"B1"}))
    thread = ThreadKey(platform="slack", space="T1", channel="C1", root="1.1")
    try:
        for message in ("1.1", "1.2", "1.3", "1.1", "1.3"):  # what comes again has its place
            await limits.admit(thread, "B1", message)
        with pytest.raises(Rejected, match="bot_turns"):
            await limits.admit(thread, "B1", "1.4")
        await limits.admit(thread, "B2", "1.4")

        async def admitted() -> bool:
            try:
                await limits.admit(thread, "B1", "1.4")
            except Rejected:
                return False
            return True

        async with asyncio.timeout(20):
            while not await admitted():
                await asyncio.sleep(0.02)
    finally:
        await connections.aclose()


@pytest.mark.behaviour("slack.bots")
async def test_a_listed_bot_is_heard_only_when_it_asks(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    """By whichever of its names it is listed; what it says without a mention is no question, and takes no place."""
    model.answers(says("Hello!"))
    async with slack_stage(variables, slack=slack, SLACK_BOTS=f"{OTHER_BOT.app_id}, B0LEGACY1") as stage:
        robot = slack.person(OTHER_BOT)
        await stage.write("hi")
        await stage.answer()
        for number in range(TURNS + 1):
            assert (await robot.say(f"for your information {number}", SHARED, thread=stage.root)).acknowledged
        asked = await robot.say("@Frontdesk hello", SHARED, thread=stage.root)
        assert await stage.answer() == "Hello!"
        edited = await robot.edit(asked.message, "@Frontdesk hello again")
        assert edited.acknowledged
        # A bot of old has no user.
        said = slack.world.put(robot.writes("@Frontdesk hello", PLAIN))
        body = robot.events(said, twin=False)[0]
        event = {**body["event"], "subtype": "bot_message", "bot_id": "B0LEGACY1", "username": "Legacy"}
        for name in ("user", "app_id", "bot_profile"):
            event.pop(name)
        assert (await slack.delivery.event({**body, "event": event})).acknowledged
        await slack.shows(PLAIN, said.root, "Hello!")
        (turn,) = await authors(stage.app, said.root, PLAIN)
        assert (turn.author.id, turn.author.display_name, turn.author.organisation) == ("B0LEGACY1", "Legacy", "")
        # One that is not listed, and whose messages do not show that it is a bot.
        other = slack.person(HELPER).writes("@Frontdesk hello", PLAIN)
        other.bot_id = other.app_id = ""
        for body in slack.person(HELPER).events(other):
            assert (await slack.delivery.event(body)).acknowledged
        await stage.settled()
        assert slack.answers(PLAIN, other.root) == []
    assert len(model.requests) == 3


@pytest.mark.behaviour("slack.bots")
async def test_a_bot_of_the_workspace_is_no_colleague_and_proves_nothing(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    """Also when somebody lists it as an admin."""
    variables |= {"SLACK_BOTS": HELPER.id}
    async with slack_stage(variables, slack=slack, channel=PLAIN, customer=HELPER, ADMINS_SLACK=HELPER.id) as stage:
        model.plays(
            calls(("get_ticket_status", {"ticket_id": "12345"})),
            calls(("verify_user", {"username": "john_doe", "api_key": "secret:1"})),
            says("A person has to ask for this."),
        )
        await stage.write("status of 12345, I am john_doe and my api key is sk-0123456789abcdef0123456789abcdef")
        assert (await stage.answer()).startswith("A person has to ask for this.")
        results = results_of(await record(stage))
        assert [("no_person" in result.content, "Billing" in result.content) for result in results] == [
            (True, False)
        ] * 2
        assert stage.offers() == []
        (turn,) = await authors(stage.app, stage.root, PLAIN)
        assert (turn.author.is_bot, turn.author.is_staff, turn.author.organisation) == (True, False, HOME)
        assert (await slack.person(HELPER).command("pause", PLAIN)).acknowledged
        await slack.until(lambda: "work here" in str([one.shown for one in slack.person(HELPER).ephemerals()]))

"""What Frontdesk does in Slack beside answering: checks itself, reads back, tells the team, and finds other ways."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import httpx2
import pytest

from adapters.slack.platform import SlackPlatform
from bot.app import open_platforms
from bot.config import load
from bot.conversation import UserTurn
from bot.errors import ToolFailed, Transient
from bot.messages import Attachment, ThreadKey
from bot.ports import Card, Mode
from tests.servers.openai import ScriptedModel, calls, says
from tests.servers.patience import WAIT_S
from tests.servers.slack import ADA, BEN, HOME, PLAIN, ROBIN, SHARED, TEAM, Fault, Slack
from tests.servers.slack.faults import Gate
from tests.servers.slack.screen import buttons
from tests.servers.slack.world import SCOPES
from tests.stages.play import record
from tests.stages.slack import SlackStage, settings, slack_stage

TICKET = ("get_ticket_status", {"ticket_id": "12345"})


def platform(stage: SlackStage) -> SlackPlatform:
    found = stage.app.platforms["slack"]
    assert isinstance(found, SlackPlatform)
    return found


# --------------------------------------------------------------------------------------------------------- the check


async def examined(variables: Mapping[str, str], slack: Slack, **more: str) -> tuple[str, list[str]]:
    """What `frontdesk check` says: the facts, and the problems."""
    environment = {**variables, **settings(slack, "socket", **more)}
    async with open_platforms(load(environment), environment) as platforms:
        found = await platforms["slack"].examine()
    return "; ".join(found.facts), list(found.problems)


@pytest.mark.behaviour("slack.check")
async def test_a_workspace_that_is_set_up_has_no_problems(variables: dict[str, str], slack: Slack) -> None:
    facts, problems = await examined(variables, slack, SLACK_SIGNING_SECRET="s", PUBLIC_URL="https://support.test")
    assert problems == []
    for told in (HOME, "Socket Mode", "https://support.test/slack/events", "clock", "scopes", "hand-overs"):
        assert told in facts


@pytest.mark.behaviour("slack.check")
async def test_each_thing_that_is_wrong_is_said_with_its_mend(variables: dict[str, str], slack: Slack) -> None:
    slack.api.scopes = ",".join(scope for scope in SCOPES.split(",") if scope != "files:read")
    slack.clock_off_s = -600.0
    slack.world.channels[TEAM].has_bot = False
    slack.may_refuse |= {"no_such_subteam"}
    _, problems = await examined(variables, slack, ADMINS_SLACK=f"{ADA.id} S0NOBODY")
    told = "\n".join(problems)
    for words in (
        r"files:read \(to read the receipts",
        r"clock is (59\d|60\d) s ahead of Slack's",
        rf"HANDOVER_CHANNEL_SLACK: the bot is not in {TEAM}",
        rf"ADMINS_SLACK: {ADA.id} is no full member",
        r"ADMINS_SLACK: the user group S0NOBODY",
    ):
        assert re.search(words, told), f"{words} is not in:\n{told}"
    assert len(problems) == 5


@pytest.mark.behaviour("slack.check")
async def test_wrong_tokens_are_told_apart_and_not_shown(variables: dict[str, str], slack: Slack) -> None:
    slack.may_refuse |= {"invalid_auth"}
    _, problems = await examined(variables, slack, SLACK_BOT_TOKEN="xoxb-wrong-1", SLACK_APP_TOKEN="xapp-wrong-2")
    assert [problem.split(" ")[0] for problem in problems] == ["SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"]
    assert "wrong-" not in "".join(problems)


# --------------------------------------------------------------------------------------------------------- read back


@pytest.mark.behaviour("slack.earlier")
async def test_a_thread_that_was_joined_late_is_read_back_the_newest_of_it(
    variables: dict[str, str], slack: Slack
) -> None:
    async with slack_stage(variables, slack=slack) as stage:
        ada, ben = slack.person(ADA), slack.person(BEN)
        root = ada.writes("nobody is mentioned", files=[("receipt.png", b"png")])
        for number in range(70):
            (ada if number % 2 else ben).writes(f"word {number} for @{ROBIN.name}", thread=root.ts)
        last = ada.writes("@Frontdesk what did I say?", thread=root.ts)
        slack.api.replies_page = 30
        thread = ThreadKey(platform="slack", space=HOME, channel=SHARED, root=root.ts)
        found = await platform(stage).earlier(thread, last.ts)
        assert [message.text.split(" for ")[0] for message in found] == [f"word {number}" for number in range(20, 70)]
        assert {message.author.id for message in found} == {ADA.id, BEN.id}
        assert {message.author.organisation for message in found} == {ADA.team, BEN.team}
        slack.api.replies_page = 200
        two = await platform(stage).earlier(thread, slack.world.thread(SHARED, root.ts)[2].ts)
        assert [len(message.attachments) for message in two] == [1, 0], "pictures of the first message count"
        assert await platform(stage).earlier(thread, root.ts) == ()


# ------------------------------------------------------------------------------------------------- another channel id


@pytest.mark.behaviour("slack.moved")
async def test_a_channel_that_gets_another_id_keeps_its_conversations(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"), says("You said hi."))
    async with slack_stage(variables, slack=slack, channel=PLAIN, customer=ROBIN) as stage:
        await stage.write("hi")
        assert await stage.answer() == "Hello!"
        new = "C0MOVED01"
        assert (await slack.rename_channel(PLAIN, new)).acknowledged
        said = await slack.person(ROBIN).say("@Frontdesk what did I say?", new, thread=stage.root)
        assert said.acknowledged
        await slack.shows(new, stage.root, "You said hi.")
    assert "hi" in str(model.requests[-1]), "it is the same conversation"


# ---------------------------------------------------------------------------------------------------- other ways to it


@pytest.mark.behaviour("slack.another_way")
async def test_where_no_modal_opens_a_page_is_good_for_one_person_once(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    model.plays(calls(TICKET), says("There is a form for you."), calls(TICKET), says("It is Open."))
    slack.faults.always("views.open", Fault(error="not_allowed_token_type"))
    async with slack_stage(variables, slack=slack, PUBLIC_URL="http://support.test") as stage:
        await stage.write("status of 12345 please")
        await stage.answer()
        (offer,) = stage.offers()
        ada = slack.person(ADA)
        assert (await ada.press(offer, "form")).acknowledged
        told = await slack.until(lambda: next((m for m in ada.ephemerals() if "http://support.test" in m.shown), None))
        path = re.search(r"http://support\.test(/slack/form/\S+)", told.shown)
        assert path is not None
        async with httpx2.AsyncClient(base_url=stage.app.url) as browser:
            page = await browser.get(path[1])
            assert page.status_code == 200
            assert "type=password" in page.text
            assert page.headers["cache-control"] == "no-store"
            wrong = await browser.post(path[1], data={"username": "john_doe", "api_key": "<wrong>"})
            assert wrong.status_code == 422
            assert "wrong" not in wrong.text
            right = await browser.post(path[1], data={"username": "john_doe", "api_key": "key"})
            assert right.status_code == 200
            assert "verified as john_doe" in right.text
            assert (await browser.post(path[1], data={"username": "john_doe", "api_key": "key"})).status_code == 404
            assert (await browser.get("/slack/form/guessed")).status_code == 404
        await slack.shows(SHARED, stage.root, "It is Open.")
        await stage.settled()


@pytest.mark.behaviour("slack.another_way")
@pytest.mark.parametrize("refused", ["", "user_not_in_channel"], ids=["ephemeral", "direct"])
async def test_when_it_was_too_late_for_the_modal_the_person_alone_gets_the_button_again(
    refused: str, variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    model.plays(calls(TICKET), says("There is a form for you."))
    slack.faults.plan("views.open", Fault(error="expired_trigger_id"))
    async with slack_stage(variables, slack=slack) as stage:
        await stage.write("status of 12345 please")
        await stage.answer()
        (offer,) = stage.offers()
        ada = slack.person(ADA)
        if refused:
            slack.faults.plan("chat.postEphemeral", Fault(error=refused))
        await ada.press(offer, "form")
        place = ada.direct if refused else ada.ephemerals
        again = await slack.until(lambda: next((m for m in place() if "too long" in m.shown), None))
        await ada.press(again, "form")
        await slack.until(lambda: ada.has_inputs)


@pytest.mark.behaviour("slack.another_way")
async def test_without_a_page_the_button_comes_in_a_direct_message(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    model.plays(calls(TICKET), says("There is a form for you."), calls(TICKET), says("It is Open."))
    slack.faults.plan("views.open", Fault(error="not_allowed_token_type"))
    async with slack_stage(variables, slack=slack) as stage:
        await stage.write("status of 12345 please")
        await stage.answer()
        (offer,) = stage.offers()
        ada = slack.person(ADA)
        await ada.press(offer, "form")
        await slack.until(lambda: any("direct message" in m.shown for m in ada.ephemerals()))
        (direct,) = ada.direct()
        assert [element["action_id"] for _, element in buttons(direct.blocks)] == ["form"]
        await ada.press(direct, "form")
        await slack.until(lambda: ada.has_inputs)
        await ada.submit({"username": "john_doe", "api_key": "key"})
        await slack.shows(SHARED, stage.root, "It is Open.")
        await stage.settled()


@pytest.mark.behaviour("slack.form")
async def test_a_check_that_takes_longer_than_a_modal_waits_ends_in_the_modal(
    variables: dict[str, str], slack: Slack, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.slack.forms.CHECK_S", 0.0)
    model.plays(calls(TICKET), says("There is a form for you."), calls(TICKET), says("It is Open."))
    async with slack_stage(variables, slack=slack) as stage:
        await stage.write("status of 12345 please")
        await stage.answer()
        (offer,) = stage.offers()
        ada = slack.person(ADA)
        await ada.press(offer, "form")
        await slack.until(lambda: ada.has_inputs)
        told = await ada.submit({"username": "john_doe", "api_key": "wrong"})
        assert told.receipt.acknowledged
        assert not told.closed
        await slack.until(lambda: ada.has_inputs)
        assert ada.view is not None
        assert "do not match" in ada.view.shown
        await ada.submit({"username": "john_doe", "api_key": "key"})
        await slack.until(lambda: ada.view is not None and "verified as john_doe" in ada.view.shown)
        await slack.shows(SHARED, stage.root, "It is Open.")
        await stage.settled()


# ------------------------------------------------------------------------------------------------------ the team


@pytest.mark.behaviour("slack.told_once")
async def test_what_is_said_or_told_to_the_team_is_there_once(variables: dict[str, str], slack: Slack) -> None:
    async with slack_stage(variables, slack=slack) as stage:
        root = slack.person(ADA).writes("hello")
        thread = ThreadKey(platform="slack", space=HOME, channel=SHARED, root=root.ts)
        slack.faults.plan("chat.postMessage", Fault(loses=True))
        with pytest.raises(Transient, match="slack_unreachable"):  # it was said, and nobody heard that it was
            await platform(stage).say(thread, "A colleague will be with you.", key="k1")
        for _ in range(2):
            await platform(stage).say(thread, "A colleague will be with you.", key="k1")
        assert [m.shown for m in slack.answers(SHARED, root.ts)] == ["A colleague will be with you."]

        card = Card(
            key="c1", title="Ada is waiting", text="for a *human*", thread=thread, buttons={"takeover": "Take over"}
        )
        await platform(stage).notify("", card)
        await platform(stage).notify("", Card(key="c1", title="Robin has Ada", text="since now", thread=thread))
        (shown,) = [m for m in slack.world.history(TEAM) if not m.deleted]
        assert "Robin has Ada" in shown.shown
        assert not list(buttons(shown.blocks))
        slack.may_refuse.add("message_not_found")
        shown.deleted = True
        await platform(stage).notify("", card)
        (again,) = [m for m in slack.world.history(TEAM) if not m.deleted]
        assert "Ada is waiting" in again.shown


@pytest.mark.behaviour("slack.commands")
async def test_a_colleague_chooses_an_action_on_a_message_and_gets_the_file_directly(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    model.plays(says("Hello, Ada!"))
    async with slack_stage(variables, slack=slack) as stage:
        said = await stage.write("hi")
        await stage.answer()
        robin, ben = slack.person(ROBIN), slack.person(BEN)
        assert (await robin.choose(said.message, "support_actions")).acknowledged
        await slack.until(lambda: robin.has_inputs)
        assert (await robin.submit({"action": "transcript", "text": ""})).closed
        file = await slack.until(lambda: next((m for m in robin.direct() if m.files), None))
        assert file.files[0]["name"].startswith("transcript")
        assert (await ben.choose(said.message, "support_actions")).acknowledged
        await slack.until(lambda: any("work here" in m.shown for m in ben.ephemerals()))
        assert ben.view is None, "what only colleagues may do is not put before others"


@pytest.mark.behaviour("slack.orders")
async def test_an_order_that_takes_longer_than_slack_waits_is_carried_out_and_written_down(
    variables: dict[str, str], slack: Slack, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.announcements.PATIENCE_S", 0.5)
    monkeypatch.setattr("adapters.slack.reception.ACTION_S", 0.8)
    monkeypatch.setattr("adapters.slack.actions.ACKNOWLEDGE_S", 0.2)
    model.plays(says("Hello, Ada!"))
    async with slack_stage(variables, slack=slack) as stage:
        said = await stage.write("hi")
        await stage.answer()
        robin = slack.person(ROBIN)
        await robin.choose(said.message, "support_actions")
        await slack.until(lambda: robin.has_inputs)
        gate = Gate()
        slack.faults.always("chat.postMessage", Fault(gate=gate))
        assert (await robin.submit({"action": "takeover", "text": ""})).closed
        async with asyncio.timeout(WAIT_S):
            while "takeover" not in [entry.action for entry in await stage.app.desk.read_audit()]:
                await asyncio.sleep(0.02)
        assert await stage.app.mailbox.mode(stage.thread) is Mode.HUMAN
        slack.faults.always("chat.postMessage", None)
        gate.release()
        await slack.until(lambda: any("You have the thread" in m.shown for m in robin.ephemerals()))
        await stage.settled()


@pytest.mark.behaviour("slack.home")
async def test_who_cannot_be_looked_up_is_external_and_no_colleague(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    slack.faults.always("users.info", Fault(status=500))
    async with slack_stage(variables, slack=slack) as stage:
        robin = await platform(stage).describe(HOME, ROBIN.id)
        assert (robin.is_staff, robin.organisation) == (False, "")
        receipt = await slack.person(ROBIN).command("status")
        assert receipt.acknowledged
        told = await slack.until(lambda: [m.shown for m in slack.person(ROBIN).ephemerals()])
        assert "work here" in told[0]
    assert model.requests == []


@pytest.mark.behaviour("slack.home")
async def test_an_event_alone_may_make_somebody_external_and_nobody_a_colleague(
    variables: dict[str, str], slack: Slack, model: ScriptedModel
) -> None:
    """Nobody can be looked up; what the events say of the speakers' organisations is all that is known."""
    slack.faults.always("users.info", Fault(status=500))
    model.answers(says("Hello!"))
    async with slack_stage(variables, slack=slack) as stage:
        for member, organisation in ((ADA, ADA.team), (ROBIN, "")):
            stage.root = ""
            await stage.write("hi", by=member.id)
            await stage.answer()
            (turn,) = [turn for turn in await record(stage) if isinstance(turn, UserTurn)]
            assert (turn.author.organisation, turn.author.is_staff) == (organisation, False)


@pytest.mark.behaviour("slack.files")
async def test_an_address_that_has_expired_is_asked_for_again_once(variables: dict[str, str], slack: Slack) -> None:
    async with slack_stage(variables, slack=slack) as stage:
        file = slack.world.keep_file("receipt.png", b"\x89PNG and more", "image/png")
        old = f"{slack.api.base}/files-expired/receipt.png"
        attachment = Attachment(
            id="a", name="a.png", media_type="image/png", size_bytes=1, ref=f"{HOME} {file.id} {old}"
        )
        assert await platform(stage).fetch(attachment, 1_000) == file.data
        file.serves = "gone"
        with pytest.raises(ToolFailed, match="attach it again"):
            await platform(stage).fetch(attachment, 1_000)
        assert slack.faults.seen["files.info"] == 2


@pytest.mark.behaviour("slack.files")
async def test_a_token_never_leaves_for_another_host(variables: dict[str, str], slack: Slack) -> None:
    async with slack_stage(variables, slack=slack) as stage:
        for address in ("https://evil.test/x", "http://files.slack.com/x", "https://files.slack.com.evil.test/x"):
            attachment = Attachment(
                id="a", name="a.png", media_type="image/png", size_bytes=1, ref=f"{HOME} F0NONE {address}"
            )
            with pytest.raises(Exception, match="not kept in Slack"):
                await platform(stage).fetch(attachment, 1_000)

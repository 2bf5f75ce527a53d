"""Every `/support` command and every button of the team's card by every kind of person, on every platform (F70)."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from bot import admin
from bot.german import GERMAN
from bot.ports import Mode
from bot.principal import person_ref
from bot.sentences import BACK, CASE_CLOSED, PAUSED_HERE, STAFF_ONLY
from tests.servers.openai import ScriptedModel, calls, says
from tests.stages.counters import (
    ADMIN,
    CUSTOMER,
    EXTERNAL,
    MEMBER,
    TWIN,
    Counter,
    discord_counter,
    slack_counter,
    web_counter,
)

COUNTERS: Mapping[str, Callable[[Mapping[str, str]], AbstractAsyncContextManager[Counter]]] = {
    "slack": slack_counter,
    "discord": discord_counter,
    "web": web_counter,
}

TICKET = ("create_customer_ticket", {"name": "Ada", "issue": "Unable to log in"})

REFUSED = {
    "ticket": "ticket close {ticket}",
    "assign": "assign @{admin}",
    "block": "block @{external}",
    "unblock": "unblock @{external}",
    "verify-reset": "verify-reset @{customer}",
    "pause": "pause everywhere",
    "channel": "channel off",
}
"""Commands that need something behind their name, or are worse with it."""

BUTTONS = ("takeover", "handback", "close")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something the admin orders, and what comes of it.

    Args:
        order: a command, or a button (`press:` before its action).
        told: words that the admin alone reads.
        said: words that all read in the thread.
        mode: who has the thread afterwards.
        in_channel: given outside of the conversation.
    """

    order: str
    told: str
    said: str = ""
    mode: Mode = Mode.BOT
    in_channel: bool = False


STEPS = (
    Step(order="press:takeover", told="You have the thread", said="takes care of this conversation", mode=Mode.HUMAN),
    Step(order="status", told="Taken by: Robin", mode=Mode.HUMAN),
    Step(order="press:close", told="The case is closed", said=CASE_CLOSED),
    Step(order="help", told="These are the commands"),
    Step(order="status", told="Frontdesk answers in this thread"),
    Step(order="unresolved", told="a human was called"),
    Step(order="tickets", told="{ticket}"),
    Step(order="ticket note {ticket} call them", told="Written on ticket {ticket}"),
    Step(order="ticket {ticket}", told="call them"),
    Step(order="ticket close {ticket}", told="is Closed (it was Open)", said="Ticket {ticket} is closed."),
    Step(order="tickets mine", told="There are no such tickets", in_channel=True),
    Step(order="transcript", told="It is for you alone"),
    Step(order="channel language German", told="Language: German", in_channel=True),
    Step(order="channel", told="Language: German"),
    Step(order="budget", told="This thread"),
    Step(order="block @{external}", told="not listened to from now on"),
    Step(order="unblock @{external}", told="listened to again"),
    Step(order="verify-reset @{customer}", told="prove anew"),
    Step(order="dead-letters", told="There are no dead letters", in_channel=True),
    Step(order="pause", told="Paused in this thread", said=GERMAN[PAUSED_HERE], mode=Mode.PAUSED),
    Step(order="resume", told="answers again in this thread"),
    Step(order="pause everywhere", told="Paused everywhere", in_channel=True),
    Step(order="resume everywhere", told="answers again everywhere"),
    Step(order="takeover", told="You have the thread", mode=Mode.HUMAN),
    Step(order="assign @{admin}", told="takes care of this thread", mode=Mode.HUMAN),
    Step(order="handback", told="Handed back", said=GERMAN[BACK]),
    Step(order="close", told="The case is closed"),
    Step(order="reset", told="begins anew"),
)


@pytest.mark.behaviour("desk.staff_only", "people.staff_only")
@pytest.mark.parametrize("platform", COUNTERS)
@pytest.mark.timeout_s(90)
async def test_every_order_by_every_kind_of_person(
    platform: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    async with COUNTERS[platform](variables) as counter:
        model.plays(calls(TICKET), says("I opened a ticket."))
        await counter.say("I cannot log in, I am Ada")
        (ticket,) = await counter.app.desk.list_tickets("default", thread=str(counter.thread))
        names = {**counter.people, "ticket": str(ticket.number)}
        assert "create_customer_ticket" in await counter.order("why")
        await counter.call_human()

        before = await state_of(counter)
        orders = [REFUSED.get(name, name).format(**names) for name in admin.COMMANDS]
        others = sorted(counter.people.keys() - {ADMIN})
        assert platform == "web" or others == sorted((CUSTOMER, EXTERNAL, MEMBER, TWIN))
        for kind in others:
            told = await counter.refused(orders, BUTTONS, kind)
            assert Count(told) == {STAFF_ONLY: len(orders) + len(BUTTONS)}, kind
        assert await state_of(counter) == before
        entries = await counter.app.desk.read_audit(limit=1_000)
        for kind in others:
            actor = person_ref(counter.thread, counter.people[kind])
            theirs = [entry for entry in entries if entry.actor == actor and entry.result != "handed_over"]
            assert Count(entry.action for entry in theirs) >= Count([*orders, *BUTTONS])
            assert {(entry.result, entry.target) for entry in theirs} == {("refused: staff only", str(counter.thread))}

        for step in STEPS:
            await ordered(counter, step, names)
        assert "create_customer_ticket" in await counter.given()
        assert {"why"} | {step.order.partition(" ")[0].removeprefix("press:") for step in STEPS} == set(admin.COMMANDS)
        actor = person_ref(counter.thread, counter.people[ADMIN])
        mine = [entry for entry in await counter.app.desk.read_audit(limit=1_000) if entry.actor == actor]
        done = [step.order.removeprefix("press:").format(**names) for step in STEPS]
        assert [entry.action for entry in mine] == ["why", *["status", "channel"] * 2, *done]
        assert len(model.requests) == 2


async def ordered(counter: Counter, step: Step, names: Mapping[str, str]) -> None:
    order = step.order.format(**names)
    if order.startswith("press:"):
        told = await counter.press(order.removeprefix("press:"))
    else:
        told = await counter.order(order, in_channel=step.in_channel)
    assert step.told.format(**names) in told, order
    if step.said:
        await counter.said(step.said.format(**names))
    assert await counter.app.mailbox.mode(counter.thread) is step.mode, order


async def state_of(counter: Counter) -> tuple[object, ...]:
    """What orders change, and what the admin is told of it."""
    app = counter.app
    (ticket,) = await app.desk.list_tickets("default", thread=str(counter.thread))
    status, _, _ = (await counter.order("status")).partition("Today")
    rules = await counter.order("channel")
    turns = len((await app.mailbox.load(counter.thread)).entries)
    return status, rules, turns, await app.mailbox.mode(counter.thread), await app.standing.load(), ticket.status

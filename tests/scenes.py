"""Acceptance conversations of several people as data (7, 11, 13, 20): written once, for every platform that shows them.

A move is one thing that one person does, and what must come of it. `{bot}` and `{other}` in a text stand for a mention
as the platform writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bot.ports import Mode
from bot.sentences import CASE_CLOSED, STAFF_ONLY
from tests.servers.openai import Script, calls, says
from tests.stages.play import Stage

CUSTOMER, OTHER, COLLEAGUE = "customer", "other", "colleague"
"""Who plays: two customers of different organisations, and somebody who works here."""


class Sent(Protocol):
    """A message that was written."""

    async def edit(self, text: str) -> None:
        """Give it another text."""

    async def delete(self) -> None:
        """Take it back."""


class Company(Stage, Protocol):
    """What a scene needs of a platform beside what a `Stage` has; `by` is one of the players."""

    def mention(self, player: str) -> str:
        """How the bot (`bot`) or a player is mentioned in a text."""

    async def order(self, text: str, *, by: str) -> str:
        """Give a `/support` command; what the person alone is told."""

    async def press(self, action: str, *, by: str) -> str:
        """Press a button of the team's card; what the person alone is told."""

    async def said(self, words: str) -> None:
        """Wait until the desk itself has said these words where all can read them."""

    async def card(self, words: str) -> None:
        """Wait until these words stand on a card of the team's."""


class Changeable(Company, Protocol):
    """A stage on which what was written can be changed, and an answer stopped."""

    async def write(self, text: str) -> Sent:
        """Write a message of the customer's that may be changed later."""

    async def stop(self) -> None:
        """Have the customer stop the answer that is being written."""

    async def shown(self, words: str) -> None:
        """Wait until these words of an answer can be read."""

    def answers(self) -> list[str]:
        """Every answer that can be read, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What one person does and what must come of it.

    Args:
        by: who.
        says: a message.
        order: a command.
        press: a button of the team's card.
        fill: what is typed into the private form that was offered last.
        broken: the business database does not answer while this is done.
        model: what the model answers, one script a request; without any, nobody may be answered.
        answer: words of the answer.
        lacks: words that must not be in it.
        knows: words that stand in the last request to the model.
        results: words of the last call's result.
        told: words that the person alone is told.
        said: words of the desk's own that all read.
        card: words on the team's card.
        mode: who has the thread afterwards.
    """

    by: str = CUSTOMER
    says: str = ""
    order: str = ""
    press: str = ""
    fill: Mapping[str, str] | None = None
    broken: bool = False
    model: tuple[Script, ...] = ()
    answer: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    told: str = ""
    said: str = ""
    card: tuple[str, ...] = ()
    mode: Mode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A conversation of several people.

    Args:
        id: its behaviour's id.
        kept: who said what on the record at its end, messages of people alone.
        settings: of this scene's Frontdesk.
        not_on: platform -> why it cannot show this.
    """

    id: str
    moves: tuple[Move, ...]
    kept: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    not_on: Mapping[str, str] = field(default_factory=dict)


NEW_TICKET = ("create_customer_ticket", {"name": "Ada", "issue": "Unable to log in"})
TICKET = ("get_ticket_status", {"ticket_id": "12345"})

SCENES: tuple[Scene, ...] = (
    Scene(
        id="people.other",
        moves=(
            Move(
                says="{bot} status of 12345 please",
                model=(calls(TICKET), says("There is a form for you.")),
                results=("verification_required",),
                answer=("form",),
            ),
            Move(by=OTHER, fill={"username": "john_doe", "api_key": "key"}, told="offered to somebody else"),
            Move(
                fill={"username": "john_doe", "api_key": "key"},
                told="verified as john_doe",
                model=(calls(TICKET), says("It is Open: Billing Query.")),
                results=("Billing Query",),
                answer=("Billing Query",),
            ),
            Move(
                by=OTHER,
                says="{bot} and what's the status of 12345?",
                model=(calls(TICKET), says("I cannot tell you.")),
                results=("verification_required",),
                lacks=("Billing",),
            ),
            Move(
                says="{bot} and mine?",
                model=(calls(TICKET), says("Still open.")),
                results=("Billing Query",),
                answer=("Still open.",),
            ),
        ),
    ),
    Scene(
        id="people.humans",
        moves=(
            Move(says="{bot} Hi", model=(says("Hello!"),), answer=("Hello!",)),
            Move(says="{other} did you see this?"),
            Move(by=OTHER, says="no, what is it?"),
            Move(by=COLLEAGUE, says="I am looking at it"),
            Move(says="can you help?", model=(says("Sure."),), answer=("Sure.",)),
        ),
        kept=("Hi", "can you help?"),
    ),
    Scene(
        id="people.human",
        moves=(
            Move(
                says="{bot} I want a human",
                model=(
                    calls(("hand_over_to_human", {"reason": "asked for a human"})),
                    says("A colleague will be here soon."),
                ),
                answer=("A colleague will be here soon.",),
                card=("is waiting for a human", "asked for a human"),
                mode=Mode.HUMAN,
            ),
            Move(by=OTHER, says="anybody?"),
            Move(by=OTHER, press="handback", told=STAFF_ONLY, mode=Mode.HUMAN),
            Move(by=COLLEAGUE, press="takeover", told="You have the thread", said="takes care of this conversation"),
            Move(by=COLLEAGUE, says="Hello, I sent a new sled."),
            Move(says="thank you"),
            Move(by=COLLEAGUE, order="why", told="Model"),
            Move(by=COLLEAGUE, order="status", told="has this thread"),
            Move(says="and what happens next?"),
            Move(
                by=COLLEAGUE,
                order="handback",
                told="Handed back",
                said="answers here again",
                card=("handed back",),
                mode=Mode.BOT,
                model=(says("A new sled is on its way."),),
                knows=("I want a human", "I sent a new sled."),
                answer=("A new sled is on its way.",),
            ),
            Move(
                by=COLLEAGUE,
                order="close",
                told="closed",
                card=("closed by",),
                answer=(CASE_CLOSED,),
            ),
        ),
        kept=(
            "I want a human",
            "anybody?",
            "Hello, I sent a new sled.",
            "thank you",
            "and what happens next?",
        ),
    ),
    Scene(
        id="people.fault",
        settings={"TOOL_TIMEOUT_S": "1"},  # what works must end in time on a busy machine as well
        moves=(
            Move(
                says="{bot} I cannot log in, my name is Ada",
                broken=True,
                model=(calls(NEW_TICKET), says("I could not open a ticket. Shall I try again, or call a colleague?")),
                results=("timed_out", "offer to open a ticket, or to hand over"),
                answer=("Shall I try again",),
                card=("failed for Ada", "I cannot log in", "timed", "Organisation:"),
                mode=Mode.BOT,
            ),
            Move(
                says="try again please",
                model=(calls(NEW_TICKET), says("Your ticket is open.")),
                results=("ticket_id",),
                answer=("Your ticket is open.",),
            ),
            Move(by=OTHER, press="takeover", told=STAFF_ONLY, mode=Mode.BOT),
            Move(
                by=COLLEAGUE,
                press="takeover",
                told="You have the thread",
                said="takes care of this conversation",
                card=("takes care of Ada", "took the conversation over"),
                mode=Mode.HUMAN,
            ),
            Move(says="thank you"),
        ),
        kept=("I cannot log in, my name is Ada", "try again please", "thank you"),
    ),
)

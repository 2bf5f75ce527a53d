"""What one speaker has said, asked for and been told, built up message by message from the request alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any

from bot.standin.complaints import Complaint
from bot.standin.handbook import Hit
from bot.standin.rendering import ticket_number
from bot.standin.slots import Slots
from bot.standin.transcript import Returned, Use
from bot.standin.vocabulary import Intent


class Aim(StrEnum):
    """What a person may be after."""

    ORDER = auto()
    COMPLAINT = auto()
    RECEIPT = auto()
    TICKET = auto()
    VERIFY = auto()
    HUMAN = auto()


TOOLS = {
    Aim.ORDER: "get_order_status",
    Aim.COMPLAINT: "create_customer_ticket",
    Aim.RECEIPT: "analyze_receipt_image",
    Aim.TICKET: "get_ticket_status",
    Aim.VERIFY: "verify_user",
    Aim.HUMAN: "hand_over_to_human",
}
_AIMS = {tool: aim for aim, tool in TOOLS.items()}


@dataclass(slots=True)
class Goal:
    """Something a person is after, until they were told.

    Args:
        asked: which parts of it the words asked for.
        words: the message that asked.
        images: pictures to read.
        anew: earlier results do not count.
        awake: it is talked about at this moment; a sleeping goal waits until something that it lacks is said.
        waits_for_proof: it was refused until the person verifies.
        outcomes: what its calls brought, oldest first.
    """

    aim: Aim
    asked: frozenset[Intent] = frozenset()
    words: str = ""
    images: tuple[str, ...] = ()
    complaint: Complaint = field(default_factory=Complaint)
    anew: bool = False
    awake: bool = True
    waits_for_proof: bool = False
    outcomes: list[Returned] = field(default_factory=list)

    def outcome(self, use: Use) -> Returned | None:
        """What this very call brought."""
        return next((returned for returned in self.outcomes if returned.use == use), None)


@dataclass(slots=True)
class Memory:
    """One speaker. Nothing in it comes from anybody else.

    Args:
        speaker: the name in the header of their messages.
        is_puzzled: nothing was understood of their last message.
        topic: what was told last; `tried` is what was last looked up (order or ticket), with or without success.
        order, receipt: what was last looked up, as the tool returned it.
        tickets: numbers of tickets that were opened, with what each was about.
        results: the last result of every call.
        texts: what they said since the last answer.
        said: everything they said, oldest first.
        offer: what a plain "yes" would begin.
    """

    speaker: str
    language: str = "en"
    is_foreign: bool = False
    is_puzzled: bool = False
    order_id: str = ""
    email: str = ""
    ticket: str = ""
    username: str = ""
    secret: str = ""
    name: str = ""
    loose_number: str = ""
    verified_as: str = ""
    was_verified: bool = False
    misses: int = 0
    topic: Aim | None = None
    tried: Aim | None = None
    order: dict[str, Any] | None = None
    receipt: dict[str, Any] | None = None
    tickets: list[tuple[str, Intent | None]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    results: dict[Use, Returned] = field(default_factory=dict)
    moods: set[Intent] = field(default_factory=set)
    hit: Hit | None = None
    texts: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    offer: Goal | None = None

    def goal(self, aim: Aim) -> Goal | None:
        """The goal with this aim, awake or not."""
        return next((goal for goal in self.goals if goal.aim is aim), None)

    def awake(self) -> list[Goal]:
        """What is talked about at this moment."""
        return [goal for goal in self.goals if goal.awake]

    def lacks(self, goal: Goal) -> frozenset[str]:
        """The slots without which a goal cannot go on."""
        needed = {
            Aim.ORDER: {"order_id": self.order_id, "email": self.email},
            Aim.COMPLAINT: {"name": self.name},
            Aim.TICKET: {"ticket": self.ticket},
            Aim.VERIFY: {"username": self.username, "secret": self.secret},
        }.get(goal.aim, {})
        return frozenset(slot for slot, value in needed.items() if not value)

    def pursue(self, goal: Goal) -> None:
        """Take up a goal; what is asked for again replaces what was asked before, what is told further is added."""
        earlier = self.goal(goal.aim)
        if earlier is not None and goal.aim is Aim.COMPLAINT and not earlier.outcomes:
            earlier.complaint.about |= goal.complaint.about
            earlier.complaint.words += goal.complaint.words
            earlier.awake = True
            return
        if earlier is not None:
            goal.images = tuple(dict.fromkeys((*earlier.images, *goal.images)))
            goal.outcomes = earlier.outcomes if goal.aim is Aim.RECEIPT and not goal.anew else []
            self.goals.remove(earlier)
        self.goals.append(goal)

    def sleep(self) -> None:
        """Let everything rest: the talk went elsewhere."""
        for goal in self.goals:
            goal.awake = False

    def fill(self, slots: Slots) -> None:
        """Keep what a message says beyond doubt."""
        if slots.order:
            self.order_id = slots.order
        if slots.ticket:
            self.ticket = slots.ticket
        if slots.email:
            self.email = slots.email
        if slots.username:
            self.username = slots.username
        if slots.secret:
            self.secret = slots.secret
        if slots.name:
            self.name = slots.name

    def learn(self, returned: Returned) -> None:
        """Keep what a call brought."""
        self.results[returned.use] = returned
        aim = _AIMS.get(returned.use.name)
        goal = self.goal(aim) if aim else None
        if aim in (Aim.ORDER, Aim.TICKET):
            self.tried = aim
        if aim is None or (goal is None and returned.error):
            return
        if returned.error == "cancelled":
            if goal is not None:
                self.goals.remove(goal)
            return
        if goal is not None:
            goal.outcomes.append(returned)
        if returned.error:
            self.misses += aim is Aim.ORDER and returned.error == "not_found"
            return
        self.topic = aim
        value = returned.value if isinstance(returned.value, dict) else {}
        if aim is Aim.ORDER:
            self.order = value
        elif aim is Aim.RECEIPT:
            self.receipt = value
        elif aim is Aim.COMPLAINT:
            self.tickets.append((ticket_number(returned.value), goal.complaint.kind if goal else None))
        elif aim is Aim.VERIFY:
            self.prove(str(value.get("username") or returned.use.given.get("username", "")))

    def prove(self, username: str) -> None:
        """They were verified: what was refused for want of it may be asked once more."""
        self.verified_as = username
        self.was_verified = True
        for goal in self.goals:
            if goal.waits_for_proof or goal.aim is Aim.TICKET:
                goal.waits_for_proof, goal.awake, goal.outcomes = False, True, []

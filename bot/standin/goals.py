"""The next move toward a goal: call a tool, ask for what is missing, or tell the outcome. Pure: it changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.standin.complaints import Complaint
from bot.standin.hearing import plain_name
from bot.standin.memory import TOOLS, Aim, Goal, Memory
from bot.standin.phrases import say
from bot.standin.rendering import (
    harmless,
    render_order,
    render_receipt,
    render_receipt_part,
    render_ticket,
    ticket_number,
)
from bot.standin.transcript import Returned, Use
from bot.standin.vocabulary import Intent

_IMAGES_AT_ONCE = 4
_REASON_LIMIT = 400
_MISSES_BEFORE_OFFER = 2
_NOT_LEGIBLE = re.compile(r"could (?:not )?be read\b(?!.*\bhere\b)", re.IGNORECASE)
_FOR_THE_MODEL = re.compile(
    r"^(?:Ask|Tell|Say|Offer|Do not|Don't|Use|Never|Call|Retry)\b"
    r"|\b(?:this person|the customer|the tool|arguments|them|ids? of)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Call these."""

    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask for what is missing."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Say how it ended.

    Args:
        offer: what a "yes" to this begins.
        waits_for_proof: it goes on once the person has verified.
        rests: it goes on once the person says what it lacks.
    """

    text: str
    offer: Goal | None = field(default=None, compare=False)
    waits_for_proof: bool = False
    rests: bool = False


Move = Act | Ask | Tell


def next_move(goal: Goal, memory: Memory, offered: frozenset[str]) -> Move:
    """What to do about a goal.

    Args:
        offered: names of the tools that the request has.
    """
    move = _MOVES[goal.aim](goal, memory)
    if isinstance(move, Act) and TOOLS[goal.aim] not in offered:
        return Tell(text=say(memory.language, "cannot_call"))
    return move


def _order(goal: Goal, memory: Memory) -> Move:
    lacks = memory.lacks(goal)
    known = memory.order
    if not goal.anew and known is not None and not goal.outcomes and _is_about(known, memory.order_id):
        return Tell(text=render_order(known, goal.asked, memory.language))
    if lacks:
        return _ask_order(goal, memory, lacks)
    use = Use.of(TOOLS[Aim.ORDER], order_id=memory.order_id, email=memory.email)
    returned = goal.outcome(use) or (None if goal.anew else memory.results.get(use))
    if returned is None:
        return Act(uses=(use,))
    if returned.error is None:
        return Tell(text=render_order(_fields(returned), goal.asked, memory.language))
    if returned.error == "not_found":
        text = say(memory.language, "order_not_found")
        if memory.misses < _MISSES_BEFORE_OFFER:
            return Tell(text=text)
        return Tell(text=f"{text} {say(memory.language, 'shall_i_human')}", offer=_human(goal))
    return _failure(returned, memory, f"order {memory.order_id} could not be looked up")


def _ask_order(goal: Goal, memory: Memory, lacks: frozenset[str]) -> Ask | Tell:
    language = memory.language
    if "order_id" not in lacks:
        return Ask(text=say(language, "ask_order_email", order=harmless(memory.order_id)))
    if Intent.LACKING in memory.moods:
        text = f"{say(language, 'no_order_id')} {say(language, 'shall_i_human')}"
        return Tell(text=text, offer=_human(goal), rests=True)
    if len(lacks) == 2:
        return Ask(text=say(language, "ask_order_both"))
    return Ask(text=say(language, "ask_order_id_again" if memory.is_puzzled else "ask_order_id"))


def _complaint(goal: Goal, memory: Memory) -> Move:
    language, complaint = memory.language, goal.complaint
    if goal.outcomes:
        return _ticket_opened(goal, memory, goal.outcomes[-1])
    same = next(
        (number for number, kind in reversed(memory.tickets) if kind is complaint.kind and kind is not None), None
    )
    if same and not goal.anew and Intent.OPEN_TICKET not in complaint.about and complaint.kind is not Intent.DISPUTE:
        again = Goal(aim=Aim.COMPLAINT, complaint=complaint, anew=True)
        return Tell(text=say(language, "ticket_exists", number=same), offer=again)
    if not complaint.says_enough(memory.receipt, memory.name):
        if complaint.kind is Intent.DISPUTE:
            return Ask(text=say(language, "ask_disputed"))
        if not memory.name:
            return Ask(text=say(language, "ask_name_issue"))
        return Ask(text=say(language, "ask_issue", name=f", {harmless(memory.name)}"))
    if not memory.name:
        shown = plain_name(memory.speaker)
        return Ask(text=say(language, "ask_name_known" if shown else "ask_name", name=shown))
    issue = complaint.issue(memory.receipt, memory.name, language)
    return Act(uses=(Use.of(TOOLS[Aim.COMPLAINT], name=memory.name, issue=issue),))


def _ticket_opened(goal: Goal, memory: Memory, returned: Returned) -> Tell:
    language, given = memory.language, returned.use.given
    if returned.error == "outcome_unknown":
        text = say(language, "unknown_outcome") + " " + say(language, "shall_i_human")
        return Tell(text=text, offer=_human(goal))
    if returned.error is not None:
        told = say(language, returned.error) if returned.error == "too_many_tickets" else _relay(returned, memory)
        return Tell(text=f"{told} {say(language, 'shall_i_human')}", offer=_human(goal))
    number = ticket_number(returned.value)
    key = "ticket_opened" if number else "ticket_opened_no_number"
    text = say(
        language,
        key,
        name=harmless(given.get("name", "")),
        number=number,
        issue=harmless(given.get("issue", ""), limit=500),
    )
    if goal.complaint.kind is Intent.DISPUTE:
        text += " " + say(language, "refund_decided")
    return Tell(text=text)


def _receipt(goal: Goal, memory: Memory) -> Move:
    uses = tuple(Use.of(TOOLS[Aim.RECEIPT], image=image) for image in goal.images[-_IMAGES_AT_ONCE:])
    if not uses:
        if memory.receipt is not None:
            return Tell(text=render_receipt_part(memory.receipt, goal.words, goal.asked, memory.language))
        return Ask(text=say(memory.language, "ask_receipt"))
    results = {use: goal.outcome(use) or (None if goal.anew else memory.results.get(use)) for use in uses}
    missing = tuple(use for use, returned in results.items() if returned is None)
    if missing:
        return Act(uses=missing)
    parts: list[str] = []
    failed: Returned | None = None
    for returned in results.values():
        if returned is None:
            continue
        if returned.error is None:
            parts.append(render_receipt(_fields(returned), memory.language))
        else:
            failed = returned
            parts.append(_receipt_failed(returned, memory))
    offer = _ticket_for("the picture of a receipt could not be read", memory) if failed else None
    return Tell(text="\n\n".join(parts), offer=offer)


def _receipt_failed(returned: Returned, memory: Memory) -> str:
    """What is wrong with the picture, and what to do about it; a better picture helps where it was only not legible."""
    language = memory.language
    told = relay(returned.message) if language == "en" else ""
    if not told or _NOT_LEGIBLE.search(told):
        return f"{say(language, 'receipt_failed')} {say(language, 'receipt_retry')}"
    return f"{say(language, 'receipt_failed')} {told} {say(language, 'shall_i_ticket')}"


def _ticket(goal: Goal, memory: Memory) -> Move:
    language = memory.language
    if not memory.ticket:
        return _ticket_number(memory)
    use = Use.of(TOOLS[Aim.TICKET], ticket_id=memory.ticket)
    returned = goal.outcome(use)
    if returned is None:
        return (
            Tell(text=say(language, "form_waits"), waits_for_proof=True) if goal.waits_for_proof else Act(uses=(use,))
        )
    if returned.error == "verification_required":
        key = "form_waits" if goal.waits_for_proof else "verification_required"
        return Tell(text=say(language, key), waits_for_proof=True)
    if returned.error == "not_found":
        return Tell(text=say(language, "ticket_not_found", number=harmless(memory.ticket)))
    if returned.error is not None:
        return _failure(returned, memory, f"ticket {memory.ticket} could not be looked up")
    return Tell(text=render_ticket(_fields(returned), memory.ticket, language))


def _ticket_number(memory: Memory) -> Move:
    """Ask for it; who is not verified and gave a username gets the private form meanwhile."""
    number = say(memory.language, "ask_ticket_number")
    if memory.was_verified:
        return Ask(text=number)
    if not memory.username or memory.secret:
        return Ask(text=f"{number} {say(memory.language, 'ticket_needs_check')}")
    form = Use.of(TOOLS[Aim.VERIFY], username=memory.username)
    if form not in memory.results:
        return Act(uses=(form,))
    return Ask(text=f"{say(memory.language, 'verification_required')} {number}")


def _verify(goal: Goal, memory: Memory) -> Move:
    language = memory.language
    if not memory.secret:
        return Ask(text=say(language, "key_not_here"))
    if not memory.username:
        return Ask(text=say(language, "ask_username"))
    use = Use.of(TOOLS[Aim.VERIFY], username=memory.username, api_key=memory.secret)
    returned = goal.outcome(use) or memory.results.get(use)
    if returned is None:
        return Act(uses=(use,))
    if returned.error == "verification_failed":
        return Tell(text=say(language, "verify_failed"))
    if returned.error is not None:
        return Tell(text=f"{_relay(returned, memory)} {say(language, 'shall_i_human')}", offer=_human(goal))
    text = say(language, "verified", username=harmless(memory.verified_as)).strip()
    if memory.goal(Aim.TICKET) is None:
        text += " " + say(language, "verified_what")
    return Tell(text=text)


def _hand_over(goal: Goal, memory: Memory) -> Move:
    if goal.outcomes:
        returned = goal.outcomes[-1]
        if returned.error is None:
            return Tell(text=say(memory.language, "handed_over"))
        return Tell(text=say(memory.language, "hand_over_failed") + " " + say(memory.language, "shall_i_ticket"),
                    offer=_ticket_for("a human was asked for and could not be reached", memory))  # fmt: skip
    reason = say(memory.language, "reason_human")
    words = re.sub(r"\s+", " ", " / ".join(memory.said[-3:])).strip()
    return Act(uses=(Use.of(TOOLS[Aim.HUMAN], reason=f"{reason}: “{words}”"[:_REASON_LIMIT]),))


_MOVES: dict[Aim, Callable[[Goal, Memory], Move]] = {
    Aim.ORDER: _order,
    Aim.COMPLAINT: _complaint,
    Aim.RECEIPT: _receipt,
    Aim.TICKET: _ticket,
    Aim.VERIFY: _verify,
    Aim.HUMAN: _hand_over,
}


def _failure(returned: Returned, memory: Memory, what: str) -> Tell:
    """An honest sentence, and a way on: a human where a pause was ordered, else a ticket."""
    if returned.error is not None and returned.error.startswith("too_many"):
        text = f"{say(memory.language, 'slow_down')} {say(memory.language, 'shall_i_human')}"
        return Tell(text=text, offer=Goal(aim=Aim.HUMAN, words=what, anew=True))
    text = f"{_relay(returned, memory)} {say(memory.language, 'try_again')}"
    return Tell(text=text, offer=_ticket_for(what, memory))


def _relay(returned: Returned, memory: Memory) -> str:
    """What an error's sentence tells the customer, or a sentence of ours."""
    told = relay(returned.message) if memory.language == "en" else ""
    return told or say(memory.language, "failed")


def relay(message: str) -> str:
    """A tool's sentences for the model, as far as they concern the customer: a request becomes a "please"."""
    told = []
    for sentence in re.split(r"(?<=[.!?])\s+", message.strip()):
        asked = re.match(r"(?:Ask|Tell) (?:the customer|them|the person) to (?P<what>.+)", sentence)
        if asked:
            told.append("Please " + asked["what"].replace(" their ", " your "))
        elif not _FOR_THE_MODEL.search(sentence):
            told.append(sentence)
    return harmless(" ".join(told))


def _ticket_for(what: str, memory: Memory) -> Goal:
    heading = say(memory.language, "issue_failed", what=what)
    return Goal(aim=Aim.COMPLAINT, complaint=Complaint(heading=heading))


def _human(goal: Goal) -> Goal:
    return Goal(aim=Aim.HUMAN, words=goal.words, anew=True)


def _fields(returned: Returned) -> dict[str, object]:
    return returned.value if isinstance(returned.value, dict) else {}


def _is_about(order: dict[str, object], order_id: str) -> bool:
    known = str(order.get("order_id") or order.get("id") or "")
    return not order_id or not known or known.casefold() == order_id.casefold()

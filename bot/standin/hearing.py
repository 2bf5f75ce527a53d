"""One message of a person -> what changes in their memory: slots, goals, moods. Pure but for the memory it is given."""

from __future__ import annotations

import re

from bot.standin.complaints import count_telling
from bot.standin.handbook import Handbook
from bot.standin.intents import find_intents, find_language
from bot.standin.memory import Aim, Goal, Memory
from bot.standin.slots import Slots, find_slots, without_name
from bot.standin.transcript import Said
from bot.standin.vocabulary import COMPLAINTS, Intent
from bot.standin.wishes import CHAT, find_goals

_COMPLAINTS = frozenset(COMPLAINTS)
_NOBODY = frozenset({"you", "me", "somebody", "user", "customer", "guest", "anonymous"})
_PLAIN_NAME = re.compile(r"[^\W\d_][\w .'’-]{0,39}")


def hear(memory: Memory, said: Said, handbook: Handbook) -> None:
    """Take in one message."""
    text = said.text
    if not text and not said.files:
        return
    memory.texts.append(text)
    if text:
        memory.said.append(text)
    _tell_language(memory, text)
    slots, intents = find_slots(text), find_intents(text)
    before, told = _known(memory), _told(memory)
    memory.fill(slots)
    _fill_expected(memory, slots, intents, said)
    memory.moods |= intents & CHAT
    goals = find_goals(memory, said, slots, intents, handbook.find(text))
    changed = before != _known(memory)
    if goals:
        memory.sleep()
        for goal in goals:
            memory.pursue(goal)
        _rouse(memory, slots, changed=changed)
    else:
        _go_on(memory, text, slots, intents, changed=changed)
    understood = bool(goals) or changed or told != _told(memory) or bool(memory.moods) or memory.hit is not None
    memory.is_puzzled = not understood
    if understood:
        memory.loose_number = ""  # it stood beside what was meant, as in "error 403"


def plain_name(speaker: str) -> str:
    """The name in the header, if it may be shown as a name."""
    return speaker if _PLAIN_NAME.fullmatch(speaker) and speaker.lower() not in _NOBODY else ""


def _known(memory: Memory) -> tuple[str, ...]:
    return memory.order_id, memory.email, memory.ticket, memory.secret


def _told(memory: Memory) -> tuple[str, str, int]:
    return memory.name, memory.username, sum(len(goal.complaint.words) for goal in memory.goals)


def _tell_language(memory: Memory, text: str) -> None:
    language = find_language(text)
    memory.is_foreign = language == "other"
    if language in ("en", "de"):
        memory.language = language


def _fill_expected(memory: Memory, slots: Slots, intents: frozenset[Intent], said: Said) -> None:
    """Give what stands alone to what was asked for: a number, a name, a username."""
    awake = memory.awake()
    aims = [goal.aim for goal in awake]
    lacking = frozenset[str]().union(*(memory.lacks(goal) for goal in awake))
    if slots.number:
        _place_number(memory, slots, intents, aims, lacking)
    if (
        slots.handle_like
        and not slots.username
        and (Aim.VERIFY in aims or intents & {Intent.VERIFY, Intent.TICKET_STATUS})
    ):
        memory.username = memory.username or slots.handle_like
    others = intents - CHAT - _COMPLAINTS - {Intent.QUESTION, Intent.AGAIN, Intent.DISPUTE, Intent.OPEN_TICKET}
    if "name" in lacking and not slots.name and not others:
        memory.name = slots.hinted_name
        if not memory.name and Intent.YES in intents and count_telling(said.text) == 0:
            memory.name = plain_name(said.speaker)


def _place_number(
    memory: Memory, slots: Slots, intents: frozenset[Intent], aims: list[Aim], lacking: frozenset[str]
) -> None:
    number = slots.number.lstrip("#")
    about_ticket = bool(intents & {Intent.TICKET_STATUS, Intent.TICKET_WORD})
    about_order = bool(intents & {Intent.ORDER, Intent.ORDER_WORD}) or bool(slots.email)
    waiting = [aim for aim in aims if aim in (Aim.ORDER, Aim.TICKET)]
    if about_ticket == about_order:
        about_ticket = (bool(waiting) and waiting[-1] is Aim.TICKET) or (not waiting and memory.was_verified)
        is_near = memory.tried is Aim.ORDER or memory.goal(Aim.ORDER) is not None
        about_order = (bool(waiting) and waiting[-1] is Aim.ORDER) or (not about_ticket and is_near)
    if about_ticket and number.isdigit():
        memory.ticket = number
        if memory.goal(Aim.TICKET) is None:
            memory.pursue(Goal(aim=Aim.TICKET))
    elif about_order:
        memory.order_id = number
        if memory.goal(Aim.ORDER) is None:
            memory.pursue(Goal(aim=Aim.ORDER))
    elif not lacking:
        memory.loose_number = number


def _rouse(memory: Memory, slots: Slots, *, changed: bool) -> None:
    """Wake what waits for something that was just said."""
    for goal in memory.goals:
        if goal.aim is Aim.ORDER and changed and (slots.order or slots.email):
            goal.awake = True


def _go_on(memory: Memory, text: str, slots: Slots, intents: frozenset[Intent], *, changed: bool) -> None:
    """Nothing is asked for: the message answers a question of ours, ends the matter, or is small talk."""
    if memory.loose_number and slots.number != memory.loose_number:
        memory.loose_number = ""
    if intents & {Intent.CANCEL, Intent.BYE} or (Intent.NO in intents and count_telling(text) == 0):
        memory.goals = [goal for goal in memory.goals if goal.waits_for_proof]
        memory.sleep()
        return
    for goal in memory.goals:
        if goal.aim is Aim.ORDER and changed and (slots.email or slots.number or slots.order):
            goal.awake = True
        elif goal.aim is Aim.TICKET and changed and slots.number and memory.ticket == slots.number:
            goal.awake, goal.waits_for_proof = True, False
        elif goal.aim is Aim.VERIFY and (slots.username or slots.handle_like):
            goal.awake = True
        elif goal.aim is Aim.COMPLAINT:
            _tell_more(memory, goal, text, slots, intents)
    asks_order = slots.email and changed and (memory.order_id or not memory.awake())
    if asks_order and memory.goal(Aim.ORDER) is None:
        memory.pursue(Goal(aim=Aim.ORDER))
    if Intent.THANKS in intents and count_telling(text) == 0 and not slots.number and not slots.email:
        memory.sleep()


def _tell_more(memory: Memory, goal: Goal, text: str, slots: Slots, intents: frozenset[Intent]) -> None:
    if slots.name:
        goal.awake = True
    if not goal.awake or memory.hit is not None:
        return
    rest = without_name(text, memory.name) if memory.name else text
    if count_telling(rest) > 0:
        goal.complaint.words.append(rest)
        goal.complaint.about |= intents & (_COMPLAINTS | {Intent.DISPUTE})

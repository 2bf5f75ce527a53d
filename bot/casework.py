"""A conversation that a human colleague is called to, or has, as a value, and what the team is shown of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby

import orjson

from bot.conversation import AssistantTurn, Entry, ToolTurn, UserTurn
from bot.messages import Person, ThreadKey
from bot.ports import Card
from bot.text import scrub

QUOTED = 3
"""Messages of the customer that a card quotes."""

CALLS = 8
"""Calls that a card tells, the last ones."""

_QUOTE_CHARS = 300
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&:])")


class Stage(StrEnum):
    """How far a case is."""

    WAITING = "waiting"
    TAKEN = "taken"
    BACK = "handed back"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A conversation that needs a human.

    Args:
        id: names the case and all that is said once about it.
        person: the customer.
        reason: why, in a sentence.
        length: of the record when the case began; what was said is read there, and kept nowhere else.
        assignee: the colleague who takes care, or who ended it.
        waiting: since when the customer waits for a word of a human; nothing when it is the customer's turn.
        reminded: the team was reminded of this wait.
    """

    id: str
    person: Person
    reason: str
    length: int = 0
    stage: Stage = Stage.WAITING
    assignee: Person | None = None
    waiting: datetime | None = None
    reminded: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a human is called or at work."""
        return self.stage in (Stage.WAITING, Stage.TAKEN)

    @property
    def is_due(self) -> bool:
        """Whether a customer waits of whom nobody was reminded."""
        return self.is_open and self.waiting is not None and not self.reminded


def waits(case: Case, since: datetime) -> Case:
    """The case when its customer has written; who waits already has waited since then."""
    return case if case.waiting is not None or not case.is_open else replace(case, waiting=since, reminded=False)


def answered(case: Case, by: Person) -> Case:
    """The case when a colleague has written."""
    if not case.is_open:
        return case
    return replace(case, stage=Stage.TAKEN, assignee=case.assignee or by, waiting=None, reminded=False)


def reminded(case: Case, since: datetime) -> Case:
    """The case when the team was reminded of whoever waits since then."""
    return replace(case, reminded=True) if case.waiting == since else case


def quoted(text: str, limit_chars: int = _QUOTE_CHARS) -> str:
    """Somebody's words on one line, inert in Markdown."""
    words = " ".join(scrub(text, limit_chars + 1).split())
    cut = words if len(words) <= limit_chars else f"{words[: limit_chars - 1].rstrip()}…"
    return _SPECIAL.sub(r"\\\1", cut)


def named(person: Person) -> str:
    """A person with their organisation, inert in Markdown."""
    name = quoted(person.display_name, 80) or "somebody"
    return f"{name} ({quoted(person.organisation, 80)})" if person.organisation else name


def _colleague(person: Person) -> str:
    """Who works here, without the organisation: it is everybody's."""
    return quoted(person.display_name, 80) or "a colleague"


def summary(entries: Sequence[Entry]) -> str:
    """What the customer said last, and what was looked up and how it ended, as Markdown."""
    turns = [entry.turn for entry in entries]
    said = [turn for turn in turns if isinstance(turn, UserTurn) and turn.text][-QUOTED:]
    results = {turn.call_id: turn for turn in turns if isinstance(turn, ToolTurn)}
    asked = [call for turn in turns if isinstance(turn, AssistantTurn) for call in turn.tool_calls]
    calls = [call for call in asked if call.id in results][-CALLS:]  # the one that calls the human has none yet
    lines = [f"> {quoted(turn.author.display_name, 80)}: {quoted(turn.text)}" for turn in said]
    if calls:
        lines += ["", "**Tried**", ""]
        ended = [f"- `{call.name[:60].replace('`', '')}`: {_ended(results[call.id])}" for call in calls]
        counted = [(line, len(list(same))) for line, same in groupby(ended)]
        lines += [line if times == 1 else f"{line}, {times} times" for line, times in counted]
    return "\n".join(lines)


def _ended(result: ToolTurn) -> str:
    if not result.is_error:
        return "done"
    try:
        return quoted(str(orjson.loads(result.content)["error"]), 60)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "failed"


def card(thread: ThreadKey, case: Case, tried: str) -> Card:
    """The case as the team sees it; the same card through all its stages.

    Args:
        tried: what was said and done before (`summary`).
    """
    who, by = named(case.person), _colleague(case.assignee) if case.assignee else "a colleague"
    title = {
        Stage.WAITING: f"{who} is waiting for a human",
        Stage.TAKEN: f"{by} takes care of {who}",
        Stage.BACK: f"{who}: handed back to Frontdesk by {by}",
        Stage.CLOSED: f"{who}: closed by {by}",
    }[case.stage]
    buttons = {"takeover": "Take it", "handback": "Hand back to Frontdesk", "close": "Close"}
    if case.stage is Stage.TAKEN:
        del buttons["takeover"]
    elif not case.is_open:
        buttons = {}
    return Card(key=f"case/{thread}/{case.id}", title=title, text=_told(case, tried), thread=thread, buttons=buttons)


def reminder(thread: ThreadKey, case: Case, tried: str, since: datetime, minutes: int) -> Card:
    """What the team is shown when a customer has waited too long."""
    return Card(
        key=f"reminder/{thread}/{case.id}/{since:%Y%m%dT%H%M%S}",
        title=f"{named(case.person)} has been waiting for {minutes} minute{'s' * (minutes != 1)}",
        text=_told(case, tried),
        thread=thread,
        buttons={"takeover": "Take it", "handback": "Hand back to Frontdesk", "close": "Close"},
    )


def _told(case: Case, tried: str) -> str:
    lines = [f"**Why:** {quoted(case.reason, 500)}"]
    if case.assignee and case.is_open:
        lines.append(f"**Assigned to:** {_colleague(case.assignee)}")
    if case.person.organisation:
        lines.append(f"**Organisation:** {quoted(case.person.organisation, 80)}")
    return "\n\n".join([*lines, tried] if tried else lines)

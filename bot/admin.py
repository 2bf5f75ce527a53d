"""The `/support` commands as a table of pure functions, shared by every platform: a command and the thread's state in,
effects and what to tell the person out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.messages import Person
from bot.ports import Mode


class Effect(StrEnum):
    """What a command does to the thread."""

    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a command is told about the thread it was given in."""

    actor: Person
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a command decided: effects in order, a note for the record, and what the actor alone reads."""

    told: str
    effects: tuple[Effect, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: what it is for, and how it decides."""

    help: str
    decide: Callable[[Situation], Decision]


def decide(text: str, situation: Situation) -> Decision:
    """What `/support TEXT` does in this situation; an unknown command is answered with the list."""
    name = text.strip().split(maxsplit=1)[0].lower() if text.strip() else "help"
    command = COMMANDS.get(name)
    if command is None:
        return Decision(told=f"There is no command {name[:40]!r}. {_help(situation).told}")
    return command.decide(situation)


def _help(_: Situation) -> Decision:
    return Decision(told="\n".join(f"/support {name}: {command.help}" for name, command in COMMANDS.items()))


def _status(situation: Situation) -> Decision:
    who = {
        Mode.BOT: "Frontdesk answers in this thread.",
        Mode.PAUSED: "Frontdesk is paused in this thread; messages are kept on the record.",
        Mode.HUMAN: "A human colleague has this thread; Frontdesk is silent and keeps the record.",
    }
    return Decision(told=who[situation.mode])


def _take_over(situation: Situation) -> Decision:
    if situation.mode is Mode.HUMAN:
        return Decision(told="A human colleague has this thread already.")
    return Decision(
        told="You have the thread. Frontdesk is silent until you hand it back with /support handback.",
        effects=(Effect.TAKE_OVER,),
        note=f"{situation.actor.display_name}, a human colleague, has taken over the thread.",
    )


def _hand_back(situation: Situation) -> Decision:
    if situation.mode is Mode.BOT:
        return Decision(told="Frontdesk has this thread already.")
    return Decision(
        told="Frontdesk has the thread again.",
        effects=(Effect.HAND_BACK,),
        note=f"{situation.actor.display_name}, a human colleague, has handed the thread back to Frontdesk.",
    )


def _pause(situation: Situation) -> Decision:
    if situation.mode is not Mode.BOT:
        return _status(situation)
    return Decision(told="Paused. Messages are kept; resume with /support resume.", effects=(Effect.PAUSE,))


COMMANDS: dict[str, Command] = {
    "status": Command(help="who has this thread", decide=_status),
    "takeover": Command(help="you answer, Frontdesk is silent and keeps the record", decide=_take_over),
    "handback": Command(help="Frontdesk answers again, with all that was said", decide=_hand_back),
    "pause": Command(help="nobody is answered until resume", decide=_pause),
    "resume": Command(help="Frontdesk answers again", decide=_hand_back),
    "help": Command(help="this list", decide=_help),
}

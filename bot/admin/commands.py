"""The table of commands. Each is a pure function from what was typed and where to one effect, or to a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.admin import effects
from bot.admin.effects import Effect, Scope
from bot.messages import Person, ThreadKey
from bot.ports import Listening, Mode
from bot.text import scrub

NOTE_LIMIT_CHARS = 2_000
GREETING_LIMIT_CHARS = 500
DAYS = 7
"""How far `unresolved` looks back when nothing is said, today included."""

_PERSON = re.compile(r"@([\w.:-]{1,80})")
_NUMBER = re.compile(r"#?(\d{1,12})")
_DAYS = re.compile(r"([1-9]\d{0,2})(?: days?)?")
_LETTER = re.compile(r"[0-9a-f]{8,32}")

NEEDS_THREAD = (
    "This needs a conversation. Open the menu of a message in it and choose the same action there, or use the buttons "
    "on the team's card."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a command is told about where it was given.

    Args:
        thread: its root is empty in a channel, outside of any conversation.
        mode: who has the thread.
    """

    actor: Person
    thread: ThreadKey
    mode: Mode = Mode.BOT

    @property
    def is_in_thread(self) -> bool:
        """Whether there is a conversation."""
        return bool(self.thread.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done; without an effect, what the actor alone reads."""

    effect: Effect | None = None
    told: str = ""


Decide = Callable[[str, Situation], Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command.

    Args:
        usage: what may follow its name, as people read it.
        help: what it is for; at most 75 characters, as menus show it.
        decide: from what followed its name.
        in_thread: it makes sense in a conversation alone.
    """

    help: str
    decide: Decide
    usage: str = ""
    in_thread: bool = False


def decide(text: str, situation: Situation) -> Decision:
    """What `/support TEXT` does here; an unknown command is answered with the list."""
    name, rest = _parted(scrub(text, NOTE_LIMIT_CHARS + 200))
    name = name.lower() or "help"
    command = COMMANDS.get(name)
    if command is None:
        return Decision(told=f"There is no such command. {_help('', situation).told}")
    if command.in_thread and not situation.is_in_thread:
        return Decision(told=NEEDS_THREAD)
    return command.decide(rest, situation)


def _just(effect: Effect) -> Decide:
    return lambda _, __: Decision(effect=effect)


def _parted(text: str) -> tuple[str, str]:
    first, _, rest = text.strip().partition(" ")
    return first, rest.strip()


def _help(_: str, __: Situation) -> Decision:
    lines = [f"- `/support {name}{' ' if one.usage else ''}{one.usage}`: {one.help}" for name, one in COMMANDS.items()]
    return Decision(told="\n".join(["These are the commands:", "", *lines]))


def _usage(name: str) -> Decision:
    usage = COMMANDS[name].usage
    picked = ", with the person picked from the list that opens at the @." if usage == "@person" else ""
    return Decision(told=f"Write it as: `/support {name} {usage}`{picked}")


def _take_over(_: str, __: Situation) -> Decision:
    return Decision(effect=effects.TakeOver())


def _hand_back(_: str, situation: Situation) -> Decision:
    if situation.mode is Mode.BOT:
        return Decision(told="Frontdesk has this thread already.")
    return Decision(effect=effects.HandBack())


def _pause(rest: str, situation: Situation) -> Decision:
    return _scoped("pause", rest, situation, effects.Pause)


def _resume(rest: str, situation: Situation) -> Decision:
    return _scoped("resume", rest, situation, effects.Resume)


def _scoped(name: str, rest: str, situation: Situation, make: type[effects.Pause | effects.Resume]) -> Decision:
    word = rest.lower().removeprefix("this ") or Scope.THREAD
    if word not in list(Scope):
        return _usage(name)
    scope = Scope(word)
    if scope is not Scope.THREAD:
        return Decision(effect=make(scope=scope))
    if not situation.is_in_thread:
        return Decision(told=f"{NEEDS_THREAD} Or say how far: `/support {name} channel`, `/support {name} everywhere`.")
    if make is effects.Resume and situation.mode is Mode.HUMAN:
        return Decision(effect=effects.HandBack())  # the customer knows of a colleague, and is told that they left
    if make is effects.Resume and situation.mode is Mode.BOT:
        return Decision(told="Frontdesk is not paused in this thread.")
    if make is effects.Pause and situation.mode is Mode.HUMAN:
        return Decision(told="A human colleague has this thread, so Frontdesk is silent here already.")
    return Decision(effect=make(scope=scope))


def _of_person(name: str, make: Callable[[str], Effect]) -> Decide:
    def decide_(rest: str, _: Situation) -> Decision:
        match = _PERSON.fullmatch(rest)
        return Decision(effect=make(match[1])) if match else _usage(name)

    return decide_


_FORMS = {"": "markdown", "markdown": "markdown", "md": "markdown", "json": "json", "html": "html"}


def _transcript(rest: str, _: Situation) -> Decision:
    form = _FORMS.get(rest.lower())
    return Decision(effect=effects.ShowTranscript(form=form)) if form else _usage("transcript")


def _tickets(rest: str, _: Situation) -> Decision:
    if number := _NUMBER.fullmatch(rest):
        return Decision(effect=effects.ShowTicket(number=int(number[1])))
    which = rest.lower() or "open"
    return Decision(effect=effects.ShowTickets(which=which)) if which in ("open", "mine", "all") else _usage("tickets")


def _ticket(rest: str, situation: Situation) -> Decision:
    verb, rest = _parted(rest)
    number_text, text = _parted(rest)
    if not rest and _NUMBER.fullmatch(verb):
        return _tickets(verb, situation)
    match = _NUMBER.fullmatch(number_text)
    if match is None:
        return _usage("ticket")
    number = int(match[1])
    match verb.lower():
        case "close":
            return Decision(effect=effects.SetTicket(number=number, status="Closed"))
        case "reopen":
            return Decision(effect=effects.SetTicket(number=number, status="Open"))
        case "note" if text:
            return Decision(effect=effects.NoteTicket(number=number, text=text[:NOTE_LIMIT_CHARS]))
        case _:
            return _usage("ticket")


def _unresolved(rest: str, _: Situation) -> Decision:
    if not rest:
        return Decision(effect=effects.ShowUnresolved(days=DAYS))
    match = _DAYS.fullmatch(rest.lower())
    return Decision(effect=effects.ShowUnresolved(days=int(match[1]))) if match else _usage("unresolved")


_LISTENING = {
    "mentions": Listening.MENTIONS,
    "mention-only": Listening.MENTIONS,
    "everything": Listening.EVERYTHING,
    "off": Listening.NOTHING,
}
_NONE = ("none", "off", "no", "auto")


def _channel(rest: str, _: Situation) -> Decision:
    word, value = _parted(rest)
    word = word.lower()
    if not word:
        return Decision(effect=effects.ShowRules())
    if word in _LISTENING and not value:
        return Decision(effect=effects.SetRules(changes={"listening": _LISTENING[word]}))
    if word == "private" and value.lower() in ("on", "off", ""):
        return Decision(effect=effects.SetRules(changes={"private": value.lower() != "off"}))
    if word in ("language", "greeting", "hours") and value:
        limit = GREETING_LIMIT_CHARS if word == "greeting" else 80
        kept = "" if value.lower() in _NONE else " ".join(value.split())[:limit]
        return Decision(effect=effects.SetRules(changes={word: kept}))
    return _usage("channel")


def _letters(rest: str, _: Situation) -> Decision:
    verb, letter = _parted(rest.lower())
    if not verb:
        return Decision(effect=effects.ShowLetters())
    if not _LETTER.fullmatch(letter):
        return _usage("dead-letters")
    match verb:
        case "retry":
            return Decision(effect=effects.RetryLetter(letter=letter))
        case "drop":
            return Decision(effect=effects.DropLetter(letter=letter))
        case _:
            return _usage("dead-letters")


COMMANDS: dict[str, Command] = {
    "status": Command(help="who has this thread, and how the desk stands", decide=_just(effects.ShowStatus())),
    "takeover": Command(help="you answer, Frontdesk is silent and keeps the record", decide=_take_over, in_thread=True),
    "handback": Command(help="Frontdesk answers again, with all that was said", decide=_hand_back, in_thread=True),
    "close": Command(
        help="the case is over: hand back, and ask the customer once how it was",
        decide=_just(effects.Close()),
        in_thread=True,
    ),
    "assign": Command(
        help="a colleague takes care of this thread",
        usage="@person",
        decide=_of_person("assign", lambda person: effects.Assign(person=person)),
        in_thread=True,
    ),
    "pause": Command(
        help="nobody is answered here, or in the channel, or everywhere; all is kept",
        usage="[channel|everywhere]",
        decide=_pause,
    ),
    "resume": Command(help="Frontdesk answers again, first what waited", usage="[channel|everywhere]", decide=_resume),
    "reset": Command(
        help="the conversation begins anew; the old record is kept", decide=_just(effects.Reset()), in_thread=True
    ),
    "transcript": Command(
        help="the whole conversation as a file, for you alone",
        usage="[markdown|json|html]",
        decide=_transcript,
        in_thread=True,
    ),
    "tickets": Command(help="tickets: open ones, yours, all, or one", usage="[open|mine|all|NUMBER]", decide=_tickets),
    "ticket": Command(
        help="change a ticket; its customer is told in their thread",
        usage="close|reopen|note NUMBER [text]",
        decide=_ticket,
    ),
    "unresolved": Command(
        help="what was asked and got no answer, was voted down, or went to a human",
        usage="[DAYS]",
        decide=_unresolved,
    ),
    "why": Command(
        help="what led to the last answer: calls, results, gates, tokens, time",
        decide=_just(effects.ShowWhy()),
        in_thread=True,
    ),
    "channel": Command(
        help="what begins a conversation here, and how it is led",
        usage="[mentions|everything|off|private on|off|language …|greeting …|hours …]",
        decide=_channel,
    ),
    "budget": Command(help="what is spent, and of how much", decide=_just(effects.ShowBudgets())),
    "block": Command(
        help="do not listen to a person",
        usage="@person",
        decide=_of_person("block", lambda person: effects.Block(person=person)),
    ),
    "unblock": Command(
        help="listen to them again",
        usage="@person",
        decide=_of_person("unblock", lambda person: effects.Unblock(person=person)),
    ),
    "verify-reset": Command(
        help="a person proves anew who they are, and may try at once",
        usage="@person",
        decide=_of_person("verify-reset", lambda person: effects.ForgetProof(person=person)),
    ),
    "dead-letters": Command(
        help="questions that were given up; retry or drop one", usage="[retry ID|drop ID]", decide=_letters
    ),
    "help": Command(help="this list", decide=_help),
}

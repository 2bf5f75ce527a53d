"""The `/support` commands as values: what was typed, and where, in; one effect or a sentence out."""

from __future__ import annotations

import pytest

from bot import admin, casework
from bot.admin import effects
from bot.admin.effects import Effect, Scope
from bot.conversation import Entry, ToolCall, Turn
from bot.messages import Person, ThreadKey
from bot.ports import Listening, Mode
from tests.talk import ADA, ANN, a_thread, answered, resulted, said

CHANNEL = ThreadKey(platform="web", space="page", channel="main", root="")

IN_A_THREAD: list[tuple[str, Effect | None]] = [
    ("takeover", effects.TakeOver()),
    ("TakeOver now", effects.TakeOver()),
    ("close", effects.Close()),
    ("assign @U1", effects.Assign(person="U1")),
    ("assign Robin", None),
    ("assign @U1 @U2", None),
    ("reset", effects.Reset()),
    ("status", effects.ShowStatus()),
    ("transcript", effects.ShowTranscript(form="markdown")),
    ("transcript HTML", effects.ShowTranscript(form="html")),
    ("transcript json", effects.ShowTranscript(form="json")),
    ("transcript exe", None),
    ("tickets", effects.ShowTickets(which="open")),
    ("tickets mine", effects.ShowTickets(which="mine")),
    ("tickets #100001", effects.ShowTicket(number=100001)),
    ("tickets everybody", None),
    ("ticket 100001", effects.ShowTicket(number=100001)),
    ("ticket close 100001", effects.SetTicket(number=100001, status="Closed")),
    ("ticket reopen #100001", effects.SetTicket(number=100001, status="Open")),
    ("ticket note 100001 call  them", effects.NoteTicket(number=100001, text="call  them")),
    ("ticket note 100001", None),
    ("ticket close", None),
    ("ticket close all", None),
    ("ticket delete 100001", None),
    ("unresolved", effects.ShowUnresolved(days=7)),
    ("unresolved 30 days", effects.ShowUnresolved(days=30)),
    ("unresolved 0", None),
    ("unresolved all", None),
    ("why", effects.ShowWhy()),
    ("channel", effects.ShowRules()),
    ("channel off", effects.SetRules(changes={"listening": Listening.NOTHING})),
    ("channel mention-only", effects.SetRules(changes={"listening": Listening.MENTIONS})),
    ("channel everything", effects.SetRules(changes={"listening": Listening.EVERYTHING})),
    ("channel private on", effects.SetRules(changes={"private": True})),
    ("channel private off", effects.SetRules(changes={"private": False})),
    ("channel language German", effects.SetRules(changes={"language": "German"})),
    ("channel language auto", effects.SetRules(changes={"language": ""})),
    ("channel greeting Hello\nthere", effects.SetRules(changes={"greeting": "Hello there"})),
    ("channel hours Mon to Fri, 9 to 5", effects.SetRules(changes={"hours": "Mon to Fri, 9 to 5"})),
    ("channel hours", None),
    ("channel loud", None),
    ("budget", effects.ShowBudgets()),
    ("block @U1", effects.Block(person="U1")),
    ("block everybody", None),
    ("unblock @U1", effects.Unblock(person="U1")),
    ("verify-reset @U1", effects.ForgetProof(person="U1")),
    ("dead-letters", effects.ShowLetters()),
    ("dead-letters retry 0123456789abcdef", effects.RetryLetter(letter="0123456789abcdef")),
    ("dead-letters drop 0123456789abcdef", effects.DropLetter(letter="0123456789abcdef")),
    ("dead-letters retry all", None),
    ("dead-letters burn 0123456789abcdef", None),
    ("help", None),
    ("", None),
    ("rm -rf", None),
]


@pytest.mark.behaviour("core.commands")
@pytest.mark.parametrize(("text", "effect"), IN_A_THREAD)
def test_a_command_is_one_effect_or_a_sentence(text: str, effect: Effect | None) -> None:
    decision = admin.decide(text, admin.Situation(actor=ANN, thread=a_thread()))
    assert decision.effect == effect
    assert bool(decision.told) is (effect is None)


@pytest.mark.behaviour("core.commands")
@pytest.mark.parametrize(
    ("text", "mode", "effect"),
    [
        ("handback", Mode.HUMAN, effects.HandBack()),
        ("handback", Mode.PAUSED, effects.HandBack()),
        ("handback", Mode.BOT, None),
        ("pause", Mode.BOT, effects.Pause(scope=Scope.THREAD)),
        ("pause", Mode.HUMAN, None),
        ("pause this channel", Mode.HUMAN, effects.Pause(scope=Scope.CHANNEL)),
        ("pause everywhere", Mode.BOT, effects.Pause(scope=Scope.EVERYWHERE)),
        ("pause for a while", Mode.BOT, None),
        ("resume", Mode.PAUSED, effects.Resume(scope=Scope.THREAD)),
        ("resume", Mode.BOT, None),
        ("resume", Mode.HUMAN, effects.HandBack()),
        ("resume everywhere", Mode.BOT, effects.Resume(scope=Scope.EVERYWHERE)),
    ],
)
def test_what_a_command_does_depends_on_who_has_the_thread(text: str, mode: Mode, effect: Effect | None) -> None:
    decision = admin.decide(text, admin.Situation(actor=ANN, thread=a_thread(), mode=mode))
    assert decision.effect == effect


@pytest.mark.behaviour("core.commands")
@pytest.mark.parametrize("name", admin.COMMANDS)
def test_in_a_channel_a_command_that_needs_a_conversation_says_how_to_use_it(name: str) -> None:
    needs = {"takeover", "handback", "close", "assign", "reset", "transcript", "why", "pause", "resume"}
    given = f"{name} @U1" if admin.COMMANDS[name].usage.startswith("@") else name
    decision = admin.decide(given, admin.Situation(actor=ANN, thread=CHANNEL))
    assert decision.told.startswith(admin.NEEDS_THREAD) is (name in needs)
    if name in ("pause", "resume"):
        assert "channel" in decision.told


@pytest.mark.behaviour("core.commands")
def test_help_names_every_command() -> None:
    told = admin.decide("help", admin.Situation(actor=ANN, thread=CHANNEL)).told
    assert all(f"/support {name}" in told for name in admin.COMMANDS)
    assert [name for name, command in admin.COMMANDS.items() if len(command.help) > 75] == []


@pytest.mark.behaviour("desk.human")
def test_a_card_counts_what_was_tried_again_and_names_a_colleague_without_their_organisation() -> None:
    missed = '{"error":"not_found"}'
    turns: list[Turn] = [said("where is it?", by=ADA)]
    for number in range(3):
        turns += [answered("", ToolCall(id=f"c{number}", name="get_order_status", arguments="{}"))]
        turns += [resulted(f"c{number}", missed, is_error=True)]
    turns += [answered("", ToolCall(id="d", name="create_customer_ticket", arguments="{}")), resulted("d")]
    told = casework.summary([Entry(row=b"", read=lambda _, turn=turn: turn) for turn in turns])  # type: ignore[misc]
    assert "- `get_order_status`: not\\_found, 3 times\n- `create_customer_ticket`: done" in told
    case = casework.Case(id="c", person=ADA, reason="x", stage=casework.Stage.TAKEN, assignee=ANN)
    assert casework.card(a_thread(), case, told).title == "Ann takes care of Ada (Acme)"
    assert "**Organisation:** Acme" in casework.card(a_thread(), case, told).text
    alone = casework.Case(id="c", person=Person(id="u", display_name="Eve"), reason="x")
    assert "Organisation" not in casework.card(a_thread(), alone, told).text, "where a platform knows none"

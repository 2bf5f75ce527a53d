"""Takes orders: who may give one, what it comes to (`bot.admin`), who carries it out, and the audit entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bot import admin
from bot.admin import effects
from bot.conversation import Note
from bot.messages import ButtonPressed
from bot.office import changes, reading, threads
from bot.office.room import Done, Ordered, Room, named, short
from bot.ports import Mode, Outcome, Verdict
from bot.sentences import HUMAN_CALLED, HUMAN_CALLED_ALREADY, STAFF_ONLY

HUMAN = "human"
"""The one button that anybody may press."""

Work = Callable[[Room, Ordered, Any], Awaitable[Done]]

_WORK: dict[type, Work] = {
    effects.TakeOver: threads.take_over,
    effects.HandBack: threads.hand_back,
    effects.Close: threads.close,
    effects.Assign: threads.assign,
    effects.Pause: threads.pause,
    effects.Resume: threads.resume,
    effects.Reset: threads.reset,
    effects.ShowStatus: reading.status,
    effects.ShowUnresolved: reading.unresolved,
    effects.ShowTranscript: reading.transcript,
    effects.ShowTickets: reading.tickets,
    effects.ShowTicket: reading.ticket,
    effects.ShowWhy: reading.why,
    effects.ShowRules: reading.rules,
    effects.ShowBudgets: reading.budgets,
    effects.ShowLetters: reading.letters,
    effects.SetTicket: changes.set_ticket,
    effects.NoteTicket: changes.note_ticket,
    effects.SetRules: changes.set_rules,
    effects.Block: changes.block,
    effects.Unblock: changes.unblock,
    effects.ForgetProof: changes.forget_proof,
    effects.RetryLetter: changes.retry_letter,
    effects.DropLetter: changes.drop_letter,
}


class Clerk:
    """The office's counter."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def order(self, event: Ordered, text: str) -> Outcome:
        """Do what somebody who works here ordered; refuse it to everybody else, by what their platform says they are.

        Raises:
            Transient: it was not done, or not written down; given again it does what was left.
        """
        room, action = self._room, text.strip()[:80]
        if not event.author.is_staff:
            await room.audit(event, action, "refused: staff only")
            return Outcome(verdict=Verdict.REFUSED, text=STAFF_ONLY)
        mode = await room.mailbox.mode(event.thread) if event.thread.root else Mode.BOT
        decision = admin.decide(text, admin.Situation(actor=event.author, thread=event.thread, mode=mode))
        if decision.effect is None:
            await room.audit(event, action, "told")
            return Outcome(verdict=Verdict.DONE, text=decision.told)
        done = await _WORK[type(decision.effect)](room, event, decision.effect)
        await room.audit(event, action, done.result)
        return Outcome(verdict=Verdict.DONE, text=done.told, file=done.file)

    async def call_human(self, event: ButtonPressed) -> Outcome:
        """Anybody asks for a human by a button: the same as the model's own way, with the sentence said by code."""
        room, thread, name = self._room, event.thread, named(event.author)
        if not thread.root:
            return Outcome(verdict=Verdict.REFUSED, text=admin.NEEDS_THREAD)
        case_id = short(event)
        if not await room.cases.call(thread, event.author, f"{name} asked for a human.", case_id=case_id):
            return Outcome(verdict=Verdict.DONE, text=HUMAN_CALLED_ALREADY)
        await room.announcements.say(thread, HUMAN_CALLED, key=f"called/{case_id}")
        await room.note(event, thread, Note.HANDED_OVER, event.author, f"{name} asked for a human colleague.")
        await room.audit(event, HUMAN, "handed_over")
        return Outcome(verdict=Verdict.DONE)  # the thread has been told, and the person reads it there

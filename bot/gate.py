"""The gate before intake: one person's messages, and changes of them, are taken up to a rate; beyond it refused, said
once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.budget import LedgerBudgets, Over
from bot.interpreter import spoken
from bot.languages import heard
from bot.messages import Event, IncomingMessage, MessageEdited
from bot.observe import EVENTS
from bot.ports import Intake, Mailbox, Mode, Outcome, SharedState, Verdict
from bot.sentences import TOO_MANY_MESSAGES

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageGate:
    """Called as `bot.ports.Intake`.

    Args:
        intake: takes what is let through.
        state: who was told; a namespace of its own.
    """

    intake: Intake
    budgets: LedgerBudgets
    mailbox: Mailbox
    state: SharedState

    async def __call__(self, event: Event) -> Outcome:
        """Let an event through, or refuse it.

        Raises:
            Transient: it could not be stored; do not acknowledge.
        """
        if not isinstance(event, IncomingMessage | MessageEdited):
            return await self.intake(event)
        over = self.budgets.too_many_messages(event.thread, event.author)
        if over is not None and _is_for_us(event) and await self.mailbox.mode(event.thread) is not Mode.HUMAN:
            EVENTS.labels(kind=type(event).__name__, verdict=Verdict.REFUSED).inc()
            # Who changes a message is told of it where the platform shows it; that uses up no sentence.
            sentence = TOO_MANY_MESSAGES if isinstance(event, MessageEdited) else await self._sentence(over)
            return Outcome(verdict=Verdict.REFUSED, text=spoken(sentence, heard(event.text)))
        # Counted first: a hundred that come at once must not all find room for one more.
        self.budgets.take_message(event.thread, event.author)
        stored = False
        try:
            outcome = await self.intake(event)
            stored = outcome.verdict in (Verdict.STORED, Verdict.DONE)
        finally:
            if not stored:
                self.budgets.take_message(event.thread, event.author, -1)
        return outcome

    async def _sentence(self, over: Over) -> str:
        left_s = max(1.0, (over.ends_at - datetime.now(UTC)).total_seconds())
        if not await self.state.compare_and_set(over.name, None, b"1", ttl_s=left_s):
            return ""
        log.warning("too_many_messages", until=over.ends_at.isoformat())
        return TOO_MANY_MESSAGES


def _is_for_us(event: IncomingMessage | MessageEdited) -> bool:
    return isinstance(event, MessageEdited) or event.mentions_bot or not event.mentions_people

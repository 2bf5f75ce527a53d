"""What is done for a customer when the model may not be asked: an honest sentence, and a ticket for who wants one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.announcements import Announcements
from bot.budget import Over
from bot.claimed import ClaimedTurn
from bot.conversation import UserTurn
from bot.errors import ToolDenied
from bot.interpreter import Interpreter
from bot.ports import Card, Desk, SharedState
from bot.principal import person_ref
from bot.sentences import LIMIT_REACHED, MODEL_AWAY, NO_TICKET, TICKET_LIMIT, TICKET_OPENED

log = structlog.get_logger(__name__)

_ASKS_FOR_TICKET = re.compile(r"\s*ticket\b[\s:,.!–-]*(?P<issue>.*)", re.IGNORECASE | re.DOTALL)
_ISSUE_CHARS = 4_000
_TOLD_LEAST_S = 60.0


def issue_of(text: str) -> str | None:
    """What a message that begins with the word `ticket` says is wrong; empty when it says nothing more. Pure."""
    asks = _ASKS_FOR_TICKET.match(text)
    return asks["issue"].strip()[:_ISSUE_CHARS] if asks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Modelless:
    """Serves turns without a model.

    Args:
        state: who was told what; a namespace of its own.
        tickets_per_day: how many tickets one person may open in 24 hours.
    """

    desk: Desk
    state: SharedState
    announcements: Announcements
    interpreter: Interpreter
    tickets_per_day: int

    async def words(self, turn: ClaimedTurn, tenant: str, over: Over | None) -> str:
        """What to say: a ticket's number, or why there is no answer, once as long as that lasts; else nothing.

        Args:
            over: the limit that is reached; none when the model itself is away, which is said to every message.

        Raises:
            Transient: the ticket could not be opened; the turn comes back.
        """
        if (issue := issue_of(_text(turn))) is not None:
            return await self._ticket(turn, tenant, issue) if issue else NO_TICKET
        if over is None:
            return MODEL_AWAY
        first = await self._is_first(f"customer/{over.name}/{turn.lease.thread}", over.ends_at)
        return LIMIT_REACHED if first else ""

    async def tell_admins(self, turn: ClaimedTurn, over: Over) -> None:
        """Tell the team that a limit is reached, once as long as it lasts, and later if it cannot be told."""
        thread = turn.lease.thread
        if not await self._is_first(f"admins/{over.name}", over.ends_at):
            return
        log.warning("budget_reached", scope=over.scope, unit=over.unit, until=over.ends_at.isoformat())
        card = Card(
            key=f"budget/{over.name}/{over.ends_at:%Y%m%d%H%M}",
            title=f"A limit is reached: {over.unit} of {_WHOSE[over.scope]}",
            text=f"Customers are told so, and can still open tickets. It ends at {over.ends_at:%Y-%m-%d %H:%M} UTC. "
            "`/support budget` shows what is used; the settings BUDGET_… change it.",
            thread=thread,
        )
        await self.announcements.show(card)

    async def _ticket(self, turn: ClaimedTurn, tenant: str, issue: str) -> str:
        thread, author = turn.lease.thread, turn.author
        try:
            ticket = await self.desk.open_ticket(
                tenant,
                name=author.display_name,
                issue=issue,
                person=person_ref(thread, author.id),
                customer=None,
                thread=str(thread),
                idempotency_key=f"{thread}/{turn.number}/modelless",
                per_day=self.tickets_per_day,
            )
        except ToolDenied:
            return TICKET_LIMIT
        opened = await self.interpreter.words(thread, TICKET_OPENED, turn.known)
        return opened.format(number=ticket.number)

    async def _is_first(self, key: str, ends_at: datetime) -> bool:
        left_s = max(_TOLD_LEAST_S, (ends_at - datetime.now(UTC)).total_seconds())
        return await self.state.compare_and_set(key, None, b"1", ttl_s=left_s)


_WHOSE: Mapping[str, str] = {
    "thread": "one conversation in 24 hours",
    "person": "one person in 24 hours",
    "organisation": "one organisation in 24 hours",
    "day": "all conversations in 24 hours",
}


def _text(turn: ClaimedTurn) -> str:
    return "\n".join(said.text for said in turn.turns() if isinstance(said, UserTurn))

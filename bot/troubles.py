"""What went wrong with a turn and needs somebody of the team: told as a card, once an hour for each kind of trouble."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import structlog

from bot.announcements import Announcements
from bot.casework import named, quoted, summary
from bot.errors import Transient
from bot.messages import Person, ThreadKey
from bot.ports import Card, Mailbox, SharedState

log = structlog.get_logger(__name__)

QUIET_S = 3600.0
"""How long the same trouble in the same place is not told again: an outage gives one card, and not a thousand."""

_BUTTONS = {"takeover": "Take it"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """Tells the team.

    Args:
        state: what was told; a namespace of its own.
        mailbox: the records, from which a card quotes.
    """

    state: SharedState
    mailbox: Mailbox
    announcements: Announcements

    async def given_up(self, thread: ThreadKey, person: Person, reason: str) -> None:
        """A turn is a dead letter: its customer has an apology at best, and waits."""
        text = (
            f"**Why:** {quoted(reason)}\n\nThe message is kept. `/support dead-letters` lists what was given up, and "
            "answers it once the cause is mended; taking the conversation answers it sooner."
        )
        await self._tell(thread, f"letter/{reason}", f"{named(person)} could not be answered", text)

    async def tool_failed(self, thread: ThreadKey, person: Person, tool: str, fault: str) -> None:
        """A tool did not work: its customer was offered a ticket or a colleague instead of what they wanted."""
        text = (
            f"**Why:** {quoted(fault)}\n\n**Organisation:** {quoted(person.organisation, 80) or 'unknown'}\n\n"
            "The customer is told honestly and offered a ticket or a colleague; Frontdesk goes on until somebody takes "
            "the conversation. `/support why` in it tells what was asked of the tool."
        )
        title = f"The tool {quoted(tool, 60)} failed for {named(person)}"
        await self._tell(thread, f"tool/{tool}/{fault}", title, text, quotes=True)

    async def _tell(self, thread: ThreadKey, trouble: str, title: str, text: str, *, quotes: bool = False) -> None:
        name = blake2b(f"{thread.platform}/{thread.space}/{trouble}".encode(), digest_size=12).hexdigest()
        try:
            if await self.state.compare_and_set(f"told/{name}", None, b"1", ttl_s=QUIET_S):
                if quotes:
                    text = f"{text}\n\n{summary((await self.mailbox.load(thread)).entries)}"
                key = f"trouble/{thread}/{name}"
                await self.announcements.show(Card(key=key, title=title, text=text, thread=thread, buttons=_BUTTONS))
        except Transient as failure:
            log.warning("team_not_told", reason=failure.reason)

"""The desk's cases: who waits for a human, who takes care, and the one reminder. They live in shared state, so that
any worker goes on with them.

| key                | type   | lives   | holds                                                   |
|--------------------|--------|---------|---------------------------------------------------------|
| `case/THREAD`      | value  | 90 days | the thread's last case (`bot.casework.Case`)             |
| `question/THREAD/TURN` | value | 90 days | the answer of this turn asks how a case was          |
| `waits/PLATFORM`   | agenda | –       | threads of whose customers the team is to be reminded    |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import structlog

from bot import casework
from bot.announcements import Announcements
from bot.casework import Case, Stage
from bot.conversation import StaffTurn, Turn, UserTurn
from bot.errors import Transient
from bot.messages import Person, ThreadKey
from bot.ports import About, Mailbox, Mode, Order, SharedState
from bot.sentences import STILL_WAITING, STILL_WAITING_UNTIL

log = structlog.get_logger(__name__)

AGAIN_S = 15.0
"""How long a reminder that is being given is kept from other processes."""

_KEEP_S = 90 * 86_400.0
_RACES = 50


class Cases:
    """The cases of an installation.

    Args:
        state: a namespace of its own.
        hours_of: when humans are at work in a thread's channel, in words for the customer; empty when nobody said.
        reminder_s: how long a customer waits for a word of a human before the team is reminded.
    """

    def __init__(
        self,
        state: SharedState,
        mailbox: Mailbox,
        announcements: Announcements,
        *,
        hours_of: Callable[[ThreadKey], Awaitable[str]],
        reminder_s: float,
    ) -> None:
        self._state = state
        self._mailbox = mailbox
        self._announcements = announcements
        self._hours_of = hours_of
        self._reminder_s = reminder_s

    async def find(self, thread: ThreadKey) -> Case | None:
        """The case of a thread; the last one if it had several."""
        stored = await self._state.get(f"case/{thread}")
        return None if stored is None else msgspec.json.decode(stored, type=Case)

    async def call(self, thread: ThreadKey, person: Person, reason: str, *, case_id: str) -> bool:
        """A human is wanted: the bot is silent from the next turn on, and the team is told; whether that is news.

        Repeated under the same id it does what was left undone.
        """
        known = await self.find(thread)
        is_news = known is None or known.id == case_id or not known.is_open
        if known is None or (is_news and known.id != case_id):
            await self._open(thread, await self._case(thread, case_id, person, reason))
        if is_news:
            await self.show(thread)
        await self._mailbox.hand_over(thread)  # last: from here on nobody does the rest again
        return is_news

    async def take(self, thread: ThreadKey, by: Person, customer: Person, *, case_id: str) -> Case:
        """A colleague has the thread; the bot stops at once.

        Args:
            customer: whom the thread serves.
            case_id: for a case that begins here.
        """
        await self._mailbox.order(thread, Order.HUMAN)
        known = await self.find(thread)
        if known is None or not known.is_open:
            reason = f"{by.display_name} took the conversation over."
            await self._open(thread, await self._case(thread, case_id, customer, reason))
        case = await self.change(thread, lambda old: replace(old, stage=Stage.TAKEN, assignee=by))
        await self.show(thread)
        return case

    async def end(self, thread: ThreadKey, by: Person, stage: Stage) -> Case | None:
        """The bot has the thread again; the case that was open, as it ended."""
        known, case = await self.find(thread), None
        if known is not None and (known.is_open or (known.stage is Stage.BACK and stage is Stage.CLOSED)):
            case = await self.change(thread, lambda old: replace(old, stage=stage, assignee=by, waiting=None))
            await self._settle(thread)
            await self.show(thread)
        await self._mailbox.hand_back(thread)
        return case

    async def heard(self, thread: ThreadKey, turns: Sequence[Turn]) -> None:
        """What was said in a thread that a human has: a customer begins to wait, or a colleague has answered."""
        last = next((turn for turn in reversed(turns) if isinstance(turn, UserTurn | StaffTurn)), None)
        case = await self.find(thread) if last is not None else None
        if case is None or last is None or not case.is_open:
            return
        if isinstance(last, UserTurn) and not last.author.is_staff:
            if case.waiting is None:
                await self.change(thread, lambda old: casework.waits(old, last.at))
                await self._wait(thread)
            elif case.waiting == last.at and not case.reminded:  # whoever wrote that down may have died then
                await self._wait(thread)
            return
        await self._settle(thread)
        await self.change(thread, lambda old: casework.answered(old, last.author))
        if case.stage is Stage.WAITING:
            await self.show(thread)

    async def remind(self, platform: str) -> bool:
        """Remind the team of one customer who has waited too long; whether there was one to look at."""
        agenda = f"waits/{platform}"
        row = await self._state.due(agenda, lease_s=AGAIN_S)
        if row is None:
            return False
        thread = ThreadKey.parse(row.decode())
        case = await self.find(thread)
        if case is not None and case.waiting is not None and case.is_due:
            since = case.waiting
            if await self._mailbox.mode(thread) is Mode.HUMAN:
                await self._tell(thread, case, since)
            await self.change(thread, lambda old: casework.reminded(old, since))
        await self._state.cancel(agenda, row)
        case = await self.find(thread)
        if case is not None and case.is_due:  # a wait that began meanwhile has lost its reminder just then
            await self._wait(thread)
        return True

    async def change(self, thread: ThreadKey, change: Callable[[Case], Case]) -> Case:
        """Change the case of a thread that has one.

        Raises:
            Transient: it is gone, or others changed it all the time.
        """
        key = f"case/{thread}"
        for _ in range(_RACES):
            stored = await self._state.get(key)
            if stored is None:
                raise Transient("case_gone")
            changed = change(msgspec.json.decode(stored, type=Case))
            raw = msgspec.json.encode(changed)
            if raw == stored or await self._state.compare_and_set(key, stored, raw, ttl_s=_KEEP_S):
                return changed
        raise Transient("case_contended")

    async def asks(self, thread: ThreadKey, turn: int) -> None:
        """The answer of this turn is the question after a closed case; a vote on it judges the case."""
        await self._state.set(f"question/{thread}/{turn}", b"1", ttl_s=_KEEP_S)

    async def judged_by(self, thread: ThreadKey, turn: int) -> About:
        """What a vote on the answer of this turn judges."""
        return About.ANSWER if await self._state.get(f"question/{thread}/{turn}") is None else About.CASE

    async def show(self, thread: ThreadKey) -> None:
        """Show the team the case as it stands."""
        if (case := await self.find(thread)) is not None:
            await self._announcements.show(casework.card(thread, case, await self._tried(thread, case)))

    async def _case(self, thread: ThreadKey, case_id: str, person: Person, reason: str) -> Case:
        length = (await self._mailbox.load(thread)).length
        return Case(id=case_id, person=person, reason=reason, length=length, waiting=datetime.now(UTC))

    async def _tried(self, thread: ThreadKey, case: Case) -> str:
        return casework.summary((await self._mailbox.load(thread)).entries[: case.length])

    async def _open(self, thread: ThreadKey, case: Case) -> None:
        await self._wait(thread)  # first: who dies in between leaves a reminder too many, not a customer too few
        await self._state.set(f"case/{thread}", msgspec.json.encode(case), ttl_s=_KEEP_S)
        log.info("human_called")

    async def _wait(self, thread: ThreadKey) -> None:
        await self._state.plan(f"waits/{thread.platform}", str(thread).encode(), after_s=self._reminder_s)

    async def _settle(self, thread: ThreadKey) -> None:
        await self._state.cancel(f"waits/{thread.platform}", str(thread).encode())

    async def _tell(self, thread: ThreadKey, case: Case, since: datetime) -> None:
        minutes = max(1, round((datetime.now(UTC) - since).total_seconds() / 60))
        shown = casework.reminder(thread, case, await self._tried(thread, case), since, minutes)
        await self._announcements.show(shown)
        hours = await self._hours_of(thread)
        if hours:
            await self._announcements.say(thread, STILL_WAITING_UNTIL, key=shown.key, hours=hours)
        else:
            await self._announcements.say(thread, STILL_WAITING, key=shown.key)

"""One turn from its claim to its settlement: answer, commit, deliver, settle.

Everything that can end a turn early (a stop, a take-over by a human, a lost lease, mail that joins, the time limit, a
drain) is an *interrupt*: the work is cancelled at the next safe moment, and what follows is decided from the record
(`bot/ending.py`). A call that writes and its result are one safe unit: they are under the lock of the turn's `Hold`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial

import structlog

from bot import tracing
from bot.accounts import Tally
from bot.budget import Spending, begin_spending
from bot.calls import Calls
from bot.claimed import ClaimedTurn
from bot.conversation import AssistantTurn, Note
from bot.ending import UNDELIVERED, Ending
from bot.errors import LeaseLost, Permanent, Transient
from bot.hold import Hold
from bot.interrupts import ORDERED, Interrupt, by_standing_order
from bot.journal import UNCOUNTED, to_row
from bot.loop import Answered, Asked, Results
from bot.observe import FENCED, FIRST_TEXT, TAKEOVERS, TURN_SECONDS, TURNS
from bot.opening import begin, is_paused, keep
from bot.ports import Lease, Mode, ReplyStream, TextDelta, ToolFinished, ToolStarted
from bot.sentences import APOLOGY, CASE_CLOSED, HUMAN_CALLED
from bot.services import Services
from bot.speech import Speech
from bot.tasks import end

log = structlog.get_logger(__name__)

JOINS = 3
"""How often a turn may begin again because more mail of its author came."""

ELSEWHERE_S = 1.0
"""How long a thread of a platform that this process does not serve is left to others."""


class TurnRun:
    """The run of one claimed turn."""

    def __init__(self, lease: Lease, services: Services) -> None:
        self._turn = ClaimedTurn(lease, history_tokens=services.history_tokens)
        self._services = services
        self._mailbox = services.mailbox
        self._hold = Hold(self._turn, services.mailbox, lease_s=services.lease_s)
        self._tally = Tally()
        self._ending = Ending(self._turn, services, self._hold, self._tally)
        self._claimed_at = time.monotonic()
        self._first_text_at: datetime | None = None
        self._interrupt: Interrupt | None = None
        self._work: asyncio.Task[Answered] | None = None
        self._cancelling: asyncio.Task[None] | None = None
        self._obeying: asyncio.Task[None] | None = None
        self._speech: Speech | None = None
        self._joins = 0

    async def run(self) -> None:
        """Bring the turn to an end, or give the thread back for another try."""
        lease = self._turn.lease
        if lease.attempt > 1 and lease.fault != UNDELIVERED:
            TAKEOVERS.inc()
        spending, outcome = begin_spending(), "crashed"
        with self._services.tracer.within(tracing.INVOKE_AGENT, "frontdesk", self._traced()) as span:
            try:
                outcome = await self._live()
            except LeaseLost:
                FENCED.inc()
                outcome = await self._ending.fenced()
            finally:
                self._account_for(outcome, spending)
                span.note(tracing.OUTCOME, outcome)
                span.end("crashed" if outcome == "crashed" else None)
        TURNS.labels(outcome=outcome).inc()
        TURN_SECONDS.observe(time.monotonic() - self._claimed_at)
        log.info("turn_ended", outcome=outcome, attempt=lease.attempt, step=self._turn.lease.step)
        await self._tell_team()

    async def _live(self) -> str:
        lease = self._turn.lease
        platform = self._services.platforms.get(lease.thread.platform)
        if platform is None:
            await self._mailbox.release(lease, delay_s=ELSEWHERE_S, refund=True)
            return "not_ours"
        if lease.committed is None:
            if not self._turn.is_to_be_answered and not self._turn.progress().pending:
                await keep(self._turn, self._services)
                return "recorded"
            if self._turn.is_to_be_answered and lease.step == 0 and await is_paused(lease.thread, self._services):
                await self._mailbox.done(lease)
                return "paused"
        stream = platform.reply(lease)
        try:
            if lease.committed is not None:
                return await self._ending.deliver(stream, "redelivered")
            if lease.exhausted:
                return await self._ending.close(stream, APOLOGY, dead=lease.fault or "crash")
            if not self._turn.is_to_be_answered:
                # Given to a human in the middle of a call, by a process that died before it could say so.
                words = HUMAN_CALLED if lease.mode is Mode.HUMAN else ""
                return await self._ending.close(stream, words, outcome="human")
            if self._turn.notes(Note.CLOSED):
                await self._services.cases.asks(lease.thread, lease.turn)
                return await self._ending.close(stream, CASE_CLOSED, outcome="closed")
            if (over := self._services.budgets.over(lease.thread, self._turn.author)) is not None:
                return await self._ending.limited(stream, over)
            if turns := await begin(self._turn, self._services, platform):
                async with self._hold.lock:
                    await self._hold.record(turns)
            return await self._answer(stream, Calls(self._turn, self._services, platform, self._tally))
        except BaseException:
            await stream.abandon()
            raise

    async def _answer(self, stream: ReplyStream, calls: Calls) -> str:
        self._speech = speech = Speech(self._turn, self._services, stream)
        if self._turn.lease.order is not None:
            self._interrupt = ORDERED[self._turn.lease.order]
        else:
            self._interrupt = self._standing()
        while not self._is_cut_short():
            try:
                answered = await self._attempt(stream, speech, calls)
            except Transient as failure:
                return await self._ending.later(stream, failure)
            except Permanent as failure:
                return await self._ending.never(stream, failure)
            if answered is not None:
                text = speech.clean(answered.text) if answered.replaces else speech.finish()
                return await self._ending.close(stream, text, outcome="answered")
        return await self._ending.cut_short(stream, self._interrupt, speech.so_far)

    def _is_cut_short(self) -> bool:
        """Whether something ended the work for good; mail that joined only begins it again."""
        if self._interrupt is Interrupt.JOIN:
            self._interrupt = None
        return self._interrupt is not None

    # ----------------------------------------------------------------------------------------------- the work

    async def _attempt(self, stream: ReplyStream, speech: Speech, calls: Calls) -> Answered | None:
        """The model's answer, or nothing when the work was interrupted."""
        speech.begin()
        calls.begin()
        self._work = work = asyncio.create_task(self._converse(stream, speech, calls))
        try:
            left = self._services.turn_timeout_s - (time.monotonic() - self._claimed_at)
            await asyncio.wait({work}, timeout=max(0.0, left))
            if not work.done():
                await self.interrupt(Interrupt.TIME)
        finally:
            await end(work)
            self._hold.end_writing()
        return None if work.cancelled() else work.result()

    async def _converse(self, stream: ReplyStream, speech: Speech, calls: Calls) -> Answered:
        turn = self._turn
        tools = await self._services.toolbox.take()
        rules = await self._services.channels.rules(turn.lease.thread)
        system = self._services.system.of(turn.lease.thread, rules)
        async with aclosing(self._services.loop.run(turn, system, tools, partial(calls.run, tools))) as events:
            async for event in events:
                await self._hold.stay(self._services.lease_s)
                match event:
                    case TextDelta():
                        if released := speech.hear(event.text):
                            await self._show(speech, released)
                    case Asked():
                        self._tally.asked(event.usage)
                        said = AssistantTurn(
                            text=speech.finish(),
                            at=datetime.now(UTC),
                            tool_calls=event.calls,
                            measured=self._tally.measured,
                        )
                        calls.expect()
                        async with self._hold.lock:
                            await self._hold.record([said])
                        speech.part()
                    case ToolStarted():
                        if tools.effect(event.call.name) == "write":
                            await self._hold.begin_writing()
                        stream.status(event)
                    case Results():
                        await self._hold.record_results([ran.turn for _, ran in event.results])
                        for call, ran in event.results:
                            stream.status(ToolFinished(call=call, result=ran.turn))
                    case Answered():
                        self._tally.asked(event.usage)
                        return event
        raise Transient("model_stream_unfinished")

    async def _show(self, speech: Speech, released: str) -> None:
        if not speech.is_shown:
            FIRST_TEXT.observe(time.monotonic() - self._claimed_at)
            self._first_text_at = datetime.now(UTC)
            async with self._hold.lock:  # mail that is joining at this moment must not find a shown answer
                speech.is_shown = True
        speech.show(released)

    # ------------------------------------------------------------------------------------------- interrupting

    async def interrupt(self, reason: Interrupt) -> None:
        """Cut the work short; a write that runs is waited for, unless the thread is not ours any more."""
        if reason is Interrupt.LOST:
            self._cancel(reason)
            return
        async with self._hold.lock:
            self._cancel(reason)

    def _cancel(self, reason: Interrupt) -> None:
        work = self._work
        if work is not None and self._is_working:
            self._interrupt = reason
            self._cancelling = asyncio.create_task(end(work))

    async def renew(self) -> None:
        """Keep the thread and follow what was ordered; a lost thread is stopped at once."""
        try:
            order = await self._hold.renew()
        except LeaseLost:
            await self.interrupt(Interrupt.LOST)
            return
        except Transient:
            if self._hold.has_run_out:
                await self.interrupt(Interrupt.LOST)
            return
        reason = self._standing() if order is None else ORDERED[order]
        if reason is not None and (self._obeying is None or self._obeying.done()):
            # Beside the renewal: a write may take long, and meanwhile this thread and all others have to be kept.
            self._obeying = asyncio.create_task(self.interrupt(reason))

    def _standing(self) -> Interrupt | None:
        return by_standing_order(self._services.standing, self._turn.lease.thread, self._turn.author)

    async def hear(self) -> None:
        """Something was published about this thread: an order, or mail that may join."""
        await self.renew()
        if self._obeying is not None:
            await asyncio.wait({self._obeying})
        if not self._may_join():
            return
        async with self._hold.lock:
            before = self._turn.lease
            if self._may_join() and (joined := await self._mailbox.join(before)) is not before:
                self._turn.take(joined)
                self._joins += 1
                self._cancel(Interrupt.JOIN)

    @property
    def _is_working(self) -> bool:
        return self._work is not None and not self._work.done() and self._interrupt in (None, Interrupt.JOIN)

    def _may_join(self) -> bool:
        """Nothing of an answer was shown, nothing was written, and no call waits for its result."""
        if self._speech is None or self._speech.is_shown or self._hold.has_written or self._joins >= JOINS:
            return False
        return self._is_working and self._interrupt is None and not self._turn.progress().pending

    # -------------------------------------------------------------------------------------------- the account

    async def _tell_team(self) -> None:
        """Have somebody look after a turn that was given up, and at a tool that failed."""
        turn, troubles = self._turn, self._services.troubles
        if self._ending.dead is not None:
            await troubles.given_up(turn.lease.thread, turn.author, self._ending.dead)
        for tool, fault in self._tally.faults.items():
            await troubles.tool_failed(turn.lease.thread, turn.author, tool, fault)

    def _account_for(self, outcome: str, spending: Spending) -> None:
        """Have what this attempt spent counted, and the turn noted for reports. Never waits."""
        thread, turn, services = self._turn.lease.thread, self._turn, self._services
        if spending.calls:
            services.budgets.spend(thread, turn.author, spending)
        if outcome not in UNCOUNTED:
            tenant, ended_at = services.tenant_of(thread.space), datetime.now(UTC)
            duration_s = time.monotonic() - self._claimed_at
            services.journal.note(
                to_row(
                    turn, tenant, outcome, spending, ended_at, duration_s=duration_s, first_text_at=self._first_text_at
                )
            )

    def _traced(self) -> dict[str, str | int]:
        lease = self._turn.lease
        return {
            tracing.AGENT: "frontdesk",
            tracing.CONVERSATION: str(lease.thread),
            tracing.PLATFORM: lease.thread.platform,
            tracing.TURN: lease.turn,
            tracing.ATTEMPT: lease.attempt,
        }

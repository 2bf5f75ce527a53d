"""One turn from its claim to its settlement: answer, commit, deliver, settle.

Everything that can end a turn early (a stop, a take-over by a human, a lost lease, mail that joins, the time limit, a
drain) is an *interrupt*: the work is cancelled at the next safe moment and what follows is decided here, from the
record. A call that writes and its result are one safe unit: they are under the turn's lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

import structlog
from structlog.contextvars import bind_contextvars

from bot import tracing
from bot.accounts import Tally
from bot.budget import Over, Spending, begin_spending
from bot.calls import Calls
from bot.claimed import ClaimedTurn
from bot.conversation import AssistantTurn, Measured, Note, NoteTurn, Turn
from bot.errors import LeaseLost, Permanent, Transient
from bot.journal import UNCOUNTED, to_row
from bot.loop import Answered, Asked, Results
from bot.metered import RESTING, TURN_BUDGET
from bot.observe import FENCED, FIRST_TEXT, TAKEOVERS, TURN_SECONDS, TURNS, waited
from bot.opening import begin, is_paused, keep
from bot.ports import Lease, Mode, Order, Reply, ReplyStream, TextDelta, ToolFinished, ToolStarted, Usage
from bot.sentences import (
    APOLOGY,
    CASE_CLOSED,
    CHANGE_YOUR_KEY,
    HUMAN_CALLED,
    MODEL_AWAY,
    STATE_LOST,
    STOPPED,
    TIME_LIMIT,
    TURN_LIMIT,
)
from bot.services import Services
from bot.speech import BETWEEN, Speech
from bot.tasks import end
from bot.toolbox import refused

log = structlog.get_logger(__name__)

JOINS = 3
"""How often a turn may begin again because more mail of its author came."""

BACKOFF_S = (0.4, 0.8, 1.6)
"""How long a thread rests after the first, second and each later failure."""

ELSEWHERE_S = 1.0
"""How long a thread of a platform that this process does not serve is left to others."""


class Interrupt(StrEnum):
    """Why the work on a turn was cut short."""

    JOIN = "join"
    STOP = "stop"
    HUMAN = "human"
    PAUSE = "pause"
    STANDING = "standing"
    BLOCKED = "blocked"
    LOST = "lost"
    TIME = "time"
    DRAIN = "drain"


_INTERRUPTS = {Order.STOP: Interrupt.STOP, Order.PAUSE: Interrupt.PAUSE, Order.HUMAN: Interrupt.HUMAN}


class TurnRun:
    """The run of one claimed turn."""

    def __init__(self, lease: Lease, services: Services) -> None:
        self._turn = ClaimedTurn(lease, history_tokens=services.history_tokens)
        self._services = services
        self._mailbox = services.mailbox
        self._claimed_at = self._renewed_at = time.monotonic()
        self._lock = asyncio.Lock()
        """Held while the record changes, and from the start of a call that writes until its result is on record."""
        self._interrupt: Interrupt | None = None
        self._work: asyncio.Task[Answered] | None = None
        self._speech: Speech | None = None
        self._ending: asyncio.Task[None] | None = None
        self._writes = False
        self._writing = False
        self._is_delivered = False
        self._measured: Measured | None = None
        self._joins = 0
        self._tally = Tally()
        self._dead: str | None = None
        self._first_text_at: datetime | None = None

    async def run(self) -> None:
        """Bring the turn to an end, or give the thread back for another try."""
        lease = self._turn.lease
        if lease.attempt > 1:
            TAKEOVERS.inc()
        spending, outcome = begin_spending(), "crashed"
        with self._services.tracer.within(tracing.INVOKE_AGENT, "frontdesk", self._traced()) as span:
            try:
                outcome = await self._live()
            except LeaseLost:
                FENCED.inc()
                outcome = await self._fenced()
            finally:
                self._account_for(outcome, spending)
                span.note(tracing.OUTCOME, outcome)
                span.end("crashed" if outcome == "crashed" else None)
        TURNS.labels(outcome=outcome).inc()
        TURN_SECONDS.observe(time.monotonic() - self._claimed_at)
        log.info("turn_ended", outcome=outcome, attempt=lease.attempt, step=self._turn.lease.step)
        await self._tell_team()

    async def _tell_team(self) -> None:
        """Have somebody look after a turn that was given up, and at a tool that failed."""
        turn, troubles = self._turn, self._services.troubles
        if self._dead is not None:
            await troubles.given_up(turn.lease.thread, turn.author, self._dead)
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
                return await self._deliver(stream, "redelivered")
            if lease.exhausted:
                return await self._close(stream, APOLOGY, dead=lease.fault or "crash")
            if not self._turn.is_to_be_answered:
                # Given to a human in the middle of a call, by a process that died before it could say so.
                return await self._close(stream, HUMAN_CALLED if lease.mode is Mode.HUMAN else "", outcome="human")
            if self._turn.notes(Note.CLOSED):
                await self._services.cases.asks(lease.thread, lease.turn)
                return await self._close(stream, CASE_CLOSED, outcome="closed")
            if (over := self._services.budgets.over(lease.thread, self._turn.author)) is not None:
                return await self._limited(stream, over)
            if turns := await begin(self._turn, self._services, platform):
                async with self._lock:
                    await self._record(turns)
            return await self._answer(stream, Calls(self._turn, self._services, platform, self._tally))
        except BaseException:
            await stream.abandon()
            raise

    async def _fenced(self) -> str:
        """Somebody else has the thread, and nothing more is said here; unless the thread is gone, and nobody has it."""
        lease = self._turn.lease
        if self._is_delivered or not await self._mailbox.is_gone(lease):
            return "fenced"
        log.error("state_lost")
        await self._services.announcements.say(lease.thread, STATE_LOST, key=f"lost/{lease.token}")
        return "state_lost"

    def _traced(self) -> dict[str, str | int]:
        lease = self._turn.lease
        return {
            tracing.AGENT: "frontdesk",
            tracing.CONVERSATION: str(lease.thread),
            tracing.PLATFORM: lease.thread.platform,
            tracing.TURN: lease.turn,
            tracing.ATTEMPT: lease.attempt,
        }

    async def _limited(self, stream: ReplyStream, over: Over) -> str:
        """Serve without the model, because a limit on spending is reached."""
        turn, modelless = self._turn, self._services.modelless
        words = await modelless.words(turn, self._services.tenant_of(turn.lease.thread.space), over)
        await modelless.tell_admins(turn, over)
        if words:
            return await self._close(stream, words, outcome="limited")
        await stream.abandon()
        await self._mailbox.done(turn.lease)
        return "limited"

    async def _answer(self, stream: ReplyStream, calls: Calls) -> str:
        self._speech = speech = Speech(self._turn, self._services, stream)
        if self._turn.lease.order is not None:
            self._interrupt = _INTERRUPTS[self._turn.lease.order]
        else:
            self._interrupt = self._standing()
        while not self._is_cut_short():
            try:
                answered = await self._attempt(stream, speech, calls)
            except Transient as failure:
                return await self._later(stream, failure)
            except Permanent as failure:
                return await self._never(stream, failure)
            if answered is not None:
                text = speech.clean(answered.text) if answered.replaces else speech.finish()
                return await self._close(stream, text, outcome="answered")
        return await self._cut_short(stream, speech)

    def _is_cut_short(self) -> bool:
        """Whether something ended the work for good; mail that joined only begins it again."""
        if self._interrupt is Interrupt.JOIN:
            self._interrupt = None
        return self._interrupt is not None

    # -------------------------------------------------------------------------------------------------- the work

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
            self._written()
        return None if work.cancelled() else work.result()

    async def _converse(self, stream: ReplyStream, speech: Speech, calls: Calls) -> Answered:
        turn = self._turn
        tools = await self._services.toolbox.take()
        rules = await self._services.channels.rules(turn.lease.thread)
        system = self._services.system.of(turn.lease.thread, rules)
        async with aclosing(self._services.loop.run(turn, system, tools, partial(calls.run, tools))) as events:
            async for event in events:
                await self._stay_owner(self._services.lease_s)
                match event:
                    case TextDelta():
                        if released := speech.hear(event.text):
                            await self._show(speech, released)
                    case Asked():
                        self._tally.asked(event.usage)
                        self._measured = _measured(event.usage)
                        said = AssistantTurn(
                            text=speech.finish(),
                            at=datetime.now(UTC),
                            tool_calls=event.calls,
                            measured=self._measured,
                        )
                        calls.expect()
                        async with self._lock:
                            await self._record([said])
                        speech.part()
                    case ToolStarted():
                        if tools.effect(event.call.name) == "write":
                            await self._lock.acquire()
                            self._writes = self._writing = True
                        stream.status(event)
                    case Results():
                        await self._record_results(stream, event)
                    case Answered():
                        self._tally.asked(event.usage)
                        self._measured = _measured(event.usage)
                        return event
        raise Transient("model_stream_unfinished")

    async def _show(self, speech: Speech, released: str) -> None:
        if not speech.is_shown:
            FIRST_TEXT.observe(time.monotonic() - self._claimed_at)
            self._first_text_at = datetime.now(UTC)
            async with self._lock:  # mail that is joining at this moment must not find a shown answer
                speech.is_shown = True
        speech.show(released)

    async def _stay_owner(self, within_s: float) -> None:
        """Ask whether the thread is ours still, if that was last heard longer ago: this process may have been paused.

        Raises:
            LeaseLost: it is not; nothing more is to be shown.
        """
        if time.monotonic() - self._renewed_at > within_s:
            await self._mailbox.renew(self._turn.lease)
            self._renewed_at = time.monotonic()

    async def _record_results(self, stream: ReplyStream, event: Results) -> None:
        results = [ran.turn for _, ran in event.results]
        if self._writing:
            await self._record(results)
            self._written()
        else:
            async with self._lock:
                await self._record(results)
        for call, ran in event.results:
            stream.status(ToolFinished(call=call, result=ran.turn))

    async def _record(self, turns: Sequence[Turn]) -> None:
        self._turn.take(await self._mailbox.step(self._turn.lease, *turns))
        bind_contextvars(step=self._turn.lease.step)

    def _written(self) -> None:
        if self._writing:
            self._writing = False
            self._lock.release()

    # --------------------------------------------------------------------------------------------------- the end

    async def _close(
        self, stream: ReplyStream, text: str, *, outcome: str = "given_up", dead: str | None = None
    ) -> str:
        """Commit the turn's last words, with a result for every call that has none, and deliver."""
        turn = self._turn
        if turn.showed_a_secret:
            text = BETWEEN.join(part for part in (text, CHANGE_YOUR_KEY) if part)
        left: list[Turn] = [
            refused(call, "cancelled", "This call was not run; the turn ended before.")
            for _, call in turn.progress().pending
        ]
        last: list[Turn] = [AssistantTurn(text=text, at=datetime.now(UTC), measured=self._measured)] if text else []
        if self._interrupt in (Interrupt.PAUSE, Interrupt.STANDING):
            last.append(_paused(turn))
        whole = BETWEEN.join(part for part in [*turn.said(), text] if part)
        reply = Reply(text=whole, turn=turn.number, addressee=turn.author.id)
        async with self._lock:
            account = self._services.accounts.write(
                self._tally,
                turn=turn.number,
                begins=turn.lease.begins,
                ends=turn.lease.record.length + len(left) + len(last),
                attempt=turn.lease.attempt,
                outcome=outcome if dead is None else dead,
            )
            turn.take(await self._mailbox.commit(turn.lease, [*left, *last], reply, dead=dead, account=account))
        self._dead = dead
        return await self._deliver(stream, outcome)

    async def _deliver(self, stream: ReplyStream, outcome: str) -> str:
        lease = self._turn.lease
        assert lease.committed is not None
        await self._stay_owner(self._services.lease_s / 2)
        try:
            await stream.close(lease.committed)
        except Transient as failure:
            if lease.attempt < self._services.attempts:
                await self._mailbox.release(lease, delay_s=self._delay_s(failure))
                return "undelivered"
            return await self._undelivered("undeliverable")
        except Permanent as failure:
            log.error("reply_undeliverable", reason=failure.reason)
            return await self._undelivered(f"undeliverable: {failure.reason}")
        self._is_delivered = True
        await self._mailbox.done(lease)
        return outcome

    async def _undelivered(self, reason: str) -> str:
        await self._mailbox.done(self._turn.lease, dead=reason)
        self._dead = reason
        return "undeliverable"

    async def _later(self, stream: ReplyStream, failure: Transient) -> str:
        """Back to the agenda, unless this was the last attempt or the wait would be longer than a turn may take."""
        lease = self._turn.lease
        hopeless = (failure.retry_after_s or 0.0) > self._services.turn_timeout_s
        log.warning("turn_interrupted", reason=failure.reason, attempt=lease.attempt)
        if failure.reason == "model_rate_limited":
            waited("model", self._delay_s(failure))
        if hopeless or lease.attempt >= self._services.attempts:
            return await self._close(stream, APOLOGY, dead=failure.reason)
        await stream.abandon()
        await self._mailbox.release(lease, delay_s=self._delay_s(failure))
        return "retried"

    async def _never(self, stream: ReplyStream, failure: Permanent) -> str:
        """Trying again cannot help: an honest sentence, and a dead letter unless nothing is left to be answered."""
        if failure.reason == TURN_BUDGET:
            return await self._close(stream, TURN_LIMIT, outcome="turn_budget")
        log.error("turn_failed", reason=failure.reason)
        if failure.reason != RESTING:
            return await self._close(stream, APOLOGY, dead=failure.reason)
        tenant = self._services.tenant_of(self._turn.lease.thread.space)
        words = await self._services.modelless.words(self._turn, tenant, None)
        if words != MODEL_AWAY:
            return await self._close(stream, words, outcome="limited")
        return await self._close(stream, words, dead=failure.reason)

    def _delay_s(self, failure: Transient) -> float:
        return failure.retry_after_s or BACKOFF_S[min(self._turn.lease.attempt, len(BACKOFF_S)) - 1]

    async def _cut_short(self, stream: ReplyStream, speech: Speech) -> str:
        match self._interrupt:
            case Interrupt.TIME:
                return await self._close(stream, TIME_LIMIT, outcome="time_limit")
            case Interrupt.STOP:
                words = BETWEEN.join(part for part in (speech.so_far.strip(), STOPPED) if part)
                return await self._close(stream, words, outcome="stopped")
            case Interrupt.HUMAN:
                return await self._close(stream, speech.so_far.strip(), outcome="human")
            case Interrupt.BLOCKED:
                return await self._close(stream, speech.so_far.strip(), outcome="blocked")
            case Interrupt.PAUSE:
                return await self._close(stream, speech.so_far.strip(), outcome="paused")
            case Interrupt.STANDING if await is_paused(self._turn.lease.thread, self._services):
                return await self._close(stream, speech.so_far.strip(), outcome="paused")
            case Interrupt.DRAIN | Interrupt.STANDING:
                await stream.abandon()
                await self._mailbox.release(self._turn.lease, refund=True)
                return "drained"
            case _:
                raise LeaseLost("interrupted")

    # ---------------------------------------------------------------------------------------------- interrupting

    async def interrupt(self, reason: Interrupt) -> None:
        """Cut the work short; a write that runs is waited for, unless the thread is not ours any more."""
        if reason is Interrupt.LOST:
            self._cancel(reason)
            return
        async with self._lock:
            self._cancel(reason)

    def _cancel(self, reason: Interrupt) -> None:
        work = self._work
        if work is not None and self._is_working:
            self._interrupt = reason
            self._ending = asyncio.create_task(end(work))

    async def renew(self) -> None:
        """Keep the thread and follow what was ordered; a lost thread is stopped at once."""
        try:
            order = (await self._mailbox.renew(self._turn.lease)).order
        except LeaseLost:
            await self.interrupt(Interrupt.LOST)
            return
        except Transient:
            if time.monotonic() - self._renewed_at > self._services.lease_s:
                await self.interrupt(Interrupt.LOST)
            return
        self._renewed_at = time.monotonic()
        if order is not None:
            await self.interrupt(_INTERRUPTS[order])
        elif (standing := self._standing()) is not None:
            await self.interrupt(standing)

    def _standing(self) -> Interrupt | None:
        """Why a standing order keeps this turn from being answered."""
        thread, standing = self._turn.lease.thread, self._services.standing
        if standing.pause_of(thread) is not None:
            return Interrupt.STANDING
        return None if standing.hears(thread, self._turn.author) else Interrupt.BLOCKED

    async def hear(self) -> None:
        """Something was published about this thread: an order, or mail that may join."""
        await self.renew()
        if not self._may_join():
            return
        async with self._lock:
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
        if self._speech is None or self._speech.is_shown or self._writes or self._joins >= JOINS:
            return False
        return self._is_working and self._interrupt is None and not self._turn.progress().pending


def _paused(turn: ClaimedTurn) -> NoteTurn:
    return NoteTurn(
        note=Note.PAUSED,
        author=turn.author,
        text="The answer was interrupted here because Frontdesk was paused. What was asked is still open.",
        audience=turn.audience,
        at=datetime.now(UTC),
    )


def _measured(usage: Usage | None) -> Measured | None:
    if usage is None or not usage.request_bytes or usage.input_tokens <= 0:
        return None
    return Measured(size_bytes=usage.request_bytes, tokens=usage.input_tokens)

"""One turn from its claim to its settlement: listen, answer, commit, deliver.

Everything that can end a turn early (a stop, a take-over by a human, a lost lease, mail that joins, the time limit, a
drain) is an *interrupt*: the work is cancelled at the next safe moment and what follows is decided here, from the
record. A call that writes and its result are one safe unit: they are under the turn's lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

import structlog

from bot import evidence, history
from bot.conversation import AssistantTurn, NoteTurn, ToolCall, ToolTurn, Turn, UserTurn
from bot.errors import LeaseLost, Permanent, Transient
from bot.loop import Answered, Asked, Loop, Progress, Results
from bot.messages import Attachment, Audience, Person
from bot.observe import FENCED, FIRST_TEXT, MODEL_TOKENS, TAKEOVERS, TURNS
from bot.outgoing import Outgoing, Policy, clean
from bot.ports import (
    Lease,
    Mailbox,
    Mode,
    Order,
    Platform,
    Reply,
    ReplyStream,
    SharedState,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Usage,
)
from bot.principal import Grants
from bot.secrets import Vault
from bot.sentences import APOLOGY, CHANGE_YOUR_KEY, STOPPED, TIME_LIMIT
from bot.tool import ToolContext
from bot.toolbox import Ran, Toolbox, refused
from bot.verification import Verification

log = structlog.get_logger(__name__)

JOINS = 3
"""How often a turn may begin again because more mail of its author came."""

BACKOFF_S = (0.4, 0.8, 1.6)

_HAS_ATTACHMENTS = b'"attachments":[{'


class Interrupt(StrEnum):
    """Why the work on a turn was cut short."""

    JOIN = "join"
    STOP = "stop"
    HUMAN = "human"
    LOST = "lost"
    TIME = "time"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a turn needs; the same for all turns of a process.

    Args:
        history_tokens: budget of the window.
        turn_timeout_s: time for one attempt at a turn.
        lease_s: how long a claim holds without renewal.
        attempts: claims of a turn before it is given up.
    """

    mailbox: Mailbox
    platforms: Mapping[str, Platform]
    loop: Loop
    toolbox: Toolbox
    grants: Grants
    vault: Vault
    verification: Verification
    tool_state: SharedState
    tenant_of: Callable[[str], str]
    link_hosts: frozenset[str]
    canaries: frozenset[str]
    history_tokens: int
    turn_timeout_s: float
    lease_s: float
    attempts: int


class TurnRun:
    """The run of one claimed turn. Serves as the loop's `RunningTurn`."""

    def __init__(self, lease: Lease, services: Services) -> None:
        self.lease = replace(
            lease, record=history.window(lease.record, budget_tokens=services.history_tokens, begins=lease.begins)
        )
        self.number = lease.turn
        self.renewed_at = time.monotonic()
        self._services = services
        self._claimed_at = self.renewed_at
        self._turns = [entry.turn for entry in lease.mail]
        self._lock = asyncio.Lock()
        self._work: asyncio.Task[Answered] | None = None
        self._interrupt: Interrupt | None = None
        self._shown = False
        self._writes = False
        self._joins = 0
        self._offered = False
        self._writing = False
        self._segment = ""
        self._outgoing = Outgoing(self._policy())

    # ------------------------------------------------------------------------------------------- the loop's view

    def turns(self) -> Sequence[Turn]:
        """The turn's own entries."""
        return self._turns

    def messages(self) -> Sequence[bytes]:
        """The window of the conversation as Chat Completions messages."""
        return [entry.wire for entry in self.lease.record.entries]

    def shrink(self) -> None:
        """Make the window half as large."""
        self.lease = replace(self.lease, record=history.halved(self.lease.record, begins=self.lease.begins))

    async def call(self, call: ToolCall) -> Ran:
        """Run one call; a refusal for lack of verification puts the private form before the person, once a turn."""
        ran = await self._services.toolbox.run(call, await self._context(call))
        if ran.rule == "verification_required" and not self._offered:
            self._offered = True
            thread, author = self.lease.thread, self.author
            form = await self._services.verification.form(thread, author)
            await self._platform.offer(thread, author, form)
        return ran

    async def _context(self, call: ToolCall) -> ToolContext:
        services, thread, author = self._services, self.lease.thread, self.author
        tenant, attempt = services.tenant_of(thread.space), f"{thread}/{self.number}/{call.id}"
        check = services.verification.check
        return ToolContext(
            tenant=tenant,
            thread=thread,
            author=author,
            principal=await services.grants.principal(thread, author.id),
            audience=self.audience,
            idempotency_key=attempt,
            secrets=services.vault.opener(thread, author.id),
            read=lambda attachment: self._platform.fetch(attachment, 10 * 1024 * 1024),
            wrote=lambda link: evidence.wrote(self.lease.record, author.id, link),
            verify=lambda username, key: check(thread, author.id, tenant, username, key, attempt),
            hand_over=self._hand_over,
            state=services.tool_state.within(call.name),
            attachments=self._attachments(),
        )

    async def _hand_over(self, reason: str) -> None:
        log.info("handed_over", reason_chars=len(reason))
        await self._services.mailbox.hand_over(self.lease.thread)

    def _attachments(self) -> tuple[Attachment, ...]:
        found: dict[str, Attachment] = {}
        for entry in self.lease.record.entries:
            if _HAS_ATTACHMENTS in entry.row and isinstance(turn := entry.turn, UserTurn):
                found.update((attachment.id, attachment) for attachment in turn.attachments)
        return tuple(found.values())

    # --------------------------------------------------------------------------------------------- who and where

    @property
    def author(self) -> Person:
        """The one person whom this turn serves."""
        return next(turn.author for turn in self._turns if not isinstance(turn, AssistantTurn | ToolTurn))

    @property
    def audience(self) -> Audience:
        """Who can read the answer; the widest of what the mail says."""
        heard = [turn.audience for turn in self._turns if isinstance(turn, UserTurn | NoteTurn)]
        return max(heard, key=list(Audience).index, default=Audience.PUBLIC)

    @property
    def _platform(self) -> Platform:
        return self._services.platforms[self.lease.thread.platform]

    # -------------------------------------------------------------------------------------------------- the life

    async def run(self) -> None:
        """Bring the turn to an end, or give the thread back for another try."""
        if self.lease.attempt > 1:
            TAKEOVERS.inc()
        try:
            outcome = await self._live()
        except LeaseLost:
            FENCED.inc()
            outcome = "fenced"
        TURNS.labels(outcome=outcome).inc()
        log.info("turn_ended", outcome=outcome, attempt=self.lease.attempt, step=self.lease.step)

    async def _live(self) -> str:
        if self.lease.thread.platform not in self._services.platforms:
            # Another process serves this platform; this one must not hold its threads.
            await self._services.mailbox.release(self.lease, delay_s=1.0, refund=True)
            return "not_ours"
        if self.lease.committed is None and not self._is_to_be_answered():
            await self._services.mailbox.done(self.lease)
            return "recorded"
        stream = self._platform.reply(self.lease)
        try:
            return await self._answer(stream)
        except BaseException:
            await stream.abandon()
            raise

    def _is_to_be_answered(self) -> bool:
        if self.lease.mode is not Mode.BOT:
            return False
        return any(
            turn.asks and (isinstance(turn, NoteTurn) or bool(turn.text or turn.attachments))
            for turn in self._turns
            if isinstance(turn, UserTurn | NoteTurn)
        )

    async def _answer(self, stream: ReplyStream) -> str:
        if self.lease.committed is not None:
            return await self._deliver(stream, "redelivered")
        if self.lease.exhausted:
            return await self._close(stream, APOLOGY, dead="crash")
        if self.lease.order is not None:
            self._interrupt = _INTERRUPTS[self.lease.order]
            return await self._cut_short(stream)
        if said := self._said():
            # An earlier attempt said this; the stream that begins here replaces what was shown then.
            self._shown = True
            stream.append("\n\n".join([*said, ""]))
        while True:
            try:
                answered = await self._attempt(stream)
            except Transient as failure:
                return await self._later(stream, failure)
            except Permanent as failure:
                log.error("turn_failed", reason=failure.reason)
                return await self._close(stream, APOLOGY, dead=failure.reason)
            if isinstance(answered, Answered):
                text = self._finish_segment(stream, answered)
                return await self._close(stream, text, outcome="answered")
            if self._interrupt is not Interrupt.JOIN:
                return await self._cut_short(stream)
            self._interrupt = None

    async def _attempt(self, stream: ReplyStream) -> Answered | None:
        """The model's answer, or nothing when the work was interrupted."""
        self._work = asyncio.create_task(self._converse(stream))
        try:
            left = self._services.turn_timeout_s - (time.monotonic() - self._claimed_at)
            await asyncio.wait({self._work}, timeout=max(0.0, left))
            if not self._work.done():
                await self.interrupt(Interrupt.TIME)
                await asyncio.wait({self._work})
        except asyncio.CancelledError:
            self._work.cancel()
            raise
        finally:
            self._written()
        return None if self._work.cancelled() else self._work.result()

    async def _converse(self, stream: ReplyStream) -> Answered:
        self._begin_segment()
        async with aclosing(self._services.loop.run(self)) as events:
            async for event in events:
                match event:
                    case TextDelta():
                        await self._show(stream, event.text)
                    case Asked():
                        await self._record_calls(stream, event)
                    case ToolStarted():
                        if self._services.toolbox.effect(event.call.name) == "write":
                            # Released when the result is on record: an interrupt waits for both or finds neither.
                            await self._lock.acquire()
                            self._writes = self._writing = True
                        stream.status(event)
                    case Results():
                        await self._record_results(stream, event)
                    case Answered():
                        _count(event.usage)
                        return event
        raise Transient("model_stream_unfinished")

    async def _record_calls(self, stream: ReplyStream, event: Asked) -> None:
        text = self._finish_segment(stream, Answered(text=event.text))
        _count(event.usage)
        await self._record([AssistantTurn(text=text, at=datetime.now(UTC), tool_calls=event.calls)], lock=True)
        if text:
            stream.append("\n\n")
        self._begin_segment()

    async def _record_results(self, stream: ReplyStream, event: Results) -> None:
        await self._record([ran.turn for _, ran in event.results], lock=not self._writing)
        self._written()
        for call, ran in event.results:
            stream.status(ToolFinished(call=call, result=ran.turn))

    def _written(self) -> None:
        if self._writing:
            self._writing = False
            self._lock.release()

    async def _record(self, turns: Sequence[Turn], *, lock: bool) -> None:
        if lock:
            async with self._lock:
                await self._record(turns, lock=False)
            return
        self.lease = await self._services.mailbox.step(self.lease, *turns)
        self._turns += turns

    # -------------------------------------------------------------------------------------------------- the text

    def _begin_segment(self) -> None:
        self._segment = ""
        self._outgoing = Outgoing(self._policy())

    async def _show(self, stream: ReplyStream, delta: str) -> None:
        released = self._outgoing.feed(delta)
        if not released:
            return
        if not self._shown:
            async with self._lock:  # mail that is joining at this moment must not find a shown answer
                self._shown = True
            FIRST_TEXT.observe(time.monotonic() - self._claimed_at)
        self._segment += released
        stream.append(released)

    def _finish_segment(self, stream: ReplyStream, answered: Answered) -> str:
        """The segment's text as it may stand."""
        if answered.replaces:
            return clean(answered.text, self._policy())
        rest = self._outgoing.finish()
        if rest:
            stream.append(rest)
        self._segment += rest
        return self._segment.strip()

    def _policy(self) -> Policy:
        return Policy(
            link_hosts=self._services.link_hosts,
            addressee=self.author.id,
            knows=self._knows,
            canaries=self._services.canaries,
        )

    def _knows(self, number: str) -> bool:
        return evidence.knows(self.lease.record, self.author.id, number)

    # --------------------------------------------------------------------------------------------------- the end

    async def _close(
        self, stream: ReplyStream, text: str, *, outcome: str = "given_up", dead: str | None = None
    ) -> str:
        """Commit the turn's last words, with a result for every call that has none, and deliver."""
        if self.audience.is_overheard and any(isinstance(turn, UserTurn) and turn.secrets for turn in self._turns):
            text = f"{text}\n\n{CHANGE_YOUR_KEY}"
        left = [
            refused(call, "cancelled", "This call was not run; the turn ended before.")
            for _, call in Progress.of(self._turns).pending
        ]
        last = [AssistantTurn(text=text, at=datetime.now(UTC))] if text else []
        whole = "\n\n".join(part for part in [*self._said(), text] if part)
        reply = Reply(text=whole, turn=self.number, addressee=self.author.id)
        async with self._lock:
            self.lease = await self._services.mailbox.commit(self.lease, [*left, *last], reply, dead=dead)
        return await self._deliver(stream, outcome)

    def _said(self) -> list[str]:
        return [turn.text for turn in self._turns if isinstance(turn, AssistantTurn) and turn.text]

    async def _deliver(self, stream: ReplyStream, outcome: str) -> str:
        assert self.lease.committed is not None
        if time.monotonic() - self.renewed_at > self._services.lease_s / 2:
            await self._services.mailbox.renew(self.lease)
        try:
            await stream.close(self.lease.committed)
        except Transient as failure:
            if self.lease.attempt < self._services.attempts:
                await self._services.mailbox.release(self.lease, delay_s=self._delay(failure))
                return "undelivered"
            await self._services.mailbox.done(self.lease, dead="undeliverable")
            return "undeliverable"
        except Permanent as failure:
            log.error("reply_undeliverable", reason=failure.reason)
            await self._services.mailbox.done(self.lease, dead=f"undeliverable: {failure.reason}")
            return "undeliverable"
        await self._services.mailbox.done(self.lease)
        return outcome

    async def _later(self, stream: ReplyStream, failure: Transient) -> str:
        """Back to the agenda, unless this was the last attempt or the wait would be longer than a turn may take."""
        hopeless = (failure.retry_after_s or 0.0) > self._services.turn_timeout_s
        log.warning("turn_interrupted", reason=failure.reason, attempt=self.lease.attempt)
        if hopeless or self.lease.attempt >= self._services.attempts:
            return await self._close(stream, APOLOGY, dead=failure.reason)
        await stream.abandon()
        await self._services.mailbox.release(self.lease, delay_s=self._delay(failure))
        return "retried"

    def _delay(self, failure: Transient) -> float:
        return failure.retry_after_s or BACKOFF_S[min(self.lease.attempt, len(BACKOFF_S)) - 1]

    async def _cut_short(self, stream: ReplyStream) -> str:
        match self._interrupt:
            case Interrupt.TIME:
                return await self._close(stream, TIME_LIMIT, outcome="time_limit")
            case Interrupt.STOP | Interrupt.HUMAN:
                words = [self._segment.strip(), STOPPED if self._interrupt is Interrupt.STOP else ""]
                text = "\n\n".join(part for part in words if part)
                return await self._close(stream, text, outcome=self._interrupt.value)
            case Interrupt.DRAIN:
                await stream.abandon()
                await self._services.mailbox.release(self.lease, refund=True)
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
        if self._work is not None and not self._work.done() and self._interrupt in (None, Interrupt.JOIN):
            self._interrupt = reason
            self._work.cancel()

    async def renew(self) -> None:
        """Keep the thread and follow what was ordered; a lost thread is stopped at once."""
        try:
            order = (await self._services.mailbox.renew(self.lease)).order
        except LeaseLost:
            await self.interrupt(Interrupt.LOST)
            return
        except Transient:
            if time.monotonic() - self.renewed_at > self._services.lease_s:
                await self.interrupt(Interrupt.LOST)
            return
        self.renewed_at = time.monotonic()
        if order is not None:
            await self.interrupt(_INTERRUPTS[order])

    async def hear(self) -> None:
        """Something was published about this thread: an order, or mail that may join."""
        await self.renew()
        if self._may_join():
            async with self._lock:
                if not self._may_join():
                    return
                joined = await self._services.mailbox.join(self.lease)
                if joined is not self.lease:
                    came = joined.record.entries[len(self.lease.record.entries) :]
                    self._turns += [entry.turn for entry in came]
                    self.lease = joined
                    self._joins += 1
                    self._cancel(Interrupt.JOIN)

    def _may_join(self) -> bool:
        working = self._work is not None and not self._work.done() and self._interrupt is None
        return working and not self._shown and not self._writes and self._joins < JOINS and not self._pending

    @property
    def _pending(self) -> bool:
        return bool(Progress.of(self._turns).pending)


_INTERRUPTS = {Order.STOP: Interrupt.STOP, Order.PAUSE: Interrupt.HUMAN, Order.HUMAN: Interrupt.HUMAN}


def _count(usage: Usage | None) -> None:
    if usage is not None:
        MODEL_TOKENS.labels(kind="input").inc(usage.input_tokens)
        MODEL_TOKENS.labels(kind="cached").inc(usage.cached_tokens)
        MODEL_TOKENS.labels(kind="output").inc(usage.output_tokens)

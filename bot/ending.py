"""How a turn ends: its last words are committed, delivered and settled; or the thread is given back for another try.

Once a reply is committed nobody can produce another one. Each way of ending gives the word under which the turn counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from bot.accounts import Tally
from bot.budget import Over
from bot.claimed import ClaimedTurn
from bot.conversation import AssistantTurn, Note, NoteTurn, Turn
from bot.errors import LeaseLost, Permanent, Transient
from bot.hold import Hold
from bot.interrupts import Interrupt
from bot.metered import RESTING, TURN_BUDGET
from bot.observe import waited
from bot.opening import is_paused
from bot.ports import Reply, ReplyStream
from bot.sentences import APOLOGY, CHANGE_YOUR_KEY, CUT_SHORT, MODEL_AWAY, STATE_LOST, STOPPED, TIME_LIMIT, TURN_LIMIT
from bot.services import Services
from bot.speech import BETWEEN
from bot.toolbox import refused

log = structlog.get_logger(__name__)

BACKOFF_S = (0.4, 0.8, 1.6)
"""How long a thread rests after the first, second and each later failure."""

DELIVERY_S = 900.0
"""How long an answer that is committed is brought to a platform that cannot take it: an outage loses none."""

UNDELIVERED = "undelivered"
"""Why a turn was given back whose answer its platform could not take."""

REDELIVER_S = 30.0
"""The longest rest between two tries of it."""


class Ending:
    """Ends one turn.

    Args:
        hold: the turn's claim.
        tally: what the turn took.
    """

    def __init__(self, turn: ClaimedTurn, services: Services, hold: Hold, tally: Tally) -> None:
        self.dead: str | None = None
        """Why the turn was given up, if it was."""
        self._turn = turn
        self._services = services
        self._mailbox = services.mailbox
        self._hold = hold
        self._tally = tally
        self._is_delivered = False

    async def close(
        self,
        stream: ReplyStream,
        text: str,
        *,
        outcome: str = "given_up",
        dead: str | None = None,
        notes: Sequence[Turn] = (),
    ) -> str:
        """Commit the turn's last words, with a result for every call that has none, and deliver.

        Args:
            dead: why the turn is given up, which makes a dead letter.
            notes: go onto the record after the words.
        """
        turn, text = self._turn, await self._spoken(text)
        if turn.showed_a_secret:
            text = BETWEEN.join(part for part in (text, await self._spoken(CHANGE_YOUR_KEY)) if part)
        left: list[Turn] = [
            refused(call, "cancelled", "This call was not run; the turn ended before.")
            for _, call in turn.progress().pending
        ]
        said = [AssistantTurn(text=text, at=datetime.now(UTC), measured=self._tally.measured)] if text else []
        last = [*left, *said, *notes]
        whole = BETWEEN.join(part for part in [*turn.said(), text] if part)
        reply = Reply(text=whole, turn=turn.number, addressee=turn.author.id)
        async with self._hold.lock:
            account = self._services.accounts.write(
                self._tally,
                turn=turn.number,
                begins=turn.lease.begins,
                ends=turn.lease.record.length + len(last),
                attempt=turn.lease.attempt,
                outcome=outcome if dead is None else dead,
            )
            turn.take(await self._mailbox.commit(turn.lease, last, reply, dead=dead, account=account))
        self.dead = dead
        return await self.deliver(stream, outcome)

    async def _spoken(self, text: str) -> str:
        """A fixed sentence in the customer's language, also when it ends an answer; any other text as it is."""
        said, ending = (text.removesuffix(CUT_SHORT), CUT_SHORT) if text.endswith(CUT_SHORT) else ("", text)
        return said + await self._services.interpreter.words(self._turn.lease.thread, ending, self._turn.known)

    async def deliver(self, stream: ReplyStream, outcome: str) -> str:
        """Bring the committed reply to the platform, and settle."""
        lease = self._turn.lease
        assert lease.committed is not None
        await self._hold.stay(self._services.lease_s / 2)
        try:
            await stream.close(lease.committed)
        except Transient as failure:
            if self._may_deliver_later():
                await self._mailbox.release(lease, delay_s=self._rest_s(failure), fault=UNDELIVERED)
                return UNDELIVERED
            return await self._undelivered("undeliverable")
        except Permanent as failure:
            log.error("reply_undeliverable", reason=failure.reason)
            return await self._undelivered(f"undeliverable: {failure.reason}")
        self._is_delivered = True
        await self._mailbox.done(lease)
        return outcome

    def _may_deliver_later(self) -> bool:
        """Whether the answer is young enough to be brought again; how often it was tried counts for nothing."""
        said = [turn.at for turn in self._turn.turns() if isinstance(turn, AssistantTurn)]
        age_s = (datetime.now(UTC) - said[-1]).total_seconds() if said else DELIVERY_S
        return age_s < DELIVERY_S

    def _rest_s(self, failure: Transient) -> float:
        growing = BACKOFF_S[0] * 2 ** min(self._turn.lease.attempt - 1, 10)
        return failure.retry_after_s or min(growing, REDELIVER_S)

    async def _undelivered(self, reason: str) -> str:
        await self._mailbox.done(self._turn.lease, dead=reason)
        self.dead = reason
        return "undeliverable"

    async def later(self, stream: ReplyStream, failure: Transient) -> str:
        """Back to the agenda, unless this was the last attempt or the wait would be longer than a turn may take."""
        lease = self._turn.lease
        hopeless = (failure.retry_after_s or 0.0) > self._services.turn_timeout_s
        log.warning("turn_interrupted", reason=failure.reason, attempt=lease.attempt)
        if failure.reason == "model_rate_limited":
            waited("model", self._delay_s(failure))
        if hopeless or lease.attempt >= self._services.attempts:
            return await self.close(stream, APOLOGY, dead=failure.reason)
        await stream.abandon()
        await self._mailbox.release(lease, delay_s=self._delay_s(failure))
        return "retried"

    async def never(self, stream: ReplyStream, failure: Permanent) -> str:
        """Trying again cannot help: an honest sentence, and a dead letter unless nothing is left to be answered."""
        if failure.reason == TURN_BUDGET:
            return await self.close(stream, TURN_LIMIT, outcome="turn_budget")
        log.error("turn_failed", reason=failure.reason)
        if failure.reason != RESTING:
            return await self.close(stream, APOLOGY, dead=failure.reason)
        tenant = self._services.tenant_of(self._turn.lease.thread.space)
        words = await self._services.modelless.words(self._turn, tenant, None)
        if words != MODEL_AWAY:
            return await self.close(stream, words, outcome="limited")
        return await self.close(stream, words, dead=failure.reason)

    async def limited(self, stream: ReplyStream, over: Over) -> str:
        """Serve without the model, because a limit on spending is reached."""
        turn, modelless = self._turn, self._services.modelless
        words = await modelless.words(turn, self._services.tenant_of(turn.lease.thread.space), over)
        await modelless.tell_admins(turn, over)
        if words:
            return await self.close(stream, words, outcome="limited")
        await stream.abandon()
        await self._mailbox.done(turn.lease)
        return "limited"

    async def cut_short(self, stream: ReplyStream, interrupt: Interrupt | None, so_far: str) -> str:
        """What an interrupted turn ends with.

        Args:
            so_far: what the model said since its last call.
        """
        so_far = so_far.strip()
        match interrupt:
            case Interrupt.TIME:
                return await self.close(stream, TIME_LIMIT, outcome="time_limit")
            case Interrupt.STOP:
                stopped = await self._spoken(STOPPED)
                words = BETWEEN.join(part for part in (so_far, stopped) if part)
                return await self.close(stream, words, outcome="stopped")
            case Interrupt.HUMAN:
                return await self.close(stream, so_far, outcome="human")
            case Interrupt.BLOCKED:
                return await self.close(stream, so_far, outcome="blocked")
            case Interrupt.PAUSE:
                return await self._paused(stream, so_far)
            case Interrupt.STANDING if await is_paused(self._turn.lease.thread, self._services):
                return await self._paused(stream, so_far)
            case Interrupt.DRAIN | Interrupt.STANDING:
                await stream.abandon()
                await self._mailbox.release(self._turn.lease, refund=True)
                return "drained"
            case _:
                raise LeaseLost("interrupted")

    async def _paused(self, stream: ReplyStream, so_far: str) -> str:
        turn = self._turn
        note = NoteTurn(
            note=Note.PAUSED,
            author=turn.author,
            text="The answer was interrupted here because Frontdesk was paused. What was asked is still open.",
            audience=turn.audience,
            at=datetime.now(UTC),
        )
        return await self.close(stream, so_far, outcome="paused", notes=[note])

    async def fenced(self) -> str:
        """Somebody else has the thread, and nothing more is said here; unless the thread is gone, and nobody has it."""
        lease = self._turn.lease
        if self._is_delivered or not await self._mailbox.is_gone(lease):
            return "fenced"
        log.error("state_lost")
        await self._services.announcements.say(lease.thread, STATE_LOST, key=f"lost/{lease.token}")
        return "state_lost"

    def _delay_s(self, failure: Transient) -> float:
        return failure.retry_after_s or BACKOFF_S[min(self._turn.lease.attempt, len(BACKOFF_S)) - 1]

"""What may be spent: limits on calls, tokens, money and messages, whose they are, and what is used of them.

Counting costs a turn nothing: each process adds up what it spends and brings it to the shared counts once a second, all
turns together, and learns there what the others spent. So a limit holds exactly within one process that hears of
somebody again and again, and is passed by at most what is spent within a second where several do, or where a process
hears of somebody for the first time or after a rest: of whom nothing is heard, nothing stays in the process.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import structlog

from bot.errors import Transient
from bot.messages import Person, ThreadKey
from bot.observe import CACHED_TOKENS, INPUT_TOKENS, LIMITED, MODEL_COST, OUTPUT_TOKENS
from bot.ports import BudgetLine, Counted, Counts, Usage, Window
from bot.principal import person_ref

log = structlog.get_logger(__name__)

DAY_S, HOUR_S = 86_400, 3_600

FLUSH_S = 1.0
"""How often what was spent is brought to the shared counts."""

PARTS_OF_MONEY = 1_000_000
"""Money is counted in millionths, because counts are whole numbers."""

KNOWN = 20_000
"""Counts that a process remembers; the oldest are forgotten and asked for again with the next spending."""

REST_S = 30.0
"""How long after the last spending a process remembers a count; one at its limit it remembers until the window ends."""

_MILLION = 1_000_000
_UNITS = ("calls", "tokens", "money")
_PAIR = re.compile(r"(calls|tokens|money)=(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much of what may be spent, within a time that the setting names; absent: no limit.

    Args:
        calls: requests to a model.
        tokens: of requests and answers together, as the endpoint counts them.
        money: in the currency of the prices.
    """

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `calls=40 tokens=1000000 money=2.50`; any of them may be absent.

        Raises:
            ValueError: says how to write it.
        """
        parts = [part for part in re.split(r"[\s,]+", text) if part]
        pairs = [_PAIR.fullmatch(part) for part in parts]
        if not all(pairs):
            raise ValueError("write it as calls=40 tokens=1000000 money=2.50, any of them or none")
        values = {pair[1]: float(pair[2]) for pair in pairs if pair}
        whole = {unit: int(values[unit]) for unit in ("calls", "tokens") if unit in values}
        return cls(**whole, money=values.get("money"))

    def limits(self) -> Mapping[str, float]:
        """Unit -> limit."""
        values = {unit: getattr(self, unit) for unit in _UNITS}
        return {unit: float(value) for unit, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a million tokens cost; cached ones are input that the provider had in its cache."""

    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0

    def cost(self, usage: Usage) -> float:
        """What a request cost."""
        fresh = usage.input_tokens - usage.cached_tokens
        parts = fresh * self.input + usage.cached_tokens * self.cached + usage.output_tokens * self.output
        return parts / _MILLION


@dataclass(slots=True, kw_only=True)
class Spending:
    """What one turn has spent so far."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    money: float = 0.0

    def amounts(self) -> Mapping[str, float]:
        """Unit -> amount."""
        return {"calls": self.calls, "tokens": self.input_tokens + self.output_tokens, "money": self.money}


_SPENDING: ContextVar[Spending | None] = ContextVar("spending", default=None)


def begin_spending() -> Spending:
    """What is asked of models in this task, and in those that it starts, is counted here from now on."""
    spending = Spending()
    _SPENDING.set(spending)
    return spending


class Meter:
    """Counts what models are asked and what it costs, for the turn that asks.

    Args:
        turn: what one turn may spend.
    """

    def __init__(self, prices: Prices, turn: Allowance) -> None:
        self._prices = prices
        self._limits = turn.limits()

    def may_ask(self) -> bool:
        """Whether the turn may make a further request."""
        spending = _SPENDING.get()
        if spending is None:
            return True
        for unit, amount in spending.amounts().items():
            if amount >= self._limits.get(unit, math.inf):
                LIMITED.labels(scope="turn", unit=unit).inc()
                return False
        return True

    def asked(self) -> None:
        """A request is made."""
        if (spending := _SPENDING.get()) is not None:
            spending.calls += 1

    def used(self, usage: Usage) -> None:
        """A request has told what it used."""
        cost = self._prices.cost(usage)
        INPUT_TOKENS.inc(usage.input_tokens)
        CACHED_TOKENS.inc(usage.cached_tokens)
        OUTPUT_TOKENS.inc(usage.output_tokens)
        MODEL_COST.inc(cost)
        if (spending := _SPENDING.get()) is not None:
            spending.input_tokens += usage.input_tokens
            spending.cached_tokens += usage.cached_tokens
            spending.output_tokens += usage.output_tokens
            spending.money += cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the settings allow.

    Args:
        thread, person, organisation, day: within a day, for a thread, a person, an organisation, and all together.
        messages_per_hour: of one person.
    """

    turn: Allowance = field(default_factory=Allowance)
    thread: Allowance = field(default_factory=Allowance)
    person: Allowance = field(default_factory=Allowance)
    organisation: Allowance = field(default_factory=Allowance)
    day: Allowance = field(default_factory=Allowance)
    messages_per_hour: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A limit that is reached.

    Args:
        scope: whose it is: `thread`, `person`, `organisation`, `day`, or `messages` of a person.
        name: of whom, exactly; for keys, not for people.
    """

    scope: str
    unit: str
    name: str
    ends_at: datetime


class LedgerBudgets:
    """See `bot.ports.Budgets`; and the place where spending is added up.

    Args:
        counts: shared by all processes.
        tenant_of: space -> tenant; organisations are told apart within one.
        now: the clock, aware UTC.
    """

    def __init__(
        self,
        counts: Counts,
        limits: Limits,
        *,
        tenant_of: Callable[[str], str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._counts = counts
        self._limits = {scope: getattr(limits, scope).limits() for scope in ("thread", "person", "organisation", "day")}
        self._messages = limits.messages_per_hour
        self._tenant_of = tenant_of
        self._now = now
        self._known: dict[Window, tuple[datetime, Counted]] = {}
        """When it was learned, and what; oldest first."""
        self._pending: dict[Window, int] = {}
        self._bringing: dict[Window, int] = {}
        self._flushing = asyncio.Lock()

    # ---------------------------------------------------------------------------------------------------- spending

    def over(self, thread: ThreadKey, person: Person) -> Over | None:
        """The first limit on spending that is reached for this thread and person, as far as this process knows."""
        for scope, name in self._scopes(thread, person).items():
            for unit, limit in self._limits[scope].items():
                if (over := self._reached(scope, unit, _spending_window(scope, unit, name), limit)) is not None:
                    return over
        return None

    def spend(self, thread: ThreadKey, person: Person, spending: Spending) -> None:
        """Add what a turn has spent; a turn that is tried again spends again."""
        amounts = spending.amounts()
        for scope, name in self._scopes(thread, person).items():
            for unit in self._limits[scope]:
                self._add(_spending_window(scope, unit, name), _whole(unit, amounts[unit]))

    def too_many_messages(self, thread: ThreadKey, person: Person) -> Over | None:
        """Whether this person has sent as many messages within an hour as one may. Those who work here may."""
        if not self._messages or person.is_staff:
            return None
        return self._reached("messages", "messages", _messages_window(thread, person), self._messages)

    def take_message(self, thread: ThreadKey, person: Person, count: int = 1) -> None:
        """A message of this person is being accepted; -1 takes that back when it was not."""
        if self._messages and not person.is_staff:
            self._add(_messages_window(thread, person), count)

    def _scopes(self, thread: ThreadKey, person: Person) -> Mapping[str, str]:
        scopes = {"thread": str(thread), "person": person_ref(thread, person.id)}
        if person.organisation:
            scopes["organisation"] = f"{self._tenant_of(thread.space)}/{thread.platform}/{person.organisation}"
        return scopes | {"day": "all"}

    def _reached(self, scope: str, unit: str, window: Window, limit: float) -> Over | None:
        _, counted = self._known.get(window, (None, None))
        now = self._now()
        total = counted.total if counted is not None and counted.ends_at > now else 0
        if total + self._bringing.get(window, 0) + self._pending.get(window, 0) < _whole(unit, limit):
            return None
        LIMITED.labels(scope=scope, unit=unit).inc()
        ends_at = counted.ends_at if total and counted is not None else now + timedelta(seconds=window.lasts_s)
        return Over(scope=scope, unit=unit, name=window.name, ends_at=ends_at)

    def _add(self, window: Window, amount: int) -> None:
        if total := self._pending.pop(window, 0) + amount:
            self._pending[window] = total

    # ---------------------------------------------------------------------------------------------------- together

    async def run(self) -> None:
        """Bring what was spent to the shared counts, until cancelled; the last of it as well."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Bring what was spent to the shared counts, and learn what they are; what cannot be brought is kept."""
        async with self._flushing:
            self._forget()
            self._bringing, self._pending = self._pending, {}
            if not self._bringing:
                return
            try:
                self._learn(await self._counts.add(self._bringing))
            except Transient as failure:
                log.warning("spending_kept_back", reason=failure.reason)
                for window, amount in self._bringing.items():
                    self._add(window, amount)
            self._bringing = {}

    def _forget(self) -> None:
        """Drop who was not heard of for `REST_S`, so that nothing stays of threads in which nobody speaks."""
        now = self._now()
        rested = itertools.takewhile(lambda known: (now - known[1][0]).total_seconds() >= REST_S, self._known.items())
        for window, (_, counted) in list(rested):
            del self._known[window]
            if counted.ends_at > now and counted.total >= self._limit_of(window):
                self._known[window] = (now, counted)

    def _limit_of(self, window: Window) -> float:
        unit, scope, _ = window.name.split("/", 2)
        return self._messages if unit == "messages" else _whole(unit, self._limits[scope][unit])

    def _learn(self, counted: Mapping[Window, Counted]) -> None:
        now = self._now()
        for window, count in counted.items():
            self._known.pop(window, None)
            self._known[window] = (now, count)
        for window in list(self._known)[: max(0, len(self._known) - KNOWN)]:
            del self._known[window]

    async def status(self, thread: ThreadKey, person: Person | None = None) -> Sequence[BudgetLine]:
        """See `bot.ports.Budgets`."""
        await self.flush()
        someone = person or Person(id="", display_name="")
        scopes = {scope: name for scope, name in self._scopes(thread, someone).items() if person or scope != "person"}
        limits = [
            (scope, unit, limit, _spending_window(scope, unit, name))
            for scope, name in scopes.items()
            for unit, limit in self._limits[scope].items()
        ]
        if person is not None and self._messages:
            limits.append(("messages", "messages", self._messages, _messages_window(thread, person)))
        counted = await self._counts.read([window for *_, window in limits])
        return [
            BudgetLine(
                scope=scope,
                unit=unit,
                used=counted[window].total / (PARTS_OF_MONEY if unit == "money" else 1) if window in counted else 0,
                limit=limit,
                ends_at=counted[window].ends_at if window in counted else None,
            )
            for scope, unit, limit, window in limits
        ]


def _spending_window(scope: str, unit: str, name: str) -> Window:
    return Window(name=f"{unit}/{scope}/{name}", lasts_s=DAY_S)


def _messages_window(thread: ThreadKey, person: Person) -> Window:
    return Window(name=f"messages/person/{person_ref(thread, person.id)}", lasts_s=HOUR_S)


def _whole(unit: str, amount: float) -> int:
    return round(amount * PARTS_OF_MONEY) if unit == "money" else int(amount)

"""What one turn took and which gates its calls met: kept for `/support why`, the last answered turn of each thread."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime

import msgspec

from bot.conversation import Measured
from bot.messages import ThreadKey
from bot.ports import Mailbox, Usage


class Account(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A turn as it was worked on, its last attempt.

    Args:
        begins: index on the record of the turn's first entry.
        ends: index on the record after its last one.
        requests: tokens of each model call, as (input, cached, output); zeros where the endpoint told none.
        gates: call id -> (gate, `passed` or the rule that refused), in the order in which the gates were met.
        model: who answered.
        settings: hash of the settings that were in force.
    """

    turn: int
    begins: int
    ends: int
    at: datetime
    duration_ms: int
    attempt: int
    outcome: str
    requests: list[tuple[int, int, int]]
    gates: dict[str, list[tuple[str, str]]]
    model: str
    settings: str


class Tally:
    """Counts while a turn is worked on."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, int, int]] = []
        self.gates: dict[str, list[tuple[str, str]]] = {}
        self.faults: dict[str, str] = {}
        """Tool -> how it failed."""
        self.measured: Measured | None = None
        """How large the last request was, where the endpoint told."""
        self._begun = time.monotonic()

    @property
    def duration_s(self) -> float:
        """How long it has been."""
        return time.monotonic() - self._begun

    def asked(self, usage: Usage | None) -> None:
        """A model has answered."""
        told = (usage.input_tokens, usage.cached_tokens, usage.output_tokens) if usage else (0, 0, 0)
        self.requests.append(told)
        self.measured = _measured(usage)

    def ran(self, call_id: str, requires: Collection[str], rule: str | None) -> None:
        """A call ran, or a rule refused it."""
        met = [(gate, REFUSALS[gate] if rule == REFUSALS[gate] else "passed") for gate in sorted(requires)]
        if rule is not None and all(result != rule for _, result in met):
            met.append(("rule", rule))
        if met:
            self.gates[call_id] = met


REFUSALS = {"verified": "verification_required"}
"""Gate -> the rule by which it refuses."""


class Accounts:
    """The account of the last answered turn of each thread; the mailbox keeps it with the answer.

    Args:
        model: who answers.
        settings: hash of the settings that are in force.
    """

    def __init__(self, mailbox: Mailbox, *, model: str, settings: str) -> None:
        self._mailbox = mailbox
        self._model = model
        self._settings = settings

    def write(self, tally: Tally, *, turn: int, begins: int, ends: int, attempt: int, outcome: str) -> bytes:
        """The account of a turn, to be committed with its answer; empty where no model was asked."""
        if not tally.requests:
            return b""
        account = Account(
            turn=turn,
            begins=begins,
            ends=ends,
            at=datetime.now(UTC).replace(microsecond=0),
            duration_ms=round(tally.duration_s * 1000),
            attempt=attempt,
            outcome=outcome,
            requests=tally.requests,
            gates=tally.gates,
            model=self._model,
            settings=self._settings,
        )
        return msgspec.msgpack.encode(account)

    async def find(self, thread: ThreadKey) -> Account | None:
        """The account of the thread's last answer."""
        stored = await self._mailbox.account(thread)
        return None if stored is None else msgspec.msgpack.decode(stored, type=Account)


def _measured(usage: Usage | None) -> Measured | None:
    if usage is None or not usage.request_bytes or usage.input_tokens <= 0:
        return None
    return Measured(size_bytes=usage.request_bytes, tokens=usage.input_tokens)

"""The window of history that fits the budget. Pure.

The window moves in large steps: when it is over budget it is cut to half of it, at a message of a person, and then
grows again. So the beginning of what a model is sent stays byte-identical from request to request for as long as
possible, and a provider's prompt cache keeps matching it.

What a message costs is estimated from its bytes until the endpoint has counted a request; from then on it follows from
the last request that it counted, which stands on the record with the answer to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.conversation import AssistantTurn, Conversation

BYTES_PER_TOKEN = 3
"""Estimate for JSON in UTF-8, on the careful side: English has about 4 bytes a token, Japanese about 3."""

MESSAGE_TOKENS = 4
"""What a message costs beside its bytes, by the same estimate."""

LEAST_BYTES_PER_TOKEN, MOST_BYTES_PER_TOKEN = 1.0, 6.0
"""No endpoint counts otherwise; one that seems to counts something else."""

LOOK_BACK = 8
"""How many entries before a turn the last answer may be; nearly always it is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What messages cost in tokens: estimated, until the endpoint has counted a request of the conversation."""

    bytes_per_token: float = BYTES_PER_TOKEN
    message_tokens: int = MESSAGE_TOKENS

    def of(self, size_bytes: int, messages: int = 1) -> int:
        """The cost of messages of this size together, in tokens."""
        return int(size_bytes / self.bytes_per_token) + messages * self.message_tokens


ESTIMATE = Price()


def price(record: Conversation, *, begins: int) -> Price:
    """What a conversation's messages cost, by the request that led to the last answer of an earlier turn.

    It follows from the record alone, and nothing that the running turn adds changes it: whoever takes the turn over
    comes to the same window.
    """
    return _priced(record, begins)[0]


def _priced(record: Conversation, begins: int) -> tuple[Price, int]:
    """The price, and the place of the entry that tells it; the end where none does."""
    end = max(0, begins - record.start)
    for place in range(end - 1, max(-1, end - 1 - LOOK_BACK), -1):
        if not (entry := record.entries[place]).wire.startswith(b'{"role":"assistant"'):
            continue
        turn = entry.turn
        if not isinstance(turn, AssistantTurn) or turn.measured is None or turn.measured.tokens <= 0:
            break
        counted = turn.measured.size_bytes / turn.measured.tokens
        # What stands around a message is among the bytes that were counted.
        return Price(
            bytes_per_token=min(max(counted, LEAST_BYTES_PER_TOKEN), MOST_BYTES_PER_TOKEN), message_tokens=0
        ), place
    return ESTIMATE, end


def window(record: Conversation, *, budget_tokens: int, begins: int) -> Conversation:
    """The end of the record that fits.

    Args:
        record: what was read of the record.
        budget_tokens: what the messages may cost.
        begins: index on the record of the running turn's first entry, which is never cut away.

    Returns:
        The same record while it fits; else one that starts later and costs at most half the budget, unless the
        running turn alone costs more.
    """
    size_bytes, count = record.entries.size_bytes, len(record.entries)  # a row is longer than the message in it
    if size_bytes / LEAST_BYTES_PER_TOKEN + count * MESSAGE_TOKENS <= budget_tokens:
        return record
    found, place = _priced(record, begins)
    if found.of(size_bytes, count) <= budget_tokens:
        return record
    costs = [found.of(len(wire)) for wire in record.messages()]
    if sum(costs) <= budget_tokens:
        return record
    cut = _cut(record, costs, budget_tokens // 2, begins)
    # A window without the entry that priced it would be priced otherwise, and cut again, the next time.
    return cut if cut.start <= record.start + place else _from(record, begins)


def halved(record: Conversation, *, begins: int) -> Conversation:
    """A window of about half the size, for a model that reads less than was thought."""
    costs = [ESTIMATE.of(len(wire)) for wire in record.messages()]
    return _cut(record, costs, sum(costs) // 2, begins)


def _cut(record: Conversation, costs: Sequence[int], target: int, begins: int) -> Conversation:
    """Drop entries from the front until the rest costs at most `target`, at the next entry that begins a turn."""
    last = max(0, begins - record.start)
    rest = sum(costs)
    cut = 0
    while cut < last and (rest > target or not record.entries[cut].begins_turn):
        rest -= costs[cut]
        cut += 1
    return _from(record, record.start + cut)


def _from(record: Conversation, start: int) -> Conversation:
    return Conversation(entries=record.entries[start - record.start :], start=start)

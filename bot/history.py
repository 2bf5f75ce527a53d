"""The window of history that fits the budget. Pure.

The window moves in large steps: when it is over budget it is cut to half of it, at a message of a person, and then
grows again. So the beginning of what a model is sent stays byte-identical from request to request for as long as
possible, and a provider's prompt cache keeps matching it.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.conversation import Conversation

BYTES_PER_TOKEN = 3
"""Estimate for JSON in UTF-8, on the careful side: English has about 4 bytes a token, Japanese about 3."""

MESSAGE_TOKENS = 4
"""What a message costs beside its bytes."""


def tokens(wire: bytes) -> int:
    """The estimated cost of one message, in tokens."""
    return len(wire) // BYTES_PER_TOKEN + MESSAGE_TOKENS


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
    rows = record.entries.rows
    if sum(map(len, rows)) // BYTES_PER_TOKEN + len(rows) * MESSAGE_TOKENS <= budget_tokens:
        return record  # a row is longer than the message in it
    costs = [tokens(wire) for wire in record.messages()]
    if sum(costs) <= budget_tokens:
        return record
    return _cut(record, costs, budget_tokens // 2, begins)


def halved(record: Conversation, *, begins: int) -> Conversation:
    """A window of about half the size, for a model that reads less than was thought."""
    costs = [tokens(wire) for wire in record.messages()]
    return _cut(record, costs, sum(costs) // 2, begins)


def _cut(record: Conversation, costs: Sequence[int], target: int, begins: int) -> Conversation:
    """Drop entries from the front until the rest costs at most `target`, at the next entry that begins a turn."""
    last = max(0, begins - record.start)
    rest = sum(costs)
    cut = 0
    while cut < last and (rest > target or not record.entries[cut].begins_turn):
        rest -= costs[cut]
        cut += 1
    return Conversation(entries=record.entries[cut:], start=record.start + cut)

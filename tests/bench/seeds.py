"""Conversations that are there already: the same rows as Frontdesk and the bare loop would have left behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from redis.asyncio import Redis

from bot.conversation import AssistantTurn, Entry, ToolCall, ToolTurn, UserTurn
from bot.llm.wire import to_wire
from bot.messages import Audience
from bot.store import codec
from bot.store.keys import Partition
from tests.bench.crowd import ADA, thread_of
from tests.bench.model import ARGUMENTS

BATCH_ROWS = 1_000
RESULT = '{"status":"out for delivery","eta":"2024-11-08"}'
EARLIER_QUESTION = "And where is my order 123123?"
EARLIER_ANSWER = "It is out for delivery and arrives on Friday."
ROWS_PER_TURN = 4


def earlier(turns: int) -> Iterator[Entry]:
    """The record of that many turns: a question, a call, its result, an answer."""
    at = datetime(2024, 11, 8, 14, 3, tzinfo=UTC)
    for turn in range(1, turns + 1):
        call_id = f"call_{turn}_0_0"
        call = ToolCall(id=call_id, name="look_up_order", arguments=ARGUMENTS)
        asked = f"early.{turn}"
        yield from (
            codec.encode(entry, to_wire)
            for entry in (
                UserTurn(message_ids=(asked,), author=ADA, text=EARLIER_QUESTION, audience=Audience.SHARED, at=at),
                AssistantTurn(text="", at=at, tool_calls=(call,)),
                ToolTurn(call_id=call_id, content=RESULT, at=at, duration_ms=3),
                AssistantTurn(text=EARLIER_ANSWER, at=at),
            )
        )


def floor_key(root: str) -> str:
    """Where the bare loop keeps a conversation."""
    return f"floor:{root}"


async def seed(redis: Redis, roots: Sequence[str], turns: int) -> None:
    """Give every thread this many earlier turns, in the mailbox and in the bare loop's list."""
    entries = list(earlier(turns))
    at = Partition(0)
    for root in roots:
        for start in range(0, len(entries), BATCH_ROWS):
            some = entries[start : start + BATCH_ROWS]
            async with redis.pipeline(transaction=False) as pipe:
                pipe.rpush(at.turns(thread_of(root)), *(entry.row for entry in some))
                pipe.rpush(floor_key(root), *(entry.wire for entry in some))
                await pipe.execute()
        await redis.hset(at.meta(thread_of(root)), mapping={"turn": turns, "window": 0, f"party:{ADA.id}": 1})

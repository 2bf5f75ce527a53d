"""`frontdesk replay`: a conversation with every request that led to it, rebuilt from its record. Pure.

What a model was sent is on the record byte for byte: a request is the system prompt, the window of entries before the
answer, and the tools. The window follows from the record and the budget; after a context overflow the real one was
smaller than what is shown here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot import history
from bot.conversation import AssistantTurn, Conversation, Entry, NoteTurn, StaffTurn, ToolTurn, Turn, UserTurn


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a model was asked, and the entry that it answered with.

    Args:
        index: of the answer on the record.
        start: index on the record of the first message that was sent.
        messages: as they were sent, after the system prompt.
    """

    index: int
    start: int
    messages: tuple[bytes, ...]
    answer: Entry


def requests(record: Conversation, *, budget_tokens: int) -> Iterator[Request]:
    """Every request of a whole record, oldest first."""
    window, begins, is_mail = Conversation(start=record.start), record.start, False
    for index, entry in enumerate(record.entries, record.start):
        turn = entry.turn
        if isinstance(turn, AssistantTurn):
            if is_mail:
                window = history.window(window, budget_tokens=budget_tokens, begins=begins)
            messages = tuple(before.wire for before in window.entries)
            yield Request(index=index, start=window.start, messages=messages, answer=entry)
        if isinstance(turn, AssistantTurn | ToolTurn):
            is_mail = False
        elif not is_mail:
            begins, is_mail = index, True
        window = window.extended((entry,))


def render(turn: Turn) -> str:
    """One entry as a developer reads it."""
    match turn:
        case UserTurn() | StaffTurn():
            return f"{turn.author.display_name}: {turn.text}"
        case NoteTurn():
            return f"note ({turn.note}): {turn.text}"
        case ToolTurn():
            return f"result of {turn.call_id} after {turn.duration_ms} ms: {turn.content}"
        case AssistantTurn():
            calls = [f"\n  calls {call.name} {call.arguments} as {call.id}" for call in turn.tool_calls]
            return f"Frontdesk: {turn.text}{''.join(calls)}"

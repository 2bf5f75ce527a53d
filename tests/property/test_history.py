"""The window of history, for any record and any budget."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import AssistantTurn, Conversation, Measured, StaffTurn, ToolCall, Turn, UserTurn
from bot.history import ESTIMATE, LEAST_BYTES_PER_TOKEN, MOST_BYTES_PER_TOKEN, Price, halved, price, window
from bot.llm.wire import to_wire
from bot.replay import requests
from bot.store import codec
from tests.talk import ADA, answered, resulted, said

words = st.text(alphabet="abc ", max_size=200)
measurements = st.none() | st.builds(Measured, size_bytes=st.integers(1, 20_000), tokens=st.integers(0, 20_000))


@st.composite
def turns(draw: st.DrawFn) -> list[Turn]:
    """One turn as the record keeps it: messages, rounds of calls with their results, last words."""
    kept: list[Turn] = [said(draw(words)) for _ in range(draw(st.integers(1, 2)))]
    for number in range(draw(st.integers(0, 2))):
        calls = [ToolCall(id=f"c{number}{i}", name="t", arguments="{}") for i in range(draw(st.integers(1, 3)))]
        kept.append(answered("", *calls))
        kept += [resulted(call.id, draw(words)) for call in calls]
    kept.append(replace(answered(draw(words)), measured=draw(measurements)))
    return kept


@st.composite
def asides(draw: st.DrawFn) -> list[Turn]:
    """What a colleague says between turns, unanswered."""
    return [StaffTurn(message_ids=("m",), author=ADA, text=draw(words), at=said("").at)]


records = st.lists(turns(), min_size=1, max_size=12)
overheard = st.lists(turns() | asides(), min_size=1, max_size=12)


def built(parts: list[list[Turn]]) -> tuple[Conversation, int]:
    """The record, and where its last turn begins."""
    rows = [codec.encode(turn, to_wire) for part in parts for turn in part]
    return Conversation().extended(tuple(rows)), len(rows) - len(parts[-1])


def cost(record: Conversation, by: Price = ESTIMATE) -> int:
    return sum(by.of(len(entry.wire)) for entry in record.entries)


@pytest.mark.behaviour("history.window")
@given(overheard, st.integers(50, 3_000))
def test_the_window_is_a_valid_end_of_the_record_within_its_budget(parts: list[list[Turn]], budget: int) -> None:
    record, begins = built(parts)
    cut = window(record, budget_tokens=budget, begins=begins)
    assert cut.entries == record.entries[cut.start :]
    assert cut.start <= begins
    assert cut.entries[0].begins_turn
    counted = price(record, begins=begins)
    if cut.start < begins:
        assert cost(cut, counted) <= budget
    if cost(record, counted) <= budget:
        assert cut == record


@pytest.mark.behaviour("history.steps")
@given(overheard, st.integers(50, 3_000))
def test_the_window_moves_in_large_steps(parts: list[list[Turn]], budget: int) -> None:
    record, begins = built(parts)
    cut = window(record, budget_tokens=budget, begins=begins)
    if 0 < cut.start < begins:
        assert cost(cut, price(record, begins=begins)) <= budget // 2
    assert window(cut, budget_tokens=budget, begins=begins) == cut, "whoever takes the turn over comes to another"


@pytest.mark.behaviour("history.counted")
@given(records, st.integers(50, 3_000), st.floats(LEAST_BYTES_PER_TOKEN, MOST_BYTES_PER_TOKEN))
def test_the_window_is_within_its_budget_as_the_endpoint_counts(
    parts: list[list[Turn]], budget: int, bytes_per_token: float
) -> None:
    """Before the last turn the endpoint counted a request of its own length."""
    size_bytes = 10_000
    told = replace(
        answered("yes"), measured=Measured(size_bytes=size_bytes, tokens=round(size_bytes / bytes_per_token))
    )
    record, begins = built([*parts[:-1], [said("hello"), told], parts[-1]])
    cut = window(record, budget_tokens=budget, begins=begins)
    counted = sum(len(entry.wire) for entry in cut.entries) / bytes_per_token
    assert cut.start == begins or counted <= budget * 1.01 + len(cut.entries)
    if sum(len(entry.wire) for entry in record.entries) / bytes_per_token < budget * 0.99:
        assert cut == record, "what fits is not cut"


@pytest.mark.behaviour("history.window")
@given(overheard)
def test_a_halved_window_costs_at_most_half_unless_the_running_turn_costs_more(parts: list[list[Turn]]) -> None:
    record, begins = built(parts)
    half = halved(record, begins=begins)
    assert half.start == begins or cost(half) <= cost(record) // 2


@pytest.mark.behaviour("history.replay")
@given(records, st.integers(50, 3_000))
def test_a_replay_shows_what_the_model_was_sent(parts: list[list[Turn]], budget: int) -> None:
    """Played turn by turn as the worker does it, every request is the one that the replay rebuilds."""
    sent: list[tuple[int, list[bytes]]] = []
    kept = Conversation()
    for part in parts:
        begins = kept.length
        mail = sum(1 for turn in part if isinstance(turn, UserTurn))
        kept = kept.extended(tuple(codec.encode(turn, to_wire) for turn in part[:mail]))
        kept = window(kept, budget_tokens=budget, begins=begins)
        for turn in part[mail:]:
            if isinstance(turn, AssistantTurn):
                sent.append((kept.length, [entry.wire for entry in kept.entries]))
            kept = kept.extended((codec.encode(turn, to_wire),))
    record, _ = built(parts)
    rebuilt = [(request.index, list(request.messages)) for request in requests(record, budget_tokens=budget)]
    assert rebuilt == sent

"""The tool-calling loop: ask the model, run the tools, ask again.

It yields events, and goes on only when the consumer asks for the next one. So whoever consumes has put an event on
the record before anything follows from it: the calls are on record before a tool runs, the results before the model is
asked again. The loop keeps nothing of its own. What is done and what is pending it reads from the turn's entries, so
going on after a crash and beginning are the same thing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import orjson

from bot.conversation import AssistantTurn, ToolCall, ToolTurn, Turn
from bot.errors import ContextOverflow, Permanent, Transient
from bot.ports import ChatModel, Completion, ModelRequest, RequestedCall, TextDelta, ToolStarted, Usage
from bot.sentences import CUT_SHORT, STEP_LIMIT, WITHHELD
from bot.toolbox import Ran, Toolset, refused

REPEATED = "repeated_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLimits:
    """Args:
    steps: rounds of tool calls in one turn.
    calls_per_step: calls of one round that run; the rest is refused.
    repeats: how often the same call with the same arguments runs in one turn.
    """

    steps: int = 25
    calls_per_step: int = 8
    repeats: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The model asked for calls; they are put on the record before they run."""

    text: str
    calls: tuple[ToolCall, ...]
    usage: Usage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Results of calls, in the order of the calls."""

    results: tuple[tuple[ToolCall, Ran], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The model's last words in this turn. `replaces` says that what was shown of them is not to stand."""

    text: str
    usage: Usage | None = None
    replaces: bool = False


LoopEvent = TextDelta | Asked | ToolStarted | Results | Answered


class RunningTurn(Protocol):
    """What the loop reads of a turn, fresh each time, and what it does through it."""

    @property
    def number(self) -> int:
        """The turn's number in the thread."""

    def turns(self) -> Sequence[Turn]:
        """The turn's own entries."""

    def messages(self) -> bytes:
        """The window of the conversation as Chat Completions messages, with a comma between two."""

    def shrink(self) -> None:
        """Make the window smaller, because the model reads less than was thought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a turn has done, read from its entries. Pure.

    Args:
        rounds: how often the model asked for calls.
        pending: calls of the last round without a result, with their place in the round.
        earlier: how often each (name, arguments) was asked for before the pending calls.
        repeats: how many calls were refused as repeated.
    """

    rounds: int
    pending: tuple[tuple[int, ToolCall], ...]
    earlier: Counter[tuple[str, str]]
    repeats: int

    @classmethod
    def of(cls, turns: Sequence[Turn]) -> Progress:
        """Read it from a turn's entries."""
        asked = [turn for turn in turns if isinstance(turn, AssistantTurn) and turn.tool_calls]
        if not asked:
            return cls(rounds=0, pending=(), earlier=Counter(), repeats=0)
        results = {turn.call_id: turn for turn in turns if isinstance(turn, ToolTurn)}
        last = asked[-1].tool_calls
        pending = tuple((place, call) for place, call in enumerate(last) if call.id not in results)
        waiting = {call.id for _, call in pending}
        earlier = Counter(_same(call) for turn in asked for call in turn.tool_calls if call.id not in waiting)
        repeats = sum(f'"{REPEATED}"' in result.content for result in results.values() if result.is_error)
        return cls(rounds=len(asked), pending=pending, earlier=earlier, repeats=repeats)


class Loop:
    """The loop of one process; it serves any number of turns at once.

    Args:
        model: answers.
    """

    def __init__(self, model: ChatModel, *, limits: LoopLimits | None = None) -> None:
        self._model = model
        self._limits = limits or LoopLimits()

    async def run(
        self, turn: RunningTurn, system: str, tools: Toolset, call: Callable[[ToolCall], Awaitable[Ran]]
    ) -> AsyncGenerator[LoopEvent]:
        """Work on a turn until it is answered.

        Args:
            system: the stable prefix of each request.
            tools: what the model may call.
            call: runs one call.

        Raises:
            Transient, Permanent: from the model; what is on the record stays valid and the turn can go on later.
        """
        overflowed = False
        while True:
            progress = Progress.of(turn.turns())
            if progress.pending:
                async with aclosing(self._run_pending(progress, tools, call)) as events:
                    async for event in events:
                        yield event
                continue
            may_call = progress.rounds < self._limits.steps and progress.repeats < self._limits.repeats
            completion: Completion | None = None
            try:
                request = ModelRequest(system=system, messages=turn.messages(), tools=tools.specs, may_call=may_call)
                async with aclosing(self._model.stream(request)) as answer:
                    async for item in answer:
                        if isinstance(item, TextDelta):
                            yield item
                        else:
                            completion = item
            except ContextOverflow:
                if overflowed:
                    raise Permanent("model_context_overflow") from None
                overflowed = True
                turn.shrink()
                continue
            if completion is None:
                raise Transient("model_stream_unfinished")
            if completion.calls and may_call:
                calls = tuple(_ours(call, turn.number, progress.rounds, i) for i, call in enumerate(completion.calls))
                yield Asked(text=completion.text, calls=calls, usage=completion.usage)
                continue
            yield _last_words(completion, may_call=may_call)
            return

    async def _run_pending(
        self, progress: Progress, tools: Toolset, run: Callable[[ToolCall], Awaitable[Ran]]
    ) -> AsyncGenerator[LoopEvent]:
        earlier = progress.earlier.copy()
        for batch in _batches(progress.pending, tools):
            admitted: list[tuple[ToolCall, Ran | None]] = []
            for place, call in batch:
                admitted.append((call, self._refusal(place, call, earlier)))
                earlier[_same(call)] += 1
            for call, refusal in admitted:
                if refusal is None:
                    yield ToolStarted(call=call)
            ran = iter(await asyncio.gather(*(run(call) for call, refusal in admitted if refusal is None)))
            yield Results(results=tuple((call, refusal or next(ran)) for call, refusal in admitted))

    def _refusal(self, place: int, call: ToolCall, earlier: Counter[tuple[str, str]]) -> Ran | None:
        if place >= self._limits.calls_per_step:
            rule, why = "over_limit", f"At most {self._limits.calls_per_step} calls run at once. Ask again if needed."
        elif earlier[_same(call)] >= self._limits.repeats:
            rule, why = REPEATED, "This call was made before with these arguments; its result is above. Answer with it."
        else:
            return None
        return Ran(turn=refused(call, rule, why), rule=rule)


def _batches(pending: Sequence[tuple[int, ToolCall]], tools: Toolset) -> Iterator[list[tuple[int, ToolCall]]]:
    """Neighbouring calls that only read run together; a call that writes runs alone, in its place."""
    for writes, group in groupby(pending, key=lambda item: tools.effect(item[1].name) == "write"):
        if writes:
            yield from ([item] for item in group)
        else:
            yield list(group)


def _ours(call: RequestedCall, turn: int, round_number: int, place: int) -> ToolCall:
    """A call under an id of ours: a provider's ids may be empty or repeat, and a key of a write is made of this one."""
    return ToolCall(id=f"call_{turn}_{round_number}_{place}", name=call.name, arguments=call.arguments)


def _same(call: ToolCall) -> tuple[str, str]:
    try:
        arguments = orjson.dumps(orjson.loads(call.arguments or "{}"), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        arguments = call.arguments
    return call.name, arguments


def _last_words(completion: Completion, *, may_call: bool) -> Answered:
    text = completion.text.strip()
    if completion.finish_reason in ("content_filter", "refusal"):
        return Answered(text=WITHHELD, usage=completion.usage, replaces=True)
    if not text and not may_call:
        return Answered(text=STEP_LIMIT, usage=completion.usage, replaces=True)
    if not text:
        raise Transient("model_empty_answer")
    if completion.finish_reason == "length":
        return Answered(text=f"{completion.text}\n\n{CUT_SHORT}", usage=completion.usage, replaces=True)
    return Answered(text=completion.text, usage=completion.usage)

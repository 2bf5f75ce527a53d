"""A chat model whose requests are counted, timed, priced and traced, and which is left alone while it is down."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot import tracing
from bot.breaker import Breaker
from bot.budget import Meter
from bot.errors import ContextOverflow, Permanent, Transient
from bot.observe import FIRST_TOKEN, MODEL_REQUESTS, MODEL_SECONDS
from bot.ports import ChatModel, Completion, ModelRequest, TextDelta
from bot.tracing import Span, Tracer

RESTING = "model_resting"
"""The model is left alone after many failures."""

TURN_BUDGET = "turn_budget"
"""The turn has spent what one turn may."""

_ITS_OWN = frozenset({"model_unauthorized", "model_not_found"})
"""Refusals for good that concern every request, not what was asked."""


class MeteredModel:
    """See `bot.ports.ChatModel`.

    Args:
        name: of the model, for traces.
        breaker: opens when the model fails again and again.
        meter: counts for the turn that asks.
    """

    def __init__(self, model: ChatModel, *, name: str, breaker: Breaker, meter: Meter, tracer: Tracer) -> None:
        self._model = model
        self._name = name
        self._breaker = breaker
        self._meter = meter
        self._tracer = tracer

    @property
    def rests(self) -> bool:
        """Whether it is left alone."""
        return self._breaker.is_open

    async def ready(self) -> None:
        """A probe of readiness.

        Raises:
            Transient: it is left alone because it keeps failing.
        """
        if self._breaker.is_open:
            raise Transient(RESTING)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Completion]:
        """See `bot.ports.ChatModel.stream`.

        Raises:
            Permanent: besides the model's own: `turn_budget`, or `model_resting`.
        """
        if not self._meter.may_ask():
            raise Permanent(TURN_BUDGET)
        if not self._breaker.admits():
            raise Permanent(RESTING)
        self._meter.asked()
        span = self._tracer.begin(tracing.CHAT, self._name, {tracing.MODEL: self._name, tracing.PROVIDER: "openai"})
        begun, first, result = time.monotonic(), True, "left"
        try:
            async with aclosing(self._model.stream(request)) as answer:
                async for item in answer:
                    if first:
                        first = False
                        self._heard(span, time.monotonic() - begun)
                    if isinstance(item, Completion):
                        result = "ok"
                        self._completed(span, item)
                    yield item
        except (Transient, Permanent) as failure:
            result = failure.reason
            if isinstance(failure, Transient) or failure.reason in _ITS_OWN:
                self._breaker.failed()
            raise
        except ContextOverflow:
            result = "context_overflow"
            raise
        finally:
            self._breaker.left()
            MODEL_REQUESTS.labels(result=result).inc()
            MODEL_SECONDS.observe(time.monotonic() - begun)
            span.end(None if result == "ok" else result)

    def _heard(self, span: Span, seconds: float) -> None:
        FIRST_TOKEN.observe(seconds)
        span.note(tracing.FIRST_TOKEN_S, seconds)

    def _completed(self, span: Span, completion: Completion) -> None:
        self._breaker.succeeded()
        span.note(tracing.FINISH_REASONS, (completion.finish_reason,))
        span.note(tracing.OUTPUT, completion.text)
        if (usage := completion.usage) is not None:
            self._meter.used(usage)
            span.note(tracing.INPUT_TOKENS, usage.input_tokens)
            span.note(tracing.CACHED_TOKENS, usage.cached_tokens)
            span.note(tracing.OUTPUT_TOKENS, usage.output_tokens)

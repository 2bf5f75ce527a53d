"""Traces, one per turn: a span for each request to a model and each tool call.

Names follow the conventions for generative AI and stand here alone.

Source:
    https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
AGENT = "gen_ai.agent.name"
CONVERSATION = "gen_ai.conversation.id"
MODEL = "gen_ai.request.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
OUTPUT = "gen_ai.output.messages"
ERROR = "error.type"
FIRST_TOKEN_S = "gen_ai.response.time_to_first_chunk"  # noqa: S105  not a password
TURN = "frontdesk.turn"
ATTEMPT = "frontdesk.attempt"
OUTCOME = "frontdesk.outcome"
PLATFORM = "frontdesk.platform"

CONTENT = frozenset({TOOL_ARGUMENTS, TOOL_RESULT, OUTPUT})
"""Attributes that hold what somebody said."""

INVOKE_AGENT, CHAT, EXECUTE_TOOL = "invoke_agent", "chat", "execute_tool"


class Span(Protocol):
    """A part of a turn, from its start to `end`."""

    def note(self, name: str, value: Any) -> None:
        """Say something about it."""

    def end(self, failure: str | None = None) -> None:
        """It is over; `failure` is a word of ours for what went wrong."""


class Tracer:
    """Begins spans. This one keeps nothing: it is what there is without `OTEL_*`."""

    def begin(self, operation: str, name: str, attributes: Mapping[str, Any]) -> Span:
        """Begin a span within the one that this task is in."""
        return _NOTHING

    @contextmanager
    def within(self, operation: str, name: str, attributes: Mapping[str, Any]) -> Iterator[Span]:
        """A span in which this task, and those that it starts, are while the context lasts."""
        yield _NOTHING


class _Nothing:
    def note(self, name: str, value: Any) -> None: ...

    def end(self, failure: str | None = None) -> None: ...


_NOTHING = _Nothing()

"""Traces by OpenTelemetry when `OTEL_*` is set: one per turn, a span for each request to a model and each tool call.

Names follow the conventions for generative AI and stand here alone. Without the setting nothing of OpenTelemetry is
even imported. What people, models and tools said is in a trace only when it is asked for, and masked like a log.

Source:
    https://opentelemetry.io/docs/specs/semconv/gen-ai/
    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

from bot.errors import ConfigError

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

SHUTDOWN_S = 5.0
"""How long the last spans may take to leave at a stop."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_CONTENT_SETTING = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


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


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the operator has named a place for traces."""
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return not off and any(environment.get(name) for name in _ENDPOINTS)


@asynccontextmanager
async def open_tracing(environment: Mapping[str, str], mask: Callable[[str], str]) -> AsyncIterator[Tracer]:
    """Spans go to the OTLP/HTTP endpoint of the environment while the context lasts.

    Args:
        mask: masks secrets in what somebody said.

    Raises:
        ConfigError: another protocol is asked for than ours.
    """
    if not is_wanted(environment):
        yield Tracer()
        return
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in (None, "", "http/protobuf"):
        raise ConfigError(f"OTEL_EXPORTER_OTLP_PROTOCOL: {protocol} is not spoken here; set http/protobuf.")
    from bot.telemetry import OtelTracer  # costs 0.3 s and 15 MB, which only those pay who trace

    captures = environment.get(_CONTENT_SETTING, "").lower() not in ("", "false", "no_content")
    tracer = OtelTracer(environment, mask if captures else None)
    try:
        yield tracer
    finally:
        await asyncio.to_thread(tracer.close, SHUTDOWN_S)

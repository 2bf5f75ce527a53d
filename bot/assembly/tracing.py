"""Traces by OpenTelemetry when `OTEL_*` is set; without the setting nothing of OpenTelemetry is even imported.

What people, models and tools said is in a trace only when it is asked for, and masked like a log.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from bot.errors import ConfigError
from bot.tracing import Tracer

SHUTDOWN_S = 5.0
"""How long the last spans may take to leave at a stop."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_CONTENT_SETTING = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


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

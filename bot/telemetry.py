"""The tracer over OpenTelemetry's SDK; imported only when traces are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from bot.tracing import CHAT, CONTENT, ERROR, OPERATION, Span, Tracer

EXPORT_S = 5.0
"""How long one delivery may take; a collector that is away costs spans and nothing else."""

_CONTENT_CHARS = 8_000


class OtelTracer(Tracer):
    """Begins spans that are sent in the background.

    Args:
        mask: masks secrets in what somebody said; without one nothing that was said is sent.
    """

    def __init__(self, environment: Mapping[str, str], mask: Callable[[str], str] | None) -> None:
        resource = Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME") or "frontdesk"})
        # A provider of our own, never the global one: nothing else in this process is traced.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=_endpoint(environment), headers=_headers(environment), timeout=EXPORT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("frontdesk")
        self._mask = mask

    def begin(self, operation: str, name: str, attributes: Mapping[str, Any]) -> Span:
        """Begin a span within the one that this task is in."""
        return self._span(operation, name, attributes)

    @contextmanager
    def within(self, operation: str, name: str, attributes: Mapping[str, Any]) -> Iterator[Span]:
        """A span in which this task, and those that it starts, are while the context lasts."""
        span = self._span(operation, name, attributes)
        with trace.use_span(span.span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            yield span

    def close(self, within_s: float) -> None:
        """Send what is left, and stop."""
        self._provider.force_flush(int(within_s * 1000))
        self._provider.shutdown()

    def _span(self, operation: str, name: str, attributes: Mapping[str, Any]) -> _OtelSpan:
        kind = SpanKind.CLIENT if operation == CHAT else SpanKind.INTERNAL
        span = _OtelSpan(self._tracer.start_span(f"{operation} {name}", kind=kind), self._mask)
        span.note(OPERATION, operation)
        for key, value in attributes.items():
            span.note(key, value)
        return span


class _OtelSpan:
    def __init__(self, span: trace.Span, mask: Callable[[str], str] | None) -> None:
        self.span = span
        self._mask = mask

    def note(self, name: str, value: Any) -> None:
        if name in CONTENT:
            if self._mask is None:
                return
            value = self._mask(str(value)[:_CONTENT_CHARS])
        self.span.set_attribute(name, value)

    def end(self, failure: str | None = None) -> None:
        if failure is not None:
            self.span.set_attribute(ERROR, failure)
            self.span.set_status(Status(StatusCode.ERROR, failure))
        self.span.end()


def _endpoint(environment: Mapping[str, str]) -> str:
    if own := environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return own
    return environment["OTEL_EXPORTER_OTLP_ENDPOINT"].rstrip("/") + "/v1/traces"


def _headers(environment: Mapping[str, str]) -> dict[str, str]:
    text = environment.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or environment.get("OTEL_EXPORTER_OTLP_HEADERS") or ""
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}

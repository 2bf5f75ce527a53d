"""Logs, metrics and their names, in one place.

A log line is one JSON object (pretty on a terminal) with the thread, turn and step it belongs to; it never holds the
text of a message. Metrics carry no person, thread or text in a label.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.contextvars import merge_contextvars

Processor = Callable[[Any, str, Any], Any]

EVENTS = Counter("frontdesk_events_total", "What came in, by kind and what became of it.", ["kind", "verdict"])
TURNS = Counter("frontdesk_turns_total", "Turns that ended, by how.", ["outcome"])
TOOL_CALLS = Counter("frontdesk_tool_calls_total", "Tool calls, by tool and result.", ["tool", "result"])
MODEL_TOKENS = Counter("frontdesk_model_tokens_total", "Tokens as the endpoint counts them.", ["kind"])
INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS = (MODEL_TOKENS.labels(kind=kind) for kind in ("input", "cached", "output"))
TAKEOVERS = Counter("frontdesk_takeovers_total", "Turns that another worker had begun.")
FENCED = Counter("frontdesk_fenced_total", "Turns that stopped because another worker owns the thread.")
RUNNING = Gauge("frontdesk_turns_running", "Turns that this process is working on.")
FIRST_TEXT = Histogram("frontdesk_first_text_seconds", "From the claim of a turn to its first text.")


def configure_logging(mask: Processor, *, pretty: bool | None = None, level: int = logging.INFO) -> None:
    """Send every log line, also those of libraries, through one chain that masks secrets.

    Args:
        mask: a structlog processor that masks secrets in an event.
        pretty: for people; by default when standard error is a terminal.
    """
    pretty = sys.stderr.isatty() if pretty is None else pretty
    shared: list[Any] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer()
    )
    # An exception becomes text before masking: a trace may quote a secret.
    last: list[Any] = [structlog.processors.format_exc_info, mask, renderer]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
    )
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(level)
    for noisy in ("httpx2", "httpcore2", "aiosqlite", "asyncio", "sqlalchemy", "alembic", "openai", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for quoting in ("mcp", "client"):  # the MCP SDK's; they quote what was sent and received
        logging.getLogger(quoting).setLevel(logging.CRITICAL + 1)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

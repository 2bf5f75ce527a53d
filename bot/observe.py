"""Logs, metrics and their names, in one place.

A log line is one JSON object (pretty on a terminal) with the thread, turn and step it belongs to; it never holds the
text of a message. Metrics carry no person, thread or text in a label.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, TextIO

import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.contextvars import merge_contextvars

Processor = Callable[[Any, str, Any], Any]

_UP_TO_A_MINUTE_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 90.0)

# What comes in, and what waits.
EVENTS = Counter("frontdesk_events_total", "What came in, by kind and what became of it.", ["kind", "verdict"])
LIMITED = Counter("frontdesk_limited_total", "What a budget or rate refused, by whose and of what.", ["scope", "unit"])
QUEUE_READY = Gauge("frontdesk_queue_ready", "Threads that are due and that nobody has taken.")
QUEUE_AGE = Gauge("frontdesk_queue_oldest_seconds", "How long the longest waiting of them has been due.")
QUEUE_OPEN = Gauge("frontdesk_queue_open", "Messages that are accepted and not settled.")
DEAD_LETTERS = Gauge("frontdesk_dead_letters", "Turns that were given up and wait for an operator.")
ADMISSION_CLOSED = Gauge("frontdesk_admission_closed", "1 while nothing is accepted because Redis is nearly full.")

# What is done.
TURNS = Counter("frontdesk_turns_total", "Turns that ended, by how.", ["outcome"])
TURN_SECONDS = Histogram("frontdesk_turn_seconds", "From the claim of a turn to its end.", buckets=_UP_TO_A_MINUTE_S)
RUNNING = Gauge("frontdesk_turns_running", "Turns that this process is working on.")
TAKEOVERS = Counter("frontdesk_takeovers_total", "Turns that another worker had begun.")
FENCED = Counter("frontdesk_fenced_total", "Turns that stopped because another worker owns the thread.")
GIVEN_UP = Counter("frontdesk_given_up_total", "Turns that became dead letters, by why.", ["reason"])
TOOL_CALLS = Counter("frontdesk_tool_calls_total", "Tool calls, by tool and result.", ["tool", "result"])
FIRST_TEXT = Histogram(
    "frontdesk_first_text_seconds", "From the claim of a turn to its first text.", buckets=_UP_TO_A_MINUTE_S
)

# The model.
MODEL_REQUESTS = Counter("frontdesk_model_requests_total", "Requests to a model, by result.", ["result"])
MODEL_SECONDS = Histogram(
    "frontdesk_model_request_seconds", "From a request to the end of its answer.", buckets=_UP_TO_A_MINUTE_S
)
FIRST_TOKEN = Histogram(
    "frontdesk_model_first_token_seconds", "From a request to the first text or call.", buckets=_UP_TO_A_MINUTE_S
)
MODEL_TOKENS = Counter("frontdesk_model_tokens_total", "Tokens as the endpoint counts them.", ["kind"])
INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS = (MODEL_TOKENS.labels(kind=kind) for kind in ("input", "cached", "output"))
MODEL_COST = Counter("frontdesk_model_cost_total", "What models cost, in the currency of the prices in the settings.")

# What it stands on.
REDIS_UP = Gauge("frontdesk_redis_up", "1 while Redis can be reached and written to.")
REDIS_MEMORY = Gauge("frontdesk_redis_memory_ratio", "Used share of Redis' maxmemory; 0 where it has no limit.")
DATABASE_UP = Gauge("frontdesk_db_up", "1 while the database can be reached.")
PART_READY = Gauge("frontdesk_part_ready", "1 while `/readyz` calls this part ok.", ["part"])
LOOP_LAG = Histogram(
    "frontdesk_loop_lag_seconds",
    "How late the event loop was.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
BREAKER_OPEN = Gauge("frontdesk_breaker_open", "1 while a part that keeps failing is left alone.", ["part"])
RATE_WAITS = Counter("frontdesk_rate_limit_waits_total", "Waits that somebody's rate limit asked for.", ["where"])
RATE_WAIT_SECONDS = Counter("frontdesk_rate_limit_wait_seconds_total", "Seconds of these waits.", ["where"])


def waited(where: str, seconds: float) -> None:
    """Count a wait that a rate limit asked for; `where` is a platform's name, or `model`."""
    RATE_WAITS.labels(where=where).inc()
    RATE_WAIT_SECONDS.labels(where=where).inc(seconds)


def limited(scope: str) -> None:
    """Count a message that a rate refused; `scope` is whose it was."""
    LIMITED.labels(scope=scope, unit="messages").inc()


_LEVELS = {name.lower(): level for name, level in logging.getLevelNamesMapping().items()}


class _Output(logging.StreamHandler[TextIO]):
    """Where all lines go: those of libraries as records of the standard library, ours as they are.

    Args:
        last: processors that make a text of an event.
    """

    def __init__(self, stream: TextIO, last: Sequence[Processor]) -> None:
        super().__init__(stream)
        self._last = last

    def write(self, event: Any) -> None:
        """Write an event; as by any handler, a line that cannot be written is told of and harms nobody."""
        self.acquire()
        try:
            for processor in self._last:
                event = processor(None, "", event)
            self.stream.write(event + self.terminator)
            self.flush()
        except Exception:  # noqa: BLE001 - as the standard library does: whoever logs must not fail because of it
            self.handleError(logging.makeLogRecord({"msg": "a line of ours"}))
        finally:
            self.release()


class _Ours:
    """A logger of one of our modules: a record of the standard library would cost twice what the line does."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def write(self, event: MutableMapping[str, Any]) -> None:
        """Write an event if its level is wanted."""
        root = logging.getLogger()
        if _LEVELS[event["level"]] >= root.level:
            for handler in root.handlers:
                if isinstance(handler, _Output):
                    handler.write(event)

    debug = info = warning = error = exception = critical = write


def _as_it_is(logger: object, method: str, event: Any) -> Any:
    return (event,), {}


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
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer()
    )
    # An exception becomes text before masking: a trace may quote a secret.
    last: list[Any] = [structlog.processors.format_exc_info, mask, renderer]
    output = _Output(sys.stderr, last)
    output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(level)
    for noisy in ("httpx2", "httpcore2", "aiosqlite", "asyncio", "sqlalchemy", "alembic", "openai", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for quoting in ("mcp", "client"):  # the MCP SDK's; they quote what was sent and received
        logging.getLogger(quoting).setLevel(logging.CRITICAL + 1)
    structlog.configure(
        processors=[*shared, _as_it_is],
        logger_factory=_Ours,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=True,
    )

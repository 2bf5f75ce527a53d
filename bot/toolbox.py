"""The tools of a turn, and the running of calls: every call gets exactly one result, whatever happens in the tool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import orjson
import structlog

from bot import tracing
from bot.breaker import Breaker, Breakers
from bot.conversation import ToolCall, ToolSpec, ToolTurn
from bot.errors import LeaseLost, ToolError, ToolFailed, Transient
from bot.observe import TOOL_CALLS
from bot.tool import Effect, Requirement, Tool, ToolContext, ToolSource
from bot.tracing import Tracer

log = structlog.get_logger(__name__)


BREAKER_FAILURES, BREAKER_REST_S = 8, 15.0
"""When a tool is left alone, unless the settings say otherwise."""

AWAY = frozenset({"unavailable", "timed_out", "vision_unavailable", "decoder_unavailable"})
"""Results that say that what is behind a tool does not work, whatever it is asked."""

_OFFER = "Do not call it again now; offer to open a ticket, or to hand over to a human colleague."

_RESTING = (
    "resting",
    "This tool has failed again and again and is left alone for a moment. Do not call it now; offer to open a ticket, "
    "or to hand over to a human colleague.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A call's result.

    Args:
        rule: that refused it, if one did.
        fault: what failed on our side or behind the tool, if something did.
    """

    turn: ToolTurn
    rule: str | None = None
    fault: str | None = None


class Toolset:
    """The tools of one turn.

    Args:
        tools: names must differ.
        timeout_s: for tools that name no limit of their own.
        breakers: leave a tool alone that keeps failing.
        tracer: traces calls.
    """

    def __init__(
        self,
        tools: Sequence[Tool],
        *,
        timeout_s: float,
        breakers: Breakers | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._tools = {tool.spec.name: tool for tool in sorted(tools, key=lambda tool: tool.spec.name)}
        if len(self._tools) != len(tools):
            raise ValueError("two tools have the same name")
        self.tools = tools
        self._timeout_s = timeout_s
        self._breakers = breakers or Breakers(failures=BREAKER_FAILURES, rest_s=BREAKER_REST_S)
        self._tracer = tracer or Tracer()
        self.specs: tuple[ToolSpec, ...] = tuple(tool.spec for tool in self._tools.values())
        """Sorted by name, so that what a model is sent stays the same from request to request."""

    def effect(self, name: str) -> Effect:
        """What a call does to the world; an unknown tool does nothing."""
        tool = self._tools.get(name)
        return tool.effect if tool else "read"

    def requires(self, name: str) -> frozenset[Requirement]:
        """What a call's author must have proved."""
        tool = self._tools.get(name)
        return tool.requires if tool else frozenset()

    async def run(self, call: ToolCall, context: ToolContext) -> Ran:
        """Run one call within its time.

        Raises:
            Transient, LeaseLost: the turn as a whole cannot go on here; the call is run again with the same key.
        """
        started = time.monotonic()
        rule: str | None = None
        error: tuple[str, str] | None = None
        content = b""
        tool = self._tools.get(call.name)
        breaker = self._breakers.of(f"tool:{call.name}") if tool else None
        admitted = breaker is not None and breaker.admits()
        span = self._tracer.begin(
            tracing.EXECUTE_TOOL,
            call.name if tool else "unknown",
            {tracing.TOOL_NAME: call.name, tracing.TOOL_CALL: call.id},
        )
        span.note(tracing.TOOL_ARGUMENTS, call.arguments)
        works: bool | None = None
        try:
            if tool is None:
                raise ToolError("unknown_tool", f"There is no such tool. There are: {', '.join(self._tools)}.")
            if not admitted:
                raise ToolFailed(*_RESTING)
            async with asyncio.timeout(tool.timeout_s or self._timeout_s):
                content = await tool.call(context, call.arguments)
            works = True
        except ToolError as refusal:
            rule, error = refusal.code, (refusal.code, refusal.message)
            works = False if refusal.code in AWAY else None
        except (Transient, LeaseLost) as failure:
            works = False if isinstance(failure, Transient) else None
            span.end(type(failure).__name__)
            raise
        except TimeoutError:
            works = False
            error = ("timed_out", f"The tool took too long. {_OFFER}")
        except Exception as failure:  # a tool may raise anything; its text reaches neither the model nor the customer
            works = False
            log.error("tool_failed", tool=call.name, failure=type(failure).__name__, exc_info=failure)
            error = ("tool_failed", f"The tool failed. {_OFFER}")
        finally:
            if breaker is not None and admitted:
                _learn(breaker, works)
        span.note(tracing.TOOL_RESULT, error[0] if error else content.decode())
        span.end(error[0] if error else None)
        TOOL_CALLS.labels(tool=call.name if tool else "unknown", result=error[0] if error else "ok").inc()
        duration_ms = round((time.monotonic() - started) * 1000)
        log.info("tool_ran", tool=call.name, result=error[0] if error else "ok", duration_ms=duration_ms)
        if error:
            fault = error[0] if works is False else None
            return Ran(turn=refused(call, *error, duration_ms=duration_ms), rule=rule, fault=fault)
        turn = ToolTurn(call_id=call.id, content=content.decode(), at=datetime.now(UTC), duration_ms=duration_ms)
        return Ran(turn=turn)


class Toolbox:
    """The tools of one process; which they are may change, but never within a turn.

    Args:
        source: asked once a turn.
        timeout_s, breakers, tracer: see `Toolset`.
    """

    def __init__(
        self,
        source: ToolSource,
        *,
        timeout_s: float,
        breakers: Breakers | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._source = source
        # One set of breakers for all tools that come and go.
        breakers = breakers or Breakers(failures=BREAKER_FAILURES, rest_s=BREAKER_REST_S)
        self._set = partial(Toolset, timeout_s=timeout_s, breakers=breakers, tracer=tracer)
        self._latest = self._set(())

    async def take(self) -> Toolset:
        """The tools for a turn that begins; the same object while nothing has changed."""
        tools = await self._source()
        if tools is not self._latest.tools:
            self._latest = self._set(tools)
        return self._latest


def _learn(breaker: Breaker, works: bool | None) -> None:
    if works is None:
        breaker.left()
    elif works:
        breaker.succeeded()
    else:
        breaker.failed()


def refused(call: ToolCall, code: str, message: str, *, duration_ms: int = 0) -> ToolTurn:
    """The result of a call that did not do what it should; the code is the rule that is on record."""
    content = orjson.dumps({"error": code, "message": message}).decode()
    return ToolTurn(call_id=call.id, content=content, at=datetime.now(UTC), is_error=True, duration_ms=duration_ms)

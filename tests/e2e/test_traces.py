"""Traces of conversations, as a collector gets them over OTLP/HTTP."""

from __future__ import annotations

import asyncio
import sys

import pytest

from bot.assembly.tracing import is_wanted, open_tracing
from bot.config import load
from bot.errors import ConfigError
from tests.scenarios import ORDER
from tests.servers.openai import ScriptedModel, calls, fails, says
from tests.servers.otlp import Collector, collecting
from tests.stages.web import web_stage

CANARY = "sk-canary0123456789abcdefghijklmnop"


async def talk(variables: dict[str, str], model: ScriptedModel, collector: Collector, **more: str) -> None:
    """A conversation with a tool call, traced; spans leave at the stop."""
    traced = {**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **more}
    async with web_stage(traced) as stage:
        model.plays(calls(ORDER), says("It is out for delivery."))
        await stage.say(f"Order 123123 of santa@clau.se, my key is {CANARY}")
        assert "delivery" in await stage.answer()


@pytest.mark.behaviour("traces.turn")
async def test_a_turn_is_one_trace_with_a_span_for_each_request_and_call(
    variables: dict[str, str], model: ScriptedModel
) -> None:
    async with collecting() as collector:
        await talk(
            variables,
            model,
            collector,
            OTEL_SERVICE_NAME="desk",
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer of-nobody",
        )
        (turn,) = collector.named("invoke_agent frontdesk")
        assert turn.parent == ""
        assert turn.attributes["service.name"] == "desk"
        assert turn.attributes["frontdesk.outcome"] == "answered"
        assert turn.attributes["gen_ai.conversation.id"].startswith("web:")
        requests = collector.named("chat scripted")
        assert len(requests) == 2
        for request in requests:
            assert (request.trace, request.parent) == (turn.trace, turn.id)
            assert request.attributes["gen_ai.operation.name"] == "chat"
            assert request.attributes["gen_ai.request.model"] == "scripted"
            assert request.attributes["gen_ai.usage.input_tokens"] == 100
            assert request.attributes["gen_ai.usage.output_tokens"] == 20
        (call,) = collector.named("execute_tool get_order_status")
        assert (call.trace, call.parent) == (turn.trace, turn.id)
        assert call.attributes["gen_ai.tool.name"] == "get_order_status"
        assert len(collector.spans) == 4
        assert collector.headers[0]["authorization"] == "Bearer of-nobody"


@pytest.mark.behaviour("traces.masked")
@pytest.mark.parametrize("captured", ["", "true"])
async def test_what_was_said_is_in_a_trace_only_when_asked_for_and_secrets_never(
    captured: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    async with collecting() as collector:
        await talk(variables, model, collector, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=captured)
        (call,) = collector.named("execute_tool")
        assert ("santa@clau.se" in str(call.attributes)) is bool(captured)
        assert ("Large wooden sled" in str(call.attributes)) is bool(captured)
        assert CANARY.encode() not in collector.raw
        for secret in load(variables).secrets():
            assert secret.encode() not in collector.raw


@pytest.mark.behaviour("traces.turn")
async def test_a_failed_request_is_marked_with_a_word_of_ours(variables: dict[str, str], model: ScriptedModel) -> None:
    async with collecting() as collector:
        async with web_stage({**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as stage:
            model.plays(fails(500), says("Hello."))
            await stage.say("Hi")
            assert await stage.answer() == "Hello."
        failed, answered = collector.named("chat")
        assert (failed.failed, failed.attributes["error.type"]) == (True, "model_server_error")
        assert not answered.failed
        assert [turn.attributes["frontdesk.outcome"] for turn in collector.named("invoke_agent")] == [
            "retried",
            "answered",
        ]


@pytest.mark.behaviour("traces.off")
async def test_without_a_place_nothing_of_the_library_is_used() -> None:
    assert not is_wanted({})
    assert not is_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here", "OTEL_SDK_DISABLED": "true"})
    # Redis' client looks at the metrics of OpenTelemetry by itself; what traces would cost is not there.
    code = "import bot.app, sys; print(sorted({'bot.telemetry', 'opentelemetry.sdk.trace'} & sys.modules.keys()))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.decode().strip() == "[]"


@pytest.mark.behaviour("traces.off")
@pytest.mark.timeout_s(120)
async def test_a_collector_that_is_away_holds_up_nobody(variables: dict[str, str], model: ScriptedModel) -> None:
    async with web_stage({**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) as stage:
        model.plays(says("Hello."))
        await stage.say("Hi")
        assert await stage.answer() == "Hello."


@pytest.mark.behaviour("traces.off")
async def test_another_protocol_is_refused_with_the_mend() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://here", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(ConfigError, match="set http/protobuf"):
        async with open_tracing(environment, lambda text: text):
            pass

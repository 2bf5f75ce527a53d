"""The stand-in as its users meet it: a process, a socket, and the client that every vendor is reached with."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

import bot

pytestmark = pytest.mark.behaviour("standin.protocol")

ROOT = Path(bot.__file__).parents[1]
START_S = 20.0
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("get_order_status", "get_ticket_status")
]
ORDER: Any = [
    {"role": "user", "content": "where is order 123123, santa@clau.se? And what is the status of ticket 12345?"}
]


@contextmanager
def stand_in(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A stand-in of its own, and the base URL that it printed."""
    command = [sys.executable, "-m", "bot.standin", "--port", "0", "--pace-ms", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], START_S)
            assert ready, "it did not start in time"
            line = process.stdout.readline()
            assert line.startswith("stand-in listening on http://127.0.0.1:")
            yield process, line.split()[-1]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with stand_in() as (_, url):
        yield url


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=base_url, api_key="anything", max_retries=0, timeout=20) as client:
        yield client


def test_it_lists_its_model(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["frontdesk-stand-in"]


def test_words_are_streamed(client: OpenAI) -> None:
    deltas, reasons, usage = [], [], None
    with client.chat.completions.create(
        model="stand-in",
        messages=[{"role": "user", "content": "what can you do?"}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        for chunk in stream:
            usage = chunk.usage or usage
            deltas += [choice.delta.content for choice in chunk.choices if choice.delta.content]
            reasons += [choice.finish_reason for choice in chunk.choices if choice.finish_reason]
    assert len(deltas) > 10
    assert "".join(deltas).startswith("I can help you with")
    assert reasons == ["stop"]
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize("streaming", (True, False))
def test_calls_arrive_whole_and_in_parallel(client: OpenAI, streaming: bool) -> None:
    if streaming:
        with client.chat.completions.stream(model="m", messages=ORDER, tools=TOOLS) as stream:
            choice = stream.get_final_completion().choices[0]
            calls = choice.message.tool_calls or []
            called = {call.function.name: json.loads(call.function.arguments) for call in calls}
            reason = str(choice.finish_reason)
    else:
        answer = client.chat.completions.create(model="m", messages=ORDER, tools=TOOLS).choices[0]
        called = {
            call.function.name: json.loads(call.function.arguments)
            for call in answer.message.tool_calls or []
            if call.type == "function"
        }
        reason = answer.finish_reason
    assert reason == "tool_calls"
    assert called == {
        "get_order_status": {"order_id": "123123", "email": "santa@clau.se"},
        "get_ticket_status": {"ticket_id": "12345"},
    }


def test_tool_choice_none_is_obeyed(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="m", messages=ORDER, tools=TOOLS, tool_choice="none").choices[0]
    assert answer.finish_reason == "stop"
    assert not answer.message.tool_calls
    assert answer.message.content


def test_a_malformed_request_is_refused_in_the_protocol_s_words(client: OpenAI) -> None:
    dangling: Any = [{"role": "tool", "tool_call_id": "x", "content": "{}"}]
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="m", messages=dangling)
    assert refused.value.type == "invalid_request_error"
    assert refused.value.param == "messages.[0].role"
    assert "tool_calls" in refused.value.message


def test_an_unknown_path_and_method_are_errors_in_the_same_shape(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        client.embeddings.create(model="m", input="x")
    with pytest.raises(openai.APIStatusError, match="Not allowed") as refused:
        client.get("/chat/completions", cast_to=object)
    assert refused.value.status_code == 405


@pytest.mark.parametrize(
    ("url", "code"),
    (
        ("https://example.com/receipt.png", "invalid_image_url"),
        ("data:text/html;base64,PGh0bWw+", "invalid_image_url"),
        ("data:image/png;base64,AAAA", "image_parse_error"),
        ("data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 40).decode(), "image_parse_error"),
        ("data:image/png;base64,A", "invalid_base64"),
    ),
)
def test_what_is_no_picture_is_refused(client: OpenAI, url: str, code: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
        )
    assert refused.value.code == code


def test_another_structured_answer_is_refused_by_the_model_not_by_the_server(client: OpenAI) -> None:
    weather: Any = {"type": "json_schema", "json_schema": {"name": "Weather", "schema": {"type": "object"}}}
    message = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "x"}], response_format=weather
    ).choices[0].message  # fmt: skip
    assert message.content is None
    assert "receipt" in str(message.refusal)


def test_typing_takes_its_time_and_stops_with_the_reader() -> None:
    with stand_in("--pace-ms", "40") as (_, url), OpenAI(base_url=url, api_key="x", max_retries=0) as client:
        started = time.monotonic()
        ask: Any = [{"role": "user", "content": "what can you do?"}]
        with client.chat.completions.create(model="m", messages=ask, stream=True) as stream:
            for count, _ in enumerate(stream):
                if count == 5:
                    break
        assert time.monotonic() - started > 0.2
        assert client.models.list().data


@pytest.mark.parametrize("end", ("SIGTERM", "SIGINT", "stdin"))
def test_it_ends_quietly(end: str) -> None:
    with stand_in() as (process, _):
        if end == "stdin":
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(getattr(signal, end))
        assert process.wait(10) == 0


@pytest.mark.behaviour("standin.orphan")
def test_it_ends_when_its_parent_is_killed() -> None:
    """The parent here starts a stand-in, prints its process id and is killed with no chance to clean up."""
    program = (
        "import subprocess, sys, time\n"
        "pipe = subprocess.PIPE\n"
        "child = subprocess.Popen([sys.executable, '-m', 'bot.standin'], stdin=pipe, stdout=pipe)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            ended, _, _ = select.select([child], [], [], 10)
            assert ended
        finally:
            os.close(child)


def test_a_taken_port_is_one_readable_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "bot.standin", "--port", port],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.strip().count("\n") == 0
    assert port in ended.stderr

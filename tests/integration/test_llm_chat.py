"""The chat model against a real server on a real socket: whole answers, every fault of the wire, and what is sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from bot.conversation import ToolSpec
from bot.errors import ConfigError, ContextOverflow, Permanent, Transient
from bot.llm.openai import OpenAIChat
from bot.ports import Completion, ModelRequest, RequestedCall, TextDelta, Usage
from tests.servers import openai as play
from tests.servers.openai import DONE, ScriptedModel, chunk, event, sends

TOOL = ToolSpec(
    name="look", description="Look.", parameters={"type": "object", "properties": {"at": {"type": "string"}}}
)


def user(text: str) -> bytes:
    return orjson.dumps({"role": "user", "content": f"[from: Omar · 2024-11-08 14:03 UTC]\n{text}"})


ASK = ModelRequest(system="You help.", messages=user("Hi"), tools=(TOOL,))


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as server:
        yield server


@contextlib.asynccontextmanager
async def chat_with(model: ScriptedModel, **settings: object) -> AsyncIterator[OpenAIChat]:
    chat = OpenAIChat(api_key="sk-test", base_url=model.base_url, model="m", **settings)  # type: ignore[arg-type]
    try:
        yield chat
    finally:
        await chat.aclose()


@pytest.fixture
async def chat(model: ScriptedModel) -> AsyncIterator[OpenAIChat]:
    async with chat_with(model) as chat:
        yield chat


async def answer(chat: OpenAIChat, request: ModelRequest = ASK) -> tuple[str, Completion]:
    """The deltas joined, and the completion, which must be last."""
    items = [item async for item in chat.stream(request)]
    assert isinstance(items[-1], Completion)
    deltas = [item.text for item in items[:-1] if isinstance(item, TextDelta)]
    assert len(deltas) == len(items) - 1
    assert all(deltas)
    return "".join(deltas), items[-1]


# ---------------------------------------------------------------------------------------------------- whole answers


@pytest.mark.behaviour("model.stream")
async def test_text_comes_in_deltas_and_whole_at_the_end(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.plays(play.says("Grüße aus Grönland 🛷 und Tschüss"))
    text, completion = await answer(chat)
    assert text == completion.text == "Grüße aus Grönland 🛷 und Tschüss"
    assert completion.finish_reason == "stop"
    sent = len(model.requests[-1].body)
    assert completion.usage == Usage(input_tokens=100, output_tokens=20, request_bytes=sent)


@pytest.mark.behaviour("model.stream")
async def test_calls_are_joined_in_order(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.plays(play.calls(("look", {"at": "Bäume"}), ("look", "{bad"), text="One moment."))
    text, completion = await answer(chat)
    assert text == "One moment."
    assert completion.finish_reason == "tool_calls"
    assert completion.calls == (
        RequestedCall(id="call_0", name="look", arguments='{"at": "Bäume"}'),
        RequestedCall(id="call_1", name="look", arguments="{bad"),
    )


@pytest.mark.behaviour("model.stream")
async def test_text_is_given_out_as_it_comes(model: ScriptedModel, chat: OpenAIChat) -> None:
    reply = play.held("Hel", "lo")
    model.plays(reply)
    stream = aiter(chat.stream(ASK))
    assert await anext(stream) == TextDelta(text="Hel")
    reply.pauses[0].release()
    assert await anext(stream) == TextDelta(text="lo")
    reply.pauses[1].release()
    assert isinstance(await anext(stream), Completion)


@pytest.mark.behaviour("model.stream")
async def test_a_character_cut_between_packets_arrives_whole(model: ScriptedModel, chat: OpenAIChat) -> None:
    whole = chunk({"content": "naïve 🛷"})
    pauses = [play.Pause() for _ in whole]
    steps = [step for pair in zip((whole[i : i + 1] for i in range(len(whole))), pauses, strict=True) for step in pair]
    model.plays(sends(*steps, chunk({}, "stop"), DONE))

    async def let_go() -> None:
        for pause in pauses:
            await pause.reached.wait()
            pause.release()

    async with asyncio.TaskGroup() as group:
        group.create_task(let_go())
        text, _ = await answer(chat)
    assert text == "naïve 🛷"


USAGE_FIRST = {"prompt_tokens": 7, "completion_tokens": None, "prompt_tokens_details": {"cached_tokens": 5}}


@pytest.mark.behaviour("model.stream")
async def test_the_first_words_come_one_by_one_and_later_ones_a_few_at_a_time(
    model: ScriptedModel, chat: OpenAIChat
) -> None:
    """The endpoint thinks for a moment after its first word, and then says each word by itself."""
    words = [f"word{number} " for number in range(40)]
    reply = play.held(*words)
    model.plays(reply)

    async def speaks() -> None:
        for place, pause in enumerate(reply.pauses):
            await pause.reached.wait()
            if not place:
                await asyncio.sleep(0.12)
            pause.release()

    speaking = asyncio.create_task(speaks())
    heard = [item.text async for item in chat.stream(ASK) if isinstance(item, TextDelta)]
    await speaking
    assert "".join(heard) == "".join(words)
    assert heard[0] == words[0]
    assert len(heard) < len(words) / 2


@pytest.mark.behaviour("model.dialects")
@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ((b": hello\n\n", chunk({"content": "a"}), b": PROCESSING\n\n", chunk({}, "stop"), DONE), "a"),
        ((chunk({"content": "a"}).replace(b"\n", b"\r\n"), chunk({}, "stop").replace(b"\n", b"\r\n")), "a"),
        ((chunk({"content": "a"}).replace(b"\n", b"\r"), chunk({}, "stop").replace(b"\n", b"\r")), "a"),
        ((chunk({"content": "a"}).replace(b"data: ", b"data:"), chunk({}, "stop")), "a"),
        ((chunk({"content": "a"}).replace(b', "', b',\ndata: "'), chunk({}, "stop"), DONE), "a"),
        ((b"id: 1\nevent: message\nretry: 3\n" + chunk({"content": "a"}), chunk({}, "stop")), "a"),
        ((chunk(usage=USAGE_FIRST), chunk({"content": "a"}), chunk({}, "stop"), DONE), "a"),
        ((chunk(prompt_filter_results=[]), chunk({"content": "a"}), chunk({}, "stop"), DONE), "a"),
        ((event({"choices": None, "usage": None, "error": None}), chunk({"content": "a"}), chunk({}, "stop")), "a"),
        ((chunk({"role": None, "content": None, "tool_calls": None}), chunk({"content": "a"}, "stop")), "a"),
        ((chunk({"content": "a"}, ""), chunk({"content": "b"}, "stop"), chunk({"content": "c"}), DONE), "abc"),
        ((chunk({"content": "a"}), chunk({}, "stop").rstrip()), "a"),
        ((chunk({"content": [{"type": "text", "text": "a"}]}, "stop"),), "a"),
        ((event({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}),), "a"),
        ((chunk({"content": "a"}, "end_turn"), DONE), "a"),
        ((b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
          b'data: {"choices":[{"delta":{"content":"\\uded7"},"finish_reason":"stop"}]}\n\n'), "🛗"),
    ],
    ids=["comments", "crlf", "cr", "no-space", "data-lines", "fields", "usage-first", "no-choices", "nulls",
         "null-delta", "more-after-finish", "no-last-newline", "parts", "message", "other-word", "half-surrogates"],
)  # fmt: skip
async def test_other_ways_to_say_the_same(
    model: ScriptedModel, chat: OpenAIChat, steps: tuple[bytes, ...], text: str
) -> None:
    model.plays(sends(*steps))
    shown, completion = await answer(chat)
    assert (shown, completion.text, completion.finish_reason) == (text, text, "stop")


@pytest.mark.behaviour("model.dialects")
async def test_usage_without_choices_is_kept(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.plays(sends(chunk(usage=USAGE_FIRST), chunk({"content": "a"}, "stop")))
    _, completion = await answer(chat)
    sent = len(model.requests[-1].body)
    assert completion.usage == Usage(input_tokens=7, output_tokens=0, cached_tokens=5, request_bytes=sent)


@pytest.mark.behaviour("model.dialects")
async def test_no_done_and_no_end_is_an_end_once_the_reason_is_known(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.plays(sends(chunk({"content": "a"}, "stop"), play.Hang()))
    assert (await answer(chat))[1].text == "a"


@pytest.mark.behaviour("model.dialects")
async def test_a_reset_after_the_reason_does_no_harm(model: ScriptedModel, chat: OpenAIChat) -> None:
    pause = play.Pause()
    model.plays(sends(chunk({"content": "a"}, "stop"), pause, play.Abort()))
    stream = aiter(chat.stream(ASK))
    assert await anext(stream) == TextDelta(text="a")
    pause.release()
    assert isinstance(await anext(stream), Completion)


# ----------------------------------------------------------------------------------------------------------- faults

UNFINISHED = "model_stream_unfinished"
MALFORMED = "model_stream_malformed"


@pytest.mark.behaviour("model.passing")
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (play.ends_after("Hel"), UNFINISHED),
        (play.breaks_after("Hel"), "model_stream_broken"),
        (sends(chunk({"content": "Hel"}), DONE), UNFINISHED),
        (sends(chunk({"content": "Hel"}), b'data: {"choi'), UNFINISHED),
        (sends(chunk(usage=play.USAGE), DONE), UNFINISHED),
        (sends(), "model_not_a_stream"),
        (play.page(), "model_not_a_stream"),
        (play.reads("whole"), "model_not_a_stream"),
        (sends(b"data: {nonsense}\n\n"), MALFORMED),
        (sends(b"data: 42\n\n"), MALFORMED),
        (sends(b"data: \xff\xfe{}\n\n"), MALFORMED),
        (sends(event({"choices": "no"})), MALFORMED),
        (sends(b"data: " + b"[" * 100_000 + b"\n\n"), MALFORMED),
        (sends(b"data: " + b"x" * (2 << 20)), MALFORMED),
        (sends(chunk({"content": "Hel"}), event({"error": {"message": "boom"}})), "model_stream_error"),
        (sends(event({"error": "boom"})), "model_stream_error"),
        (sends(b'event: error\ndata: {"detail":"boom"}\n\n'), "model_stream_error"),
        (sends(event({"error": {"code": "rate_limit_exceeded", "message": "slow"}})), "model_rate_limited"),
        (sends(chunk({"content": "Hel"}, "error")), "model_stream_error"),
        (sends(chunk({}, "stop"), DONE), "model_answer_empty"),
        (sends(chunk({"content": " \n"}, "stop"), DONE), "model_answer_empty"),
        (sends(chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}, "tool_calls")), MALFORMED),
        (play.drops(), "model_unreachable"),
        (play.Reply(steps=(b"nonsense\r\n\r\n",), raw=True), "model_unreachable"),
        (play.fails(500), "model_server_error"),
        (play.fails(529), "model_server_error"),
        (play.page("<html>Bad gateway</html>", status=502), "model_server_error"),
        (play.fails(408), "model_server_error"),
        (play.fails(429, code="insufficient_quota"), "model_quota_exhausted"),
    ],
)  # fmt: skip
async def test_what_may_work_later(model: ScriptedModel, chat: OpenAIChat, reply: play.Reply, reason: str) -> None:
    model.plays(reply, play.says("fine"))
    with pytest.raises(Transient) as caught:
        await answer(chat)
    assert caught.value.reason == reason
    assert (await answer(chat))[0] == "fine"


@pytest.mark.behaviour("model.passing")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "1"}, 1.0),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "20", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
async def test_a_rate_limit_says_when(
    model: ScriptedModel, chat: OpenAIChat, headers: dict[str, str], seconds: float | None
) -> None:
    model.plays(play.Reply(steps=(b"{}",), status=429, headers=headers))
    with pytest.raises(Transient) as caught:
        await answer(chat)
    assert (caught.value.reason, caught.value.retry_after_s) == ("model_rate_limited", seconds)


@pytest.mark.behaviour("model.permanent")
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (play.fails(401), "model_unauthorized"),
        (play.fails(403), "model_unauthorized"),
        (play.fails(404, code="model_not_found"), "model_not_found"),
        (play.fails(400, message="Unknown parameter"), "model_request_refused"),
        (play.fails(422), "model_request_refused"),
        (play.Reply(status=302, headers={"location": "/elsewhere"}), "model_request_refused"),
    ],
)
async def test_what_is_refused_for_good(model: ScriptedModel, chat: OpenAIChat, reply: play.Reply, reason: str) -> None:
    model.plays(reply)
    with pytest.raises(Permanent) as caught:
        await answer(chat)
    assert caught.value.reason == reason


@pytest.mark.behaviour("model.permanent")
@pytest.mark.parametrize(
    "reply",
    [
        play.fails(400, code="context_length_exceeded"),
        play.fails(400, message="This model's maximum context length is 8192 tokens."),
        play.fails(400, kind="exceed_context_size_error"),
        play.fails(422, message="prompt is too long: 210000 tokens"),
        play.fails(413),
        sends(event({"error": {"code": "context_length_exceeded", "message": "too long"}})),
    ],
)
async def test_a_request_that_is_too_long(model: ScriptedModel, chat: OpenAIChat, reply: play.Reply) -> None:
    model.plays(reply)
    with pytest.raises(ContextOverflow):
        await answer(chat)


@pytest.mark.behaviour("model.dialects")
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (play.fails(400, code="content_filter"), ("", "content_filter")),
        (sends(chunk({}, "content_filter"), DONE), ("", "content_filter")),
        (sends(chunk({"content": "So "}), chunk({}, "content_filter")), ("So ", "content_filter")),
        (sends(chunk({"refusal": "I can"}), chunk({"refusal": "not."}, "stop")), ("I cannot.", "refusal")),
        (sends(chunk({"content": "So"}, "length")), ("So", "length")),
        (sends(chunk({}, "length")), ("", "length")),
    ],
)
async def test_answers_that_ended_for_another_reason(
    model: ScriptedModel, chat: OpenAIChat, reply: play.Reply, expected: tuple[str, str]
) -> None:
    model.plays(reply)
    _, completion = await answer(chat)
    assert (completion.text, completion.finish_reason) == expected


@pytest.mark.behaviour("model.dialects")
async def test_a_stop_reason_with_calls_is_calls(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.plays(play.calls(("look", {}), finish="stop"))
    assert (await answer(chat))[1].finish_reason == "tool_calls"


@pytest.mark.behaviour("model.passing")
async def test_nobody_listens() -> None:
    chat = OpenAIChat(api_key="sk-test", base_url="http://127.0.0.1:9/v1", model="m")
    with pytest.raises(Transient) as caught:
        await answer(chat)
    assert caught.value.reason == "model_unreachable"
    await chat.aclose()


@pytest.mark.behaviour("model.passing")
async def test_a_name_that_does_not_exist() -> None:
    chat = OpenAIChat(api_key="sk-test", base_url="http://model.invalid/v1", model="m")
    with pytest.raises(Transient) as caught:
        await answer(chat)
    assert caught.value.reason == "model_unreachable"
    await chat.aclose()


# ----------------------------------------------------------------------------------------------------------- limits


@pytest.mark.behaviour("model.bounded")
@pytest.mark.parametrize(
    ("reply", "limits", "reason"),
    [
        (play.hangs(), {"first_byte_timeout_s": 0.05}, "model_timeout"),
        (sends(play.Hang()), {"first_byte_timeout_s": 0.05}, "model_timeout"),
        (play.hangs("Hel"), {"stall_timeout_s": 0.05}, "model_stalled"),
        (play.hangs("Hel"), {"total_timeout_s": 0.1}, "model_timeout"),
        (sends(b": still here\n\n", play.Endless()), {"total_timeout_s": 0.1}, "model_timeout"),
    ],
)
async def test_time_is_limited(model: ScriptedModel, reply: play.Reply, limits: dict[str, float], reason: str) -> None:
    model.plays(reply, play.says("fine"))
    async with chat_with(model, **limits) as chat:
        with pytest.raises(Transient) as caught:
            await answer(chat)
        assert caught.value.reason == reason
        await model.left(1)


@pytest.mark.behaviour("model.bounded")
async def test_a_cancelled_reader_is_cancelled_and_not_late(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.plays(play.hangs())
    task = asyncio.create_task(answer(chat))
    await model.asked(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await model.left(1)


@pytest.mark.behaviour("model.bounded")
async def test_an_endless_answer_is_cut_at_the_limit(model: ScriptedModel) -> None:
    model.plays(sends(chunk({"content": "äbc " * 50}), play.Endless()))
    async with chat_with(model, answer_limit_bytes=40_001) as chat:
        text, completion = await answer(chat)
        await model.left(1)
    assert completion.finish_reason == "length"
    assert completion.text == text
    assert 39_998 <= len(text.encode()) <= 40_001


@pytest.mark.behaviour("model.bounded")
async def test_endless_arguments_are_cut_and_no_call_is_kept(model: ScriptedModel, chat: OpenAIChat) -> None:
    fragment = {"index": 0, "function": {"name": "look", "arguments": "x" * 1000}}
    model.plays(sends(chunk({"tool_calls": [fragment]}), play.Endless()))
    _, completion = await answer(chat)
    assert (completion.calls, completion.finish_reason) == ((), "length")


@pytest.mark.behaviour("model.bounded")
async def test_an_endless_error_is_not_read_to_its_end(model: ScriptedModel, chat: OpenAIChat) -> None:
    head = b"HTTP/1.1 500 X\r\ncontent-type: text/plain\r\n\r\n"
    model.plays(play.Reply(steps=(head, b"x" * 10_000, play.Endless()), raw=True))
    with pytest.raises(Transient) as caught:
        await answer(chat)
    assert caught.value.reason == "model_server_error"
    await model.left(1)


@pytest.mark.behaviour("model.connections")
async def test_closing_the_iterator_closes_the_connection(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.plays(play.hangs("Hel"))
    async with contextlib.aclosing(chat.stream(ASK)) as stream:
        assert await anext(stream) == TextDelta(text="Hel")
    await model.left(1)


@pytest.mark.behaviour("model.connections")
async def test_connections_are_used_again(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.answers(play.says("a b c"))
    for _ in range(5):
        await answer(chat)
    assert model.connections == 1
    await asyncio.gather(*(answer(chat) for _ in range(20)))
    await asyncio.gather(*(answer(chat) for _ in range(20)))
    assert model.connections <= 20


# ------------------------------------------------------------------------------------------------------ what is sent


@pytest.mark.behaviour("model.request")
async def test_the_request(model: ScriptedModel) -> None:
    model.plays(play.says("ok"))
    async with chat_with(model, extra={"temperature": 0.2}) as chat:
        await answer(chat)
    sent = model.requests[0]
    assert sent.json == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": TOOL.parameters}}
        ],
        "messages": [{"role": "system", "content": "You help."}, json.loads(ASK.messages)],
    }
    assert sent.headers["authorization"] == "Bearer sk-test"


@pytest.mark.behaviour("model.request")
async def test_the_beginning_stays_the_same_byte_by_byte(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.answers(play.says("ok"))
    messages = [user("Hi")]
    bodies = []
    for turn in range(3):
        await answer(
            chat, ModelRequest(system="You help.", messages=b",".join(messages), tools=(TOOL,), may_call=turn < 2)
        )
        bodies.append(model.requests[-1].body)
        messages += [orjson.dumps({"role": "assistant", "content": "ok"}), user(f"and {turn}?")]
    assert bodies[1].startswith(bodies[0].removesuffix(b"]}"))
    assert bodies[2].startswith(bodies[1].removesuffix(b"]}"))
    assert model.requests[2].json["tool_choice"] == "none"
    assert model.requests[2].tools == ["look"]


@pytest.mark.behaviour("model.request")
async def test_without_tools_nothing_is_said_of_tools(model: ScriptedModel) -> None:
    model.plays(play.says("ok"))
    async with chat_with(model, count_tokens=False) as chat:
        await answer(chat, ModelRequest(system="s", messages=user("Hi"), may_call=False))
    assert set(model.requests[0].json) == {"model", "stream", "messages"}


@pytest.mark.behaviour("model.request")
async def test_a_large_request_goes_out_whole_and_with_its_length(model: ScriptedModel, chat: OpenAIChat) -> None:
    model.plays(play.says("ok"))
    messages = b",".join(user("x" * 1000) for _ in range(3000))
    await answer(chat, ModelRequest(system="s", messages=messages))
    assert len(model.requests[0].messages) == 3001
    assert int(model.requests[0].headers["content-length"]) == len(model.requests[0].body)


@pytest.mark.behaviour("model.permanent")
def test_settings_that_would_break_the_request_are_refused() -> None:
    with pytest.raises(ConfigError, match="messages, stream"):
        OpenAIChat(api_key="k", base_url=None, model="m", extra={"messages": [], "stream": False})


# ------------------------------------------------------------------------------------------- the server sees mistakes


@pytest.mark.behaviour("model.strict")
@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (lambda: ModelRequest(system="s", messages=b'{"role":"user","content":""}'), "content is empty"),
        (lambda: ModelRequest(system="s", messages=b'{"role":"user","content":"x","at":1}'), "unknown keys"),
        (lambda: ModelRequest(system="s", messages=b'{"role":"tool","tool_call_id":"1","content":"{}"}'), "is due"),
        (lambda: ModelRequest(system="s", messages=user("a"), tools=(TOOL, TOOL)), "two tools of one name"),
    ],
)
async def test_a_strict_endpoint_would_refuse(request_: Callable[[], ModelRequest], problem: str) -> None:
    async with ScriptedModel(strict=False) as model, chat_with(model) as chat:
        with pytest.raises(Permanent):
            await answer(chat, request_())
    assert problem in model.violations[0]


@pytest.mark.behaviour("model.strict")
async def test_a_changed_beginning_is_seen() -> None:
    async with ScriptedModel(strict=False) as model, chat_with(model) as chat:
        model.answers(play.says("ok"))
        said = orjson.dumps({"role": "assistant", "content": "ok"})
        await answer(chat, ModelRequest(system="s", messages=b",".join((user("a"), said, user("b")))))
        await answer(chat, ModelRequest(system="s", messages=b",".join((user("a"), said, user("b"), said, user("c")))))
        assert model.violations == []
        with pytest.raises(Permanent):
            await answer(
                chat, ModelRequest(system="s", messages=b",".join((user("A"), said, user("b"), said, user("d"))))
            )
        with pytest.raises(Permanent):
            await answer(chat, ModelRequest(system="s at 14:03", messages=b",".join((user("a"), said, user("b")))))
    assert len(model.violations) == 2

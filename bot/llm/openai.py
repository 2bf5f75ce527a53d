"""The chat model over any Chat Completions endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import httpx2
import orjson
from pydantic import SecretStr

from bot.conversation import ToolSpec
from bot.errors import ConfigError, Transient
from bot.llm.endpoint import NETWORK_ERRORS, ContentFiltered, Endpoint, PacketReader
from bot.llm.events import EventReader, ServerEvent
from bot.llm.stream import Answer
from bot.llm.transport import packets
from bot.ports import Completion, ModelRequest, TextDelta

_OURS = frozenset({"messages", "stream", "stream_options", "tools", "tool_choice", "model"})
_TOOL_LISTS = 32
_TAIL_S = 1.0
"""How long the token counts may follow the finish reason, where a server neither says [DONE] nor closes."""

_GATHER_S = 0.04
_GATHER_AFTER_S = 0.1
"""Once an answer has gone on for this long, its words are taken a few at a time: nobody sees the difference, and each
look costs as much as the words that it finds."""

_DRAIN_S = 0.05
"""How long the end of the body may follow [DONE]; read to its end, a connection can be used again."""


class OpenAIChat:
    """Streams answers.

    Args:
        base_url: up to and without `/chat/completions`; OpenAI's own when absent.
        first_byte_timeout_s: from the request to the first packet of the answer.
        stall_timeout_s: between two packets.
        total_timeout_s: for the whole answer.
        answer_limit_bytes: of text and tool arguments; what is longer is cut there, the connection closed.
        extra: merged into every request, such as `temperature`; the same for all, so that the prefix stays the same.
        count_tokens: ask for `usage`; off for endpoints that refuse `stream_options`.
    """

    def __init__(
        self,
        *,
        api_key: SecretStr | str,
        base_url: str | None,
        model: str,
        first_byte_timeout_s: float = 30.0,
        stall_timeout_s: float = 20.0,
        total_timeout_s: float = 60.0,
        answer_limit_bytes: int = 40_000,
        extra: Mapping[str, Any] | None = None,
        count_tokens: bool = True,
    ) -> None:
        clash = sorted(_OURS & set(extra or {}))
        if clash:
            raise ConfigError(f"Extra request fields may not be {', '.join(clash)}: Frontdesk sets them itself.")
        self._endpoint = Endpoint(api_key=api_key, base_url=base_url)
        self._first_byte_s = first_byte_timeout_s
        self._stall_s = stall_timeout_s
        self._total_s = total_timeout_s
        self._limit_bytes = answer_limit_bytes
        head: dict[str, Any] = {"model": model, "stream": True}
        if count_tokens:
            head["stream_options"] = {"include_usage": True}
        self._head = orjson.dumps(head | dict(extra or {}), option=orjson.OPT_SORT_KEYS)[:-1]
        self._tools: dict[tuple[ToolSpec, ...], bytes] = {}
        self._system: tuple[str, bytes] = ("", b"")

    async def aclose(self) -> None:
        """Close every connection."""
        await self._endpoint.aclose()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Completion, None]:
        """See `bot.ports.ChatModel`; one delta per packet, and closing the iterator early closes the connection.

        A refusal's words are not streamed: they come in the `Completion`, with the reason `refusal`. When the
        endpoint's own filter refuses the request, the `Completion` is empty with the reason `content_filter`.
        """
        ends_at = asyncio.get_running_loop().time() + self._total_s
        first_byte_at = ends_at - self._total_s + min(self._first_byte_s, self._total_s)
        try:
            body = self.body(request)
            response = await self._endpoint.open(body, within_s=min(self._first_byte_s, self._total_s))
        except ContentFiltered:
            yield Completion(text="", calls=(), finish_reason="content_filter")
            return
        reader = PacketReader(packets(response), ends_at=ends_at)
        events, answer = EventReader(), Answer(self._limit_bytes, request_bytes=len(body))
        gather_at = 0.0
        try:
            packet = await _read(reader, answer, first_byte_at - reader.now(), late="model_timeout")
            while True:
                text = _joined(answer, events.feed(packet) if packet else events.finish())
                if text:
                    yield TextDelta(text=text)
                if not packet or answer.is_done or answer.is_cut:
                    break
                if text:
                    gather_at = gather_at or reader.now() + _GATHER_AFTER_S
                    if reader.now() > gather_at:
                        await asyncio.sleep(_GATHER_S)
                packet = await _read(reader, answer, self._stall_s, late="model_stalled")
            if answer.is_done and not answer.is_cut:
                await _drain(reader)
        finally:
            reader.stop()
            await _close(response)
        yield answer.completion()

    def body(self, request: ModelRequest) -> bytes:
        """The request as it is sent; what does not change from request to request comes first, byte by byte.

        Shape:
            https://platform.openai.com/docs/api-reference/chat/create
        """
        end = b"]}" if request.may_call or not request.tools else b'],"tool_choice":"none"}'
        system = self._system_message(request.system)
        # One copy of what may be half a megabyte.
        return b"".join(
            (self._head, self._tool_list(request.tools), b',"messages":[', system, b",", request.messages, end)
        )

    def _system_message(self, system: str) -> bytes:
        if self._system[0] != system:
            self._system = (system, orjson.dumps({"role": "system", "content": system}))
        return self._system[1]

    def _tool_list(self, tools: Sequence[ToolSpec]) -> bytes:
        """`,"tools":[…]`, nothing when there are none: an empty list is refused by strict endpoints."""
        if not tools:
            return b""
        key = tuple(tools)
        found = self._tools.get(key)
        if found is None:
            functions = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
                }
                for tool in key
            ]
            found = b',"tools":' + orjson.dumps(functions)
            if len(self._tools) >= _TOOL_LISTS:
                self._tools.pop(next(iter(self._tools)))
            self._tools[key] = found
        return found


async def _read(reader: PacketReader, answer: Answer, within_s: float, *, late: str) -> bytes:
    """The next packet, empty at the end; once the finish reason is known, silence and a cut are an end like any other.

    Raises:
        Transient: `late` or `model_timeout` when none came in time, `model_stream_broken`.
    """
    try:
        return await reader.read(_TAIL_S if answer.is_finished else within_s)
    except TimeoutError as error:
        if answer.is_finished:
            return b""
        raise Transient("model_timeout" if reader.is_over else late) from error
    except NETWORK_ERRORS as error:
        if answer.is_finished:
            return b""
        raise Transient("model_stream_broken") from error


def _joined(answer: Answer, events: list[ServerEvent]) -> str:
    text = ""
    for event in events:
        text += answer.add(event)
        if answer.is_done or answer.is_cut:
            break
    return text


async def _drain(reader: PacketReader) -> None:
    try:
        while await reader.read(_DRAIN_S):
            pass
    except (TimeoutError, *NETWORK_ERRORS):
        return  # the answer is whole; only the connection is not used again


async def _close(response: httpx2.Response) -> None:
    try:
        await response.aclose()
    except NETWORK_ERRORS:
        return  # the other side was faster

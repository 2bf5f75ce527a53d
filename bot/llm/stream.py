"""The joining of a streamed answer: events to one `Completion`. Pure, no sockets.

Source:
    https://platform.openai.com/docs/api-reference/chat-streaming
    What endpoints do beside the letter of it is named at the line that allows for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from bot.errors import ContextOverflow, Transient
from bot.llm.chunks import Call, Choice, Function, TokenCounts, decode_chunk, join_surrogates
from bot.llm.events import ServerEvent
from bot.ports import Completion, RequestedCall, Usage

_CALL_COST_BYTES = 64
"""What a call counts against the limit beside its arguments, so that empty calls without end are cut too."""

_OVERFLOW_PHRASES = (
    "context length",
    "context window",
    "context size",
    "maximum number of tokens",
    "prompt is too long",
    "input is too long",
    "reduce the length",
    "too many tokens",
)
_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_REASONS = {"function_call": "tool_calls", "tool_use": "tool_calls", "end_turn": "stop", "max_tokens": "length"}


@dataclass(slots=True)
class _Slot:
    """A call whose fragments are being joined."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are complete JSON, so that a further name can only begin another call."""
        try:
            orjson.loads("".join(self.arguments))
        except orjson.JSONDecodeError:
            return False
        return True


class Answer:
    """Joins the chunks of one answer.

    Args:
        limit_bytes: of text and arguments together, as UTF-8; what comes after it is not kept.
        request_bytes: length of the request that it answers.
    """

    def __init__(self, limit_bytes: int, *, request_bytes: int = 0) -> None:
        self._request_bytes = request_bytes
        self._left = limit_bytes
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._slots: list[_Slot] = []
        self._halves: dict[object, str] = {}
        self._reason = ""
        self._usage: Usage | None = None
        self._begun = False
        self.is_cut = False
        self.is_done = False

    @property
    def is_finished(self) -> bool:
        """A finish reason came; only the token counts may follow."""
        return bool(self._reason)

    def add(self, event: ServerEvent) -> str:
        """Take an event in.

        Returns:
            The text that it adds, at most what the limit leaves.

        Raises:
            Transient: the event is an error, or not JSON of the expected shape.
            ContextOverflow: the event says that the request is too long.
        """
        if event.data.startswith(b"[DONE]"):
            self.is_done = True
            return ""
        chunk = decode_chunk(event.data)
        if chunk.error or event.name == b"error":
            raise stream_fault(chunk.error)
        self._begun = True
        if chunk.usage is not None:
            self._usage = to_usage(chunk.usage, self._request_bytes)
        text = ""
        for choice in chunk.choices or ():
            if not choice.index:
                text += self._choice(choice)
        return text

    def completion(self) -> Completion:
        """The whole answer.

        A refusal's words are the text only when the model said nothing else, and the reason is then `refusal`. Calls
        of an answer that was cut are dropped: none is known to be whole.

        Raises:
            Transient: it never came to its end (`model_stream_unfinished`), was no event stream
                (`model_not_a_stream`), holds nothing (`model_answer_empty`) or a call without a name.
        """
        text = "".join(self._text)
        if self.is_cut:
            return Completion(text=text, calls=(), finish_reason="length", usage=self._usage)
        if not self._reason:
            raise Transient("model_stream_unfinished" if self._begun else "model_not_a_stream")
        if self._reason == "error":
            raise Transient("model_stream_error")
        if any(not slot.name for slot in self._slots):
            raise Transient("model_stream_malformed")
        ordered = sorted(self._slots, key=lambda slot: 0 if slot.index is None else slot.index)
        calls = tuple(RequestedCall(id=slot.id, name=slot.name, arguments="".join(slot.arguments)) for slot in ordered)
        reason = _REASONS.get(self._reason, self._reason)
        if reason in ("stop", "tool_calls"):
            reason = "tool_calls" if calls else "stop"
        if self._refusal and not calls and reason == "stop":
            reason = "refusal"
            text = text or "".join(self._refusal)
        if reason == "stop" and not text.strip():
            raise Transient("model_answer_empty")
        return Completion(text=text, calls=calls, finish_reason=reason, usage=self._usage)

    def _choice(self, choice: Choice) -> str:
        # A whole `message` instead of a delta: from endpoints that wrap an unstreamed answer, or that repeat the whole
        # answer in the last chunk. It counts only when nothing came before it.
        delta = choice.delta
        if choice.message is not None and not (self._text or self._slots):
            delta = choice.message
        text = ""
        if delta is not None:
            content = delta.content
            if isinstance(content, list):
                content = "".join(part.text or "" for part in content)
            if content:
                text = self._kept(content, "text")
                if text:
                    self._text.append(text)
            if delta.refusal:
                self._refusal.append(self._kept(delta.refusal, "refusal"))
            for call in delta.tool_calls or ():
                self._fragment(call)
        if choice.finish_reason:  # some endpoints send an empty one with every chunk
            self._reason = choice.finish_reason
        return text

    def _kept(self, text: str, part: object) -> str:
        """What the limit leaves of a piece; half of a surrogate pair waits for the next piece of the same part."""
        is_plain = text.isascii() and not self._halves
        if is_plain and len(text) <= self._left and not self.is_cut:  # nearly always
            self._left -= len(text)
            return text
        if self.is_cut:
            return ""
        if not is_plain:
            text, half = join_surrogates(self._halves.pop(part, "") + text)
            if half:
                self._halves[part] = half
        size = len(text) if text.isascii() else len(text.encode())
        if size <= self._left:
            self._left -= size
            return text
        self.is_cut = True
        kept = text.encode()[: max(0, self._left)].decode(errors="ignore")
        self._left = 0
        return kept

    def _fragment(self, call: Call) -> None:
        function = call.function or Function()
        slot = self._slot(call, function.name or "")
        if call.id and not slot.id:
            slot.id = call.id
        if function.name and function.name != slot.name:  # some endpoints repeat the name with every fragment
            slot.name += function.name
        arguments = function.arguments
        if isinstance(arguments, dict):
            arguments = orjson.dumps(arguments).decode()
        if arguments:
            slot.arguments.append(self._kept(arguments, id(slot)))

    def _slot(self, call: Call, name: str) -> _Slot:
        """Where a fragment belongs: by index, or by id or order where an endpoint leaves that out or repeats it."""
        found = None
        if call.index is not None:
            found = next((slot for slot in reversed(self._slots) if slot.index == call.index), None)
        elif call.id:
            found = next((slot for slot in reversed(self._slots) if slot.id == call.id), None)
        elif self._slots:
            found = self._slots[-1]
        if found is not None and not _begins_another(found, call, name):
            return found
        self._left -= _CALL_COST_BYTES
        self.is_cut = self.is_cut or self._left < 0
        self._slots.append(_Slot(index=call.index))
        return self._slots[-1]


def _begins_another(slot: _Slot, call: Call, name: str) -> bool:
    """Whether a fragment with a name, sent to a slot that has one, is another call under the same index."""
    if not (name and slot.name):
        return False
    if call.id and slot.id:
        return call.id != slot.id
    return slot.is_whole


def stream_fault(error: object) -> Transient | ContextOverflow:
    """What an error object inside a stream means."""
    details = error if isinstance(error, dict) else {"message": str(error or "")}
    if is_overflow(str(details.get("code") or details.get("type") or ""), str(details.get("message") or "")):
        return ContextOverflow("the endpoint says that the request is too long")
    word = f"{details.get('code')} {details.get('type')}".lower()
    return Transient("model_rate_limited" if "rate_limit" in word or "429" in word else "model_stream_error")


def is_overflow(code: str, message: str) -> bool:
    """Whether an endpoint's error means that the request is longer than the model reads."""
    lowered = message.lower()
    return code in _OVERFLOW_CODES or any(phrase in lowered for phrase in _OVERFLOW_PHRASES)


def to_usage(usage: TokenCounts, request_bytes: int = 0) -> Usage:
    """Token counts as an endpoint gives them; what it leaves out is none."""
    details = usage.prompt_tokens_details
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
        request_bytes=request_bytes,
    )

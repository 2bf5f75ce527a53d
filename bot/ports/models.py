"""The models: one that talks, one that reads pictures."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pydantic import BaseModel

from bot.conversation import ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """What a model is asked.

    Args:
        system: the stable prefix.
        messages: Chat Completions messages as JSON, oldest first, with a comma between two.
        tools: sorted by name; the same from request to request.
        may_call: whether the model may answer with calls (else it is told to use words).
    """

    system: str
    messages: bytes
    tools: Sequence[ToolSpec] = ()
    may_call: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """More text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a request cost, in tokens, as the endpoint counts them.

    Args:
        request_bytes: length of the request as it was sent; 0 where that is not known.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    request_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedCall:
    """A call as the provider sent it, fragments joined; `id` is the provider's and proves nothing."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The end of a model's answer: it came to its end, and this is the whole of it.

    Args:
        finish_reason: `stop`, `tool_calls`, `length`, `content_filter` or what the endpoint says.
    """

    text: str
    calls: tuple[RequestedCall, ...]
    finish_reason: str
    usage: Usage | None = None


class ChatModel(Protocol):
    """A chat model."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Completion, None]:
        """Deltas as they come, then exactly one `Completion`, always last.

        Raises:
            Transient: rate limit, server error, time-out, broken or unfinished stream, something that is no answer.
            Permanent: the endpoint refuses for good (key, model name, request).
            ContextOverflow: see `bot.errors`; a smaller window may work.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A safe picture: re-encoded by us, without metadata."""

    media_type: str
    data: bytes = field(repr=False)
    width: int
    height: int


Schema = TypeVar("Schema", bound=BaseModel)


class VisionModel(Protocol):
    """A model that reads a picture into a schema; it has no tools and no history."""

    async def extract(self, image: Image, schema: type[Schema]) -> Schema:
        """Read a picture.

        Raises:
            ToolFailed: `unreadable`: no answer that fits the schema came back.
            Transient: the endpoint is not available.
        """

"""What a Chat Completions request may look like, and the sentences with which a malformed one is refused.

Source:
    https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

ACCEPTED_WITHOUT_EFFECT = frozenset(
    {
        "audio", "frequency_penalty", "logit_bias", "logprobs", "metadata", "modalities", "moderation",
        "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning_effort", "safety_identifier", "seed", "service_tier", "stop", "store",
        "temperature", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
    }
)  # fmt: skip
"""Arguments of the protocol that mean nothing to a model made of rules."""


class BadRequest(Exception):
    """The sender's fault; becomes status 400 in the protocol's error shape.

    Args:
        param: the path of what is wrong, such as `messages.[2].role`.
        code: a stable word, where the protocol has one.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextPart(_Strict):
    """Words inside a message of several parts."""

    type: Literal["text"]
    text: str


class ImageUrl(_Strict):
    """Where a picture is; the stand-in opens data URLs only."""

    url: str
    detail: Literal["auto", "low", "high", "original"] = "auto"


class ImagePart(_Strict):
    """A picture inside a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


class FunctionCall(_Strict):
    """A function's name and its arguments as JSON text."""

    name: str
    arguments: str


class ToolCall(_Strict):
    """A call that the assistant made earlier."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class SystemMessage(_Strict):
    """Instructions."""

    role: Literal["system", "developer"]
    content: str | list[TextPart]
    name: str | None = None


class UserMessage(_Strict):
    """What was said to the assistant."""

    role: Literal["user"]
    content: str | list[Annotated[TextPart | ImagePart, Field(discriminator="type")]]
    name: str | None = None


class AssistantMessage(_Strict):
    """What the assistant said or called."""

    role: Literal["assistant"]
    content: str | list[TextPart] | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: Annotated[list[ToolCall], Field(min_length=1)] | None = None


class ToolMessage(_Strict):
    """The result of one call."""

    role: Literal["tool"]
    tool_call_id: str
    content: str | list[TextPart]


Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage


class Function(_Strict):
    """What the assistant may call."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(_Strict):
    """A function on offer."""

    type: Literal["function"]
    function: Function


class JsonSchema(_Strict):
    """The shape of a structured answer."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    # The protocol's own key is `schema`, which pydantic keeps for itself.
    shape: Annotated[dict[str, Any], Field(alias="schema")] = {}
    strict: bool | None = None


class ResponseFormat(_Strict):
    """How the answer is to be written."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(_Strict):
    """What a stream carries besides the answer."""

    include_usage: bool = False
    include_obfuscation: bool = False


class ChatRequest(_Strict):
    """One request, valid in itself and in the order of its messages."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[Annotated[Message, Field(discriminator="role")]], Field(min_length=1)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    tools: Annotated[list[Tool], Field(min_length=1, max_length=128)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    response_format: ResponseFormat | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Literal[1] | None = None

    @property
    def callable_tools(self) -> frozenset[str]:
        """The names that an answer may call."""
        if self.tool_choice == "none":
            return frozenset()
        return frozenset(tool.function.name for tool in self.tools or ())

    @property
    def token_limit(self) -> int | None:
        """How long the answer may be."""
        return self.max_completion_tokens or self.max_tokens


def parse_request(body: bytes) -> ChatRequest:
    """A request from the bytes that came.

    Raises:
        BadRequest: not JSON, not the protocol's shape, or messages in an order that no provider accepts.
    """
    try:
        raw = _Body.model_validate_json(body)
        request = ChatRequest.model_validate(
            {key: value for key, value in (raw.model_extra or {}).items() if key not in ACCEPTED_WITHOUT_EFFECT}
        )
    except ValidationError as error:
        raise _refusal(error) from None
    _check_order(request.messages)
    if request.tool_choice is not None and not request.tools:
        raise BadRequest("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    if request.stream_options is not None and not request.stream:
        raise BadRequest("'stream_options' is only allowed when 'stream' is enabled.", param="stream_options")
    if (
        request.response_format
        and request.response_format.type == "json_schema"
        and not request.response_format.json_schema
    ):
        raise BadRequest(
            "Missing required parameter: 'response_format.json_schema'.", param="response_format.json_schema"
        )
    return request


def text_of(content: str | list[TextPart] | list[TextPart | ImagePart] | None) -> str:
    """The words of a message, its pictures left out."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content if isinstance(part, TextPart))


class _Body(BaseModel):
    """Any JSON object; it tells "not JSON at all" from "not our shape"."""

    model_config = ConfigDict(extra="allow")


def _refusal(error: ValidationError) -> BadRequest:
    # Of the alternatives that a value may be, the one that fitted furthest tells best what is wrong.
    problem = max(error.errors(include_url=False, include_context=False), key=lambda found: len(found["loc"]))
    kind, where = problem["type"], _path(problem["loc"])
    if kind == "json_invalid" or not where:
        return BadRequest("We could not parse the JSON body of your request.")
    if kind == "missing":
        return BadRequest(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    if kind == "extra_forbidden":
        return BadRequest(f"Unrecognized request argument supplied: {where}", param=where, code="unknown_parameter")
    if kind.endswith("_type"):
        return BadRequest(f"Invalid type for '{where}': {problem['msg']}.", param=where, code="invalid_type")
    return BadRequest(f"Invalid value for '{where}': {problem['msg']}.", param=where, code="invalid_value")


def _path(location: tuple[int | str, ...]) -> str:
    """`messages.[2].content`, without the names of alternatives that pydantic puts between."""
    alternatives = {"system", "developer", "user", "assistant", "tool", "str", "text", "image_url"}
    parts: list[str] = []
    for part in location:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif not ((part in alternatives and parts and parts[-1].startswith("[")) or part == "str" or "[" in part):
            parts.append(part)
    return ".".join(parts)


def _check_order(messages: list[Message]) -> None:
    """Every call has exactly one result, directly after it, and no result stands without its call."""
    waiting: set[str] = set()
    called_in_front = False
    for index, message in enumerate(messages):
        where = f"messages.[{index}].role"
        if isinstance(message, ToolMessage):
            if not called_in_front:
                raise BadRequest(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
                    "'tool_calls'.",
                    param=where,
                )
            if message.tool_call_id not in waiting:
                raise BadRequest(
                    f"Invalid parameter: 'tool_call_id' of '{message.tool_call_id}' not found in 'tool_calls' of "
                    "previous message, or answered twice.",
                    param=f"messages.[{index}].tool_call_id",
                )
            waiting.discard(message.tool_call_id)
            continue
        if waiting:
            raise _unanswered(waiting, where)
        calls = (message.tool_calls or []) if isinstance(message, AssistantMessage) else []
        waiting = {call.id for call in calls}
        called_in_front = bool(calls)
        if len(waiting) != len(calls):
            raise BadRequest(
                "Duplicate value for 'tool_call_id' in one message.", param=f"messages.[{index}].tool_calls"
            )
        if isinstance(message, AssistantMessage) and not calls and message.content is None and message.refusal is None:
            raise BadRequest(
                f"Invalid value for 'content': expected a string, got null (messages.[{index}]).",
                param=f"messages.[{index}].content",
            )
    if waiting:
        raise _unanswered(waiting, f"messages.[{len(messages)}].role")


def _unanswered(waiting: set[str], where: str) -> BadRequest:
    return BadRequest(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(sorted(waiting))}",
        param=where,
    )

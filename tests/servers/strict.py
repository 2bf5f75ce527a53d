"""What the strictest endpoint asks of a request. Pure: a request's bytes in, what is wrong with it out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

KNOWN_KEYS = frozenset(
    {
        "model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "temperature",
        "top_p", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "seed",
        "stop", "n", "user", "metadata", "store", "service_tier", "reasoning_effort", "verbosity", "response_format",
        "prompt_cache_key", "safety_identifier", "prediction",
    }
)  # fmt: skip
MESSAGE_KEYS = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "refusal", "tool_calls"},
    "tool": {"role", "content", "tool_call_id"},
}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
UNSUPPORTED_IN_STRICT = frozenset(
    {"title", "default", "examples", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
     "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "allOf", "oneOf",
     "not", "if", "then", "else", "patternProperties", "writeOnly", "readOnly", "discriminator"}
)  # fmt: skip


class RawRequest(msgspec.Struct):
    """The parts of a request whose bytes matter."""

    messages: list[msgspec.Raw]
    tools: msgspec.Raw = msgspec.Raw()


def violations(body: bytes) -> Iterator[str]:
    """Each thing that a strict endpoint would refuse in one request."""
    try:
        request = json.loads(body, object_pairs_hook=_without_twins)
    except ValueError as error:
        yield f"not JSON: {error}"
        return
    if not isinstance(request, dict):
        yield "not an object"
        return
    if unknown := sorted(set(request) - KNOWN_KEYS):
        yield f"unknown keys {unknown}"
    if not (isinstance(request.get("model"), str) and request["model"]):
        yield "no model"
    if "stream_options" in request and request.get("stream") is not True:
        yield "stream_options without stream"
    yield from _tools(request)
    messages = request.get("messages")
    if not (isinstance(messages, list) and messages):
        yield "no messages"
        return
    yield from _messages(messages)
    if "response_format" in request:
        yield from _response_format(request["response_format"])


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result


def _tools(request: Mapping[str, Any]) -> Iterator[str]:
    if "tools" not in request:
        if "tool_choice" in request or "parallel_tool_calls" in request:
            yield "tool_choice or parallel_tool_calls without tools"
        return
    tools = request["tools"]
    if not (isinstance(tools, list) and tools):
        yield "tools must not be empty"
        return
    names = []
    for tool in tools:
        if not isinstance(tool, dict) or set(tool) != {"type", "function"} or tool["type"] != "function":
            yield f"not a function tool: {tool!r}"
            continue
        function = tool["function"]
        if unknown := sorted(set(function) - {"name", "description", "parameters", "strict"}):
            yield f"unknown keys in a tool {unknown}"
        names.append(function.get("name"))
        if not (isinstance(function.get("name"), str) and NAME.fullmatch(function["name"])):
            yield f"a tool's name {function.get('name')!r}"
        if not isinstance(function.get("parameters"), dict) or function["parameters"].get("type") != "object":
            yield f"parameters of {function.get('name')} are no object schema"
    if len(set(names)) != len(names):
        yield "two tools of one name"
    if names != sorted(names, key=str):
        yield "the tools are not sorted, so the prefix is not stable"


def _messages(messages: list[Any]) -> Iterator[str]:
    pending: list[str] = []
    seen: set[str] = set()
    for place, message in enumerate(messages):
        where = f"message {place}"
        role = message.get("role") if isinstance(message, dict) else None
        if role not in MESSAGE_KEYS:
            yield f"{where}: role {role!r}"
            continue
        if unknown := sorted(set(message) - MESSAGE_KEYS[role]):
            yield f"{where}: unknown keys {unknown}"
        if role == "tool":
            if not pending or message.get("tool_call_id") != pending[0]:
                yield f"{where}: a result for {message.get('tool_call_id')!r} where {pending[:1]} is due"
            pending = pending[1:]
        elif pending:
            yield f"{where}: comes before the results of {pending}"
            pending = []
        if role in ("system", "developer") and place > 0:
            yield f"{where}: instructions after the beginning"
        yield from (f"{where}: {problem}" for problem in _content(role, message))
        if role == "assistant":
            yield from (f"{where}: {problem}" for problem in _calls(message, seen))
            pending = [str(call.get("id")) for call in message.get("tool_calls") or ()]
    if pending:
        yield f"the end comes before the results of {pending}"
    if isinstance(messages[-1], dict) and messages[-1].get("role") == "assistant":
        yield "the last message is the assistant's"


def _content(role: str, message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if content is None:
        if role != "assistant" or not message.get("tool_calls"):
            yield "content is null"
    elif isinstance(content, str):
        if not content.strip():
            yield "content is empty"
        if any("\ud800" <= char <= "\udfff" or char == "\0" for char in content):
            yield "content holds a lone surrogate or NUL"
    elif isinstance(content, list) and role == "user" and content:
        for part in content:
            if part.get("type") == "image_url":
                url = part["image_url"].get("url", "")
                if not re.match(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+=*$", url):
                    yield "an image that is no data URL"
            elif part.get("type") != "text" or not part.get("text"):
                yield f"a part of type {part.get('type')!r}"
    else:
        yield "content is neither text nor parts"


def _calls(message: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    if "tool_calls" not in message:
        return
    if not message["tool_calls"]:
        yield "tool_calls is empty"
    for call in message["tool_calls"] or ():
        function = call.get("function") or {}
        if set(call) != {"id", "type", "function"} or call["type"] != "function":
            yield f"a call of the wrong form: {sorted(call)}"
        if not isinstance(call.get("id"), str) or not call["id"] or len(call["id"]) > 64:
            yield f"a call's id {call.get('id')!r}"
        if call.get("id") in seen:
            yield f"the call id {call.get('id')!r} stands twice"
        seen.add(str(call.get("id")))
        if set(function) != {"name", "arguments"} or not isinstance(function.get("arguments"), str):
            yield "a call's arguments are no string"
        elif not NAME.fullmatch(str(function["name"])):
            yield f"a call's name {function['name']!r}"


def _response_format(response_format: Mapping[str, Any]) -> Iterator[str]:
    if response_format.get("type") != "json_schema":
        return
    described = response_format.get("json_schema") or {}
    if not NAME.fullmatch(str(described.get("name"))):
        yield f"the schema's name {described.get('name')!r}"
    if described.get("strict") is not True:
        yield "the schema is not strict"
    yield from _strict(described.get("schema"), "schema")
    if (described.get("schema") or {}).get("type") != "object":
        yield "the schema's root is no object"


def _strict(schema: Any, where: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{where}: no schema"
        return
    if bad := sorted(set(schema) & UNSUPPORTED_IN_STRICT):
        yield f"{where}: {bad} are not supported"
    if "$ref" in schema and len(schema) > 1:
        yield f"{where}: $ref has neighbours"
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"{where}: additionalProperties is not false"
        if set(schema.get("required", ())) != set(schema.get("properties", {})):
            yield f"{where}: not all properties are required"
    for key in ("properties", "$defs"):
        for name, value in schema.get(key, {}).items():
            yield from _strict(value, f"{where}.{name}")
    if "items" in schema:
        yield from _strict(schema["items"], f"{where}[]")
    for value in schema.get("anyOf", ()):
        yield from _strict(value, f"{where}?")


class PrefixWatch:
    """Sees whether requests of one conversation share their beginning byte by byte.

    Requests do not name their conversation, so it is told by content: where a request leaves the path of the earlier
    one that it agrees with longest, that is another thread or a moved window, unless something that followed in the
    earlier one follows here as well, or the two places say the same in other bytes. Then something that should have
    stayed was written anew.
    """

    def __init__(self) -> None:
        self._seen: list[list[bytes]] = []
        self._tools: list[bytes] = []

    def forget(self) -> None:
        """An entry is rewritten on purpose (an erased message): what came before is no measure."""
        self._seen.clear()

    def violations(self, body: bytes) -> Iterator[str]:
        """What changed that should have stayed."""
        request = msgspec.json.decode(body, type=RawRequest)
        tools = bytes(request.tools)
        if tools:
            for earlier in self._tools:
                if earlier != tools and json.loads(earlier) == json.loads(tools):
                    yield "the same tools in other bytes"
            if tools not in self._tools:
                self._tools.append(tools)
        messages = [bytes(message) for message in request.messages]
        nearest = max(self._seen, key=lambda earlier: _agreement(earlier, messages), default=None)
        if nearest is not None:
            place = _agreement(nearest, messages)
            if place < min(len(nearest), len(messages)):
                if json.loads(nearest[place]) == json.loads(messages[place]):
                    yield f"message {place} says the same in other bytes"
                elif place > 0 and set(nearest[place + 1 :]) & set(messages[place + 1 :]):
                    yield f"message {place} was written anew; what follows it is the same"
                elif place == 0 and nearest[1:2] == messages[1:2]:
                    yield "the system message changed"
        self._seen.append(messages)


def _agreement(left: list[bytes], right: list[bytes]) -> int:
    for place, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return place
    return min(len(left), len(right))

"""Everything that a tool needs: the decorator, the values it gets, and the gates that stand before it.

A tool is an async function whose first parameter is the `ToolContext` and whose other parameters are the arguments that
the model fills in. The JSON schema comes from their annotations, the description from the docstring's first paragraph,
a parameter's description from `Field(description=…)`:

    @tool(effect="read")
    async def get_opening_hours(context: ToolContext, city: Annotated[str, Field(max_length=80)]) -> Hours:
        '''Tell when the shop in a city is open.'''
        ...

What it returns (a pydantic model, or anything JSON can hold) is what the model reads; a `ToolError` becomes a small
error object; any other exception becomes `tool_failed`, its text reaching neither the model nor the customer.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_type_hints

import orjson
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, create_model

from bot.conversation import ToolSpec
from bot.errors import ToolDenied, ToolFailed, ToolInputError
from bot.messages import Attachment, Audience, Person, ThreadKey
from bot.ports import SharedState
from bot.principal import Principal

Effect = Literal["read", "write"]
Requirement = Literal["verified"]

RESULT_LIMIT_BYTES = 8_192
"""What a tool may return, as JSON. A longer result is a tool that must be mended, and is refused as one."""


class SecretOpener(Protocol):
    """Opens the handles (`secret:1`) that stand for what a person typed."""

    async def open(self, handle: str, *, used_by: str) -> SecretStr:
        """The value, for the author who typed it, in that thread, once.

        Args:
            used_by: the idempotency key of the call; the same call may open it again after a crash.

        Raises:
            ToolInputError: no such handle, or its time is over.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool may know and do besides its arguments.

    Args:
        tenant: whose business data this is; in every query.
        thread: the conversation.
        author: who asked; comes from the verified event, never from an argument.
        principal: what the author has proved.
        audience: who else can read the answer.
        attachments: the files of this thread that are in the window, newest last.
        idempotency_key: `thread/turn/call id`, the same when the call is repeated after a crash.
        secrets: opens what the author typed as a secret.
        read: the bytes of an attachment.
        wrote: whether a link stands, whole, in a message that the author wrote in this thread.
        verify: checks a username and its key, and binds the customer to the author in this thread; a `ToolDenied` when
            they do not fit, or when the author tried too often.
        hand_over: gives the thread to a human colleague; the argument is the reason.
        state: facts shared by all processes, the tool's own namespace.
    """

    tenant: str
    thread: ThreadKey
    author: Person
    principal: Principal
    audience: Audience
    idempotency_key: str
    secrets: SecretOpener
    read: Callable[[Attachment], Awaitable[bytes]]
    wrote: Callable[[str], bool]
    verify: Callable[[str, SecretStr], Awaitable[Principal]]
    hand_over: Callable[[str], Awaitable[None]]
    state: SharedState
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call.

    Args:
        requires: what the author must have proved; checked by the code that calls, whatever the model says.
        effect: calls that only read run in parallel; calls that write run in order, one at a time.
        timeout_s: its own limit; the setting `TOOL_TIMEOUT_S` when absent.
    """

    spec: ToolSpec
    arguments: type[BaseModel]
    function: Callable[..., Awaitable[object]]
    requires: frozenset[Requirement] = frozenset()
    effect: Effect = "read"
    timeout_s: float | None = None
    secret_arguments: frozenset[str] = field(default_factory=frozenset)

    async def call(self, context: ToolContext, arguments: str) -> bytes:
        """Check the gates and the arguments, run the function.

        Args:
            arguments: JSON text as the model sent it.

        Returns:
            The result as JSON, at most `RESULT_LIMIT_BYTES`.

        Raises:
            ToolError: refused, wrong arguments, or failed. Any other exception is the function's own.
        """
        self.check(context.principal)
        parsed = self.parse(arguments)
        values: dict[str, object] = dict(parsed)
        for name in self.secret_arguments:
            handle = values[name]
            if isinstance(handle, SecretStr) and handle.get_secret_value():
                values[name] = await context.secrets.open(handle.get_secret_value(), used_by=context.idempotency_key)
        result = await self.function(context, **values)
        content = orjson.dumps(result.model_dump(mode="json") if isinstance(result, BaseModel) else result)
        if len(content) > RESULT_LIMIT_BYTES:
            raise ToolFailed("result_too_large", "The tool's result was too large to use.")
        return content

    def check(self, principal: Principal) -> None:
        """The gate.

        Raises:
            ToolDenied: the author has not proved what this tool requires.
        """
        if "verified" in self.requires and not principal.is_verified:
            raise ToolDenied(
                "verification_required",
                "This person is not verified in this thread. A private form to verify has been put before them; "
                "ask them to use it, and say nothing about whether what they ask for exists.",
            )

    def parse(self, arguments: str) -> BaseModel:
        """The arguments as the tool's own model.

        Raises:
            ToolInputError: not JSON, not an object, or not what the schema says; the message names the fields.
        """
        try:
            return self.arguments.model_validate_json(arguments or "{}")
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False, include_context=False)[:5]
            )
            raise ToolInputError("invalid_arguments", f"The arguments do not fit: {problems[:400]}") from None


ToolSource = Callable[[], Awaitable[Sequence[Tool]]]
"""Gives the tools as they are at this moment, asked once a turn; the very same sequence while nothing has changed."""


def unchanging(tools: Sequence[Tool]) -> ToolSource:
    """A source of tools that stay as they are."""

    async def source() -> Sequence[Tool]:
        return tools

    return source


def tool(
    *, effect: Effect, requires: frozenset[Requirement] | set[Requirement] = frozenset(), timeout_s: float | None = None
) -> Callable[[Callable[..., Awaitable[object]]], Tool]:
    """Make a `Tool` of a typed async function; see the module's docstring.

    Raises:
        TypeError: at definition: no docstring, no context, or a parameter without annotation.
    """

    def decorate(function: Callable[..., Awaitable[object]]) -> Tool:
        name = function.__name__
        description = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ").strip()
        if not description:
            raise TypeError(f"{name}: a tool needs a docstring; the model reads its first paragraph")
        hints = get_type_hints(function, include_extras=True)
        context, *parameters = inspect.signature(function).parameters.values()
        if hints.get(context.name) is not ToolContext:
            raise TypeError(f"{name}: the first parameter must be a ToolContext")
        fields: dict[str, Any] = {}
        for parameter in parameters:
            if parameter.name not in hints:
                raise TypeError(f"{name}: parameter {parameter.name} has no annotation")
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[parameter.name] = (hints[parameter.name], default)
        # `create_model` is typed for literal keywords; the fields come from the function's own annotations.
        model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
        secret = frozenset(key for key, info in model.model_fields.items() if info.annotation is SecretStr)
        return Tool(
            spec=ToolSpec(name=name, description=description, parameters=_schema(model)),
            arguments=model,
            function=function,
            requires=frozenset(requires),
            effect=effect,
            timeout_s=timeout_s,
            secret_arguments=secret,
        )

    return decorate


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema without what only people read (titles) and what strict readers refuse (`writeOnly`)."""
    schema = model.model_json_schema()
    schema.pop("title", None)
    for value in schema.get("properties", {}).values():
        for key in ("title", "writeOnly", "format"):
            value.pop(key, None)
    return schema

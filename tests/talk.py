"""Values that tests speak with."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from bot.conversation import AssistantTurn, ToolCall, ToolTurn, UserTurn
from bot.messages import Attachment, Audience, Person, ThreadKey

_numbers = itertools.count(1)

ADA = Person(id="ada", display_name="Ada", organisation="Acme")
BEN = Person(id="ben", display_name="Ben", organisation="Other")
ANN = Person(id="ann", display_name="Ann", organisation="Us", is_staff=True)


def a_thread(root: str | None = None, *, platform: str = "web") -> ThreadKey:
    """A thread of its own."""
    return ThreadKey(platform=platform, space="page", channel="main", root=root or f"thread-{next(_numbers)}")


def said(
    text: str,
    *,
    by: Person = ADA,
    message_id: str | None = None,
    audience: Audience = Audience.DIRECT,
    attachments: tuple[Attachment, ...] = (),
) -> UserTurn:
    """A message of a person."""
    return UserTurn(
        message_ids=(message_id or f"m-{next(_numbers)}",),
        author=by,
        text=text,
        audience=audience,
        at=datetime.now(UTC),
        attachments=attachments,
    )


def answered(text: str, *calls: ToolCall) -> AssistantTurn:
    """Words of the model, with calls."""
    return AssistantTurn(text=text, at=datetime.now(UTC), tool_calls=calls)


def resulted(call_id: str, content: str = '{"ok":true}', *, is_error: bool = False) -> ToolTurn:
    """The result of a call."""
    return ToolTurn(call_id=call_id, content=content, at=datetime.now(UTC), is_error=is_error)

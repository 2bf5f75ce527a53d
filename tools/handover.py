"""Giving a conversation to a human colleague."""

from __future__ import annotations

import contextlib
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from bot.tool import Tool, ToolContext, tool
from tools.database import DatabaseUnavailable
from tools.kit import Kit
from tools.text import scrub

Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why a human is needed and what was tried so far, in one or two sentences for the colleague.",
    ),
    AfterValidator(lambda value: scrub(value, 500)),
]


class HandedOver(BaseModel):
    """Said to the model after the thread was given away."""

    handed_over: bool = True
    note: str = "A human colleague was called and takes over in this thread. Say so in one sentence, and nothing else."


def build(kit: Kit) -> Tool:
    """The tool `hand_over_to_human`."""

    @tool(effect="write")
    async def hand_over_to_human(context: ToolContext, reason: Reason) -> HandedOver:
        """Hand the conversation over to a human colleague. Call it when the customer asks for a human, or when nothing
        else helps them."""
        await context.hand_over(reason)
        # A human is needed most when nothing else works: the database being away does not undo it.
        with contextlib.suppress(DatabaseUnavailable):
            await kit.desk.record_audit(
                context.tenant,
                actor=context.principal.person,
                action="hand_over_to_human",
                target=str(context.thread),
                result="handed_over",
            )
        return HandedOver()

    return hand_over_to_human

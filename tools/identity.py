"""Who a customer is: a username and its key, checked, then bound to the speaker in this thread."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from bot.errors import ToolDenied
from bot.tool import Tool, ToolContext, tool
from tools.attempts import Attempts
from tools.kit import Kit
from tools.text import scrub_line

TRIES = Attempts(limit=5, window_s=3600.0, pause_s=3600.0)
"""Five tries per person and hour, right ones counted too."""

Username = Annotated[
    str,
    Field(min_length=1, max_length=64, description="The customer's username as they gave it."),
    AfterValidator(lambda value: scrub_line(value, 64)),
]
ApiKey = Annotated[
    SecretStr,
    Field(
        max_length=1024,
        description="The handle that stands in the conversation for the customer's key, such as 'secret:1'. Never a "
        "key itself; when there is no handle, ask the customer to use the private form.",
    ),
]


class Verified(BaseModel):
    """Said to the model after a right key."""

    verified: bool = True
    username: str
    until: datetime | None
    advice: str | None = None


def build(kit: Kit) -> Tool:
    """The tool `verify_user`."""

    @tool(effect="write")
    async def verify_user(context: ToolContext, username: Username, api_key: ApiKey) -> Verified:
        """Verify who the customer is, with their username and the handle of the key that they typed. Only after that
        can the status of their tickets be looked up."""
        who = f"verify/{context.tenant}/{context.principal.person}"
        if not await TRIES.begin(context.state, who, context.idempotency_key):
            await _audit(kit, context, username, "too_many_tries")
            raise ToolDenied(
                "too_many_tries",
                "There were too many tries to verify within an hour. Ask the customer to try again later, or offer to "
                "hand over to a human colleague.",
            )
        customer = await kit.desk.check_customer(context.tenant, username, api_key.get_secret_value())
        if customer is None:
            await _audit(kit, context, username, "verification_failed")
            raise ToolDenied(
                "verification_failed",
                "The username and the key do not belong together. Do not say which of them might be wrong; the "
                "customer may try again with the private form.",
            )
        await _audit(kit, context, customer, "verified")
        principal = await context.grant(customer)
        return Verified(username=customer, until=principal.until, advice=_advice(context))

    return verify_user


def _advice(context: ToolContext) -> str | None:
    if not context.audience.is_overheard:
        return None
    return "The key was typed where others can read it. Tell the customer to change it soon."


async def _audit(kit: Kit, context: ToolContext, username: str, result: str) -> None:
    await kit.desk.record_audit(
        context.tenant, actor=context.principal.person, action="verify_user", target=username, result=result
    )

"""Who a customer is: a username and its key, checked, then bound to the speaker in this thread."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from bot.errors import ToolDenied
from bot.tool import Tool, ToolContext, tool
from tools.kit import Kit
from tools.text import scrub_line

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
        "key itself. Leave it out when there is no handle: then a private form is put before the customer.",
    ),
]

NO_KEY = SecretStr("")


class Verified(BaseModel):
    """Said to the model after a right key."""

    verified: bool = True
    username: str | None
    until: datetime | None


def build(_: Kit) -> Tool:
    """The tool `verify_user`."""

    @tool(effect="write")
    async def verify_user(context: ToolContext, username: Username, api_key: ApiKey = NO_KEY) -> Verified:
        """Verify who the customer is, with their username and the handle of the key that they typed; without a key a
        private form is put before them. Only after that can the status of their tickets be looked up."""
        if api_key == NO_KEY:
            raise ToolDenied(
                "verification_required",
                "A private form has been put before this person. Ask them to use it; what they asked for goes on by "
                "itself when they have.",
            )
        principal = await context.verify(username, api_key)
        return Verified(username=principal.customer, until=principal.until)

    return verify_user

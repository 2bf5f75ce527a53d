"""Tickets: opening one, and telling its status to whom it belongs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from bot.errors import ToolDenied, ToolError, ToolInputError
from bot.ports import Ticket
from bot.principal import Principal
from bot.tool import Tool, ToolContext, tool
from tools.kit import Kit
from tools.orders import clean_id
from tools.text import scrub, scrub_line

_TURN_REMEMBERED_S = 86_400.0
"""How long a turn's one ticket is remembered: longer than a turn can be tried again."""

CustomerName = Annotated[
    str,
    Field(
        min_length=1, max_length=100, description="The customer's name as they gave it. Ask for it; never make one up."
    ),
    AfterValidator(lambda value: scrub_line(value, 100)),
]
Issue = Annotated[
    str,
    Field(
        min_length=3,
        max_length=2000,
        description="What is wrong and what the customer wants, in one to three sentences, complete enough for a "
        "colleague who has not read the conversation. No passwords or keys.",
    ),
    AfterValidator(lambda value: scrub(value, 2000)),
]
TicketId = Annotated[
    str,
    BeforeValidator(clean_id),
    Field(pattern=r"^[0-9]{1,12}$", description="The ticket's number as the customer gave it: digits only."),
]


class TicketOpened(BaseModel):
    """What the customer may know of a ticket that was opened for them."""

    ticket_id: str
    status: str
    name: str
    issue: str


class TicketStatus(BaseModel):
    """What its owner may know of a ticket."""

    ticket_id: str
    status: str
    issue: str
    opened_at: datetime


def build_create(kit: Kit) -> Tool:
    """The tool `create_customer_ticket`."""

    @tool(effect="write")
    async def create_customer_ticket(context: ToolContext, name: CustomerName, issue: Issue) -> TicketOpened:
        """Open a support ticket for the customer, so that a colleague takes care of their problem. Needs the customer's
        name and the issue; ask for what is missing before calling, and tell the customer the ticket's number."""
        if not name or not issue:
            raise ToolInputError("invalid_arguments", "The name and the issue must hold readable text.")
        await _take_turn(context)
        try:
            ticket = await kit.desk.open_ticket(
                context.tenant,
                name=name,
                issue=issue,
                person=context.principal.person,
                customer=context.principal.customer if context.principal.is_verified else None,
                thread=str(context.thread),
                idempotency_key=context.idempotency_key,
                organisation=context.author.organisation,
                per_day=kit.tickets_per_day,
            )
        except ToolDenied as denied:
            await _audit(kit, context, "create_customer_ticket", "", denied.code)
            raise
        return TicketOpened(ticket_id=str(ticket.number), status=ticket.status, name=ticket.name, issue=ticket.issue)

    return create_customer_ticket


def build_status(kit: Kit) -> Tool:
    """The tool `get_ticket_status`."""

    @tool(effect="read", requires={"verified"})
    async def get_ticket_status(context: ToolContext, ticket_id: TicketId) -> TicketStatus:
        """Look up the status of a support ticket. Works only for a customer who is verified in this conversation, and
        only for their own tickets."""
        ticket = await kit.desk.find_ticket(context.tenant, int(ticket_id))
        if ticket is None or not _belongs(ticket, context.principal):
            # Written down in both cases, so that neither the words nor the time tell them apart.
            await _audit(kit, context, "get_ticket_status", ticket_id, "not_found")
            raise ToolError(
                "not_found", "No ticket with this number was found for this customer. Ask them to check the number."
            )
        return TicketStatus(
            ticket_id=str(ticket.number), status=ticket.status, issue=ticket.issue, opened_at=ticket.created_at
        )

    return get_ticket_status


def _belongs(ticket: Ticket, principal: Principal) -> bool:
    """A ticket belongs to the person who opened it and to the customer as whom they were verified."""
    return ticket.person == principal.person or (ticket.customer is not None and ticket.customer == principal.customer)


async def _take_turn(context: ToolContext) -> None:
    """Let one call of a turn open a ticket; the same call may come again after a crash.

    Raises:
        ToolDenied: `one_ticket_per_turn`: another call of this turn was first.
    """
    turn = context.idempotency_key.rpartition("/")[0]
    key, call = f"turn/{context.tenant}/{turn}", context.idempotency_key.encode()
    if await context.state.compare_and_set(key, None, call, ttl_s=_TURN_REMEMBERED_S):
        return
    if await context.state.get(key) != call:
        raise ToolDenied(
            "one_ticket_per_turn",
            "Only one ticket can be opened in answer to one message. Use the result of the first call; put everything "
            "that belongs to the problem into one ticket.",
        )


async def _audit(kit: Kit, context: ToolContext, action: str, target: str, result: str) -> None:
    await kit.desk.record_audit(
        context.tenant, actor=context.principal.person, action=action, target=target, result=result
    )

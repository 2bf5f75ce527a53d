"""Where an order is: order id and e-mail together open it, and neither alone says anything."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.attempts import Attempts
from bot.errors import ToolDenied, ToolError, ToolInputError
from bot.tool import Tool, ToolContext, tool
from tools.database import Database, DatabaseUnavailable
from tools.kit import Kit
from tools.tables import order_items, orders
from tools.text import scrub_line

PROOF_LASTS_S = 1800.0
"""How long one who showed order id and e-mail may ask for that order, in that thread, without the e-mail."""

MISSES = Attempts(limit=5, window_s=3600.0, pause_s=900.0)
"""Five misses within an hour are followed by a pause of 15 minutes."""


def clean_id(value: object) -> object:
    """An id as people and models write it (` #123123`, 123123) -> `123123`; anything else as it is."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text.strip().removeprefix("#").strip() if isinstance(text, str) else text


def clean_email(value: object) -> object:
    """An address as people write it -> the form in which it is compared."""
    if not isinstance(value, str):
        return value
    return scrub_line(value, 300).removeprefix("mailto:").casefold() or None


OrderId = Annotated[
    str,
    BeforeValidator(clean_id),
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$",
        description="The order's id exactly as the customer gave it, without a leading '#'. Never guess one.",
    ),
]
Email = Annotated[
    Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None,
    BeforeValidator(clean_email),
    Field(
        description="The e-mail address with which the order was placed, as the customer gave it. Leave it out only "
        "to ask again for an order that this customer has already opened in this conversation."
    ),
]


class OrderItem(BaseModel):
    """A line of an order."""

    name: str
    quantity: int


class OrderStatus(BaseModel):
    """What a customer may know of an order."""

    order_id: str
    status: str
    eta: date | None
    address: str
    items: list[OrderItem]


def build(kit: Kit) -> Tool:
    """The tool `get_order_status`."""

    @tool(effect="read")
    async def get_order_status(context: ToolContext, order_id: OrderId, email: Email = None) -> OrderStatus:
        """Look up an order: its status, expected arrival, delivery address and items. Needs the order id and the
        e-mail address of the order, both from the customer; ask for what is missing before calling."""
        if email is None:
            return await _again(kit, context, order_id)
        who = f"order/{context.tenant}/{context.principal.person}"
        if not await MISSES.begin(context.state, who, context.idempotency_key):
            await _audit(kit, context, order_id, "too_many_misses")
            raise ToolDenied(
                "too_many_misses",
                "Too many orders were asked for that could not be found. Orders cannot be looked up for this person "
                "for the next 15 minutes. Offer to hand over to a human colleague.",
            )
        try:
            found = await find_order(kit.database, context.tenant, order_id, email)
        except DatabaseUnavailable:
            await MISSES.forgive(context.state, who, context.idempotency_key)
            raise
        if found is None:
            await _audit(kit, context, order_id, "not_found")
            raise _not_found()
        await MISSES.forgive(context.state, who, context.idempotency_key)
        await context.state.set(_proof(context, order_id), email.encode(), ttl_s=PROOF_LASTS_S)
        return found

    return get_order_status


async def find_order(database: Database, tenant: str, order_id: str, email: str) -> OrderStatus | None:
    """The order with this id, if it was placed with this e-mail address (casefolded)."""
    spellings = {order_id, order_id.upper(), order_id.lower()}
    query = select(orders).where(orders.c.tenant == tenant, orders.c.id.in_(sorted(spellings)), orders.c.email == email)

    async def work(connection: AsyncConnection) -> OrderStatus | None:
        order = (await connection.execute(query.limit(1))).one_or_none()
        if order is None:
            return None
        lines = await connection.execute(
            select(order_items.c.name, order_items.c.quantity)
            .where(order_items.c.tenant == tenant, order_items.c.order_id == order.id)
            .order_by(order_items.c.position)
        )
        return OrderStatus(
            order_id=order.id,
            status=order.status,
            eta=order.eta,
            address=order.address,
            items=[OrderItem(name=line.name, quantity=line.quantity) for line in lines],
        )

    return await database.read(work)


async def _again(kit: Kit, context: ToolContext, order_id: str) -> OrderStatus:
    """The order once more, for whoever opened it in this thread a short while ago."""
    email = await context.state.get(_proof(context, order_id))
    if email is None:
        raise ToolInputError(
            "email_required", "The e-mail address of the order is needed. Ask the customer for it and call again."
        )
    found = await find_order(kit.database, context.tenant, order_id, email.decode())
    if found is None:
        raise _not_found()
    return found


def _proof(context: ToolContext, order_id: str) -> str:
    """A weak proof: it opens this order in this thread for this person, and verifies nobody."""
    return f"proof/{context.tenant}/{context.thread}/{context.principal.person}/{order_id.upper()}"


def _not_found() -> ToolError:
    """The same for a wrong address and an unknown id."""
    return ToolError(
        "not_found",
        "No order was found with this order id and e-mail address. Ask the customer to check both; do not say which of "
        "them might be wrong.",
    )


async def _audit(kit: Kit, context: ToolContext, order_id: str, result: str) -> None:
    await kit.desk.record_audit(
        context.tenant, actor=context.principal.person, action="get_order_status", target=order_id, result=result
    )

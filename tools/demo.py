"""The demo's shop: orders, customers and tickets to play with, as the acceptance conversations name them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.database import Database, insert
from tools.desk import fold_username, hash_key
from tools.tables import customers, order_items, orders, tickets

_ORDERS: Sequence[tuple[str, str, str, date | None, str, Sequence[tuple[str, int]]]] = (
    (
        "123123",
        "santa@clau.se",
        "Out for delivery",
        date(2024, 11, 8),
        "Snowy Mountain 123, Greenland",
        (("Large wooden sled", 1), ("Reindeer harness", 2)),
    ),
    (
        "123124",
        "santa@clau.se",
        "Being packed",
        date(2024, 12, 20),
        "Snowy Mountain 123, Greenland",
        (("Brass sleigh bell", 24), ("Extra-large sack", 3)),
    ),
    (
        "200481",
        "omar@example.com",
        "Delivered",
        date(2024, 10, 30),
        "14 Harbour Street, Galway, Ireland",
        (("Waxed canvas backpack", 1), ("Steel water bottle", 2)),
    ),
    (
        "200517",
        "mary@example.com",
        "Delayed by the carrier",
        date(2024, 11, 15),
        "Lindenallee 7, 20259 Hamburg, Germany",
        (("Espresso grinder", 1),),
    ),
    (
        "FD-3007",
        "yuki@example.com",
        "Returned, refund in review",
        None,
        "2-8-1 Nishi-Shinjuku, Tokyo, Japan",
        (("Running shoes, size 42", 1), ("Wool socks (pair)", 4)),
    ),
)

_KEYS = {"john_doe": "key", "mary_major": "demo-key-mary", "santa": "demo-key-santa"}
"""Username -> key. They open nothing but this demo."""

_TICKETS = (
    (12345, "Open", "John", "Billing Query", "john_doe"),
    (12399, "Waiting for customer", "John", "Wrong invoice address", "john_doe"),
    (67890, "Closed", "Mary", "Technical Support", "mary_major"),
    (67912, "Open", "Santa", "One reindeer harness is missing a buckle", "santa"),
)

_OPENED = datetime(2024, 11, 1, 9, 0, tzinfo=UTC)


async def fill(database: Database, *, tenant: str = "default", hash_key: Callable[[str], str] = hash_key) -> None:
    """Put the shop in, unless it is there: it comes in one transaction.

    Args:
        hash_key: what is kept of a key; it is slow on purpose, and who fills many shops may remember its results.
    """
    wanted = {fold_username(username): (username, key) for username, key in _KEYS.items()}
    known = await database.read(lambda connection: _usernames(connection, tenant))
    if wanted.keys() <= known:
        return  # and nobody is waited for who writes at this moment
    hashes = {
        folded: await asyncio.to_thread(hash_key, key) for folded, (_, key) in wanted.items() if folded not in known
    }

    async def work(connection: AsyncConnection) -> None:
        for folded, key_hash in hashes.items():
            await put(connection, customers, folded=folded, username=wanted[folded][0], key_hash=key_hash)
        for order_id, email, status, eta, address, lines in _ORDERS:
            await put(connection, orders, id=order_id, email=email, status=status, eta=eta, address=address)
            for position, (name, quantity) in enumerate(lines):
                await put(connection, order_items, order_id=order_id, position=position, name=name, quantity=quantity)
        for number, status, name, issue, customer in _TICKETS:
            await put(
                connection,
                tickets,
                number=number,
                status=status,
                name=name,
                issue=issue,
                customer=customer,
                person=f"demo:{customer}",
                thread="demo",
                idempotency_key=f"demo/{number}",
                created_at=_OPENED,
            )

    async def put(connection: AsyncConnection, table: Table, **row: object) -> None:
        await connection.execute(insert(connection, table).values(tenant=tenant, **row).on_conflict_do_nothing())

    await database.write(work)


async def _usernames(connection: AsyncConnection, tenant: str) -> set[str]:
    return set((await connection.scalars(select(customers.c.folded).where(customers.c.tenant == tenant))).all())

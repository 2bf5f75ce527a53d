"""What the business data looks like in SQL. Every table has the tenant in its key, and every query names it.

Texts have no length here: what people may write is bounded where it comes in, alike for both databases.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator

FIRST_TICKET_NUMBER = 100_001
"""Numbers below are free for tickets that a shop brings along."""


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which knows no zones, keeps it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database.

        Raises:
            ValueError: a time without a zone, which could mean anything.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times are aware UTC")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _tenant() -> Column[str]:
    return Column("tenant", Text, primary_key=True)


orders = Table(
    "orders",
    METADATA,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, comment="casefolded"),
    Column("status", Text, nullable=False),
    Column("eta", Date),
    Column("address", Text, nullable=False),
)

order_items = Table(
    "order_items",
    METADATA,
    _tenant(),
    Column("order_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    ForeignKeyConstraint(["tenant", "order_id"], ["orders.tenant", "orders.id"], ondelete="CASCADE"),
)

customers = Table(
    "customers",
    METADATA,
    _tenant(),
    Column("folded", Text, primary_key=True, comment="the username casefolded, by which it is found"),
    Column("username", Text, nullable=False, comment="as registered"),
    Column("key_hash", Text, nullable=False, comment="argon2id"),
)

tickets = Table(
    "tickets",
    METADATA,
    _tenant(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("issue", Text, nullable=False),
    Column("customer", Text, comment="username of the verified customer, if any"),
    Column("person", Text, nullable=False, comment="platform:space:person id"),
    Column("thread", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False, comment="thread/turn/call id"),
    Column("created_at", UtcTime, nullable=False),
    Column("platform", Text, nullable=False, server_default=""),
    Column("organisation", Text, nullable=False, server_default=""),
    Column("receipt", Text, comment="SHA-256 of the picture of the receipt that it is about"),
    Column("assignee", Text, comment="platform:space:person id of the colleague who takes care"),
    Column("changes", Integer, nullable=False, server_default="0"),
    UniqueConstraint("tenant", "idempotency_key"),
    Index(None, "tenant", "person", "created_at"),
    Index(None, "tenant", "thread"),
)

ticket_notes = Table(
    "ticket_notes",
    METADATA,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "tenant", "number"),
)

counters = Table(
    "counters",
    METADATA,
    _tenant(),
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""The last number given out. One row per tenant and name: it is also what writers of a tenant queue at."""

receipts = Table(
    "receipts",
    METADATA,
    _tenant(),
    Column("thread", Text, primary_key=True),
    Column("sha256", Text, primary_key=True, comment="of the picture as it was sent"),
    Column("person", Text, nullable=False),
    Column("content", Text, nullable=False, comment="the receipt as JSON"),
    Column("created_at", UtcTime, nullable=False),
)

uploads = Table(
    "uploads",
    METADATA,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("thread", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
)

audit = Table(
    "audit",
    METADATA,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("result", Text, nullable=False),
    Index(None, "tenant", "at"),
)
"""Append-only: triggers made by the first migration refuse an update or a delete of a row."""

votes = Table(
    "votes",
    METADATA,
    _tenant(),
    Column("thread", Text, primary_key=True),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("person", Text, primary_key=True),
    Column("value", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
    Column(
        "about",
        Text,
        nullable=False,
        server_default="answer",
        comment="answer, or case: the question after a closed one",
    ),
)

turns = Table(
    "turns",
    METADATA,
    _tenant(),
    Column("thread", Text, primary_key=True),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("person", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("at", UtcTime, nullable=False, comment="when it ended"),
    Column("duration_ms", Integer, nullable=False),
    Column("response_ms", Integer, comment="from the message to the first text"),
    Column("calls", Integer, nullable=False),
    Column("tool_calls", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("millionths", BigInteger, nullable=False, comment="what it cost, in millionths of the currency"),
    Column("handed_over", Boolean, nullable=False),
    Index(None, "tenant", "at"),
    Index(None, "at"),
)
"""What reports are made of: one row per turn, nothing of what was said."""

"""A row per turn, of which reports are made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNTS = {
    "duration_ms": sa.Integer,
    "calls": sa.Integer,
    "tool_calls": sa.Integer,
    "input_tokens": sa.BigInteger,
    "cached_tokens": sa.BigInteger,
    "output_tokens": sa.BigInteger,
    "millionths": sa.BigInteger,
}


def upgrade() -> None:
    """Make the table; workers of the version before do not know it."""
    op.create_table(
        "turns",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("turn", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when it ended"),
        sa.Column("response_ms", sa.Integer(), comment="from the message to the first text"),
        *(sa.Column(name, kind(), nullable=False, comment=_COMMENTS.get(name)) for name, kind in _COUNTS.items()),
        sa.Column("handed_over", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "thread", "turn", name="pk_turns"),
    )
    op.create_index("ix_turns_tenant_at", "turns", ["tenant", "at"])
    op.create_index("ix_turns_at", "turns", ["at"])


_COMMENTS = {"millionths": "what it cost, in millionths of the currency"}

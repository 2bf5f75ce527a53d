"""What the desk keeps of its cases: who takes care of a ticket, notes on it, and what a vote says and judges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that workers of the version before need not know, and the notes."""
    _add("tickets", "platform", "")
    _add("tickets", "organisation", "")
    _add("tickets", "receipt", None, comment="SHA-256 of the picture of the receipt that it is about")
    _add("tickets", "assignee", None, comment="platform:space:person id of the colleague who takes care")
    changes: sa.Column[int] = sa.Column("changes", sa.Integer(), nullable=False, server_default="0")
    op.add_column("tickets", changes)
    op.create_index("ix_tickets_tenant_thread", "tickets", ["tenant", "thread"])
    _add("votes", "comment", "")
    _add("votes", "about", "answer", comment="answer, or case: the question after a closed one")
    op.create_table(
        "ticket_notes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_ticket_notes"),
    )
    op.create_index("ix_ticket_notes_tenant_number", "ticket_notes", ["tenant", "number"])


def _add(table: str, name: str, default: str | None, *, comment: str | None = None) -> None:
    column: sa.Column[str] = sa.Column(
        name, sa.Text(), nullable=default is None, server_default=default, comment=comment
    )
    op.add_column(table, column)

"""The shop and the desk: orders, customers, tickets, receipts, uploads, audit, votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _shop()
    _desk()
    _read_only_audit()


def _table(name: str, *columns: sa.Column[object] | sa.Constraint, key: tuple[str, ...]) -> None:
    tenant = sa.Column("tenant", sa.Text(), nullable=False)
    op.create_table(name, tenant, *columns, sa.PrimaryKeyConstraint("tenant", *key, name=f"pk_{name}"))


def _text(name: str, *, nullable: bool = False, comment: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _number(name: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[object]:
    return sa.Column(name, kind(), autoincrement=False, nullable=False)


def _shop() -> None:
    _table(
        "orders",
        _text("id"),
        _text("email", comment="casefolded"),
        _text("status"),
        sa.Column("eta", sa.Date(), nullable=True),
        _text("address"),
        key=("id",),
    )
    _table(
        "order_items",
        _text("order_id"),
        _number("position"),
        _text("name"),
        _number("quantity"),
        sa.ForeignKeyConstraint(
            ["tenant", "order_id"], ["orders.tenant", "orders.id"], name="fk_order_items_orders", ondelete="CASCADE"
        ),
        key=("order_id", "position"),
    )
    _table(
        "customers",
        _text("folded", comment="the username casefolded, by which it is found"),
        _text("username", comment="as registered"),
        _text("key_hash", comment="argon2id"),
        key=("folded",),
    )


def _desk() -> None:
    _table(
        "tickets",
        _number("number", sa.BigInteger),
        _text("status"),
        _text("name"),
        _text("issue"),
        _text("customer", nullable=True, comment="username of the verified customer, if any"),
        _text("person", comment="platform:space:person id"),
        _text("thread"),
        _text("idempotency_key", comment="thread/turn/call id"),
        _time("created_at"),
        sa.UniqueConstraint("tenant", "idempotency_key", name="uq_tickets_tenant_idempotency_key"),
        key=("number",),
    )
    op.create_index("ix_tickets_tenant_person_created_at", "tickets", ["tenant", "person", "created_at"])
    _table("counters", _text("name"), _number("value", sa.BigInteger), key=("name",))
    _table(
        "receipts",
        _text("thread"),
        _text("sha256", comment="of the picture as it was sent"),
        _text("person"),
        _text("content", comment="the receipt as JSON"),
        _time("created_at"),
        key=("thread", "sha256"),
    )
    _table(
        "uploads",
        _text("id"),
        _text("thread"),
        _text("person"),
        _text("name"),
        _text("media_type"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        _time("expires_at"),
        key=("id",),
    )
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    _table(
        "audit",
        _text("id"),
        _time("at"),
        _text("actor"),
        _text("action"),
        _text("target"),
        _text("result"),
        key=("id",),
    )
    op.create_index("ix_audit_tenant_at", "audit", ["tenant", "at"])
    _table(
        "votes",
        _text("thread"),
        _number("turn"),
        _text("person"),
        _number("value"),
        _time("at"),
        key=("thread", "turn", "person"),
    )


def _read_only_audit() -> None:
    """What is written to the audit stays; a rule that is to let old rows go is a migration of its own."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit "
            "FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
        )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_refuses_{action.lower()} BEFORE {action} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
        )

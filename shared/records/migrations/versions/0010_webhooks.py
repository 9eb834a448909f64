"""Webhooks, the deliveries of events to them, and the tries at those."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_webhooks()
    _create_deliveries()
    _create_attempts()


def downgrade() -> None:
    op.drop_table("delivery_attempts")
    op.drop_table("deliveries")
    op.drop_table("webhooks")


def _create_webhooks() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=True),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("old_salt", sa.String(), nullable=True),
        sa.Column("old_salt_until", moment, nullable=True),
        sa.Column("key_mark", sa.String(), nullable=False),
        sa.Column("secret_made_at", moment, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("disabled_at", moment, nullable=True),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", moment, nullable=True),
        sa.Column("paused_until", moment, nullable=True),
        sa.Column("served_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_webhooks_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_site_created", "webhooks", ["site_id", "created_at"])


def _create_deliveries() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=True),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("leased_until", moment, nullable=True),
        sa.Column("ends_at", moment, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("settled_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_deliveries_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "event_id", "webhook_id", name=op.f("uq_deliveries_event_id_webhook_id")
        ),
    )
    op.create_index(
        "ix_deliveries_webhook_created", "deliveries", ["webhook_id", "created_at", "id"]
    )
    op.create_index("ix_deliveries_created", "deliveries", ["created_at"])
    for name, columns, where in (
        ("ix_deliveries_due", ["webhook_id", "due_at"], sa.text("state = 'pending'")),
        ("ix_deliveries_shopper", ["shopper_id"], sa.text("shopper_id IS NOT NULL")),
    ):
        op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)


def _create_attempts() -> None:
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_delivery_attempts_delivery_id_deliveries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_delivery_attempts")),
    )

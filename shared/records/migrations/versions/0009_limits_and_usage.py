"""Limits of single sites, and what each site used on each day."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_limits",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("burst", sa.Integer(), nullable=True),
        sa.Column("poll_rate", sa.Double(), nullable=True),
        sa.Column("queued_designs", sa.Integer(), nullable=True),
        sa.Column("queued_others", sa.Integer(), nullable=True),
        sa.Column("designs_a_day", sa.BigInteger(), nullable=True),
        sa.Column("training_minutes_a_month", sa.Double(), nullable=True),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=True),
        sa.Column("link_salt", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_site_limits_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site_limits")),
    )
    op.create_table(
        "usage",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_usage_site_id_sites")),
        sa.PrimaryKeyConstraint("site_id", "day", "measure", name=op.f("pk_usage")),
    )


def downgrade() -> None:
    op.drop_table("usage")
    op.drop_table("site_limits")

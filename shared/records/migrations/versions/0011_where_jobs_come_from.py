"""Which request asked for a job, and in which trace."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # One by one and without a batch: adding an empty column rewrites no table on either database.
    op.add_column("jobs", sa.Column("request_id", sa.String(), nullable=True))
    op.add_column("jobs", sa.Column("traceparent", sa.String(), nullable=True))


def downgrade() -> None:
    # Not in a batch: SQLite drops a column by itself, and a table copied anew would lose the
    # conditions of its partial indexes.
    op.drop_column("jobs", "traceparent")
    op.drop_column("jobs", "request_id")

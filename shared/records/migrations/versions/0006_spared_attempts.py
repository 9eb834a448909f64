"""Attempts that do not count, because a worker was shut down; and an index of what was tried."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TRIED = "state = 'queued' AND attempts > 0"


def upgrade() -> None:
    # Plainly, not by a copy of the table: SQLite adds a column with a default in place.
    op.add_column("jobs", sa.Column("spared", sa.Integer(), server_default="0", nullable=False))
    op.create_index(
        "ix_jobs_retried",
        "jobs",
        ["attempts"],
        sqlite_where=sa.text(_TRIED),
        postgresql_where=sa.text(_TRIED),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_retried", "jobs")
    op.drop_column("jobs", "spared")

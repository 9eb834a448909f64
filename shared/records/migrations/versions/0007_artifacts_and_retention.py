"""The artifacts with their hashes, holds on them, and how long each site's results are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_designs_artifact", "designs", ["artifact"]),
    ("ix_jobs_finished", "jobs", ["site_id", "finished_at", "id"]),
    ("ix_idempotency_keys_created", "idempotency_keys", ["created_at"]),
    ("ix_idempotency_keys_job", "idempotency_keys", ["job_id"]),
    ("ix_preferences_item", "preferences", ["item"]),
    ("ix_preferences_over", "preferences", ["over"]),
)


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_artifacts")),
    )
    op.create_index(op.f("ix_artifacts_owner"), "artifacts", ["owner"])
    op.create_table(
        "artifact_holds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifact_holds")),
    )
    # One by one and not as a batch: SQLite adds a column in place, and sites are referred to.
    op.add_column("sites", sa.Column("design_retention_days", sa.Double(), nullable=True))
    op.add_column("sites", sa.Column("job_retention_days", sa.Double(), nullable=True))
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _ in reversed(_INDEXES):
        op.drop_index(name, table)
    op.drop_column("sites", "job_retention_days")
    op.drop_column("sites", "design_retention_days")
    op.drop_table("artifact_holds")
    op.drop_index(op.f("ix_artifacts_owner"), "artifacts")
    op.drop_table("artifacts")

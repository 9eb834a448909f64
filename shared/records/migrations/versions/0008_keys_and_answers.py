"""What a key may do and until when; the answers that idempotency keys stand for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ALL = '["read", "design", "train", "admin"]'


def upgrade() -> None:
    with op.batch_alter_table("api_keys") as table:
        # Keys from before scopes could do everything, and go on doing so.
        table.add_column(sa.Column("scopes", sa.JSON(), nullable=False, server_default=_ALL))
        table.add_column(
            sa.Column("publishable", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        table.add_column(sa.Column("origins", sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("replaced_by", sa.String(), nullable=True))
    with op.batch_alter_table("api_keys") as table:
        # A key that is written without scopes is a mistake, not one that may do everything.
        table.alter_column("scopes", existing_type=sa.JSON(), server_default=None)
        table.alter_column("origins", existing_type=sa.JSON(), server_default=None)
    with op.batch_alter_table("idempotency_keys") as table:
        table.alter_column("job_id", existing_type=sa.String(), nullable=True)
        table.add_column(sa.Column("answer", sa.JSON(), nullable=True))
        table.add_column(sa.Column("shopper_id", sa.String(), nullable=True))
    op.create_index("ix_idempotency_keys_shopper_id", "idempotency_keys", ["shopper_id"])


def downgrade() -> None:
    # The code before this knows no answer without a job, and no key that may not do everything.
    op.execute("DELETE FROM idempotency_keys WHERE job_id IS NULL")
    # Compared without blanks: JSON was written with them once.
    limited = sa.text(
        "UPDATE api_keys SET revoked_at = CURRENT_TIMESTAMP WHERE revoked_at IS NULL "
        "AND (publishable OR expires_at IS NOT NULL "
        "OR REPLACE(CAST(scopes AS VARCHAR), ' ', '') <> :all)"
    )
    op.execute(limited.bindparams(all=_ALL.replace(" ", "")))
    op.drop_index("ix_idempotency_keys_shopper_id", "idempotency_keys")
    with op.batch_alter_table("idempotency_keys") as table:
        table.drop_column("shopper_id")
        table.drop_column("answer")
        table.alter_column("job_id", existing_type=sa.String(), nullable=False)
    with op.batch_alter_table("api_keys") as table:
        table.drop_column("replaced_by")
        table.drop_column("last_used_at")
        table.drop_column("expires_at")
        table.drop_column("origins")
        table.drop_column("publishable")
        table.drop_column("scopes")

"""What is told of garments that nobody labelled."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "derivations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("catalog_id", sa.String(), nullable=False),
        sa.Column("catalog_version", sa.Integer(), nullable=False),
        sa.Column("index_id", sa.String(), nullable=True),
        sa.Column("recipe", sa.String(), nullable=False),
        sa.Column("artifact", sa.String(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["catalog_id"], ["catalogs.id"], name=op.f("fk_derivations_catalog_id_catalogs")
        ),
        sa.ForeignKeyConstraint(
            ["index_id"],
            ["garment_indexes.id"],
            name=op.f("fk_derivations_index_id_garment_indexes"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_derivations_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derivations")),
    )
    op.create_index(
        "ix_derivations_catalog", "derivations", ["catalog_id", "created_at"], unique=False
    )


def downgrade() -> None:
    op.drop_table("derivations")

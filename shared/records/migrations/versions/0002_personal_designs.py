"""Shoppers, their signals, fair shares, and designs that know where they come from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_shares()
    _create_model_grants()
    _create_shoppers()
    _create_preferences()
    _create_erasures()
    _create_taste_priors()
    _create_garment_indexes()
    _widen_sites()
    _widen_jobs()
    _widen_designs()


def downgrade() -> None:
    _narrow_designs()
    _narrow_jobs()
    _narrow_sites()
    op.drop_table("garment_indexes")
    op.drop_table("taste_priors")
    op.drop_table("erasures")
    op.drop_table("preferences")
    op.drop_table("shoppers")
    op.drop_table("model_grants")
    op.drop_table("shares")


def _create_shares() -> None:
    op.create_table(
        "shares",
        sa.Column("release_id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("deficit", sa.Double(), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name=op.f("fk_shares_release_id_releases")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_shares_site_id_sites")),
        sa.PrimaryKeyConstraint("release_id", "site_id", name=op.f("pk_shares")),
    )


def _create_model_grants() -> None:
    op.create_table(
        "model_grants",
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_model_grants_model_id_models")
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_model_grants_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("model_id", "site_id", name=op.f("pk_model_grants")),
    )


def _create_shoppers() -> None:
    op.create_table(
        "shoppers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_shoppers_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shoppers")),
        sa.UniqueConstraint("site_id", "ref", name=op.f("uq_shoppers_site_id_ref")),
    )


def _create_preferences() -> None:
    op.create_table(
        "preferences",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=True),
        sa.Column("over", sa.String(), nullable=True),
        sa.Column("attribute", sa.String(), nullable=True),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shoppers.id"], name=op.f("fk_preferences_shopper_id_shoppers")
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_preferences_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preferences")),
    )
    op.create_index(
        "ix_preferences_shopper_at", "preferences", ["shopper_id", "at", "id"], unique=False
    )


def _create_erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("proof", sa.String(), nullable=False),
        sa.Column("removed", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_erasures_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_site_id"), "erasures", ["site_id"], unique=False)


def _create_taste_priors() -> None:
    op.create_table(
        "taste_priors",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("encoder", sa.String(), nullable=False),
        sa.Column("shoppers", sa.Integer(), nullable=False),
        sa.Column("artifact", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_taste_priors_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("site_id", "encoder", name=op.f("pk_taste_priors")),
    )


def _create_garment_indexes() -> None:
    op.create_table(
        "garment_indexes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("catalog_id", sa.String(), nullable=False),
        sa.Column("catalog_version", sa.Integer(), nullable=False),
        sa.Column("encoder", sa.String(), nullable=False),
        sa.Column("garments", sa.Integer(), nullable=False),
        sa.Column("artifact", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["catalog_id"], ["catalogs.id"], name=op.f("fk_garment_indexes_catalog_id_catalogs")
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_garment_indexes_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_garment_indexes")),
    )
    op.create_index(
        "ix_garment_indexes_catalog", "garment_indexes", ["catalog_id", "created_at"], unique=False
    )


def _widen_sites() -> None:
    op.add_column(
        "sites", sa.Column("weight", sa.Double(), server_default=sa.text("1"), nullable=False)
    )


def _narrow_sites() -> None:
    op.drop_column("sites", "weight")


def _widen_jobs() -> None:
    op.add_column(
        "jobs", sa.Column("priority", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column("jobs", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("digest", sa.String(), nullable=True))
    op.add_column("jobs", sa.Column("shopper_id", sa.String(), nullable=True))
    op.create_index(
        "ix_jobs_expiring",
        "jobs",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_jobs_digest", "jobs", ["site_id", "digest"], unique=False)
    op.create_index("ix_jobs_shopper", "jobs", ["shopper_id"], unique=False)
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["release_id", "priority", "site_id", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued' AND kind = 'design'"),
        postgresql_where=sa.text("state = 'queued' AND kind = 'design'"),
    )


def _narrow_jobs() -> None:
    op.drop_index("ix_jobs_expiring", table_name="jobs")
    op.drop_index(
        "ix_jobs_waiting",
        table_name="jobs",
        sqlite_where=sa.text("state = 'queued' AND kind = 'design'"),
        postgresql_where=sa.text("state = 'queued' AND kind = 'design'"),
    )
    op.drop_index("ix_jobs_shopper", table_name="jobs")
    op.drop_index("ix_jobs_digest", table_name="jobs")
    op.drop_column("jobs", "shopper_id")
    op.drop_column("jobs", "digest")
    op.drop_column("jobs", "expires_at")
    op.drop_column("jobs", "priority")


def _widen_designs() -> None:
    op.add_column(
        "designs", sa.Column("start", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("designs", sa.Column("length", sa.Integer(), nullable=True))
    op.add_column(
        "designs", sa.Column("frames", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column("designs", sa.Column("origin", sa.JSON(), nullable=True))
    op.add_column("designs", sa.Column("shopper_id", sa.String(), nullable=True))
    op.add_column("designs", sa.Column("score", sa.Double(), nullable=True))
    op.add_column("designs", sa.Column("reasons", sa.JSON(), nullable=True))
    op.add_column("designs", sa.Column("colours", sa.JSON(), nullable=True))
    op.add_column("designs", sa.Column("perceptual_hash", sa.BigInteger(), nullable=True))
    op.add_column("designs", sa.Column("encoder", sa.String(), nullable=True))
    op.add_column("designs", sa.Column("embedding", sa.LargeBinary(), nullable=True))
    op.create_index("ix_designs_sha256", "designs", ["sha256"], unique=False)
    op.create_index("ix_designs_shopper", "designs", ["shopper_id"], unique=False)


def _narrow_designs() -> None:
    op.drop_index("ix_designs_shopper", table_name="designs")
    op.drop_index("ix_designs_sha256", table_name="designs")
    op.drop_column("designs", "embedding")
    op.drop_column("designs", "encoder")
    op.drop_column("designs", "perceptual_hash")
    op.drop_column("designs", "colours")
    op.drop_column("designs", "reasons")
    op.drop_column("designs", "score")
    op.drop_column("designs", "shopper_id")
    op.drop_column("designs", "origin")
    op.drop_column("designs", "frames")
    op.drop_column("designs", "length")
    op.drop_column("designs", "start")

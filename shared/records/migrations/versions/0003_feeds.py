"""Feeds, what trend reports read, and a schedule of its own for each site."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "catalogs",
        sa.Column("purpose", sa.String(), server_default=sa.text("'catalog'"), nullable=False),
    )
    op.add_column("catalog_versions", sa.Column("columns_artifact", sa.String(), nullable=True))
    op.add_column("catalog_versions", sa.Column("columns_mark", sa.String(), nullable=True))
    op.add_column("garments", sa.Column("source", sa.String(), nullable=True))
    op.add_column("garments", sa.Column("account", sa.String(), nullable=True))
    op.add_column("sites", sa.Column("trend_schedule_seconds", sa.Double(), nullable=True))
    _create_feeds()
    _create_feed_batches()


def downgrade() -> None:
    # What feeds brought cannot be told from a catalog once the column is gone.
    op.execute("DELETE FROM garments WHERE catalog_id IN (SELECT catalog_id FROM feeds)")
    op.execute("DELETE FROM shards WHERE catalog_id IN (SELECT catalog_id FROM feeds)")
    op.execute("DELETE FROM catalog_versions WHERE catalog_id IN (SELECT catalog_id FROM feeds)")
    op.drop_table("feed_batches")
    op.drop_table("feeds")
    op.execute("DELETE FROM catalogs WHERE purpose = 'feed'")
    op.drop_column("sites", "trend_schedule_seconds")
    op.drop_column("garments", "account")
    op.drop_column("garments", "source")
    op.drop_column("catalog_versions", "columns_mark")
    op.drop_column("catalog_versions", "columns_artifact")
    op.drop_column("catalogs", "purpose")


def _create_feeds() -> None:
    op.create_table(
        "feeds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("catalog_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=True),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["catalog_id"], ["catalogs.id"], name=op.f("fk_feeds_catalog_id_catalogs")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_feeds_site_id_sites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("site_id", "name", name=op.f("uq_feeds_site_id_name")),
    )


def _create_feed_batches() -> None:
    op.create_table(
        "feed_batches",
        sa.Column("feed_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("revises", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("observations", sa.Double(), nullable=False),
        sa.Column("first", sa.Date(), nullable=True),
        sa.Column("last", sa.Date(), nullable=True),
        sa.Column("catalog_version", sa.Integer(), nullable=True),
        sa.Column("artifact", sa.String(), nullable=True),
        sa.Column("mark", sa.String(), nullable=True),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feeds.id"], name=op.f("fk_feed_batches_feed_id_feeds")
        ),
        sa.PrimaryKeyConstraint("feed_id", "number", name=op.f("pk_feed_batches")),
        sa.UniqueConstraint("job_id", name=op.f("uq_feed_batches_job_id")),
    )

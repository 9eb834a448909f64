"""Forecasts as they were issued, alerts of what begins, and how a report's moodboards stand."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_trend_forecasts()
    _create_trend_alerts()
    _create_fired_alerts()
    with op.batch_alter_table("trend_reports") as table:
        table.add_column(sa.Column("moodboards", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("trend_reports") as table:
        table.drop_column("moodboards")
    op.drop_table("fired_alerts")
    op.drop_table("trend_alerts")
    op.drop_table("trend_forecasts")


def _create_trend_forecasts() -> None:
    op.create_table(
        "trend_forecasts",
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("catalog_id", sa.String(), nullable=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("origin", sa.Date(), nullable=False),
        sa.Column("artifact", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["trend_reports.id"],
            name=op.f("fk_trend_forecasts_report_id_trend_reports"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_trend_forecasts_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_trend_forecasts")),
    )
    op.create_index("ix_trend_forecasts_site_created", "trend_forecasts", ["site_id", "created_at"])


def _create_trend_alerts() -> None:
    op.create_table(
        "trend_alerts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("catalog_id", sa.String(), nullable=True),
        sa.Column("attribute", sa.String(), nullable=True),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("segment", sa.String(), nullable=True),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_trend_alerts_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trend_alerts")),
    )
    op.create_index("ix_trend_alerts_site_created", "trend_alerts", ["site_id", "created_at"])


def _create_fired_alerts() -> None:
    op.create_table(
        "fired_alerts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("attribute", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("change", sa.Double(), nullable=False),
        sa.Column("q_value", sa.Double(), nullable=False),
        sa.Column("garments", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_report_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["trend_alerts.id"], name=op.f("fk_fired_alerts_alert_id_trend_alerts")
        ),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["trend_reports.id"],
            name=op.f("fk_fired_alerts_report_id_trend_reports"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("fk_fired_alerts_site_id_sites")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fired_alerts")),
    )
    op.create_index("ix_fired_alerts_site_created", "fired_alerts", ["site_id", "created_at"])
    op.create_index(
        "uq_fired_alerts_open",
        "fired_alerts",
        ["alert_id", "attribute", "value", "segment", "kind"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )

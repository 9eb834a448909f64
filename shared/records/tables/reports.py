"""Trend reports, the forecasts that they issued, and alerts of what begins."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base, Json


class ReportRow(Base):
    """A trend report that was made."""

    __tablename__ = "trend_reports"
    __table_args__ = (Index("ix_trend_reports_site_created", "site_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    job_id: Mapped[str] = mapped_column(unique=True)
    catalog_id: Mapped[str | None]
    data_fingerprint: Mapped[str]
    summary: Mapped[Json]
    files: Mapped[Json]
    created_at: Mapped[datetime]
    # How its moodboards stand: the job that makes or made them, or why there are none.
    moodboards: Mapped[Json | None]


class TrendForecastRow(Base):
    """What a report issued. Written once, with the report, and changed or removed by nothing."""

    __tablename__ = "trend_forecasts"
    __table_args__ = (Index("ix_trend_forecasts_site_created", "site_id", "created_at"),)

    report_id: Mapped[str] = mapped_column(ForeignKey("trend_reports.id"), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    catalog_id: Mapped[str | None]
    period: Mapped[str]
    origin: Mapped[date]
    artifact: Mapped[str]
    sha256: Mapped[str]
    created_at: Mapped[datetime]


class TrendAlertRow(Base):
    """A site's wish to be told when a value begins to rise or fall."""

    __tablename__ = "trend_alerts"
    __table_args__ = (Index("ix_trend_alerts_site_created", "site_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    catalog_id: Mapped[str | None]
    attribute: Mapped[str | None]
    value: Mapped[str | None]
    segment: Mapped[str | None]
    kinds: Mapped[list[Any]]
    created_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]


class FiredAlertRow(Base):
    """An alert that fired, and whether what it spoke of has ended since."""

    __tablename__ = "fired_alerts"
    __table_args__ = (
        Index("ix_fired_alerts_site_created", "site_id", "created_at"),
        # Two reports that are published at once must not both fire for one beginning.
        Index(
            "uq_fired_alerts_open",
            "alert_id",
            "attribute",
            "value",
            "segment",
            "kind",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("trend_alerts.id"))
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    report_id: Mapped[str] = mapped_column(ForeignKey("trend_reports.id"))
    attribute: Mapped[str]
    value: Mapped[str]
    # Empty: over all segments. NULLs would differ from each other in the index above.
    segment: Mapped[str]
    kind: Mapped[str]
    change: Mapped[float]
    q_value: Mapped[float]
    garments: Mapped[int]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_report_id: Mapped[str | None]

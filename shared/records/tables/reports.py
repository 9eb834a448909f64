"""Trend reports."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
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

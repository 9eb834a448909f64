"""Tenants, what lets them in, and what is due to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, false, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base


class SiteRow(Base):
    """A tenant."""

    __tablename__ = "sites"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    weight: Mapped[float] = mapped_column(default=1.0, server_default=text("1"))
    # Unset: TOILE_TREND_SCHEDULE_SECONDS; 0: no reports on schedule.
    trend_schedule_seconds: Mapped[float | None]
    # Unset: TOILE_DESIGN_RETENTION_DAYS and TOILE_JOB_RETENTION_DAYS; 0: kept for ever.
    design_retention_days: Mapped[float | None]
    job_retention_days: Mapped[float | None]
    created_at: Mapped[datetime]


class ShareRow(Base):
    """What a site is owed of a release's batches, and when it last had a part of one."""

    __tablename__ = "shares"

    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    deficit: Mapped[float]
    served_at: Mapped[datetime]


class ApiKeyRow(Base):
    """A key, of which only a hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    secret_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]
    publishable: Mapped[bool] = mapped_column(default=False, server_default=false())
    origins: Mapped[list[Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    # No foreign key: SQLite cannot add one to a table that is there.
    replaced_by: Mapped[str | None]

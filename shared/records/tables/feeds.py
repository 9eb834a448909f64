"""Feeds and their batches."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base


class FeedRow(Base):
    """A feed; its pictures are the garments of a catalog of its own."""

    __tablename__ = "feeds"
    __table_args__ = (UniqueConstraint("site_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    catalog_id: Mapped[str] = mapped_column(ForeignKey("catalogs.id"))
    name: Mapped[str]
    source: Mapped[str]
    segment: Mapped[str | None]
    weight: Mapped[float]
    batches: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FeedBatchRow(Base):
    """What was added to a feed at once: a column file of counts, or a version of its catalog."""

    __tablename__ = "feed_batches"

    feed_id: Mapped[str] = mapped_column(ForeignKey("feeds.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    revises: Mapped[bool]
    rows: Mapped[int]
    observations: Mapped[float]
    first: Mapped[date | None]
    last: Mapped[date | None]
    catalog_version: Mapped[int | None]
    artifact: Mapped[str | None]
    mark: Mapped[str | None]
    job_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]

"""Catalogs, their garments, and where the pictures are."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base, Json


class CatalogRow(Base):
    """A catalog as it stands; `version` counts the ingests that added garments."""

    __tablename__ = "catalogs"
    __table_args__ = (UniqueConstraint("site_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    name: Mapped[str]
    version: Mapped[int] = mapped_column(default=0)
    garments: Mapped[int] = mapped_column(default=0)
    image_size: Mapped[int | None]
    channels: Mapped[int | None]
    attributes: Mapped[Json] = mapped_column(default=dict)
    purpose: Mapped[str] = mapped_column(default="catalog", server_default=text("'catalog'"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CatalogVersionRow(Base):
    """What a catalog held after one ingest: all garments added up to this number."""

    __tablename__ = "catalog_versions"

    catalog_id: Mapped[str] = mapped_column(ForeignKey("catalogs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    garments: Mapped[int]
    job_id: Mapped[str] = mapped_column(unique=True)
    # What trend reports read of the garments that this version added; made from rows where unset.
    columns_artifact: Mapped[str | None]
    columns_mark: Mapped[str | None]
    created_at: Mapped[datetime]


class ShardRow(Base):
    """One file of garment pictures: uint8 [count, size, size, channels], in ingest order."""

    __tablename__ = "shards"

    id: Mapped[str] = mapped_column(primary_key=True)
    catalog_id: Mapped[str] = mapped_column(ForeignKey("catalogs.id"))
    version: Mapped[int]
    position: Mapped[int]
    count: Mapped[int]
    artifact: Mapped[str]
    sha256: Mapped[str]

    __table_args__ = (UniqueConstraint("catalog_id", "version", "position"),)


class GarmentRow(Base):
    """One garment, and where its picture is."""

    __tablename__ = "garments"
    __table_args__ = (
        UniqueConstraint("catalog_id", "sha256"),
        Index("ix_garments_catalog_version", "catalog_id", "added_in_version", "id"),
        Index("ix_garments_site_date", "site_id", "date"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    catalog_id: Mapped[str] = mapped_column(ForeignKey("catalogs.id"))
    shard_id: Mapped[str] = mapped_column(ForeignKey("shards.id"))
    shard_index: Mapped[int]
    name: Mapped[str]
    sha256: Mapped[str]
    # Signed, since neither SQLite nor PostgreSQL has an unsigned 64-bit integer.
    perceptual_hash: Mapped[int] = mapped_column(BigInteger)
    attributes: Mapped[Json]
    colour_measured: Mapped[bool]
    palette: Mapped[list[Any]]
    date: Mapped[date | None]
    weight: Mapped[float]
    segment: Mapped[str | None]
    source: Mapped[str | None]
    account: Mapped[str | None]
    near_duplicate_of: Mapped[str | None]
    added_in_version: Mapped[int]


class DerivationRow(Base):
    """What was told of the garments of a catalog version that nobody had labelled."""

    __tablename__ = "derivations"
    __table_args__ = (Index("ix_derivations_catalog", "catalog_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    catalog_id: Mapped[str] = mapped_column(ForeignKey("catalogs.id"))
    catalog_version: Mapped[int]
    index_id: Mapped[str | None] = mapped_column(ForeignKey("garment_indexes.id"))
    recipe: Mapped[str]
    artifact: Mapped[str]
    card: Mapped[Json]
    created_at: Mapped[datetime]


class IndexRow(Base):
    """The garments of a catalog version as its encoder sees them, and that encoder."""

    __tablename__ = "garment_indexes"
    __table_args__ = (Index("ix_garment_indexes_catalog", "catalog_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    catalog_id: Mapped[str] = mapped_column(ForeignKey("catalogs.id"))
    catalog_version: Mapped[int]
    encoder: Mapped[str]
    garments: Mapped[int]
    artifact: Mapped[str]
    created_at: Mapped[datetime]

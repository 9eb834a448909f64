"""The tables. Only this package sees them."""

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: their zone would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"{value!r} has no time zone; pass an aware time, such as shared.clock gives"
            raise ValueError(message)
        moved = value.astimezone(UTC)
        return moved.replace(tzinfo=None) if dialect.name == "sqlite" else moved

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give back an aware time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all tables, with named constraints so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        Json: JSON,
        list[Any]: JSON,
        str: String,
    }


class SiteRow(Base):
    """A tenant."""

    __tablename__ = "sites"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class ApiKeyRow(Base):
    """A key, of which only a hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    secret_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


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
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CatalogVersionRow(Base):
    """What a catalog held after one ingest: all garments added up to this number."""

    __tablename__ = "catalog_versions"

    catalog_id: Mapped[str] = mapped_column(ForeignKey("catalogs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    garments: Mapped[int]
    job_id: Mapped[str] = mapped_column(unique=True)
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
    near_duplicate_of: Mapped[str | None]
    added_in_version: Mapped[int]


class ModelRow(Base):
    """A named line of generators."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("site_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    name: Mapped[str]
    created_at: Mapped[datetime]


class ReleaseRow(Base):
    """An immutable published generator."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("model_id", "number"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"))
    number: Mapped[int]
    job_id: Mapped[str] = mapped_column(unique=True)
    catalog_id: Mapped[str] = mapped_column(ForeignKey("catalogs.id"))
    catalog_version: Mapped[int]
    size: Mapped[int]
    channels: Mapped[int]
    vocabulary: Mapped[Json]
    card: Mapped[Json]
    artifact: Mapped[str]
    sha256: Mapped[str]
    created_at: Mapped[datetime]


class JobRow(Base):
    """A job: what was asked, who holds it, and how it ended."""

    __tablename__ = "jobs"
    __table_args__ = (
        # Two beats that both find a report due insert the same period; one of them loses.
        UniqueConstraint("site_id", "kind", "period"),
        Index("ix_jobs_site_created", "site_id", "created_at", "id"),
        # Workers and upkeep look only at jobs that are not over; the rest, which only grows,
        # stays out of their index.
        Index(
            "ix_jobs_open",
            "state",
            "kind",
            "release_id",
            "created_at",
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    kind: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None]
    error: Mapped[Json | None]
    spec: Mapped[Json]
    result: Mapped[Json | None]
    release_id: Mapped[str | None]
    period: Mapped[str | None]
    units: Mapped[int] = mapped_column(default=1)
    attempts: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class AttemptRow(Base):
    """One try at a job, kept so that a job that fails for good can tell what happened each time."""

    __tablename__ = "attempts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    fence: Mapped[int]
    worker: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    message: Mapped[str | None]


class IdempotencyKeyRow(Base):
    """A caller's promise that two requests are one."""

    __tablename__ = "idempotency_keys"

    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime]


class DesignRow(Base):
    """One generated image."""

    __tablename__ = "designs"
    __table_args__ = (
        UniqueConstraint("job_id", "position"),
        Index("ix_designs_site_created", "site_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"))
    position: Mapped[int]
    seed: Mapped[int]
    condition: Mapped[Json]
    size: Mapped[int]
    format: Mapped[str]
    artifact: Mapped[str]
    sha256: Mapped[str]
    created_at: Mapped[datetime]


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

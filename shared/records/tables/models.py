"""Named lines of generators, and what was published of them."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base, Json


class ModelRow(Base):
    """A named line of generators."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("site_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    name: Mapped[str]
    created_at: Mapped[datetime]


class ModelGrantRow(Base):
    """That another site may make designs with a model's releases."""

    __tablename__ = "model_grants"

    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), primary_key=True)
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

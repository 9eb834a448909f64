"""Generated images."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base, Json


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

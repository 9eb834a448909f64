"""Generated images."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base, Json


class DesignRow(Base):
    """One generated image."""

    __tablename__ = "designs"
    __table_args__ = (
        UniqueConstraint("job_id", "position"),
        Index("ix_designs_site_created", "site_id", "created_at", "id"),
        Index("ix_designs_sha256", "sha256"),
        Index("ix_designs_shopper", "shopper_id"),
        # Whether a pack still holds a design that somebody may ask for.
        Index("ix_designs_artifact", "artifact"),
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
    # A job's pictures lie one after the other in one artifact; without a length it is all of it.
    start: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    length: Mapped[int | None]
    sha256: Mapped[str]
    frames: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    origin: Mapped[Json | None]
    shopper_id: Mapped[str | None]
    score: Mapped[float | None]
    reasons: Mapped[list[Any] | None]
    colours: Mapped[list[Any] | None]
    perceptual_hash: Mapped[int | None] = mapped_column(BigInteger)
    encoder: Mapped[str | None]
    embedding: Mapped[bytes | None]
    created_at: Mapped[datetime]

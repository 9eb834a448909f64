"""What one site may use where it differs from the rest, and what it used."""

from datetime import date

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base


class SiteLimitsRow(Base):
    """Limits of one site; null is the server's own setting, -1 no limit."""

    __tablename__ = "site_limits"

    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    rate: Mapped[float | None]
    burst: Mapped[int | None]
    poll_rate: Mapped[float | None]
    queued_designs: Mapped[int | None]
    queued_others: Mapped[int | None]
    designs_a_day: Mapped[int | None] = mapped_column(BigInteger)
    training_minutes_a_month: Mapped[float | None]
    storage_bytes: Mapped[int | None] = mapped_column(BigInteger)
    # Goes into the key that signs the site's links: a new one ends them all.
    link_salt: Mapped[str | None]


class UsageRow(Base):
    """How much of one thing a site used on one day, UTC, in the measure's smallest unit."""

    __tablename__ = "usage"

    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)

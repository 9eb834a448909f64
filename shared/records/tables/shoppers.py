"""Shoppers, their signals, and what is known of all of them together."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base, Json


class ShopperRow(Base):
    """A site's end customer, known only by the site's own reference."""

    __tablename__ = "shoppers"
    __table_args__ = (UniqueConstraint("site_id", "ref"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    ref: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PreferenceRow(Base):
    """One recorded signal of a shopper."""

    __tablename__ = "preferences"
    __table_args__ = (
        Index("ix_preferences_shopper_at", "shopper_id", "at", "id"),
        # What a taste stands on is not taken away from under it.
        Index("ix_preferences_item", "item"),
        Index("ix_preferences_over", "over"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    shopper_id: Mapped[str] = mapped_column(ForeignKey("shoppers.id"))
    kind: Mapped[str]
    # A garment or design, and the one that it was chosen over; or an attribute and its value.
    item: Mapped[str | None]
    over: Mapped[str | None]
    attribute: Mapped[str | None]
    value: Mapped[str | None]
    at: Mapped[datetime]
    created_at: Mapped[datetime]


class ErasureRow(Base):
    """That a shopper was erased, and what went; it does not say who it was."""

    __tablename__ = "erasures"

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    proof: Mapped[str]
    removed: Mapped[Json]
    created_at: Mapped[datetime]


class TastePriorRow(Base):
    """What a site's shoppers like on the whole, seen through one encoder."""

    __tablename__ = "taste_priors"

    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    encoder: Mapped[str] = mapped_column(primary_key=True)
    shoppers: Mapped[int]
    artifact: Mapped[str]
    updated_at: Mapped[datetime]

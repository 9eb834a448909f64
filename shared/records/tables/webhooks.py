"""Where sites are told of events, and the events on their way."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base


class WebhookRow(Base):
    """An address of a site that is told of events."""

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_site_created", "site_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    address: Mapped[str]
    # JSON null: all types.
    events: Mapped[list[Any] | None]
    description: Mapped[str]
    # The secret comes from this and the server's own key; by itself it tells nothing.
    salt: Mapped[str]
    old_salt: Mapped[str | None]
    old_salt_until: Mapped[datetime | None]
    # Which server's key that was: a host with another one must not sign.
    key_mark: Mapped[str]
    secret_made_at: Mapped[datetime]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    # When something was last taken for it: who was served longest ago comes first.
    served_at: Mapped[datetime | None]


class DeliveryRow(Base):
    """One event on its way to one webhook."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "webhook_id"),
        Index("ix_deliveries_webhook_created", "webhook_id", "created_at", "id"),
        Index("ix_deliveries_created", "created_at"),
        # What is over, which only grows, stays out of what is looked through every few seconds.
        Index(
            "ix_deliveries_due",
            "webhook_id",
            "due_at",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_deliveries_shopper",
            "shopper_id",
            sqlite_where=text("shopper_id IS NOT NULL"),
            postgresql_where=text("shopper_id IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    # No foreign key: a job's end must not fail because a webhook is removed at that moment.
    webhook_id: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    event_id: Mapped[str]
    type: Mapped[str]
    subject: Mapped[str]
    # Whose it is, so that it goes when they do.
    shopper_id: Mapped[str | None]
    # The text itself, since each try must sign the same bytes.
    payload: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int]
    # How many pauses there were since the event or the replay.
    step: Mapped[int]
    due_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    ends_at: Mapped[datetime]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class DeliveryAttemptRow(Base):
    """One try at a delivery."""

    __tablename__ = "delivery_attempts"

    delivery_id: Mapped[str] = mapped_column(
        ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    seconds: Mapped[float]
    status: Mapped[int | None]
    error: Mapped[str | None]
    answer: Mapped[str]

"""What a site may use, and what it used."""

import datetime as dt
from enum import StrEnum
from typing import Final

from pydantic import Field

from shared.schemas.base import Schema

MICRO: Final = 1_000_000
"""Times are kept in whole microseconds, so that the shares of a batch add up to it exactly."""


class Measure(StrEnum):
    """What is counted for a site."""

    DESIGNS = "designs"
    IMAGES = "images"
    DEVICE = "device_microseconds"
    TRAINING = "training_microseconds"
    STORAGE = "storage_bytes"
    """The day's last measurement, not a sum."""
    ASKED = "images_asked"
    """What the daily quota goes by; counted only for sites that have one."""


class SiteLimits(Schema):
    """What a site may use; None is without limit."""

    rate: float | None = Field(description="Requests a second, over time.")
    burst: int = Field(description="Requests at once.")
    poll_rate: float | None = Field(
        description="Status polls a second; as many pictures by signed link."
    )
    queued_designs: int | None = Field(description="Design jobs that wait.")
    queued_others: int | None = Field(description="Other jobs that wait.")
    designs_a_day: int | None = Field(
        description="Images asked for in a day (UTC); an animation counts its frames, a shopper's "
        "designs what is proposed."
    )
    training_minutes_a_month: float | None = Field(
        description="Minutes of training in a calendar month (UTC)."
    )
    storage_bytes: int | None = Field(description="Bytes kept for the site.")


class Amounts(Schema):
    """What was used."""

    designs: int = Field(0, description="Designs that were published.")
    images: int = Field(
        0, description="Images made for them; an animation has several, a shopper's are chosen."
    )
    device_seconds: float = Field(
        0, description="What they took of their batches, shared by images."
    )
    training_minutes: float = Field(
        0, description="Of trainings that ended, whatever their end; lost workers cost nothing."
    )


class UsageDay(Amounts):
    """What was used on one day, UTC."""

    day: dt.date
    storage_bytes: int | None = Field(None, description="As last measured on that day.")


class Usage(Schema):
    """What a site used, by day, and what it may use."""

    first: dt.date
    last: dt.date
    days: tuple[UsageDay, ...] = Field(description="Days on which anything was counted.")
    total: Amounts
    storage_bytes: int = Field(
        description="Kept now: designs, the garments' pictures and releases. Reports, feeds and "
        "indexes are small beside them and not counted."
    )
    limits: SiteLimits

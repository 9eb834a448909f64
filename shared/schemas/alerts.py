"""Alerts: being told once when a value begins to rise or fall."""

import datetime as dt
from typing import Final, Literal

from pydantic import Field

from shared.schemas.base import Schema
from shared.schemas.catalogs import Label

AlertKind = Literal["rising", "declining"]
BOTH: Final[tuple[AlertKind, ...]] = ("rising", "declining")


class AlertRequest(Schema):
    """What to be told of; everything that is left out means any."""

    catalog: str | None = Field(
        None, description="Catalog id or name: reports over it count; unset, those over all."
    )
    attribute: Label | None = Field(None, examples=["colour"])
    value: Label | None = Field(None, examples=["green"], description="Needs `attribute`.")
    segment: Label | None = Field(
        None, description="Only this segment's series; unset, those over all segments."
    )
    kinds: tuple[AlertKind, ...] = Field(BOTH, min_length=1, max_length=2)


class Alert(Schema):
    """A wish to be told."""

    id: str
    catalog_id: str | None
    attribute: str | None
    value: str | None
    segment: str | None
    kinds: tuple[AlertKind, ...]
    created_at: dt.datetime
    stopped_at: dt.datetime | None = Field(None, description="From then on it fires no more.")
    url: str


class FiredAlert(Schema):
    """An alert that fired: a value became significantly rising or falling."""

    id: str
    alert_id: str
    report_id: str = Field(description="The report that said so first.")
    attribute: str
    value: str
    segment: str | None
    kind: AlertKind
    change: float = Field(description="Observed relative change in a year.")
    q_value: float
    garments: int
    fired_at: dt.datetime
    ended_at: dt.datetime | None = Field(
        None, description="When a report said that it is over; from then on it can fire anew."
    )
    report_url: str


class Standing(Schema):
    """How a series stands in a new report, and how it stood in the one before it."""

    attribute: str
    value: str
    segment: str | None
    kind: str
    was: str | None = Field(description="Null: not followed then, or there was no report.")
    change: float | None
    q_value: float | None
    garments: int

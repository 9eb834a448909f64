"""Feeds: what others show and count, from outside the site's own catalogs."""

import datetime as dt
from enum import StrEnum

from pydantic import Field

from shared.schemas.base import Schema
from shared.schemas.catalogs import Label, Name, Rejection


class BatchKind(StrEnum):
    """What a batch of a feed holds."""

    COUNTS = "counts"
    IMAGES = "images"


class FeedRequest(Schema):
    """A new, empty feed."""

    name: Name = Field(examples=["street-style"])
    source: Label | None = Field(
        None,
        description="Where it comes from, such as `instagram`; unset, the feed's name. A row may "
        "name another.",
    )
    segment: Label | None = Field(
        None, description="Market or audience of rows that name none, such as `fr`."
    )
    weight: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="How much one observation counts beside a garment of a catalog; a row's own "
        "weight is multiplied by it.",
    )


class Feed(Schema):
    """A feed as it stands."""

    id: str
    name: str
    source: str
    segment: str | None
    weight: float
    catalog_id: str = Field(description="Holds its pictures as garments, for evidence alone.")
    batches: int
    observations: float = Field(description="Counted and pictured, revised ones included.")
    first: dt.date | None = Field(description="Earliest day observed.")
    last: dt.date | None = Field(description="Latest day observed.")
    created_at: dt.datetime
    updated_at: dt.datetime
    url: str


class FeedBatch(Schema):
    """What was added to a feed at once."""

    feed_id: str
    number: int = Field(description="1 is the feed's first.")
    kind: BatchKind
    revises: bool = Field(
        description="It speaks anew of each day and segment that it names: what earlier batches "
        "said of them no longer counts."
    )
    rows: int
    observations: float = Field(description="Sum of the rows' counts.")
    first: dt.date | None
    last: dt.date | None
    catalog_version: int | None = Field(description="Of the feed's catalog, for images.")
    job_id: str
    created_at: dt.datetime


class BatchResult(Schema):
    """What adding a batch did."""

    feed_id: str
    batch: int | None = Field(description="Its number; null when nothing could be taken in.")
    kind: BatchKind
    rows: int
    observations: float
    merged: int = Field(description="Exact copies of pictures already there.")
    rejected: int
    rejections: tuple[Rejection, ...] = Field(
        description="The first thousand rows or files that were not taken in, by line or name."
    )
    remarks: tuple[Rejection, ...] = Field(
        description="What was taken in, but not as its owner may think."
    )
    seconds: float

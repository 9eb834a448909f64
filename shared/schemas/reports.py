"""Trend reports as they are asked for and listed."""

import datetime as dt
from typing import Any

from pydantic import Field

from shared.schemas.base import Schema
from shared.schemas.trends import TrendOptions


class TrendRequest(Schema):
    """A trend report to make now."""

    catalog: str | None = Field(None, description="Catalog id or name; unset, all of the site's.")
    options: TrendOptions = Field(default_factory=TrendOptions)
    only_if_changed: bool = Field(
        False,
        description="End at once, with the last report as the result, when no garment has changed.",
    )


class Failing(Schema):
    """That newer reports could not be made."""

    since: dt.datetime = Field(description="When the first of them failed.")
    attempts: int = Field(description="How many have failed since the last good one.")
    job_id: str = Field(description="The newest of them.")
    reason: str
    message: str


class Moodboards(Schema):
    """How a report's moodboards stand."""

    job_id: str | None = Field(None, description="The job that makes them, or made them.")
    release_id: str | None = Field(None, description="The release that draws the designs.")
    boards: int | None = Field(None, description="How many there are; null until they are made.")
    why: str | None = Field(None, description="Why there are none, in a sentence.")
    page_url: str | None = Field(None, description="Their page, once they are made.")


class ReportView(Schema):
    """A trend report that was made."""

    id: str
    job_id: str
    catalog_id: str | None
    data_fingerprint: str
    summary: dict[str, Any]
    files: tuple[str, ...]
    created_at: dt.datetime
    url: str
    page_url: str
    failing: Failing | None = Field(
        None,
        description="Of the newest report over its data: set while every later try has failed, so "
        "that this one is the last good one.",
    )
    moodboards: Moodboards = Moodboards()

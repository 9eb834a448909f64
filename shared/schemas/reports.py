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
    moodboards: Moodboards = Moodboards()

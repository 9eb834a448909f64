"""Catalogs and garments: the set a model learns from, and one real item in it."""

import datetime as dt
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from shared.schemas.base import Schema
from shared.schemas.derivations import DerivedLabelView

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class Purpose(StrEnum):
    """What a catalog is for."""

    CATALOG = "catalog"
    FEED = "feed"


class CatalogRequest(Schema):
    """A new, empty catalog."""

    name: Name = Field(examples=["summer-2026"])
    image_size: int | None = Field(
        None,
        ge=16,
        le=256,
        multiple_of=4,
        description="Side of the stored square pictures, pixels; unset, the first ingest chooses.",
    )


class Catalog(Schema):
    """A catalog as it stands."""

    id: str
    name: str
    version: int = Field(description="Grows by one with each ingest that adds garments.")
    garments: int
    image_size: int | None
    channels: int | None
    attributes: dict[str, dict[str, int]] = Field(
        description="How many garments have each value of each attribute."
    )
    purpose: Purpose = Field(
        Purpose.CATALOG,
        description="`feed`: it holds a feed's pictures, which are evidence of trends alone; they "
        "are not trained on, not recommended, and not on sale.",
    )
    created_at: dt.datetime
    updated_at: dt.datetime
    url: str


class GarmentFields(Schema):
    """What may be said of a garment when it is added."""

    attributes: dict[Label, Label] = Field(default_factory=dict, examples=[{"category": "dress"}])
    date: dt.date | None = None
    weight: float = Field(1.0, gt=0, le=1e6)
    segment: Label | None = None
    source: Label | None = Field(None, description="Where it was seen; unset, the catalog itself.")
    account: Label | None = Field(None, description="Who showed it there.")


class Swatch(Schema):
    """One colour of a garment's palette."""

    hex: str = Field(examples=["#1f3a5f"])
    family: str = Field(examples=["navy"])
    lab: tuple[float, float, float] = Field(description="CIELAB, D65: L 0-100, a and b -128-127.")
    share: float = Field(ge=0, le=1)


class Garment(Schema):
    """One real item of a catalog."""

    id: str
    catalog_id: str
    name: str
    attributes: dict[str, str]
    colour_measured: bool
    palette: tuple[Swatch, ...]
    date: dt.date | None
    weight: float
    segment: str | None
    source: str | None
    account: str | None
    near_duplicate_of: str | None
    added_in_version: int
    url: str
    image_url: str


class GarmentDetail(Garment):
    """A garment with the labels that nobody gave."""

    derived: dict[str, DerivedLabelView] = Field(
        description="Attribute to label: measured, predicted, or the garment's style. Empty until "
        "a worker has looked at the catalog's newest version."
    )


class FolderRequest(Schema):
    """Garments to read from a folder, archive or IDX file on the server."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Rejection(Schema):
    """One file or manifest row that was not taken in, and why."""

    name: str
    reason: str


class IngestResult(Schema):
    """What an ingest did."""

    catalog_id: str
    version: int
    added: int
    merged: int = Field(description="Exact copies of garments already there.")
    near_duplicates: int = Field(description="Added, but flagged as nearly equal to another.")
    rejected: int
    rejections: tuple[Rejection, ...] = Field(description="The first thousand, by name.")
    remarks: tuple[Rejection, ...] = Field(
        description="What was taken in, but not as its owner may think: an unreadable date."
    )
    seconds: float

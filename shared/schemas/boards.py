"""Moodboards: what a release makes of a report's rises, beside the evidence and the shop."""

import datetime as dt

from pydantic import Field

from shared.schemas.base import Schema
from shared.schemas.designs import Condition


class MoodboardRequest(Schema):
    """Moodboards to make of a report."""

    release: str | None = Field(
        None, description="Release id; unset, the newest that can serve the report's rises."
    )
    count: int = Field(8, ge=1, le=32, description="Designs on each board.")
    rack: int = Field(24, ge=0, le=64, description="Designs on each rack; 0 makes no racks.")
    seed: int | None = Field(None, ge=0, lt=2**31, description="Unset, one is drawn and returned.")


class Likeness(Schema):
    """A garment, and how far from the board's designs it looks."""

    garment_id: str
    distance: float = Field(description="To the nearest design; two unrelated garments: about 1.")


class Board(Schema):
    """One rise: designs on its condition, what it rests on, and what the shop has of it."""

    attribute: str
    value: str
    condition: Condition
    change: float = Field(description="Observed relative change in a year.")
    images: int = Field(description="Pictures that the rise rests on.")
    sources: int
    designs: tuple[str, ...]
    evidence: tuple[str, ...] = Field(description="Garment ids, the newest first.")
    on_sale: tuple[Likeness, ...] = Field(
        description="The garments of the release's catalog that look most like the designs."
    )


class RackPiece(Schema):
    """One place on a rack."""

    condition: Condition
    design: str


class Rack(Schema):
    """Designs in the proportions of a season."""

    first: dt.date
    last: dt.date = Field(description="First day of its last period.")
    shares: dict[str, dict[str, float]] = Field(
        description="Attribute -> value -> share among the values that the release can draw."
    )
    pieces: tuple[RackPiece, ...]


class LeftOut(Schema):
    """A rise without a board, and why."""

    attribute: str
    value: str
    why: str


class MoodboardSet(Schema):
    """A report's moodboards."""

    format_version: int = 1
    report_id: str
    release_id: str
    job_id: str
    made_at: dt.datetime
    seed: int
    boards: tuple[Board, ...]
    left_out: tuple[LeftOut, ...]
    this_season: Rack | None = None
    next_season: Rack | None = None
    notes: tuple[str, ...] = ()

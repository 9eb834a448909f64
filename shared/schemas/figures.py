"""Figures: what was measured of a release, and two releases side by side."""

from typing import Literal

from pydantic import ConfigDict, Field

from shared.schemas.base import Schema

Side = Literal["first", "second"]


class Figure(Schema):
    """One measured number with what it takes to read it."""

    model_config = ConfigDict(allow_inf_nan=False)  # JSON has no word for them

    key: str = Field(
        examples=["fd_indomain[A@1a2b3c4d]"],
        description="What was measured, and with which extractor and weights. Only figures of the "
        "same key are on the same scale.",
    )
    value: float
    interval: tuple[float, float] | None = Field(None, description="Low and high end of 95%.")
    n: int | None = Field(None, description="Generated images that were measured.")
    floor: float | None = Field(
        None, description="The least to expect: real garments for a distance, noise for accuracies."
    )
    ceiling: float | None = Field(
        None, description="The most to expect: noise for a distance, real garments for accuracies."
    )
    note: str = ""


class ComparedFigure(Schema):
    """The same figure of two releases."""

    key: str
    first: Figure
    second: Figure
    difference: float = Field(description="The second's value less the first's.")
    apart: bool | None = Field(
        description="Whether the intervals do not overlap; null where one is not known."
    )
    better: Side | None = Field(
        description="The one nearer to real garments, where the two are apart; null where that "
        "cannot be told."
    )
    remark: str = Field(description="What to know when reading the difference; may be empty.")


class NotCompared(Schema):
    """A figure of one release that has no equal in the other."""

    key: str
    of: Side
    reason: str


class Comparison(Schema):
    """The figures of two releases side by side. Figures of different keys are never compared."""

    first: str = Field(description="Release id.")
    second: str = Field(description="Release id.")
    figures: tuple[ComparedFigure, ...]
    not_compared: tuple[NotCompared, ...]

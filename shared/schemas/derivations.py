"""Derivations: what was told of a catalog's garments that nobody had labelled."""

import datetime as dt
from enum import StrEnum

from pydantic import Field

from shared.schemas.base import Schema


class LabelOrigin(StrEnum):
    """Where a label comes from, when its owner did not give it."""

    MEASURED = "measured"
    PREDICTED = "predicted"
    STYLE = "style"


class ValueFigures(Schema):
    """How one value of an attribute was told on held-out garments."""

    garments: int = Field(description="Held-out garments that have it.")
    found: float = Field(description="Part of them that was told so, of all predictions.")
    kept: int = Field(description="Sure predictions of it.")
    right: float | None = Field(description="Part of those that was right.")
    used: bool = Field(description="Whether it is predicted.")


class PredictionFigures(Schema):
    """How an attribute was predicted on garments that were not learned from."""

    used: bool
    reason: str | None = Field(description="Why it is not predicted.")
    labelled: int = Field(description="Garments that it was learned from and measured on.")
    accuracy: float | None = Field(description="Part of held-out garments told right.")
    majority: float | None = Field(description="What naming the commonest value gets right.")
    threshold: float | None = Field(description="The chance from which a prediction is sure.")
    kept: float = Field(description="Part of held-out predictions that were as sure.")
    right: float | None = Field(description="Part of those that was right.")
    values: dict[str, ValueFigures]


class DerivedAttribute(Schema):
    """One attribute: how many garments have it, and from where."""

    given: int
    measured: int
    predicted: int
    unknown: int
    prediction: PredictionFigures | None = Field(
        description="Null where nothing can be predicted: the catalog has no encoder."
    )


class Trait(Schema):
    """What most of a style's garments share, and most others have not."""

    value: str
    share: float = Field(
        description="Part with this value of the style's garments that have the attribute; half "
        "of its garments or more do."
    )
    overall: float = Field(description="The same of the whole catalog.")


class StyleCard(Schema):
    """A style as it was found."""

    number: int
    garments: int
    typical: tuple[str, ...] = Field(description="Garment ids, most typical first.")
    tightness: float = Field(description="Mean cosine of its garments to its centre, -1 to 1.")
    kept: float | None = Field(
        description="Of the garments that had this number before, the part that has it now; null "
        "where it is new."
    )
    since: int = Field(description="The catalog version in which it was new.")
    traits: dict[str, Trait]


class DerivationCard(Schema):
    """What a derivation says of itself.

    Attributes:
        garments: how many it is about.
        encoder: digest of the encoder that saw them; None where the catalog has none.
        reason: why there are no styles and no predictions; None where there are.
        next_style: the lowest style number that was never given.
        styles_chosen_for: garments that there were when the number of styles was chosen.
        styles_agreement: candidate number of styles -> how far two halves agreed on it.
        styles_retired: numbers that went with this derivation.
        without_style: garments that are far from every style.
        pattern_least_side: pictures smaller than this, px, tell no pattern.
    """

    garments: int
    encoder: str | None
    reason: str | None
    attributes: dict[str, DerivedAttribute]
    styles: tuple[StyleCard, ...]
    next_style: int
    styles_chosen_for: int
    styles_agreement: dict[int, float]
    styles_retired: tuple[int, ...]
    without_style: int
    pattern_least_side: int


class DerivedLabelView(Schema):
    """A label that nobody gave."""

    value: str = Field(examples=["striped"])
    origin: LabelOrigin
    confidence: float | None = Field(
        description="Of a prediction its chance, 0-1; of a style the cosine to its centre; null "
        "where it was measured."
    )


class TypicalGarment(Schema):
    """A garment that shows a style."""

    garment_id: str
    url: str
    image_url: str


class StyleView(Schema):
    """A style: garments that look alike, under a number that stays."""

    number: int
    name: str = Field(examples=["style 7"])
    garments: int
    tightness: float
    kept: float | None
    since: int
    traits: dict[str, Trait]
    typical: tuple[TypicalGarment, ...] = Field(description="Most typical first.")


class CatalogStyles(Schema):
    """The styles of a catalog, and what else was derived of its garments."""

    catalog_id: str
    catalog_version: int | None = Field(description="Null before the first derivation.")
    derived_at: dt.datetime | None
    reason: str | None = Field(description="Why there are no styles; null where there are.")
    without_style: int = Field(description="Garments that are far from every style.")
    retired: tuple[int, ...] = Field(description="Numbers that went with the last derivation.")
    styles: tuple[StyleView, ...] = Field(description="Largest first.")
    attributes: dict[str, DerivedAttribute]

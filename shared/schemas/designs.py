"""Designs: what may be asked for, and one generated image."""

import datetime as dt
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from shared.schemas.base import Schema
from shared.schemas.refs import Ref

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Condition = dict[
    Annotated[str, StringConstraints(min_length=1, max_length=120)],
    Annotated[str, StringConstraints(min_length=1, max_length=120)],
]


# What a release with colours takes beside its labels, in the order of its colour slots.
COLOUR_KEYS: Final = ("colour", "second_colour")

# Measured on Fashion-MNIST and on shop photos: 0.7 raised the share that looks like the category
# asked for by seven points, for a fifth less spread within it.
USUAL_VARIETY: Final = 0.8


class Priority(StrEnum):
    """How urgent a job is: what is more urgent is made first, whoever asked earlier."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """Its place in the order, the most urgent 0."""
        return list(Priority).index(self)


class ImageFormat(StrEnum):
    """How a design's picture is encoded."""

    PNG = "png"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        """The format's registered media type."""
        return f"image/{self.value}"


class Term(Schema):
    """The standard normal latent of a seed, and how much of it goes into a blend."""

    seed: int = Field(ge=0, lt=2**31)
    weight: float = Field(ge=-1, le=1)


MOST_TERMS: Final = 32
Latent = Annotated[tuple[Term, ...], Field(min_length=1, max_length=MOST_TERMS)]
"""A latent as a sum of seeds' latents; the squares of its weights add up to 1, so that it is
distributed as each of them is. Whoever knows the terms can make the latent again, anywhere."""


class Fresh(Schema):
    """Each design from the latent of its own seed."""

    type: Literal["fresh"] = "fresh"


class Variation(Schema):
    """Designs around one that there is."""

    type: Literal["variation"] = "variation"
    of: str = Field(description="The design.")
    seed: int = Field(description="The design's: draws again what its condition leaves open.")
    latent: Latent
    strength: float = Field(ge=0, le=1)


class Mix(Schema):
    """Designs between two that there are."""

    type: Literal["mix"] = "mix"
    of: tuple[str, str] = Field(description="The designs.")
    seeds: tuple[int, int] = Field(description="Theirs.")
    first: Latent
    second: Latent
    share: float | None = Field(None, ge=0, le=1, description="Of the second; unset, spread.")


class Walk(Schema):
    """One animation from a design to another."""

    type: Literal["walk"] = "walk"
    of: tuple[str, str] = Field(description="The designs.")
    seeds: tuple[int, int] = Field(description="Theirs.")
    first: Latent
    second: Latent
    end_condition: Condition = Field(description="Of the second; the spec's own is the first's.")
    frames: int = Field(ge=2, le=64)
    frame_milliseconds: int = Field(ge=20, le=2000)


class ForShopper(Schema):
    """The best for a shopper of many that are proposed."""

    type: Literal["shopper"] = "shopper"
    shopper_id: str
    candidates: int = Field(ge=1, le=256)


Way = Annotated[Fresh | Variation | Mix | Walk | ForShopper, Field(discriminator="type")]


class TrendLean(Schema):
    """How far designs lean towards what rises, and by which report."""

    strength: float = Field(gt=0, le=1)
    report_id: str


class DesignRequest(Schema):
    """Designs to make with one release, or with the newest release of a model."""

    release: str | None = Field(None, description="Release id. Give this or `model`.")
    model: str | None = Field(None, description="Model name or id: its newest release is used.")
    count: int = Field(1, ge=1, le=64)
    condition: Condition = Field(
        default_factory=dict,
        examples=[
            {"category": "dress", "colour": "navy"},
            {"category": "dress", "colour": "#1f3a5f", "second_colour": "white"},
        ],
        description="Attribute values that the release knows. Where its `colours` is true, "
        "`colour` and `second_colour` are #rrggbb or one of the sixteen families; where colour is "
        "one of its labels, #rrggbb stands for the nearest. What is not named is left to chance.",
    )
    seed: int | None = Field(None, ge=0, lt=2**31, description="Unset, one is drawn and returned.")
    size: int | None = Field(
        None,
        ge=16,
        le=256,
        description="Side in pixels, at most the release's own, which it is when unset.",
    )
    format: ImageFormat = ImageFormat.PNG
    variety: float = Field(
        USUAL_VARIETY,
        ge=0,
        le=1,
        description="1 spreads as the catalog does; less gives more ordinary, cleaner pictures.",
    )
    shopper: Ref | None = Field(
        None,
        description="Your reference of the shopper to design for. Many designs are proposed from "
        "their taste, and the best `count` of them are kept.",
    )
    candidates: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Proposed for a shopper; unset, sixteen for each kept one, 64 to 256.",
    )
    trend: float = Field(
        0,
        ge=0,
        le=1,
        description="How far the designs lean towards what rises in the newest trend report over "
        "the release's catalog, else over all garments: 0 not at all, 1 as if nothing else "
        "counted. The job's result tells the report, and what it costs in taste.",
    )
    priority: Priority = Priority.NORMAL
    expires_in: float | None = Field(
        None,
        gt=0,
        le=7 * 86_400,
        description="Seconds. A job that nobody could start by then ends as failed/expired.",
    )
    fresh: bool = Field(
        False,
        description="Compute it even where the same request, with the same seed, was answered or "
        "is on its way; otherwise that job is the answer.",
    )


class DesignBatch(Schema):
    """Up to a thousand requests at once: all are taken, or none."""

    requests: tuple[DesignRequest, ...] = Field(min_length=1, max_length=1000)


class DerivedRequest(Schema):
    """What all designs that are made from designs may be asked for with."""

    seed: int | None = Field(None, ge=0, lt=2**31, description="Unset, one is drawn and returned.")
    size: int | None = Field(None, ge=16, le=256, description="Side in pixels; unset, as it was.")
    format: ImageFormat = ImageFormat.PNG
    priority: Priority = Priority.NORMAL
    expires_in: float | None = Field(None, gt=0, le=7 * 86_400)
    fresh: bool = False


class VariationRequest(DerivedRequest):
    """Designs around one that there is."""

    count: int = Field(4, ge=1, le=64)
    strength: float = Field(
        0.4, ge=0, le=1, description="0 is the design itself, 1 a new one under its condition."
    )
    condition: Condition = Field(
        default_factory=dict,
        description="What shall be otherwise than in the design, such as another colour.",
    )


class MixRequest(DerivedRequest):
    """Designs between two of one release."""

    first: str
    second: str
    count: int = Field(1, ge=1, le=64)
    share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Of the second; unset, the designs are spread evenly between the two.",
    )


class WalkRequest(DerivedRequest):
    """One animation from a design to another of the same release, as WebP."""

    first: str
    second: str
    frames: int = Field(16, ge=2, le=64)
    frame_milliseconds: int = Field(80, ge=20, le=2000)
    format: ImageFormat = ImageFormat.WEBP


class Origin(Schema):
    """How a design's latent came about, where it is not simply its seed's."""

    way: str = Field(description="variation, mix, walk or shopper.")
    of: tuple[str, ...] = Field((), description="The designs that it was made from.")
    latent: Latent


class Reason(Schema):
    """One signal that moved a design or garment up or down for a shopper."""

    item: str = Field(description="The liked, disliked or chosen garment or design.")
    share: float = Field(description="Its part of the score; below 0 it counted against.")


class Design(Schema):
    """One generated image with its seed, release and settings."""

    id: str
    job_id: str
    release_id: str
    position: int = Field(ge=0, description="Place in its job, from 0.")
    seed: int
    condition: dict[str, str]
    size: int
    format: ImageFormat
    sha256: str
    frames: int = Field(1, description="More than 1: an animation.")
    origin: Origin | None = None
    score: float | None = Field(
        None, description="How sure the shopper's taste is of it, 0 to 1; none without a shopper."
    )
    reasons: tuple[Reason, ...] | None = None
    colours: tuple[str, ...] | None = Field(None, description="Measured, the main one first.")
    created_at: dt.datetime
    url: str
    image_url: str

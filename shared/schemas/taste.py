"""Tastes as they are told to people: in words and swatches, with how much stands behind them."""

from typing import Literal

from pydantic import ConfigDict, Field

from shared.schemas.base import Schema

Direction = Literal["likes", "avoids"]
Strength = Literal["strong", "clear", "slight"]


class Belief(Schema):
    """One thing that is believed of a shopper."""

    model_config = ConfigDict(allow_inf_nan=False)

    attribute: str = Field(examples=["colour"])
    value: str = Field(examples=["navy"])
    swatch: str | None = Field(description="`#rrggbb` to show for a colour; null for labels.")
    direction: Direction
    strength: Strength
    effect: float = Field(
        description="Logits by which garments with this value are liked more than usual ones."
    )
    certainty: float = Field(
        ge=0.5, le=1, description="How likely the effect has this sign, by the posterior."
    )
    signals: float = Field(
        ge=0,
        description="Fresh signals that this is worth; one that is a half-life old counts half.",
    )
    asked: bool = Field(description="The shopper asked for it in so many words.")
    text: str = Field(examples=["likes navy (strong, 6 signals)"])


class TasteInWords(Schema):
    """What is believed of a shopper's taste. What is uncertain is not claimed."""

    model_config = ConfigDict(allow_inf_nan=False)

    signals: float = Field(ge=0, description="Fresh signals that all of them together are worth.")
    beliefs: tuple[Belief, ...] = Field(description="What was asked for first, then by strength.")

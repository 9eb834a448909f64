"""A gallery: items beside their features in one space, computed once and asked often."""

from dataclasses import dataclass

from shared.errors import InvalidInputError
from shared.taste.arrays import Singles
from shared.taste.items import Items
from shared.taste.space import FeatureSpace


@dataclass(frozen=True)
class Gallery:
    """Items that can be ranked.

    Attributes:
        items: n garments or designs.
        space: in which tastes about them are learned.
        features: float32 ``[n, d]``, of the items in the space.
    """

    items: Items
    space: FeatureSpace
    features: Singles

    def __post_init__(self) -> None:
        expected = (len(self.items), self.space.columns)
        if self.features.shape != expected:
            raise InvalidInputError(
                f"features are {self.features.shape}; these items in this space have {expected}"
            )


def hang(items: Items, space: FeatureSpace) -> Gallery:
    """Return items with their features."""
    return Gallery(items, space, space.features(items))

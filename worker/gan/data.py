"""What the GAN trains on: square uint8 images and integer labels, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import CatalogTooSmallError, InvalidInputError
from shared.schemas.models import MINIMUM_GARMENTS

SMALLEST_SIZE, LARGEST_SIZE, SIZE_STEP = 16, 256, 4


@dataclass(frozen=True)
class Dataset:
    """A catalog ready for training; construction refuses what training could not use.

    Attributes:
        images: uint8 [n, size, size, channels]; may be a read-only np.memmap.
        labels: attribute -> int32 [n], an index into its vocabulary, or -1 for unknown.
        vocabulary: attribute -> its values, in the same order of attributes.
        fingerprint: names this exact data; stands in checkpoints and on the card.
        colours: float32 [n, 2, 3], CIELAB of the main and the second colour, NaN where unknown;
            None where colours are no condition.

    Raises:
        InvalidInputError: an array has the wrong type, shape or values.
        CatalogTooSmallError: fewer than MINIMUM_GARMENTS garments.
    """

    images: NDArray[np.uint8]
    labels: Mapping[str, NDArray[np.int32]]
    vocabulary: Mapping[str, tuple[str, ...]]
    fingerprint: str
    colours: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        _check_images(self.images)
        if list(self.labels) != list(self.vocabulary):
            raise InvalidInputError(
                f"Labels are for {list(self.labels)} but the vocabulary is for "
                f"{list(self.vocabulary)}; name the same attributes in the same order."
            )
        for attribute, column in self.labels.items():
            _check_labels(attribute, column, self.vocabulary[attribute], self.n)

    @property
    def n(self) -> int:
        """Number of garments."""
        return int(self.images.shape[0])

    @property
    def size(self) -> int:
        """Side of the images in px."""
        return int(self.images.shape[1])

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (RGB)."""
        return int(self.images.shape[3])

    def label_matrix(self) -> NDArray[np.int32]:
        """Return all labels side by side, [n, attributes]."""
        columns = [np.asarray(column, np.int32) for column in self.labels.values()]
        return np.stack(columns, axis=1) if columns else np.zeros((self.n, 0), np.int32)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return attribute -> value -> number of garments; unknown labels are left out."""
        return {
            attribute: {
                value: int(np.count_nonzero(column == index))
                for index, value in enumerate(self.vocabulary[attribute])
            }
            for attribute, column in self.labels.items()
        }

    def imbalance(self) -> float:
        """Return the commonest value of the first attribute over the rarest that occurs."""
        for values in self.counts().values():
            present = [count for count in values.values() if count]
            return max(present) / min(present) if present else 1.0
        return 1.0

    def sampling_weights(self, balance: float) -> NDArray[np.float64]:
        """Return how often to draw each garment, [n], summing to 1.

        Args:
            balance: 0 draws all alike; 1 draws every value of the first attribute equally often,
                unknown counting as a value; between them, the share of a value is its count to
                the power of 1 - balance.
        """
        first = next(iter(self.labels.values()), None)
        if first is None or balance == 0:
            return np.full(self.n, 1.0 / self.n)
        _, inverse, counts = np.unique(first, return_inverse=True, return_counts=True)
        weights = counts[inverse].astype(np.float64) ** -balance
        return np.asarray(weights / weights.sum(), np.float64)


def _check_images(images: NDArray[np.uint8]) -> None:
    if images.dtype != np.uint8 or images.ndim != 4:  # noqa: PLR2004 - n, height, width, channels
        raise InvalidInputError(
            "Images must be uint8 [n, size, size, channels]; "
            f"got {images.dtype} {list(images.shape)}."
        )
    count, height, width, channels = images.shape
    if height != width or height % SIZE_STEP or not SMALLEST_SIZE <= height <= LARGEST_SIZE:
        raise InvalidInputError(
            f"Images must be square, with a side from {SMALLEST_SIZE} to {LARGEST_SIZE} px that "
            f"divides by {SIZE_STEP}; got {height}x{width}. Resize them first.",
            size=height,
        )
    if channels not in {1, 3}:
        raise InvalidInputError(f"Images must have 1 or 3 channels; got {channels}.")
    if count < MINIMUM_GARMENTS:
        raise CatalogTooSmallError(
            f"A model needs at least {MINIMUM_GARMENTS} garments to learn from; "
            f"this catalog has {count}. Add more.",
            least=MINIMUM_GARMENTS,
            found=count,
        )


def _check_labels(
    attribute: str, column: NDArray[np.int32], values: tuple[str, ...], count: int
) -> None:
    if column.shape != (count,) or not np.issubdtype(column.dtype, np.integer):
        raise InvalidInputError(
            f"The labels for {attribute!r} must be one integer a garment ({count}); "
            f"got {column.dtype} {list(column.shape)}."
        )
    if not values or len(set(values)) != len(values):
        raise InvalidInputError(f"The vocabulary of {attribute!r} is empty or repeats a value.")
    low, high = int(column.min()), int(column.max())
    if low < -1 or high >= len(values):
        raise InvalidInputError(
            f"The labels for {attribute!r} must be from -1 (unknown) to {len(values) - 1}; "
            f"got {low} to {high}."
        )

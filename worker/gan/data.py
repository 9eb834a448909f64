"""What the GAN trains on: uint8 images, integer labels and CIELAB colours, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.errors import CatalogTooSmallError, InvalidInputError
from shared.schemas.models import MINIMUM_GARMENTS
from worker.gan.frame import Frame

SLOTS = 2
"""Colours of a garment that are a condition: the main one, and a second where there is one."""

MOST_HELD_OUT = 5_000
"""Garments; more would not make the figures firmer, and a small share is felt in training."""

LEAST_HELD_OUT = 8
"""Garments; with fewer the held-out part says nothing, and a tiny catalog needs each one."""


@dataclass(frozen=True)
class Dataset:
    """A catalog ready for training; construction refuses what cannot be read as one.

    Attributes:
        images: uint8 [n, height, width, channels]; may be a read-only np.memmap. Any size: see
            `frame`.
        labels: attribute -> int32 [n], an index into its vocabulary, or -1 for unknown.
        vocabulary: attribute -> its values, in the same order of attributes.
        fingerprint: names this exact data; stands in checkpoints and on the card.
        colours: CIELAB float32 [n, 2, 3], main and second colour, NaN where unknown; None where
            colours are no condition.

    Raises:
        InvalidInputError: an array has the wrong type, shape or values.
    """

    images: NDArray[np.uint8]
    labels: Mapping[str, NDArray[np.int32]]
    vocabulary: Mapping[str, tuple[str, ...]]
    fingerprint: str
    colours: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        _check_images(self.images)
        if self.colours is not None and self.colours.shape != (self.n, SLOTS, 3):
            raise InvalidInputError(
                f"Colours must be CIELAB [{self.n}, {SLOTS}, 3], NaN where unknown; "
                f"got {list(self.colours.shape)}."
            )
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
    def frame(self) -> Frame:
        """How the pictures fit the square that the networks work on."""
        return Frame(int(self.images.shape[1]), int(self.images.shape[2]))

    @property
    def size(self) -> int:
        """The longer side of the images in px."""
        return int(max(self.images.shape[1:3]))

    @property
    def slots(self) -> int:
        """Colours in a condition: 2, or 0 where colours are none."""
        return 0 if self.colours is None else SLOTS

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (RGB)."""
        return int(self.images.shape[3])

    def require_enough(self) -> None:
        """Refuse what no model could learn from.

        Raises:
            CatalogTooSmallError: fewer than MINIMUM_GARMENTS garments.
        """
        if self.n < MINIMUM_GARMENTS:
            raise CatalogTooSmallError(
                f"A model needs at least {MINIMUM_GARMENTS} garments to learn from; "
                f"this catalog has {self.n}. Add more.",
                least=MINIMUM_GARMENTS,
                found=self.n,
            )

    def label_matrix(self) -> NDArray[np.int32]:
        """Return all labels side by side, [n, attributes]."""
        columns = [np.asarray(column, np.int32) for column in self.labels.values()]
        return np.stack(columns, axis=1) if columns else np.zeros((self.n, 0), np.int32)

    def colour_matrix(self) -> NDArray[np.float32]:
        """Return the colours as [n, slots, 3]; slots is 0 where colours are no condition."""
        none = np.zeros((self.n, 0, 3), np.float32)
        return none if self.colours is None else self.colours

    def take(self, rows: NDArray[np.intp]) -> "Dataset":
        """Return the garments of these rows, in this order, with the same vocabulary."""
        return replace(
            self,
            images=self.images[rows],
            labels={name: column[rows] for name, column in self.labels.items()},
            colours=None if self.colours is None else self.colours[rows],
        )

    def split(self, share: float, *, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows to train on and the rows to hold out, each in ascending order.

        The same catalog and seed give the same rows, and nothing else is drawn from. Of a tiny
        catalog nothing is held out.

        Args:
            share: of the garments to hold out, 0..0.5; at most MOST_HELD_OUT garments.
            seed: another one holds out others.
        """
        count = min(int(share * self.n), MOST_HELD_OUT)
        if count < LEAST_HELD_OUT or self.n - count < MINIMUM_GARMENTS:
            return np.arange(self.n), np.zeros(0, np.intp)
        order = np.random.Generator(np.random.Philox(key=seed)).permutation(self.n)
        return np.sort(order[count:]), np.sort(order[:count])

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
            "Images must be uint8 [n, height, width, channels]; "
            f"got {images.dtype} {list(images.shape)}."
        )
    count, height, width, channels = images.shape
    if not min(height, width) > 0:
        raise InvalidInputError(f"Images must have pixels; got {height}x{width} px.")
    if channels not in {1, 3}:
        raise InvalidInputError(f"Images must have 1 or 3 channels; got {channels}.")
    if count == 0:
        raise InvalidInputError("There are no images; expected at least one.")


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

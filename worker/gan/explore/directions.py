"""Edit directions that need no labels: along them a design changes most.

SeFa (Shen & Zhou 2021, arXiv 2007.06600): the first dense layer turns a latent z into z W. The unit
directions that change z W most are the left singular vectors of W, strongest first. Only the rows
of W that belong to the latent count; the others belong to the condition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.gan import grid, latents
from worker.gan.explore.ports import Painter, check_colours, labels_of, unknown_colours

REACH = 3.0
"""Of a latent's standard deviations: further out a generator was never trained."""

STEPS = 7


@dataclass(frozen=True)
class Directions:
    """The directions of a release, strongest first.

    Attributes:
        vectors: float32 [k, latent], unit length; each one's largest number is positive, so that
            the same release always gives the same signs.
        strengths: float32 [k], how much of a step along each the first layer passes on.
    """

    vectors: NDArray[np.float32]
    strengths: NDArray[np.float32]

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        """Return direction `number`, 0 the strongest.

        Raises:
            InvalidInputError: there is none of that number.
        """
        if not 0 <= number < len(self.vectors):
            raise InvalidInputError(
                f"This release has directions 0 to {len(self.vectors) - 1}; got {number}."
            )
        return self.vectors[number]

    def __len__(self) -> int:
        return len(self.vectors)


def find(painter: Painter) -> Directions:
    """Find the directions of a release: at most one a number of its latent. Takes milliseconds."""
    kernel = np.asarray(painter.network.first_kernel, np.float64)[: painter.latent]
    vectors, strengths, _ = np.linalg.svd(kernel, full_matrices=False)
    vectors = vectors.T
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, np.newaxis], axis=1)
    vectors *= np.where(largest < 0, -1.0, 1.0)
    return Directions(vectors.astype(np.float32), strengths.astype(np.float32))


def strip(
    painter: Painter,
    direction: NDArray[np.float32],
    seeds: Sequence[int],
    condition: Mapping[str, str],
    *,
    reach: float = REACH,
    steps: int = STEPS,
    colours: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """Paint designs moved along a direction; the middle column is the design itself.

    Args:
        painter: a loaded release.
        direction: [latent]; any length but zero, only its heading counts.
        seeds: one row each.
        condition: attribute -> value for all rows; what is left open is drawn by the seed.
        reach: how far the outer columns are moved, in standard deviations of a latent.
        steps: columns, odd, from -reach to +reach.
        colours: CIELAB [seeds, slots, 3], NaN where unknown; None leaves all unknown.

    Returns:
        uint8 [seeds * size, steps * size, channels]

    Raises:
        InvalidInputError: an even number of steps, a reach of zero, no seeds, a direction of
            another width, or a condition that was not trained.
    """
    if not seeds:
        raise InvalidInputError("A strip needs at least one seed; got none.")
    asked = unknown_colours(len(seeds), painter.slots) if colours is None else colours
    return walk(
        painter,
        direction,
        latents.draw(seeds, painter.latent),
        labels_of(painter, seeds, condition),
        check_colours(painter, asked, len(seeds)),
        reach=reach,
        steps=steps,
    )


def walk(
    painter: Painter,
    direction: NDArray[np.float32],
    points: NDArray[np.float32],
    labels: NDArray[np.int32],
    colours: NDArray[np.float32],
    *,
    reach: float = REACH,
    steps: int = STEPS,
) -> NDArray[np.uint8]:
    """Paint any latents, those of an inversion as well, moved along a direction; as `strip`.

    Args:
        painter: a loaded release.
        direction: [latent].
        points: latents [n, latent], one row each.
        labels: int32 [n, attributes].
        colours: float32 [n, slots, 3].
        reach: in standard deviations of a latent, above zero.
        steps: columns, odd.

    Raises:
        InvalidInputError: as `strip`.
    """
    heading = _heading(direction, painter.latent)
    if steps < 1 or steps % 2 == 0 or not reach > 0:
        raise InvalidInputError(
            "A strip has an odd number of steps, so that its middle is the design itself, and a "
            f"reach above zero; got {steps} steps and a reach of {reach}."
        )
    amounts = np.linspace(-reach, reach, steps) if steps > 1 else np.zeros(1)
    moved = points[:, np.newaxis] + amounts[:, np.newaxis].astype(np.float32) * heading
    images = painter.paint(
        moved.reshape(-1, painter.latent).astype(np.float32),
        np.repeat(labels, steps, axis=0),
        np.repeat(colours, steps, axis=0),
    )
    return grid.assemble(images, steps)


def _heading(direction: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    length = float(np.linalg.norm(direction))
    if direction.shape != (width,) or not np.isfinite(length) or length == 0:
        raise InvalidInputError(
            f"A direction is {width} finite numbers, not all zero; got {list(direction.shape)} "
            f"of length {length:g}."
        )
    return np.asarray(direction / length, np.float32)

"""Nearest neighbours in feature space: precision, recall, density and coverage."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.pictures.crowd import Crowd, Features

NEIGHBOURS: Final = 5
Distances = NDArray[np.float64]


@dataclass(frozen=True)
class Prdc:
    """What two sets of features share.

    Attributes:
        precision: share of generated images within reach of a real one, 0..1.
        recall: share of real images within reach of a generated one, 0..1.
        density: how many real images' reach a generated one is in, over k; about 1 when alike.
        coverage: share of real images with a generated one within their own reach, 0..1.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Features, generated: Features, *, k: int = NEIGHBOURS) -> Prdc:
    """Compare generated features [m, d] with real ones [n, d].

    An image's reach is the distance to its k-th nearest neighbour of its own kind. Precision and
    recall: Kynkaanniemi et al. 2019, arXiv 1904.06991; density and coverage: Naeem et al. 2020,
    arXiv 2002.09797. Distances are made in strips, so that 10,000 by 10,000 needs 40 MB.

    Raises:
        InvalidInputError: a side has k rows or fewer.
    """
    if min(len(real), len(generated)) <= k:
        raise InvalidInputError(
            f"Precision and recall need more than {k} images of each kind; "
            f"got {len(real)} real and {len(generated)} generated. Measure with more."
        )
    reach, own_reach = _reaches(real, k), _reaches(generated, k)
    within = np.zeros(len(generated), np.int64)
    recalled, covered = 0, 0
    for rows, strip in Crowd(generated).strips(real):
        inside = strip <= reach[rows, np.newaxis]
        within += inside.sum(axis=0)
        covered += int(inside.any(axis=1).sum())
        recalled += int((strip <= own_reach).any(axis=1).sum())
    return Prdc(
        precision=float((within > 0).mean()),
        recall=recalled / len(real),
        density=float(within.mean() / k),
        coverage=covered / len(real),
    )


def _reaches(features: Features, k: int) -> Distances:
    """Return the squared distance of each row to its k-th nearest other row."""
    found = []
    for rows, strip in Crowd(features).strips(features):
        strip[np.arange(len(strip)), np.arange(rows.start, rows.start + len(strip))] = np.inf
        found.append(np.partition(strip, k - 1, axis=1)[:, k - 1])
    return np.concatenate(found)

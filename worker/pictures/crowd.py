"""How near pictures are to a crowd of others, by their features: exact, and in strips."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32] | NDArray[np.float64]

_ROWS: Final = 512
"""Rows compared at once: 512 x 60,000 distances are 245 MB in float64."""


class Crowd:
    """Features that others are compared with; what does not depend on those is computed once.

    Args:
        rows: [m, d].
        precision: of the arithmetic. Figures take float64; float32 is twice as fast, holds half the
            memory, and tells a copy as surely: it is found at a hundredth of the distance between
            two garments at the most.
    """

    def __init__(self, rows: Features, precision: type[np.floating[Any]] = np.float64) -> None:
        # Distances from products lose digits far from the origin, so the origin is moved.
        self._centre = rows.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(1)
        self._rows = (rows - self._centre).astype(precision)
        self._lengths = np.square(self._rows).sum(axis=1)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Memory that it holds, bytes."""
        return int(self._rows.nbytes + self._lengths.nbytes)

    def strips(self, features: Features) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield squared distances of a few rows of [n, d] to all of the crowd, [rows, m]."""
        for start in range(0, len(features), _ROWS):
            rows = slice(start, start + _ROWS)
            part = (features[rows] - self._centre).astype(self._rows.dtype)
            strip = part @ self._rows.T
            strip *= -2.0
            strip += self._lengths
            strip += np.square(part).sum(axis=1)[:, np.newaxis]
            yield rows, np.maximum(strip, 0.0, out=strip)

    def nearest(self, features: Features) -> NDArray[Any]:
        """Return the distance of each row of [n, d] to the nearest of the crowd, [n].

        To a crowd of nobody it is infinite.
        """
        if not len(self):
            return np.full(len(features), np.inf, self._rows.dtype)
        found = [strip.min(axis=1) for _, strip in self.strips(features)]
        return np.sqrt(np.concatenate(found)) if found else np.zeros(0, self._rows.dtype)

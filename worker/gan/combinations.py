"""Which labels go together: what a condition leaves open is drawn as the catalog has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

MOST: Final = 4096
"""Combinations kept, the commonest first; a catalog with more labels them almost one by one."""

_STREAM: Final = 1
"""Latents use stream 0 of a seed; this must not repeat their draws."""


@dataclass(frozen=True)
class Combinations:
    """The label combinations of a catalog and how often each occurs.

    Attributes:
        codes: int32 [m, attributes], a value's place in its vocabulary, -1 where unknown.
        counts: int64 [m], garments with that combination, most first.
    """

    codes: NDArray[np.int32]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, labels: NDArray[np.int32]) -> Self:
        """Count the combinations of a catalog's labels, int32 [n, attributes]."""
        codes, counts = np.unique(labels, axis=0, return_counts=True)
        first = np.argsort(-counts, kind="stable")[:MOST]
        return cls(codes[first].astype(np.int32), counts[first].astype(np.int64))

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[int]]) -> Self:
        """Read what `as_lists` wrote."""
        table = np.array(rows, np.int64).reshape(len(rows), -1)
        return cls(table[:, :-1].astype(np.int32), table[:, -1])

    def as_lists(self) -> list[list[int]]:
        """Return plain data for JSON: each combination's codes, then its count."""
        whole: list[list[int]] = np.column_stack([self.codes, self.counts]).tolist()
        return whole

    def fill(self, labels: NDArray[np.int32], seeds: Sequence[int]) -> NDArray[np.int32]:
        """Return labels in which what was left open is drawn.

        A row's draw follows from its seed and what it asks for alone. Where garments like that
        exist, it takes the labels of one of them, so that no one gets plaid boots from a catalog
        without any; where none do, each open label is drawn by itself.

        Args:
            labels: int32 [n, attributes], -1 where open.
            seeds: one a row, 0 to 2**63 - 1.
        """
        filled = labels.copy()
        for row, seed in enumerate(seeds):
            missing = labels[row] < 0
            if missing.any():
                filled[row, missing] = self._draw(labels[row], missing, seed)
        return filled

    def _draw(
        self, asked: NDArray[np.int32], missing: NDArray[np.bool_], seed: int
    ) -> NDArray[np.int32]:
        key = np.array([seed, _STREAM], np.uint64)
        chance: Any = np.random.Generator(np.random.Philox(key=key))
        # Only garments whose open labels are known: so the filled condition, asked for again
        # with the same seed, is the same.
        known = (self.codes[:, missing] >= 0).all(axis=1)
        fits = known & (self.codes == asked)[:, ~missing].all(axis=1)
        if fits.any():
            like = self.codes[_pick(chance, np.where(fits, self.counts, 0))]
            return np.asarray(like[missing], np.int32)
        drawn = [self._draw_one(column, chance) for column in np.flatnonzero(missing).tolist()]
        return np.array(drawn, np.int32)

    def _draw_one(self, column: int, chance: np.random.Generator) -> int:
        weights = np.where(self.codes[:, column] >= 0, self.counts, 0)
        return int(self.codes[_pick(chance, weights), column]) if weights.any() else -1


def _pick(chance: np.random.Generator, weights: NDArray[np.int64]) -> int:
    edges = np.cumsum(weights)
    return int(np.searchsorted(edges, chance.random() * edges[-1], "right"))

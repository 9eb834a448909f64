"""Which labels and colours go together: what a condition leaves open is drawn like the catalog."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

MOST: Final = 4096
"""Combinations kept, the commonest first; a catalog with more labels them almost one by one."""

MOST_COLOURED: Final = 2048
"""Garments kept as examples of which colours go with which labels."""

_STREAM: Final = 1
"""Latents use stream 0 of a seed; this must not repeat their draws."""

_COLOUR_STREAM: Final = 2


@dataclass(frozen=True)
class Combinations:
    """The label combinations of a catalog and how often each occurs.

    Attributes:
        codes: int32 [m, attributes], a value's place in its vocabulary, -1 where unknown.
        counts: int64 [m], garments with that combination, most first.
        coloured: int32 [k, attributes], the labels of some garments whose main colour is known.
        colours: CIELAB float32 [k, slots, 3], their colours; NaN where there is no second one.
    """

    codes: NDArray[np.int32]
    counts: NDArray[np.int64]
    coloured: NDArray[np.int32]
    colours: NDArray[np.float32]

    @classmethod
    def of(cls, labels: NDArray[np.int32], colours: NDArray[np.float32] | None = None) -> Self:
        """Count the combinations of a catalog.

        Args:
            labels: int32 [n, attributes].
            colours: CIELAB float32 [n, slots, 3]; None or no slots where colour is no condition.
        """
        codes, counts = np.unique(labels, axis=0, return_counts=True)
        first = np.argsort(-counts, kind="stable")[:MOST]
        tints = np.zeros((len(labels), 0, 3), np.float32) if colours is None else colours
        rows = _coloured_rows(tints)
        return cls(
            codes[first].astype(np.int32),
            counts[first].astype(np.int64),
            labels[rows].astype(np.int32),
            np.round(tints[rows], 1),
        )

    @classmethod
    def from_lists(
        cls, rows: Sequence[Sequence[int]], coloured: Sequence[Sequence[float | None]] = ()
    ) -> Self:
        """Read what `as_lists` and `colours_as_lists` wrote."""
        table = np.array(rows, np.int64).reshape(len(rows), -1)
        codes, counts = table[:, :-1].astype(np.int32), table[:, -1]
        width = codes.shape[1]
        numbers = len(coloured[0]) if coloured else width
        examples = np.array(coloured, np.float64).reshape(len(coloured), numbers)
        slots = (numbers - width) // 3
        tints = examples[:, width:].astype(np.float32).reshape(len(examples), slots, 3)
        return cls(codes, counts, examples[:, :width].astype(np.int32), tints)

    def colours_as_lists(self) -> list[list[float | None]]:
        """Return the colour examples as plain data for JSON: labels, then CIELAB or None."""
        flat = self.colours.reshape(len(self.colours), 3 * self.colours.shape[1]).astype(np.float64)
        return [
            [*codes, *(None if np.isnan(v) else round(v, 1) for v in row)]
            for codes, row in zip(self.coloured.tolist(), flat.tolist(), strict=True)
        ]

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

    def tint(
        self, colours: NDArray[np.float32], labels: NDArray[np.int32], seeds: Sequence[int]
    ) -> NDArray[np.float32]:
        """Return colours in which what was left open is drawn from garments with such labels.

        A row that asks for a main colour keeps it and stays open in the second, as most garments
        have none. A row that asks for none takes both from one garment: from those that share the
        most labels with it.

        Args:
            colours: CIELAB [n, slots, 3], NaN where open.
            labels: int32 [n, attributes], as `fill` returned them.
            seeds: one a row, 0 to 2**63 - 1.
        """
        filled = colours.copy()
        if not len(self.colours) or not colours.shape[1]:
            return filled
        for row, seed in enumerate(seeds):
            if np.isnan(colours[row]).all():
                filled[row] = self._draw_colours(labels[row], seed)
        return filled

    def _draw_colours(self, labels: NDArray[np.int32], seed: int) -> NDArray[np.float32]:
        key = np.array([seed, _COLOUR_STREAM], np.uint64)
        chance: Any = np.random.Generator(np.random.Philox(key=key))
        shared = (self.coloured == labels).sum(axis=1)
        alike = np.flatnonzero(shared == shared.max())
        chosen: NDArray[np.float32] = self.colours[alike[int(chance.integers(len(alike)))]]
        return chosen

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


def _coloured_rows(colours: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return which garments to keep as examples: evenly over the catalog, so that none is drawn."""
    if not colours.shape[1]:
        return np.zeros(0, np.intp)
    known = np.flatnonzero(~np.isnan(colours[:, 0]).any(axis=1))
    step = max(1, -(-len(known) // MOST_COLOURED))
    return known[::step]

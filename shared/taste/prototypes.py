"""Likeness to typical garments: what lets a linear taste bend.

A taste is rarely linear in what garments are made of: navy coats, but red dresses. Likeness to some
dozens of garments that are typical of the catalog makes such tastes linear again, as far as its own
sorts of garments go.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.errors import InvalidInputError
from shared.taste.arrays import Places, Singles

MOST: Final = 48
"""Prototypes; one for each five garments in small catalogs."""

WIDTH: Final = 0.25
"""Of the likeness, in median squared distances to prototypes. Simulated shoppers were served better
by 0.25 than by 0.5 or 1."""

_GARMENTS_EACH: Final = 5
_LOOKED_AT: Final = 4096  # garments that prototypes are chosen from, evenly spread over a catalog
_ROUNDS: Final = 10
_BLOCK: Final = 8192
_RIDGE: Final = 1e-3  # part of a likeness of 1 that is noise; near-copies as prototypes need it


@dataclass(frozen=True)
class Prototypes:
    """Typical garments, and how likeness to them becomes columns.

    Attributes:
        rows: float32 ``[p, b]``, typical rows of features.
        reach: squared distance at which likeness has fallen to ``exp(-1/2)``; above 0.
        mean: float32 ``[p]``, mean likeness over the catalog.
        mix: float32 ``[p, p]``: centred likenesses times this are the columns.
    """

    rows: Singles
    reach: float
    mean: Singles
    mix: Singles

    def __post_init__(self) -> None:
        p = len(self.rows)
        if self.rows.ndim != 2 or self.mean.shape != (p,) or self.mix.shape != (p, p):  # noqa: PLR2004
            raise InvalidInputError("the arrays of prototypes do not fit each other")

    def columns(self, rows: Singles) -> Singles:
        """Return float32 ``[n, p]`` of rows of features ``[n, b]``."""
        blocks = (rows[at : at + _BLOCK] for at in range(0, max(len(rows), 1), _BLOCK))
        return np.concatenate(
            [(_likeness(block, self.rows, self.reach) - self.mean) @ self.mix for block in blocks]
        )


def none(columns: int) -> Prototypes:
    """Return no prototypes, of rows so long."""
    nothing = np.zeros((0, columns), dtype=np.float32)
    return Prototypes(nothing, 1.0, np.zeros(0, np.float32), np.zeros((0, 0), np.float32))


def learn(rows: Singles) -> Prototypes:
    """Choose prototypes by k-means, and columns whose inner products are the likeness.

    The columns are the Nystroem approximation of a Gaussian kernel (Williams and Seeger, "Using the
    Nystroem method to speed up kernel machines", NIPS 2000), as wide as the median distance, scaled
    to a total variance of 1.

    Args:
        rows: ``[n, b]``, n at least 1.
    """
    every = -(-len(rows) // _LOOKED_AT)
    some = rows[::every]
    chosen = _means(some, min(MOST, max(1, len(some) // _GARMENTS_EACH)))
    squares = _squares(some, chosen)
    reach = max(float(np.median(squares)) * WIDTH, 1e-6)
    inner = _likeness(chosen, chosen, reach).astype(np.float64)
    values, vectors = np.linalg.eigh(inner + _RIDGE * np.eye(len(chosen)))
    mix = (vectors / np.sqrt(values)) @ vectors.T
    likeness = _likeness(some, chosen, reach)
    mean = likeness.mean(0)
    spread = float(((likeness - mean) @ mix).var(0).sum())
    scale = 1 / np.sqrt(spread) if spread > 1e-9 else 0.0  # noqa: PLR2004 - rounding
    return Prototypes(chosen, reach, mean, (mix * scale).astype(np.float32))


def _means(rows: Singles, count: int) -> Singles:
    """Return ``[count, b]`` means of rows by Lloyd's k-means from evenly spread rows."""
    centres = rows[np.linspace(0, len(rows) - 1, count).astype(np.intp)].copy()
    for _ in range(_ROUNDS):
        nearest = _squares(rows, centres).argmin(1)
        centres = _mean_by(rows, nearest, centres)
    return centres


def _mean_by(rows: Singles, nearest: Places, centres: Singles) -> Singles:
    counts = np.bincount(nearest, minlength=len(centres))
    sums = np.zeros_like(centres)
    np.add.at(sums, nearest, rows)
    filled = counts > 0  # a centre that lost its rows stays where it is
    return np.where(filled[:, None], sums / np.maximum(counts, 1)[:, None], centres).astype(
        np.float32
    )


def _squares(first: Singles, second: Singles) -> Singles:
    inner = first @ second.T
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * inner
    return np.asarray(np.maximum(squares, 0), dtype=np.float32)


def _likeness(first: Singles, second: Singles, reach: float) -> Singles:
    return np.asarray(np.exp(-_squares(first, second) / (2 * reach)), dtype=np.float32)

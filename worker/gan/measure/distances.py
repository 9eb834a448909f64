"""Distances between two sets of features, and a classifier's score, in plain numpy."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError

Floats = NDArray[np.float32] | NDArray[np.float64]

GROUPS: Final = 10
"""Groups left out in turn by the jackknife."""

MOST_COMPARED: Final = 5_000
"""Rows of a side that the kernel distance looks at: 10,000 would take four times as long."""

_FEWEST: Final = 4


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error, from the rows that were at hand."""

    value: float
    error: float


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features.

    Attributes:
        mean: float64 [d].
        covariance: float64 [d, d].
        n: rows that they were taken from.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    n: int

    @classmethod
    def of(cls, features: Floats) -> Self:
        """Take them from [n, d]; fewer rows than columns give a covariance of lower rank."""
        _check("moments", features)
        rows = features.astype(np.float64)
        mean = rows.mean(axis=0)
        rows -= mean
        return cls(mean, rows.T @ rows / (len(rows) - 1), len(rows))

    @cached_property
    def root(self) -> NDArray[np.float64]:
        """The covariance's symmetric square root, [d, d]."""
        values, vectors = np.linalg.eigh(self.covariance)
        # Rounding leaves the zeros of a rank-deficient covariance a little below zero.
        return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def frechet_distance(first: Moments, second: Moments) -> float:
    """Return |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), 0 or more.

    The distance of two Gaussians (Dowson & Landau 1982), as used on features by Heusel et al. 2017
    (arXiv 1706.08500). tr (S1 S2)^(1/2) is taken as tr (R1 S2 R1)^(1/2) with R1 the square root of
    S1: the same eigenvalues from a symmetric matrix, real and stable at any rank.
    """
    crossed = first.root @ second.covariance @ first.root
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh((crossed + crossed.T) / 2), 0.0)).sum()
    apart = np.square(first.mean - second.mean).sum()
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * shared
    return float(max(0.0, apart + spread))


def frechet_estimate(features: Floats, reference: Moments) -> Estimate:
    """Return the Frechet distance of [n, d] to a reference, with its jackknifed standard error."""
    groups = np.array_split(np.arange(len(features)), min(GROUPS, len(features) // 2))
    without = [
        frechet_distance(reference, Moments.of(np.delete(features, group, axis=0)))
        for group in groups
    ]
    whole = frechet_distance(reference, Moments.of(features))
    return Estimate(whole, _jackknifed(without))


def kernel_distance(first: Floats, second: Floats, *, seed: int) -> Estimate:
    """Return the unbiased squared MMD of two feature sets with the kernel (x.y / d + 1)^3.

    The Kernel Inception Distance's formula (Binkowski et al. 2018, arXiv 1801.01401) on other
    features. It has no bias, so small sets can be compared; it may be a little below zero. Kernel
    sums are kept by blocks, and leaving each block out in turn gives the standard error.

    Args:
        first: [n, d]; of more than MOST_COMPARED rows some are drawn.
        second: [m, d].
        seed: of the draw and of the blocks.

    Raises:
        InvalidInputError: fewer than four rows on a side.
    """
    _check("the kernel distance", first)
    _check("the kernel distance", second)
    draw = np.random.default_rng(seed)
    x, y = _drawn(first, draw), _drawn(second, draw)
    blocks = min(GROUPS, len(x) // 2, len(y) // 2)
    sums = [_block_sums(a, b, blocks) for a, b in ((x, x), (y, y), (x, y))]
    sizes = [_sizes(len(side), blocks) for side in (x, y)]
    every = np.arange(blocks)
    without = [_from_blocks(sums, sizes, every[every != left_out]) for left_out in every]
    return Estimate(_from_blocks(sums, sizes, every), _jackknifed(without))


def classifier_score(probabilities: Floats) -> float:
    """Return exp of the mean KL divergence of p(value | image) from p(value): 1 to [values].

    The Inception Score's formula (Salimans et al. 2016, arXiv 1606.03498) with another classifier.

    Args:
        probabilities: [n, values], rows summing to 1.
    """
    rows = np.maximum(probabilities.astype(np.float64), 1e-16)
    mean = rows.mean(axis=0)
    return float(np.exp((rows * (np.log(rows) - np.log(mean))).sum(axis=1).mean()))


def _check(what: str, features: Floats) -> None:
    if features.ndim != 2 or len(features) < _FEWEST:  # noqa: PLR2004 - rows and columns
        raise InvalidInputError(
            f"For {what}, features must be [n, d] with at least {_FEWEST} rows; "
            f"got {list(features.shape)}. Measure with more images."
        )


def _jackknifed(without: Sequence[float]) -> float:
    """Return the standard error from the values with each group left out."""
    values = np.asarray(without)
    return float(np.sqrt((len(values) - 1) * np.square(values - values.mean()).mean()))


def _drawn(features: Floats, draw: np.random.Generator) -> NDArray[np.float64]:
    """Shuffle, because catalogs are often sorted and blocks must be alike."""
    order = draw.permutation(len(features))[:MOST_COMPARED]
    return features[order].astype(np.float64)


def _sizes(count: int, blocks: int) -> NDArray[np.int64]:
    return np.diff(_edges(count, blocks))


def _edges(count: int, blocks: int) -> NDArray[np.int64]:
    return np.linspace(0, count, blocks + 1).astype(np.int64)


def _block_sums(x: NDArray[np.float64], y: NDArray[np.float64], blocks: int) -> Floats:
    """Return [blocks, blocks] sums of the kernel; a row's kernel with itself is left out."""
    same = x is y
    rows, columns = _edges(len(x), blocks), _edges(len(y), blocks)
    sums = np.empty((blocks, blocks))
    for block in range(blocks):
        part = x[rows[block] : rows[block + 1]]
        kernel = part @ y.T
        kernel /= x.shape[1]
        kernel += 1.0
        kernel *= np.square(kernel)
        sums[block] = np.add.reduceat(kernel.sum(axis=0), columns[:-1])
        if same:
            own = np.square(part).sum(axis=1) / x.shape[1] + 1.0
            sums[block, block] -= (own**3).sum()
    return sums


def _from_blocks(
    sums: Sequence[Floats], sizes: Sequence[NDArray[np.int64]], kept: NDArray[np.int64]
) -> float:
    n, m = (int(side[kept].sum()) for side in sizes)
    xx, yy, xy = (float(part[np.ix_(kept, kept)].sum()) for part in sums)
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)

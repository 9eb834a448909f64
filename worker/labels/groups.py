"""Groups of garments that look alike: spherical k-means, and how many groups to make.

I. S. Dhillon, D. S. Modha, "Concept decompositions for large sparse text data using clustering",
Machine Learning 42 (2001). Starts as k-means++ (D. Arthur, S. Vassilvitskii, SODA 2007).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.labels.matching import NONE, agreement

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]

DIMENSIONS: Final = 32
"""Principal directions that are compared: of an encoder's 128 the others vary next to nothing."""

HOLD: Final = 0.2
"""Of the cosine: by how much nearer another group must be for a garment to leave its own."""

CHOICES: Final = (4, 6, 8, 12, 16, 24, 32, 48)
_CLEAR, _LEAST_AGREED = 0.9, 0.5
_FEWEST: Final = 40  # garments to a group, on the mean
_SAMPLE: Final = 8_000  # garments from which the number of groups is told
_TRIALS: Final = 3
_STARTS: Final = 3
_STARTS_OF_HALF: Final = 2
_DRAWS: Final = 4
_ROUNDS: Final = 40
_STILL: Final = 1e-4
_BLOCK: Final = 8_192


def directions(embeddings: Floats) -> Floats:
    """Return unit vectors [n, d] whose angles tell how alike garments look.

    The embeddings are centred, turned onto their principal directions, and each is divided by the
    square root of its deviation: halfway to giving all the same say. Without it the two or three
    strongest, colour and outline, decide alone; with all of it noise does.
    """
    centred = embeddings - embeddings.mean(axis=0)
    covariance = (centred.T @ centred).astype(np.float64) / max(len(centred), 1)
    values, axes = np.linalg.eigh(covariance)
    strongest = np.argsort(-values)[:DIMENSIONS]
    scale = np.sqrt(np.sqrt(np.maximum(values[strongest], 1e-12)))
    return _unit(centred @ (axes[:, strongest] / scale).astype(np.float32))


def choose_count(vectors: Floats, *, seed: int) -> tuple[int, dict[int, float]]:
    """Choose how many groups to make: the most on which two halves of the garments agree.

    Both halves are grouped, each without the other; all garments go to the nearest groups of
    either; what counts is the adjusted Rand index of the two, on the mean of three trials. Taken
    is the greatest number of `CHOICES` with at least 0.9, for then there are clear groups; else the
    greatest with at least 0.5; else the one that agrees best. A group must have 40 garments on the
    mean. After S. Ben-Hur, A. Elisseeff, I. Guyon, "A
    stability based method for discovering structure in clustered data" (PSB 2002).

    Returns:
        The number, and each candidate's agreement.
    """
    rng = np.random.default_rng(seed)
    taken = vectors[np.sort(rng.permutation(len(vectors))[:_SAMPLE])]
    allowed = [count for count in CHOICES if count * _FEWEST <= len(vectors)] or [CHOICES[0]]
    found: dict[int, float] = {}
    for count in allowed:
        trials = [_halves_agree(taken, count, rng) for _ in range(_TRIALS)]
        found[count] = float(np.mean(trials))
    for least in (_CLEAR, _LEAST_AGREED):
        steady = [count for count, value in found.items() if value >= least]
        if steady:
            return max(steady), found
    return max(found, key=found.__getitem__), found


def _halves_agree(vectors: Floats, count: int, rng: np.random.Generator) -> float:
    order = rng.permutation(len(vectors))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    first, second = (
        nearest(vectors, _best_of(_STARTS_OF_HALF, vectors[half], count, rng)).groups
        for half in halves
    )
    return agreement(first, second)


@dataclass(frozen=True)
class Nearest:
    """Each garment's nearest centre: int64 [n], and the cosine to it, float32 [n]."""

    groups: Codes
    alike: Floats


def nearest(vectors: Floats, centres: Floats, held: Codes | None = None) -> Nearest:
    """Return which of the centres [k, d] each of the vectors [n, d] is nearest to.

    Args:
        vectors: float32 [n, d], of unit length.
        centres: float32 [k, d], the same.
        held: int64 [n], a group that each was in and leaves only for one that is nearer by `HOLD`;
            -1 none.
    """
    groups = np.empty(len(vectors), np.int64)
    alike = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        part = np.s_[start : start + _BLOCK]
        cosines = vectors[part] @ centres.T
        drawn = cosines if held is None else _drawn(cosines, held[part])
        groups[part] = drawn.argmax(axis=1)
        alike[part] = cosines[np.arange(len(cosines)), groups[part]]
    return Nearest(groups, alike)


def _drawn(cosines: Floats, held: Codes) -> Floats:
    drawn = cosines.copy()
    rows = np.flatnonzero(held != NONE)
    drawn[rows, held[rows]] += HOLD
    return drawn


def find_centres(vectors: Floats, count: int, *, seed: int) -> Floats:
    """Return centres [count, d]: the best of three starts."""
    rng = np.random.default_rng(seed)
    return _best_of(_STARTS, vectors, count, rng)


def _best_of(starts: int, vectors: Floats, count: int, rng: np.random.Generator) -> Floats:
    tried = [_settled(vectors, _spread(vectors, count, rng)) for _ in range(starts)]
    return max(tried, key=lambda centres: float(nearest(vectors, centres).alike.sum()))


def settle(vectors: Floats, centres: Floats, held: Codes) -> Floats:
    """Return the centres moved to the middle of what is nearest to them, until they stay.

    What was in a group before leaves it only for one that is clearly nearer: what is gained in
    likeness is weighed against what it costs in continuity. D. Chakrabarti, R. Kumar, A. Tomkins,
    "Evolutionary clustering" (KDD 2006).

    Args:
        vectors: float32 [n, d], of unit length.
        centres: float32 [k, d], where to begin.
        held: int64 [n], the centre that each was at before; -1 none.
    """
    return _settled(vectors, centres, held)


def _settled(vectors: Floats, centres: Floats, held: Codes | None = None) -> Floats:
    for _ in range(_ROUNDS):
        moved = means(vectors, nearest(vectors, centres, held).groups, len(centres))
        empty = np.linalg.norm(moved, axis=1) < 0.5  # noqa: PLR2004 - unit length, or nothing
        moved[empty] = centres[empty]
        change = float(np.abs(moved - centres).max())
        centres = moved
        if change < _STILL:
            break
    return centres


def means(vectors: Floats, groups: Codes, count: int) -> Floats:
    """Return the unit mean of each group, [count, d]; zeros where nothing is in it."""
    order = np.argsort(groups, kind="stable")
    bounds = np.searchsorted(groups[order], np.arange(count + 1))
    sums = np.zeros((count, vectors.shape[1]), np.float32)
    for group in range(count):
        members = order[bounds[group] : bounds[group + 1]]
        sums[group] = vectors[members].sum(axis=0)
    return _unit(sums)


def more_centres(vectors: Floats, centres: Floats, count: int, *, seed: int) -> Floats:
    """Return further centres [count, d] among what is farthest from those that there are."""
    if count <= 0:
        return centres[:0]
    rng = np.random.default_rng(seed)
    away = np.maximum(1 - nearest(vectors, centres).alike, 0)
    return vectors[_drawn_apart(vectors, away, count, rng)]


def _spread(vectors: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Start from garments that are far apart, each drawn by how far it is from those before.

    Of a few draws that one is taken which leaves all others nearest to a start.
    """
    first = int(rng.integers(len(vectors)))
    away = np.maximum(1 - vectors @ vectors[first], 0)
    return vectors[[first, *_drawn_apart(vectors, away, count - 1, rng)]]


def _drawn_apart(vectors: Floats, away: Floats, count: int, rng: np.random.Generator) -> list[int]:
    chosen: list[int] = []
    for _ in range(count):
        total = away.sum(dtype=np.float64)
        if total <= 0:  # all of them are where a centre is already
            break
        share = np.cumsum(away, dtype=np.float64) / total
        drawn = np.searchsorted(share, rng.random(_DRAWS)).clip(max=len(vectors) - 1)
        left = np.minimum(away[:, None], np.maximum(1 - vectors @ vectors[drawn].T, 0))
        best = int(left.sum(axis=0).argmin())
        chosen.append(int(drawn[best]))
        away = left[:, best]
    return chosen


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), np.float32)

"""Worlds of garments with hidden factors, and shoppers whose tastes are made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared import colour
from shared.taste.items import Items

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_FACTORS, _STYLES = 8, 12
_VOCABULARY: Final = {
    "category": tuple(f"category-{k}" for k in range(8)),
    "pattern": tuple(f"pattern-{k}" for k in range(5)),
    "material": tuple(f"material-{k}" for k in range(6)),
}


@dataclass(frozen=True)
class World:
    """What a simulation is about.

    Attributes:
        items: what the ranker sees.
        hidden: ``[n, h]``, what tastes are made of; columns of about unit variance.
    """

    items: Items
    hidden: Floats


@dataclass(frozen=True)
class Setup:
    """How shoppers are simulated.

    Attributes:
        teachers: shoppers whom popularity and the prior are learned from.
        least, most: likes of a teacher.
        judged: shoppers whom the ranking is judged by.
        feedback: numbers of likes to rank after.
        dislikes: passed-by garments told as disliked, for each like.
        shares: of the variance of taste: of all, of a segment, of one shopper.
        segments: of shoppers.
        sharpness: how surely a shopper likes what is above the threshold.
        threshold: in standard deviations of hidden taste.
        relevant: part of the catalog that counts as right.
    """

    teachers: int = 150
    least: int = 5
    most: int = 40
    judged: int = 100
    feedback: tuple[int, ...] = (3, 10, 20, 40)
    dislikes: int = 0
    shares: tuple[float, float, float] = (0.1, 0.2, 0.7)
    segments: int = 5
    sharpness: float = 3.0
    threshold: float = 1.0
    relevant: float = 0.05


def synthetic(seed: int, count: int = 4000) -> World:
    """Draw garments from hidden factors through random networks, with noise and gaps."""
    rng = np.random.default_rng(seed)
    styles = rng.normal(size=(_STYLES, _FACTORS))
    hidden = 0.8 * styles[rng.integers(0, _STYLES, count)] + 0.7 * rng.normal(
        size=(count, _FACTORS)
    )
    hidden = (hidden - hidden.mean(0)) / hidden.std(0)
    embeddings = _network(hidden, 128, rng) + 0.5 * rng.normal(size=(count, 128))
    embeddings /= np.sqrt((embeddings**2).mean())
    codes = [_chosen(hidden, len(values), rng, noise=0.35) for values in _VOCABULARY.values()]
    labels = np.stack(codes, axis=1).astype(np.int32)
    labels[rng.random(labels.shape) < 0.1] = -1  # a tenth of the labels is not known
    items = Items(
        ids=tuple(f"garment-{k}" for k in range(count)),
        embeddings=embeddings.astype(np.float32),
        colours=_colours(hidden, rng),
        labels=labels,
        vocabulary=_VOCABULARY,
    )
    return World(items, hidden)


def hidden_tastes(hidden: Floats, rng: np.random.Generator, setup: Setup) -> Floats:
    """Return how much each shopper would like each garment, ``[shoppers, n]``, standardised."""
    of_all = taste(hidden, rng)
    of_segments = [taste(hidden, rng) for _ in range(setup.segments)]
    roots = np.sqrt(setup.shares)
    mixed = []
    for _ in range(setup.teachers + setup.judged):
        segment = of_segments[int(rng.integers(setup.segments))]
        mixed.append(roots @ np.stack([of_all, segment, taste(hidden, rng)]))
    return np.stack([_standard(one) for one in mixed])


def taste(hidden: Floats, rng: np.random.Generator) -> Floats:
    """Return one random non-linear taste over garments ``[n]``, standardised."""
    return draw_taste(hidden, rng)(hidden)


def draw_taste(hidden: Floats, rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """Draw one non-linear taste: three ideal garments, one of them disliked, and a small network.

    Returns:
        ``[m, h]`` of any things -> how much they are liked ``[m]``, in standard deviations of the
        liking of the garments ``[n, h]`` that it was drawn for.
    """
    ideals = hidden[rng.choice(len(hidden), 3, replace=False)]
    mixing = rng.normal(size=(hidden.shape[1], 8)) / np.sqrt(hidden.shape[1])
    offsets, heights = rng.normal(size=8), rng.normal(size=8)

    def squares(rows: Floats) -> Floats:
        return np.asarray(((rows[:, None] - ideals) ** 2).sum(2), dtype=np.float64)

    reach = float(np.median(squares(hidden)))

    def bumps(rows: Floats) -> Floats:
        near = np.exp(-3 * squares(rows) / reach)
        return np.asarray(near @ np.array([1.0, 0.8, -0.8]), dtype=np.float64)

    def network(rows: Floats) -> Floats:
        return np.asarray(np.tanh(3 * rows @ mixing + offsets) @ heights, dtype=np.float64)

    parts = (bumps, network)
    scales = [(float(part(hidden).mean()), float(part(hidden).std())) for part in parts]

    def bare(rows: Floats) -> Floats:
        scaled = [
            (part(rows) - mean) / spread for part, (mean, spread) in zip(parts, scales, strict=True)
        ]
        return np.asarray(scaled[0] + scaled[1], dtype=np.float64)

    mean, spread = float(bare(hidden).mean()), float(bare(hidden).std())
    return lambda rows: (bare(rows) - mean) / spread


def browse(
    liking: Floats, likes: int, rng: np.random.Generator, setup: Setup
) -> tuple[Places, Places]:
    """Look at garments in random order until so many are liked; return those and the others."""
    order = rng.permutation(len(liking))
    chance = 1 / (1 + np.exp(-setup.sharpness * (liking[order] - setup.threshold)))
    liked = np.flatnonzero(rng.random(len(order)) < chance)[:likes]
    passed = np.setdiff1d(np.arange(int(liked[-1]) + 1), liked)
    return order[liked], order[passed]


def _standard(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / values.std(), dtype=np.float64)


def _network(hidden: Floats, outputs: int, rng: np.random.Generator) -> Floats:
    """Pass factors through a random layer of 64 units; about unit variance in all."""
    inner = 1.2 * hidden @ rng.normal(size=(hidden.shape[1], 64)) / np.sqrt(hidden.shape[1])
    units = np.tanh(inner + rng.normal(size=64))
    found = units @ rng.normal(size=(64, outputs))
    return np.asarray(found / found.std(), dtype=np.float64)


def _chosen(hidden: Floats, values: int, rng: np.random.Generator, *, noise: float) -> Places:
    scores = _network(hidden, values, rng) + noise * rng.gumbel(size=(len(hidden), values))
    return np.asarray(scores.argmax(1), dtype=np.intp)


def _colours(hidden: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return colours around the families' swatches; some second and a few main ones unknown."""
    swatches = np.stack([colour.hex_to_lab(family.swatch) for family in colour.FAMILIES])
    chosen = np.stack([_chosen(hidden, len(swatches), rng, noise=0.5) for _ in range(2)], axis=1)
    result = swatches[chosen] + 6 * rng.normal(size=(len(hidden), 2, 3))
    result[rng.random(len(hidden)) < 0.3, 1] = np.nan
    result[rng.random(len(hidden)) < 0.05] = np.nan
    return result.astype(np.float32)

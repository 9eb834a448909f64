"""How long the steps of `shared/taste` take, in milliseconds, one after the other."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from shared.taste import index, ranking, thompson
from shared.taste import space as spaces
from shared.taste.gallery import hang
from shared.taste.items import Items
from shared.taste.logistic import Gaussian, Observations, fit
from shared.taste.observations import BACKGROUND, BACKGROUND_MOST
from tests.bench.numbers import Summary, summary

COLUMNS: Final = 120
_THOUSAND: Final = 1000.0


def measure(small: Items, large: Items, *, repeats: int) -> dict[str, Summary]:
    """Time the steps that a front or a worker waits for.

    Args:
        small: a usual catalog.
        large: a large one.
        repeats: of each step; the first, which warms caches, is not counted.
    """
    rng = np.random.default_rng(0)
    space = spaces.learn(small)
    packed, gallery, wide = index.write(small), hang(small, space), hang(large, space)
    belief = Gaussian(rng.normal(size=space.columns), 0.3 * np.eye(space.columns))
    design = small.take(np.array([0]))
    sorts = thompson.targets(gallery)
    release = thompson.Known(small.vocabulary, colours=True)
    steps: dict[str, Callable[[], object]] = {
        f"fit, {signals} signals and {BACKGROUND} passed by, {COLUMNS} columns": _fitting(
            signals, rng
        )
        for signals in (3, 10, 40, 200)
    }
    steps |= {
        f"read an index of {len(small):,}": lambda: index.read(packed),
        f"learn a space from {len(small):,}": lambda: spaces.learn(small),
        f"features of {len(small):,}": lambda: space.features(small),
        f"features of {len(large):,}": lambda: space.features(large),
        f"top 10 of {len(small):,}": lambda: ranking.top(gallery, belief, count=10),
        f"top 10 of {len(large):,}": lambda: ranking.top(wide, belief, count=10),
        f"nearest 10 of {len(small):,}": lambda: ranking.nearest(small, design, 10),
        f"nearest 10 of {len(large):,}": lambda: ranking.nearest(large, design, 10),
        f"propose 64 from {len(small):,}": lambda: thompson.propose(
            belief, sorts, release, count=64, rng=np.random.default_rng(0)
        ),
    }
    return {name: _timed(step, repeats) for name, step in steps.items()}


def repeated(items: Items, count: int) -> Items:
    """Return as many items as asked for, the given ones over and over under new ids."""
    many = items.take(np.arange(min(count, len(items))))
    places = np.resize(np.arange(len(many)), count)
    return Items(
        ids=tuple(f"repeated-{number}" for number in range(count)),
        embeddings=items.embeddings[places],
        colours=items.colours[places],
        labels=items.labels[places],
        vocabulary=items.vocabulary,
    )


def _fitting(signals: int, rng: np.random.Generator) -> Callable[[], object]:
    """Return a fit as likes alone make it: `signals` liked, others weakly passed by."""
    rows = rng.normal(size=(signals + BACKGROUND, COLUMNS)) * np.sqrt(
        3 / COLUMNS
    )  # three blocks' variance
    signs = np.concatenate([np.ones(signals), -np.ones(BACKGROUND)])
    weights = np.concatenate(
        [np.ones(signals), np.full(BACKGROUND, min(signals, BACKGROUND_MOST) / BACKGROUND)]
    )
    prior = Gaussian(np.zeros(COLUMNS), 2 * np.eye(COLUMNS))
    return lambda: fit(Observations(rows, signs, weights), prior)


def _timed(step: Callable[[], object], repeats: int) -> Summary:
    """Time by the processor's clock, so that a neighbour on the machine counts little."""
    step()
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        step()
        taken.append(_THOUSAND * (time.process_time() - begun))
    return summary(taken, digits=3)

"""Latents as a pure function of their seeds: the same seed gives the same design everywhere."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError

LARGEST_SEED = 2**63 - 1
"""Fits a signed 64-bit column."""


def draw(seeds: Iterable[int], width: int) -> NDArray[np.float32]:
    """Return one standard normal latent a seed, [n, width].

    Philox is counter-based and NumPy keeps its stream stable, so a latent depends on nothing but
    its own seed.
    """
    rows = [_row(seed, width) for seed in seeds]
    return np.stack(rows) if rows else np.zeros((0, width), np.float32)


def blend(latents: Sequence[Sequence[tuple[int, float]]], width: int) -> NDArray[np.float32]:
    """Return sums of seeds' latents, [n, width].

    Args:
        latents: for each row, (seed, weight) pairs; where the squares of the weights add up to 1
            the sum is standard normal, as each seed's own latent is.
        width: numbers in a latent.
    """
    rows = [
        np.sum([np.float32(weight) * _row(seed, width) for seed, weight in terms], axis=0)
        for terms in latents
    ]
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, width), np.float32)


def _row(seed: int, width: int) -> NDArray[np.float32]:
    if not 0 <= seed <= LARGEST_SEED:
        raise InvalidInputError(f"A seed is a whole number from 0 to {LARGEST_SEED}; got {seed}.")
    generator = np.random.Generator(np.random.Philox(key=seed))
    return generator.standard_normal(width, dtype=np.float32)

"""Chance: p-values of a normal, and what is left of them when many series are tested at once."""

import math

import numpy as np

from worker.trends.arrays import Floats


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return q-values; NaN stays NaN and does not count."""
    result = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested])]
    raised = p_values[order] * len(order) / np.arange(1, len(order) + 1)
    result[order] = np.minimum(1, np.minimum.accumulate(raised[::-1])[::-1])
    return result


def two_sided(z: Floats) -> Floats:
    """Return the chance of a normal at least as far from 0, [n]; 1 where ``z`` is not finite."""
    finite = np.where(np.isfinite(z), np.abs(z), 0.0)
    return np.array([math.erfc(value / math.sqrt(2)) for value in finite])

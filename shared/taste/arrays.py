"""Array types, and the logistic function on which likes are modelled."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Codes = NDArray[np.int32]
Places = NDArray[np.intp]
Bools = NDArray[np.bool_]


def expit(logits: Floats) -> Floats:
    """Return probabilities 0 to 1 of logits, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float64)


def log_expit(logits: Floats) -> Floats:
    """Return ``log(expit(logits))``, exact far out on both sides."""
    return np.asarray(-np.logaddexp(0.0, -logits), dtype=np.float64)

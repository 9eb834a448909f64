"""A small classifier of embeddings: multinomial logistic regression, in a few matrix products.

Fitted by minorisation with one fixed bound on the curvature, so that a single 129 x 129 inverse
serves all steps and values: D. Böhning, "Multinomial logistic regression algorithm", Annals of the
Institute of Statistical Mathematics 44 (1992). The objective grows with each step.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]

_STEPS: Final = 60
_STILL: Final = 1e-3
_BLOCK: Final = 8_192


@dataclass(frozen=True)
class Classifier:
    """What was learned: standardisation of the embeddings, and weights [d + 1, values]."""

    middle: Floats
    scale: Floats
    weights: Floats

    def chances(self, embeddings: Floats) -> Floats:
        """Return how likely each value is: float32 [n, d] -> [n, values]; rows sum to 1."""
        told = np.empty((len(embeddings), self.weights.shape[1]), np.float32)
        for start in range(0, len(embeddings), _BLOCK):
            part = np.s_[start : start + _BLOCK]
            told[part] = _softmax(self._seen(embeddings[part]) @ self.weights)
        return told

    def _seen(self, embeddings: Floats) -> Floats:
        return _with_one((embeddings - self.middle) / self.scale)


def fit(embeddings: Floats, codes: Codes, values: int, *, ridge: float) -> Classifier:
    """Fit to labelled garments; the same input gives the same weights.

    Args:
        embeddings: float32 [n, d].
        codes: int64 [n], each garment's value, 0 to values - 1.
        values: how many values there are, 2 or more.
        ridge: how strongly weights are held small; as many garments that say nothing.
    """
    middle, scale = embeddings.mean(axis=0), embeddings.std(axis=0) + np.float32(1e-6)
    seen = _with_one((embeddings - middle) / scale)
    truth = np.zeros((len(codes), values), np.float32)
    truth[np.arange(len(codes)), codes] = 1
    held = np.full(seen.shape[1], ridge, np.float32)
    held[-1] = 1e-3  # the last is the constant, which only follows how common a value is
    curvature = 0.5 * (seen.T @ seen) + np.diag(held)
    inverse = np.linalg.inv(curvature.astype(np.float64)).astype(np.float32)
    weights = np.zeros((seen.shape[1], values), np.float32)
    ahead = weights
    for step in range(_STEPS):
        slope = seen.T @ (truth - _softmax(seen @ ahead)) - held[:, None] * ahead
        moved = ahead + inverse @ slope
        # Nesterov's look ahead: the plain steps are safe but short.
        ahead = moved + np.float32(step / (step + 3)) * (moved - weights)
        change = float(np.abs(moved - weights).max())
        weights = moved
        if change < _STILL:
            break
    return Classifier(middle, scale, weights)


def _with_one(seen: Floats) -> Floats:
    return np.concatenate([seen, np.ones((len(seen), 1), np.float32)], axis=1)


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

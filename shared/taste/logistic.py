"""Bayesian logistic regression: likes, dislikes and choices in one likelihood."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.errors import InvalidInputError
from shared.taste.arrays import Floats, Singles, expit, log_expit

_MOST_STEPS: Final = 200
_MOST_HALVINGS: Final = 40
_SETTLED: Final = 1e-9  # Newton decrement, in nats: far below what moves a ranking


@dataclass(frozen=True)
class Gaussian:
    """What is believed of a weight vector.

    Attributes:
        mean: float64 ``[d]``.
        root: float64 ``[d, d]``; the covariance is ``root @ root.T``.
    """

    mean: Floats
    root: Floats

    def __post_init__(self) -> None:
        d = len(self.mean)
        if self.mean.shape != (d,) or self.root.shape != (d, d):
            raise InvalidInputError(
                f"a Gaussian of mean {self.mean.shape} cannot have a root {self.root.shape}"
            )

    @property
    def covariance(self) -> Floats:
        """The covariance, ``[d, d]``."""
        return self.root @ self.root.T

    def means(self, features: Singles | Floats) -> Floats:
        """Return the expected logits ``[n]`` of rows ``[n, d]``."""
        return np.asarray(features @ self.mean.astype(features.dtype), dtype=np.float64)

    def spreads(self, features: Singles | Floats) -> Floats:
        """Return the standard deviations ``[n]`` of the logits of rows ``[n, d]``."""
        carried = features @ self.root.astype(features.dtype)
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", carried, carried)), dtype=np.float64)

    def probabilities(self, features: Singles | Floats) -> Floats:
        """Return how likely each row ``[n, d]`` is liked, ``[n]``, doubt included.

        The logistic is averaged over the posterior by MacKay's approximation: MacKay, "The evidence
        framework applied to classification networks", Neural Computation 4 (1992).
        """
        spreads = self.spreads(features)
        return expit(self.means(features) / np.sqrt(1 + np.pi * spreads**2 / 8))

    def draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Return weight vectors drawn at random, ``[count, d]``."""
        return self.mean + rng.standard_normal((count, len(self.mean))) @ self.root.T


@dataclass(frozen=True)
class Observations:
    """What a shopper was seen to do, as rows.

    Attributes:
        rows: float64 ``[n, d]``: features of an item, or of the chosen one less the other's.
        signs: float64 ``[n]``: 1 liked or chosen, -1 not.
        weights: float64 ``[n]``, >= 0: how much each counts.
    """

    rows: Floats
    signs: Floats
    weights: Floats

    def __post_init__(self) -> None:
        n = len(self.rows)
        if self.signs.shape != (n,) or self.weights.shape != (n,):
            raise InvalidInputError(
                f"{n} rows need {n} signs and weights; got {self.signs.shape} {self.weights.shape}"
            )

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Posterior(Gaussian):
    """What is believed after observations.

    Attributes:
        pulls: float64 ``[n]``: how far each observation still pulls. The mean is the prior's mean
            plus ``prior.covariance @ rows.T @ pulls``, so each observation's part in a score is
            exact (the representer form).
    """

    pulls: Floats


def fit(seen: Observations, prior: Gaussian) -> Posterior:
    """Find the most probable weights, and around them a Gaussian by Laplace's method.

    The source is MacKay (1992); its use for drawing as shoppers would choose is Chapelle and Li,
    "An empirical evaluation of Thompson sampling", NeurIPS 2011. Works in coordinates in which the
    prior is white and, with fewer observations than columns, only in the span of the
    observations, where the answer lies. The objective is strictly concave and a step that does not
    raise it is halved, so that it always converges. Measured on one core, 40 signals with 192
    garments passed by take 3.4 ms at 120 columns.

    Args:
        seen: n observations; none leaves the prior.
        prior: of d weights.

    Raises:
        InvalidInputError: the rows are not d long, or not finite.
    """
    if seen.rows.shape[1:] != prior.mean.shape:
        raise InvalidInputError(
            f"rows of shape {seen.rows.shape} do not fit a prior of {len(prior.mean)} weights; "
            "both must come from one feature space"
        )
    if not np.isfinite(seen.rows).all():
        raise InvalidInputError("an observation's features are not finite")
    white = seen.rows @ prior.root
    basis, reduced = _span(white)
    offsets = seen.rows @ prior.mean
    found = _climb(reduced, offsets, seen)
    logits = offsets + reduced @ found
    lower = np.linalg.cholesky(_curvature(reduced, logits, seen))
    narrowed = np.linalg.inv(lower).T
    carried = prior.root if basis is None else prior.root @ basis
    root = carried @ narrowed
    if basis is not None:  # across the span nothing was learned: there the prior stays
        root = prior.root + (root - carried) @ basis.T
    return Posterior(
        mean=prior.mean + carried @ found,
        root=root,
        pulls=_pulls(logits, seen),
    )


def _span(white: Floats) -> tuple[Floats | None, Floats]:
    """Return an orthonormal basis ``[d, n]`` of the rows and the rows in it; None where it is all.

    The reduced problem is the dual one: its unknowns are as many as the observations.
    """
    rows, columns = white.shape
    if rows >= columns:
        return None, white
    basis, triangle = np.linalg.qr(white.T)
    return basis, np.ascontiguousarray(triangle.T)


def _pulls(logits: Floats, seen: Observations) -> Floats:
    return seen.weights * seen.signs * expit(-seen.signs * logits)


def _curvature(rows: Floats, logits: Floats, seen: Observations) -> Floats:
    """Return minus the second derivative of the log posterior, ``[r, r]``."""
    weights = seen.weights * expit(logits) * expit(-logits)
    return np.eye(rows.shape[1]) + rows.T @ (weights[:, None] * rows)


def _climb(rows: Floats, offsets: Floats, seen: Observations) -> Floats:
    """Return the white weights ``[r]`` of the highest posterior, by Newton steps."""
    place = np.zeros(rows.shape[1])
    height = _height(place, rows, offsets, seen)
    for _ in range(_MOST_STEPS):
        logits = offsets + rows @ place
        slope = rows.T @ _pulls(logits, seen) - place
        step = np.linalg.solve(_curvature(rows, logits, seen), slope)
        gain = float(slope @ step)
        if gain < _SETTLED:
            return place
        for halving in range(_MOST_HALVINGS):
            tried = place + step / 2**halving
            reached = _height(tried, rows, offsets, seen)
            if reached >= height + 1e-4 * gain / 2**halving:  # Armijo's condition
                break
        else:
            return place  # the gain is below rounding: there is no higher place in float64
        place, height = tried, reached
    raise ArithmeticError(f"no maximum after {_MOST_STEPS} Newton steps; the gain is {gain}")


def _height(place: Floats, rows: Floats, offsets: Floats, seen: Observations) -> float:
    """Return the log posterior of white weights, up to a constant."""
    logits = offsets + rows @ place
    return float(seen.weights @ log_expit(seen.signs * logits) - place @ place / 2)

"""Why an item scores as it does: each signal's part in it."""

import numpy as np

from shared.taste.arrays import Floats, Singles
from shared.taste.gallery import Gallery
from shared.taste.logistic import Gaussian, Posterior
from shared.taste.observations import Evidence


def parts(
    posterior: Posterior, prior: Gaussian, evidence: Evidence, features: Singles | Floats
) -> Floats:
    """Return how many logits each observation gives each row of features, ``[m, n]``.

    Exact, by the representer form of the most probable weights: an item's score is what the prior
    gives it plus the sum of its row. See Kimeldorf and Wahba, "A correspondence between Bayesian
    estimation on stochastic processes and smoothing by splines", Annals of Mathematical Statistics
    41 (1970).

    Args:
        posterior: as `logistic.fit` found it from `prior` and the evidence.
        prior: with the wishes in it.
        evidence: n observations.
        features: ``[m, d]``.
    """
    likeness = (features @ prior.root) @ (evidence.seen.rows @ prior.root).T
    return np.asarray(likeness * posterior.pulls, dtype=np.float64)


def reasons(
    posterior: Posterior,
    prior: Gaussian,
    evidence: Evidence,
    gallery: Gallery,
    features: Singles | Floats,
    *,
    most: int = 3,
) -> list[tuple[str, float]]:
    """Return which signals moved one item's score most.

    Args:
        posterior: as fitted from the evidence.
        prior: that it was fitted from.
        evidence: what was seen.
        gallery: that the evidence is about.
        features: ``[d]``, of the item, which may be a design that is in no gallery.
        most: how many signals to name.

    Returns:
        (id, share), greatest first. The id is of the item liked, disliked or chosen. Shares are
        between -1 and 1, negative where the signal speaks against the item; the shares of all
        signals and of the background have absolute values that sum to 1.
    """
    moved = parts(posterior, prior, evidence, features[None])[0]
    total = float(np.abs(moved).sum())
    said = moved[: evidence.said]
    order = np.argsort(-np.abs(said), kind="stable")[:most]
    return [
        (gallery.items.ids[int(evidence.items[place])], float(said[place]) / total)
        for place in order
        if said[place] != 0
    ]

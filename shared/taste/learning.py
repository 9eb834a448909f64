"""A shopper's taste from signals and wishes: the steps of this package in their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from shared.taste.gallery import Gallery
from shared.taste.logistic import Gaussian, Posterior, fit
from shared.taste.observations import HALF_LIFE, Evidence, Signal, observe
from shared.taste.prior import Prior
from shared.taste.wishes import Wish, shifted


@dataclass(frozen=True)
class Taste:
    """What is believed of one shopper, and why.

    Attributes:
        prior: what was believed before the first signal, wishes included.
        evidence: the signals that hold.
        wishes: what was asked for.
        posterior: what is believed now.
    """

    prior: Gaussian
    evidence: Evidence
    wishes: tuple[Wish, ...]
    posterior: Posterior


def taste_of(
    signals: Sequence[Signal],
    gallery: Gallery,
    prior: Prior,
    *,
    wishes: Sequence[Wish] = (),
    now: datetime,
    rng: np.random.Generator,
    half_life: timedelta = HALF_LIFE,
) -> Taste:
    """Learn one shopper's taste; the same input and state of `rng` give the same taste.

    Args:
        signals: all of the shopper's; old ones fade, contradicted ones drop out.
        gallery: garments and designs that they are about.
        prior: of the gallery's space.
        wishes: what the shopper asked for.
        now: with a time zone.
        rng: draws the background (`observe`).
        half_life: after which a signal counts half.

    Raises:
        ConflictError: the prior was learned in another space.
        InvalidInputError: nothing is known of a value that a wish names.
    """
    prior.require(gallery.space)
    evidence = observe(signals, gallery, now=now, rng=rng, half_life=half_life)
    before = shifted(prior.belief, wishes, gallery.space)
    return Taste(before, evidence, tuple(wishes), fit(evidence.seen, before))

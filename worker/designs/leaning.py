"""Designs that lean towards what rises: how much an item rises, and what it costs in taste."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from shared.errors import ConflictError
from shared.schemas.jobs import DesignSpec
from shared.taste import swatches
from shared.taste.arrays import Floats, Places
from shared.taste.items import Items
from shared.taste.space import COLOUR
from shared.taste.thompson import Known, Pull, Targets, condition_of, standardised
from worker.designs.batch import Generates
from worker.designs.orders import Order, in_codes, own, seeds_of

STEEPNESS: Final = 4.0
"""Of the draw without a shopper: at strength 1 a garment whose values are expected to grow by 30%
is drawn ``1.3 ** 4``, about three times, as often as one that stays."""

LEANING: Final = 0.5
"""Part of a shopper's candidates that is proposed with the pull; the others are proposed as
without it, so that what the lean costs can be told from them."""

_DIGITS: Final = 4


@dataclass(frozen=True)
class Lean:
    """A lean towards what rises.

    Attributes:
        strength: 0..1, above 0.
        report_id: the report that says what rises.
        growth: (attribute, value) -> log of the growth expected, within log 2 of 0; only values
            whose movement, seen or expected, is more than chance.
    """

    strength: float
    report_id: str
    growth: Mapping[tuple[str, str], float]

    def of(self, items: Items) -> Floats:
        """Return how much each item rises, ``[n]``: the sum of its values' growth.

        A measured colour counts as the families that it belongs to, each as far as it does; a
        label of that name counts only where nothing was measured.
        """
        result = np.zeros(len(items))
        measured = swatches.known(items.colours)
        families = np.array([self.growth.get((COLOUR, name), 0.0) for name in swatches.FAMILIES])
        if measured.any():
            belongs = swatches.memberships(items.colours[measured, 0])
            result[measured] += belongs @ families
        for name, values in items.vocabulary.items():
            table = np.array([*(self.growth.get((name, value), 0.0) for value in values), 0.0])
            rising = table[items.codes(name)]  # -1, not known, takes the last, which is 0
            result += np.where(measured, 0.0, rising) if name == COLOUR else rising
        return result

    def pull(self, among: Targets) -> Pull:
        """Return how the catalog's sorts draw proposals: each by the mean of its garments."""
        sums = np.bincount(among.sorts, self.of(among.gallery.items), len(among.features))
        counts = np.bincount(among.sorts, minlength=len(among.features))
        return Pull(sums / np.maximum(counts, 1), self.strength)

    def mixed(self, scores: Floats, rising: Floats) -> Floats:
        """Return ``(1 - strength) * taste + strength * rise``, both standardised, ``[n]``.

        Where nothing differs in how it rises, taste alone decides.
        """
        drawn = standardised(rising)
        if not drawn.any():
            return scores
        return (1 - self.strength) * standardised(scores) + self.strength * drawn


def leaning_orders(
    spec: DesignSpec, lean: Lean, among: Targets, generator: Generates
) -> tuple[list[Order], dict[str, Any]]:
    """Return the images of a job without a shopper, their conditions drawn towards what rises.

    For each design a garment of the catalog is drawn, with a weight of ``exp(4 * strength * rise)``
    among those that are as the request asks, and its labels and colours are the condition: what
    goes together in the catalog stays together.

    Returns:
        The orders, and what the job's result tells of the lean.

    Raises:
        ConflictError: no garment of the catalog is as asked, so there is nothing to lean on.
    """
    items = among.gallery.items
    usable = _fitting(items, spec.condition)
    if not len(usable):
        asked = ", ".join(f"{name} {value}" for name, value in spec.condition.items())
        raise ConflictError(
            f"No garment of the catalog is as asked ({asked}), so a lean towards what rises has "
            "nothing to draw from. Ask for less, or leave `trend` out."
        )
    rising = lean.of(items)[usable]
    weights = np.exp(STEEPNESS * lean.strength * rising)
    rng = np.random.default_rng([spec.seed, 3])
    drawn = rng.choice(len(usable), size=spec.count, p=weights / weights.sum())
    known = Known(vocabulary=generator.vocabulary, colours=generator.slots > 0)
    asked_for = in_codes(spec.condition, slots=generator.slots)
    orders = [
        Order(
            seed, own(seed), {**condition_of(items, int(place), known), **asked_for}, spec.variety
        )
        for seed, place in zip(seeds_of(spec), usable[drawn], strict=True)
    ]
    return orders, {
        **_named(lean),
        "growth_without": _growth(rising),
        "growth": _growth(rising[drawn]),
    }


def told_cost(
    lean: Lean,
    likely: Floats,
    rising: Floats,
    *,
    kept: Places | Sequence[int],
    without: Places | Sequence[int],
) -> dict[str, Any]:
    """Return what the job's result tells of a shopper's lean.

    Args:
        lean: the lean.
        likely: how sure the taste is of each candidate, 0..1, ``[n]``.
        rising: how much each rises, ``[n]``.
        kept: those that were kept.
        without: those that would have been kept at strength 0.
    """
    before, after = float(likely[without].mean()), float(likely[kept].mean())
    return {
        **_named(lean),
        "taste_without": round(before, _DIGITS),
        "taste": round(after, _DIGITS),
        "cost": round(before - after, _DIGITS),
        "growth_without": _growth(rising[without]),
        "growth": _growth(rising[kept]),
    }


def _named(lean: Lean) -> dict[str, Any]:
    return {"report_id": lean.report_id, "strength": lean.strength, "moving": len(lean.growth)}


def _growth(rising: Floats) -> float:
    """Return the mean expected growth of items, as a relative change."""
    return round(float(np.expm1(rising.mean())), _DIGITS)


def _fitting(items: Items, condition: Mapping[str, str]) -> Places:
    """Return the garments that are as a condition asks; colours by code are asked of none."""
    fits = np.ones(len(items), dtype=np.bool_)
    for name, value in condition.items():
        if name in items.vocabulary:
            fits &= items.having(name, value)
    return np.flatnonzero(fits)

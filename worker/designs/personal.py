"""Designs for a shopper: propose many from their taste, score them, keep the best that differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from shared.colour import code_of
from shared.errors import ConflictError
from shared.schemas.designs import ForShopper, Latent, Reason
from shared.schemas.jobs import DesignSpec
from shared.taste.arrays import Floats, Places
from shared.taste.gallery import Gallery
from shared.taste.items import Items, described
from shared.taste.learning import Taste
from shared.taste.ranking import diverse, looks
from shared.taste.reasons import reasons
from shared.taste.space import COLOUR
from shared.taste.thompson import Known, Targets, propose
from shared.taste.wishes import Wish, allowed
from worker.designs.batch import Drawn, Generates, Member
from worker.designs.leaning import LEANING, Lean, told_cost
from worker.designs.orders import Order, between, in_codes, own, seeds_of

RELEVANCE: Final = 0.85
"""Of designs; of garments it is less. On Fashion-MNIST, by hidden tastes of simulated shoppers
after ten likes, the eight kept of 128 were worth 0.89 standard deviations at 0.7, 1.17 at 0.85, and
1.20 at 1, where they also looked most alike."""

NEAR_LIKED: Final = 0.3
"""Part of the candidates whose latents begin at a liked design's."""

WANTED: Final = 0.5
"""Part of the candidates that are asked for in a colour that the shopper wants, where they want
one: garments' own colours may be far from it, and a taste can only choose among what is made."""

_STRENGTH: Final = 0.6
"""How far such a candidate goes from there: far enough to differ, near enough to be of its kind."""


@dataclass(frozen=True)
class Liked:
    """A design that the shopper liked and that its release can make again."""

    latent: Latent
    condition: Mapping[str, str]


@dataclass(frozen=True)
class Shopper:
    """A shopper to design for.

    Attributes:
        taste: what is believed of them.
        gallery: the garments and designs that it was learned from, in its space.
        targets: the sorts of garments that the catalog holds.
        liked: designs of the same release that they liked, the newest first.
        filters: hard wishes.
    """

    taste: Taste
    gallery: Gallery
    targets: Targets
    liked: Sequence[Liked] = ()
    filters: Sequence[Wish] = ()


def orders_for(
    spec: DesignSpec, shopper: Shopper, generator: Generates, lean: Lean | None = None
) -> list[Order]:
    """Return the candidates for a shopper.

    Conditions are drawn by Thompson sampling from the taste, some of them in a colour that the
    shopper wants; what the request names holds for all.
    Latents are new ones, and for some candidates begin at those of liked designs.

    Args:
        spec: the job's; its way is `ForShopper`. Its seed draws all that is drawn.
        shopper: the shopper.
        generator: of the release.
        lean: towards what rises; half of the candidates are then proposed with its pull.

    Raises:
        ConflictError: no garment of the catalog is as the shopper's hard wishes ask.
    """
    way = _way(spec)
    count = max(way.candidates, spec.count)
    rng = np.random.default_rng([spec.seed, 1])
    known = Known(vocabulary=generator.vocabulary, colours=generator.slots > 0)
    drawn = propose(
        shopper.taste.posterior, shopper.targets, known,
        count=count, rng=rng, wishes=shopper.filters,
    )  # fmt: skip
    if lean is not None:
        drawn = _pulled(spec, shopper, known, lean, drawn)
    conditions = _in_wanted_colours(drawn, shopper, generator, rng)
    asked = in_codes(spec.condition, slots=generator.slots)
    seeds = seeds_of(spec.model_copy(update={"count": count}))
    near = _places_near_liked(count, shopper, rng)
    orders = []
    for place, (seed, proposed) in enumerate(zip(seeds, conditions, strict=True)):
        latent, condition = own(seed), proposed
        if place in near:
            liked = shopper.liked[near[place]]
            latent = between(liked.latent, latent, _STRENGTH)
            condition = in_codes(liked.condition, slots=generator.slots)
        orders.append(Order(seed, latent, {**condition, **asked}, spec.variety))
    return orders


def chosen(
    member: Member,
    shopper: Shopper,
    *,
    relevance: float = RELEVANCE,
    lean: Lean | None = None,
) -> Member:
    """Return a member with the best of its candidates, each with its score and reasons.

    Copies of garments are not among them, nor what a hard wish rules out by its measured colour,
    nor two that look the same. Fewer than asked are left where no more differ.

    Args:
        member: what was drawn for a shopper, and looked at.
        shopper: the shopper.
        relevance: 1 looks at scores alone, less trades them for variety.
        lean: towards what rises: taste and rise are mixed by its strength (`Lean.mixed`), and the
            member tells what that costs in taste.

    Returns:
        The member with at most `spec.count` designs, the best first, or with an error where no
        candidate is left.
    """
    if member.error is not None:
        return member
    usable = [one for one in member.drawn if not one.is_copy and one.embedding is not None]
    if not usable:
        return Member(member.spec, error=_nothing_left(len(member.drawn), "are copies of garments"))
    items = as_items(usable, shopper.gallery.items.vocabulary)
    fit = np.flatnonzero(allowed(items, shopper.filters))
    if not len(fit):
        return Member(member.spec, error=_nothing_left(len(usable), "are as the wishes ask"))
    features = shopper.gallery.space.features(items)
    belief = shopper.taste.posterior
    scores = belief.means(features)

    def best_by(values: Floats) -> Places:
        return fit[
            diverse(
                values[fit], features[fit, :-1], looks(items, fit),
                count=member.spec.count, relevance=relevance,
            )
        ]  # fmt: skip

    picked, told = best_by(scores), None
    if lean is not None:
        without, rising = picked, lean.of(items)
        picked = best_by(_over(fit, lean.mixed(scores[fit], rising[fit]), len(scores)))
        likely = belief.probabilities(features)
        told = told_cost(lean, likely, rising, kept=picked, without=without)
    likely = belief.probabilities(features[picked])
    best = [
        replace(usable[place], score=float(chance), reasons=_reasons(shopper, features[place]))
        for place, chance in zip(picked.tolist(), likely.tolist(), strict=True)
    ]
    return replace(member, drawn=tuple(best), told=told)


def _over(places: Places, values: Floats, count: int) -> Floats:
    """Return values ``[n]`` at their places, 0 elsewhere."""
    result = np.zeros(count)
    result[places] = values
    return result


def _pulled(
    spec: DesignSpec,
    shopper: Shopper,
    known: Known,
    lean: Lean,
    conditions: Sequence[dict[str, str]],
) -> list[dict[str, str]]:
    """Return conditions of which half, drawn by chance, were proposed with the pull instead."""
    rng = np.random.default_rng([spec.seed, 2])
    count = len(conditions)
    places = rng.permutation(count)[: round(LEANING * count)]
    drawn = propose(
        shopper.taste.posterior, shopper.targets, known,
        count=len(places), rng=rng, wishes=shopper.filters, pull=lean.pull(shopper.targets),
    )  # fmt: skip
    result = list(conditions)
    for place, condition in zip(places.tolist(), drawn, strict=True):
        result[place] = condition
    return result


def as_items(drawn: Sequence[Drawn], vocabulary: Mapping[str, tuple[str, ...]]) -> Items:
    """Return designs as items that a taste can score.

    Args:
        drawn: designs that were looked at.
        vocabulary: of the catalog; values that it does not hold are unknown.
    """
    return described(
        [f"candidate {row}" for row in range(len(drawn))],
        np.stack([_known(one.embedding) for one in drawn]),
        np.stack([_known(one.colours) for one in drawn]),
        [one.condition for one in drawn],
        vocabulary,
    )


def _known(array: np.ndarray | None) -> np.ndarray:
    if array is None:
        message = "only designs that were looked at can be scored"
        raise TypeError(message)
    return array.astype(np.float32)


def _way(spec: DesignSpec) -> ForShopper:
    if not isinstance(spec.way, ForShopper):
        message = f"a {spec.way.type} job is nobody's; only a shopper's has candidates"
        raise TypeError(message)
    return spec.way


def _in_wanted_colours(
    conditions: Sequence[Mapping[str, str]],
    shopper: Shopper,
    generator: Generates,
    rng: np.random.Generator,
) -> list[Mapping[str, str]]:
    """Return the conditions, some of them in colours that the shopper would like but need not have.

    What must be is in all of them already.
    """
    wanted = [
        code
        for wish in shopper.taste.wishes
        if (wish.kind, wish.attribute, wish.hard) == ("want", COLOUR, False)
        and (code := code_of(wish.value)) is not None
    ]
    must = any((wish.kind, wish.attribute) == ("want", COLOUR) for wish in shopper.filters)
    if not wanted or must or not generator.slots:
        return list(conditions)
    told = list(conditions)
    for place in rng.permutation(len(told))[: round(WANTED * len(told))].tolist():
        told[place] = {**told[place], COLOUR: wanted[int(rng.integers(len(wanted)))]}
    return told


def _places_near_liked(count: int, shopper: Shopper, rng: np.random.Generator) -> dict[int, int]:
    """Return which candidates begin at which liked designs."""
    if not shopper.liked:
        return {}
    places = rng.permutation(count)[: round(NEAR_LIKED * count)]
    return {int(place): int(rng.integers(len(shopper.liked))) for place in places}


def _reasons(shopper: Shopper, features: np.ndarray) -> tuple[Reason, ...]:
    taste = shopper.taste
    found = reasons(taste.posterior, taste.prior, taste.evidence, shopper.gallery, features)
    return tuple(Reason(item=item, share=round(share, 4)) for item, share in found)


def _nothing_left(count: int, why: str) -> ConflictError:
    none = "None" if "wishes" in why else "All"
    return ConflictError(
        f"{none} of the {count} candidates {why}, so none is left for the shopper. Ask for more "
        "candidates, or for less."
    )

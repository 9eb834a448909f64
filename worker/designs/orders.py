"""What a member of a batch asks of the device: a seed, a latent and a condition for each image."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.colour import blend, code_of
from shared.schemas.designs import (
    COLOUR_KEYS,
    MOST_TERMS,
    ForShopper,
    Fresh,
    Latent,
    Mix,
    Term,
    Variation,
    Walk,
)
from shared.schemas.jobs import DesignSpec

_SEEDS: Final = 2**31
_LEAST_WEIGHT: Final = 1e-3


@dataclass(frozen=True)
class Order:
    """One image to make.

    Attributes:
        seed: draws what the condition leaves open.
        latent: what is painted; the seed's own where it is a single term of weight 1.
        condition: attribute -> value; colours are `#rrggbb` where the release takes them.
        variety: scales the latent, 0..1.
    """

    seed: int
    latent: Latent
    condition: Mapping[str, str]
    variety: float


def seeds_of(spec: DesignSpec) -> list[int]:
    """Return the seed of each design of a job: its own, counted up from the job's."""
    return [(spec.seed + position) % _SEEDS for position in range(spec.count)]


def orders_of(spec: DesignSpec, *, slots: int) -> list[Order]:
    """Return the images that a member asks for; a shopper's are proposed from their taste instead.

    Args:
        spec: what is asked.
        slots: colours that the release takes: 0 or 2.

    Raises:
        TypeError: the spec is a shopper's.
    """
    seeds = seeds_of(spec)
    condition = in_codes(spec.condition, slots=slots)
    match spec.way:
        case Fresh():
            made = [(seed, own(seed)) for seed in seeds]
        case Variation(seed=seed, latent=latent, strength=strength):
            made = [(seed, between(latent, own(new), strength)) for new in seeds]
        case Mix(seeds=both, first=first, second=second, share=share):
            shares = _spread(spec.count) if share is None else [share] * spec.count
            made = [(_nearer(both, part), between(first, second, part)) for part in shares]
        case Walk():
            return _steps(spec, spec.way, condition, slots=slots)
        case ForShopper():
            message = "a shopper's designs are proposed from their taste, not here"
            raise TypeError(message)
    return [Order(seed, latent, condition, spec.variety) for seed, latent in made]


def own(seed: int) -> Latent:
    """Return the latent that is a seed's own."""
    return (Term(seed=seed, weight=1.0),)


def is_own(latent: Latent, seed: int) -> bool:
    """Return whether a latent is a seed's own."""
    return len(latent) == 1 and latent[0].seed == seed and latent[0].weight == 1.0


def between(first: Latent, second: Latent, share: float) -> Latent:
    """Return the latent at a share of the way from one to another, along the sphere.

    A straight line between two normal latents would pass through shorter ones, which look grey.

    Args:
        first: where the share is 0.
        second: where it is 1.
        share: 0..1.
    """
    angle = share * math.pi / 2
    return _joined(_scaled(first, math.cos(angle)), _scaled(second, math.sin(angle)))


def in_codes(condition: Mapping[str, str], *, slots: int) -> dict[str, str]:
    """Return a condition with its colours as codes: the generator knows no colour words."""
    colours = COLOUR_KEYS[:slots]
    return {
        name: (code_of(value) or value) if name in colours else value
        for name, value in condition.items()
    }


def _scaled(latent: Latent, weight: float) -> list[tuple[int, float]]:
    return [(term.seed, term.weight * weight) for term in latent]


def _joined(*parts: Iterable[tuple[int, float]]) -> Latent:
    """Add up, leave out what does not count, and bring back to length 1."""
    weights: dict[int, float] = {}
    for part in parts:
        for seed, weight in part:
            weights[seed] = weights.get(seed, 0.0) + weight
    largest = sorted(weights.items(), key=lambda one: (-abs(one[1]), one[0]))[:MOST_TERMS]
    kept = [one for one in largest if abs(one[1]) >= _LEAST_WEIGHT]
    length = math.sqrt(sum(weight * weight for _, weight in kept))
    return tuple(
        Term(seed=seed, weight=max(-1.0, min(1.0, weight / length))) for seed, weight in kept
    )


def _spread(count: int) -> list[float]:
    return [(place + 1) / (count + 1) for place in range(count)]


def _steps(spec: DesignSpec, walk: Walk, start: Mapping[str, str], *, slots: int) -> list[Order]:
    end = in_codes(walk.end_condition, slots=slots)
    shares = [place / (walk.frames - 1) for place in range(walk.frames)]
    return [
        Order(
            _nearer(walk.seeds, share),
            between(walk.first, walk.second, share),
            _condition_between(start, end, share, slots=slots),
            spec.variety,
        )
        for share in shares
    ]


def _nearer(seeds: tuple[int, int], share: float) -> int:
    """What a condition leaves open changes with the labels, half way."""
    return seeds[0] if share < 1 / 2 else seeds[1]


def _condition_between(
    start: Mapping[str, str], end: Mapping[str, str], share: float, *, slots: int
) -> dict[str, str]:
    """Labels change half way; colours, which are continuous, go along evenly in CIELAB."""
    nearer = dict(start if share < 1 / 2 else end)
    colours: Sequence[str] = COLOUR_KEYS[:slots]
    for name in colours:
        if name in start and name in end:
            nearer[name] = blend(start[name], end[name], share)
    return nearer

"""Made-up worlds whose trends are known: counts of garments by attribute value and period."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.schemas.trends import Period
from worker.trends.periods import SEASONS, period_starts
from worker.trends.series import Name, Panel

Floats = NDArray[np.float64]
KINDS: Final = ("rising", "declining", "seasonal", "flash", "shift", "flat")
USUAL_SHARE: Final = 0.08
_FIRST_PERIOD: Final = 2700
_LEAST_REST: Final = 0.05


@dataclass(frozen=True)
class World:
    """A panel, and what each of its series truly does.

    Attributes:
        panel: the series.
        truth: the kind of each series; "rest" for what is left of a whole.
        since: the period of a shift or of a flash's height, -1 for other kinds, [s].
        upward: the direction of a shift, [s].
    """

    panel: Panel
    truth: tuple[str, ...]
    since: NDArray[np.int64]
    upward: NDArray[np.bool_]


@dataclass(frozen=True)
class _Movement:
    """The log of a share's movement, [t]; where its event is, and whether that goes up."""

    log: Floats
    since: int = -1
    upward: bool = False


def make_world(  # noqa: PLR0913 - each is an option of the world
    kinds: Sequence[str],
    *,
    groups: int = 20,
    period: Period = "week",
    years: float = 3,
    garments: float = 300,
    scatter: float = 0.0,
    growth: tuple[float, float] = (0.3, 0.6),
    seed: int = 0,
) -> World:
    """Draw counts of ``groups`` attributes, each with one value of every kind and a rest.

    Args:
        kinds: of each attribute's values: rising, declining, seasonal, flash (three to five times
            as much for some weeks), shift (to half or to double, for good), flat.
        groups: attributes.
        period: length of a step.
        years: of history.
        garments: a period, on average.
        scatter: standard deviation of what multiplies each share in each period, as a log.
        growth: least and most that a rise or decline makes in a year, as a log.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    season = SEASONS[period]
    periods = round(years * season)
    names: list[Name] = []
    truth: list[str] = []
    since: list[int] = []
    upward: list[bool] = []
    effective, totals = [], []
    for group in range(groups):
        moves = [_movement(kind, rng, periods, season, growth) for kind in kinds]
        whole = _shares(moves, rng, scatter)
        total = rng.poisson(garments, periods)
        counts = [rng.multinomial(total[step], whole[:, step]) for step in range(periods)]
        effective.append(np.array(counts, dtype=np.float64).T)
        totals.append(np.tile(total.astype(np.float64), (len(whole), 1)))
        names += [Name(f"attribute {group}", f"{kind} {i}") for i, kind in enumerate(kinds)]
        names.append(Name(f"attribute {group}", "rest", rest=True))
        truth += [*kinds, "rest"]
        since += [*(move.since for move in moves), -1]
        upward += [*(move.upward for move in moves), False]
    k, n = np.concatenate(effective), np.concatenate(totals)
    panel = Panel(
        period=period,
        season=season,
        starts=period_starts(np.arange(_FIRST_PERIOD, _FIRST_PERIOD + periods), period),
        names=tuple(names),
        garments=k.sum(1),
        totals=n,
        effective=k,
        weighted=k,
        groups=np.repeat(np.arange(groups), len(kinds) + 1),
        thin=n < 30,
    )
    return World(panel, tuple(truth), np.array(since), np.array(upward))


def _shares(moves: Sequence[_Movement], rng: np.random.Generator, scatter: float) -> Floats:
    """Return shares [values + 1, t] that sum to one, the rest last."""
    shares = [
        USUAL_SHARE
        * rng.uniform(0.5, 1.5)
        * np.exp(move.log + scatter * rng.normal(size=len(move.log)))
        for move in moves
    ]
    shares.append(np.maximum(1 - np.sum(shares, axis=0), _LEAST_REST))
    return np.asarray(np.array(shares) / np.sum(shares, axis=0))


def _movement(
    kind: str, rng: np.random.Generator, periods: int, season: int, growth: tuple[float, float]
) -> _Movement:
    years = np.arange(periods) / season
    if kind in {"rising", "declining"}:
        sign = 1 if kind == "rising" else -1
        return _Movement(sign * rng.uniform(*growth) * (years - years[-1] / 2))
    if kind == "seasonal":
        return _Movement(rng.uniform(0.6, 1.0) * np.cos(2 * np.pi * (years - rng.uniform())))
    if kind == "flash":
        height = rng.uniform(0.3, 0.9) * years[-1]
        lift = rng.uniform(2, 4) * np.exp(-0.5 * ((years - height) / 0.05) ** 2)
        return _Movement(np.log(1 + lift), round(height * season), upward=True)
    if kind == "shift":
        place, upward = rng.uniform(0.35, 0.65) * years[-1], bool(rng.random() < 0.5)
        after = (1 if upward else -1) * rng.uniform(0.5, 0.7) * (years >= place)
        return _Movement(after, round(place * season), upward)
    return _Movement(np.zeros(periods))

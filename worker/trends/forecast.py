"""Forecasts of share series: logit scale, shrunken seasonal, damped drift; all series at once."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from worker.trends.arrays import Floats, Ints, by_blocks, expit, logit
from worker.trends.seasonal import WEEKS_A_YEAR, over_seasons, seasonal_component

Method = Literal["level", "seasonal-naive", "lite"]
_ROUNDING: Final = 1e-6
SEASONS_FOR_LITE: Final = 2  # measured: with 60 weeks `lite` is worse than seasonal naive


@dataclass(frozen=True)
class Settings:
    """The constants of `lite`, in units of one period.

    Attributes:
        alphas: candidate smoothing rates of the level.
        drifts: candidate parts of the yearly change that are carried into the future.
        damping: what is left of the drift after one period.
        sharpness: how strongly the candidate with the least past error outweighs the others.
        caution: how much smaller a candidate's past error must be for a whole drift than for none.
    """

    alphas: tuple[float, ...]
    drifts: tuple[float, ...]
    damping: float
    sharpness: float
    caution: float


# Chosen on rolling origins 104..157 of 100 real weekly series, with outcomes up to week 209; their
# last 52 weeks were not looked at (docs/measurements.md).
WEEKLY: Final = Settings(
    alphas=(0.05, 0.1),
    drifts=(0.0, 0.5, 1.0),
    damping=0.98,
    sharpness=12.0,
    caution=1.0,
)


def settings_for(season: int) -> Settings:
    """Return the settings for a season of that many periods (52 weeks, 12 months, 4 quarters)."""
    weeks = WEEKS_A_YEAR / season
    return Settings(
        alphas=tuple(1 - (1 - alpha) ** weeks for alpha in WEEKLY.alphas),
        drifts=WEEKLY.drifts,
        damping=WEEKLY.damping**weeks,
        sharpness=WEEKLY.sharpness,
        caution=WEEKLY.caution,
    )


def method_for(periods: int, season: int) -> Method:
    """Return the method that a history of that many periods can carry."""
    if periods < season:
        return "level"
    return "seasonal-naive" if periods < SEASONS_FOR_LITE * season else "lite"


def forecast(
    shares: Floats,
    weights: Floats,
    *,
    season: int,
    horizon: int,
    groups: Ints | None = None,
    method: Method | None = None,
) -> Floats:
    """Forecast shares.

    Args:
        shares: [s, t], 0..1; values where the weight is 0 are not read.
        weights: [s, t], 0..1: how much each period is to be trusted (0 for a gap).
        season: periods in a year.
        horizon: periods to forecast.
        groups: [s]; series with the same number >= 0 are the parts of one whole and are made to
            sum to one. Left alone where -1, or when not given.
        method: by the length of the history when not given.

    Returns:
        [s, horizon], the middle forecast on the logit scale.
    """
    logits = logit(shares)
    chosen = method or method_for(shares.shape[1], season)
    if chosen == "level":
        result = level(logits, weights, season=season, horizon=horizon)
    elif chosen == "seasonal-naive":
        result = seasonal_naive(logits, weights, season=season, horizon=horizon)
    else:
        result = lite(logits, weights, season=season, horizon=horizon)
    return result if groups is None else logit(renormalise(expit(result), groups))


def wholes(effective: Floats, totals: Floats, groups: Ints) -> Ints:
    """Return the groups of those series that are parts of a whole, -1 for the others, [s].

    An attribute is a whole where each garment has at most one value of it. Where garments have
    several, its values add up to more than the garments that have the attribute, in some period.

    Args:
        effective: garments with the value, [s, t].
        totals: garments with the attribute, [s, t].
        groups: [s]; the values of one attribute have the same number >= 0.
    """
    inside = groups >= 0
    if not inside.any():
        return groups
    sums = np.zeros((int(groups.max()) + 1, effective.shape[1]))
    most = np.zeros_like(sums)
    np.add.at(sums, groups[inside], effective[inside])
    np.maximum.at(most, groups[inside], totals[inside])
    whole = np.all(sums <= most * (1 + _ROUNDING) + _ROUNDING, axis=1)
    return np.where(inside & whole[groups], groups, -1)


def renormalise(shares: Floats, groups: Ints) -> Floats:
    """Return shares [s, h] in which the parts of each whole sum to one."""
    if not np.any(groups >= 0):
        return shares
    sums = np.zeros((int(groups.max()) + 1, shares.shape[1]))
    inside = groups >= 0
    np.add.at(sums, groups[inside], shares[inside])
    result = shares.copy()
    result[inside] /= sums[groups[inside]]
    return result


def level(logits: Floats, weights: Floats, *, season: int, horizon: int) -> Floats:
    """Forecast the smoothed last level, flat."""
    alpha = np.array([settings_for(season).alphas[-1]])
    last = smoothed_levels(logits, weights, alpha)[:, 0, -1]
    return np.repeat(last[:, None], horizon, axis=1)


def seasonal_naive(logits: Floats, weights: Floats, *, season: int, horizon: int) -> Floats:
    """Forecast the last value seen at the same place of the season.

    A place never seen in the last two seasons takes the weighted mean of the series.
    """
    total = np.maximum(weights.sum(1), 1e-12)
    year = np.repeat(((logits * weights).sum(1) / total)[:, None], season, axis=1)
    periods = logits.shape[1]
    for past in range(max(0, periods - 2 * season), periods):
        year[:, past % season] = np.where(
            weights[:, past] > 0, logits[:, past], year[:, past % season]
        )
    return np.asarray(year[:, (periods + np.arange(horizon)) % season], dtype=np.float64)


def lite(
    logits: Floats,
    weights: Floats,
    *,
    season: int,
    horizon: int,
    settings: Settings | None = None,
) -> Floats:
    """Forecast by a shrunken seasonal and a smoothed level with damped drift.

    The level's rate and the part of last year's change that goes on are candidates of a grid; each
    is tried at every past period, several steps ahead, and candidates are averaged by how well they
    did. Takes about 0.05 s for 100 series of 260 weeks.
    """
    chosen = settings or settings_for(season)
    seasonal = seasonal_component(logits, weights, season=season)
    periods = logits.shape[1]
    rest = logits - over_seasons(seasonal, periods)
    levels = smoothed_levels(rest, weights, np.array(chosen.alphas))
    slopes = _yearly_slopes(levels, season)

    def mixed(*part: Floats) -> Floats:
        return _mixture(*part, season=season, settings=chosen)

    mixture = by_blocks(mixed, rest, weights, levels, slopes)
    reach = _reach(np.arange(1, horizon + 1), chosen.damping)
    drift = mixture * np.array(chosen.drifts) * slopes[:, :, -1:]
    start = (mixture.sum(2) * levels[:, :, -1] + drift.sum(2) * _lags(chosen, season)).sum(1)
    return np.asarray(
        start[:, None]
        + drift.sum((1, 2))[:, None] * reach[None, :]
        + seasonal[:, (periods + np.arange(horizon)) % season],
        dtype=np.float64,
    )


def smoothed_levels(values: Floats, weights: Floats, alphas: Floats) -> Floats:
    """Return exponentially smoothed levels [s, a, t] of values [s, t].

    A weighted mean of the past with geometric weights, so that it needs no starting value, and a
    period of weight 0 leaves it as it was.
    """
    series, periods = values.shape
    keep = 1 - alphas[:, None]
    top, bottom = np.zeros((2, len(alphas), series))
    result = np.zeros((periods, len(alphas), series))
    # By period first: each step then reads what lies side by side.
    moved, weight = np.ascontiguousarray((weights * values).T), np.ascontiguousarray(weights.T)
    seen = False  # each series: from then on there is something to divide by
    for now in range(periods):
        top *= keep
        top += moved[now]
        bottom *= keep
        bottom += weight[now]
        seen = seen or bool(np.all(bottom > 0))
        np.divide(top, bottom, out=result[now], where=seen or bottom > 0)
    return np.ascontiguousarray(result.transpose(2, 1, 0))


def _yearly_slopes(levels: Floats, season: int) -> Floats:
    """Return the change of a level over one season, per period, [s, a, t]; 0 in the first one."""
    slopes = np.zeros_like(levels)
    slopes[:, :, season:] = (levels[:, :, season:] - levels[:, :, :-season]) / season
    return slopes


def _lags(settings: Settings, season: int) -> Floats:
    """Return by how many periods each level trails a steady drift, at most a quarter, [a]."""
    alphas = np.array(settings.alphas)
    return np.asarray(np.minimum((1 - alphas) / alphas, season / 4), dtype=np.float64)


def _reach(steps: Ints, damping: float) -> Floats:
    """Return the sum of ``damping ** i`` for i in 1..step."""
    return np.asarray(damping * (1 - damping**steps) / (1 - damping), dtype=np.float64)


def _mixture(
    rest: Floats,
    weights: Floats,
    levels: Floats,
    slopes: Floats,
    *,
    season: int,
    settings: Settings,
) -> Floats:
    """Return how much each (rate, drift) candidate counts, [s, a, d], summing to 1."""
    drifts = np.array(settings.drifts)
    errors = np.full((*levels.shape[:2], len(drifts)), 1e-9)
    start = min(season, rest.shape[1] // 3)
    lags = _lags(settings, season)[None, :, None]
    for step in sorted({1, max(1, season // 12), max(1, season // 4), max(1, season // 2)}):
        reach = float(_reach(np.array([step]), settings.damping)[0])
        weight = weights[:, start + step :]
        still = rest[:, None, start + step :] - levels[:, :, start:-step]
        moved = (reach + lags) * slopes[:, :, start:-step]
        for place, drift in enumerate(drifts):
            missed = np.abs(still - drift * moved if drift else still)
            errors[:, :, place] += np.einsum("sat,st->sa", missed, weight)
    errors *= 1 + settings.caution * drifts
    flat = errors.reshape(len(errors), -1)
    odds = (flat / flat.min(1, keepdims=True)) ** -settings.sharpness
    odds /= odds.sum(1, keepdims=True)
    return np.asarray(odds.reshape(errors.shape), dtype=np.float64)

"""Forecasts of share series: logit scale, shrunken seasonal, damped drift; all series at once."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from worker.trends.arrays import Floats, Ints, expit, logit

Method = Literal["level", "seasonal-naive", "lite"]
WEEKS_A_YEAR: Final = 52
SEASONS_FOR_LITE: Final = 2  # measured: with 60 weeks `lite` is worse than seasonal naive


@dataclass(frozen=True)
class Settings:
    """The constants of `lite`, in units of one period.

    Attributes:
        alphas: candidate smoothing rates of the level.
        drifts: candidate parts of the yearly change that are carried into the future.
        damping: what is left of the drift after one period.
        bandwidth: standard deviation of the seasonal smoother, in periods.
        year_decay: weight of a year in the seasonal, relative to the year after it.
        sharpness: how strongly the candidate with the least past error outweighs the others.
        caution: how much smaller a candidate's past error must be for a whole drift than for none.
    """

    alphas: tuple[float, ...]
    drifts: tuple[float, ...]
    damping: float
    bandwidth: float
    year_decay: float
    sharpness: float
    caution: float


# Chosen on rolling origins 104..157 of 100 real weekly series; their last 52 weeks were not seen.
WEEKLY: Final = Settings(
    alphas=(0.02, 0.05, 0.1, 0.2),
    drifts=(0.0, 0.5, 1.0),
    damping=0.98,
    bandwidth=1.5,
    year_decay=0.7,
    sharpness=12.0,
    caution=0.3,
)


def settings_for(season: int) -> Settings:
    """Return the settings for a season of that many periods (52 weeks, 12 months, 4 quarters)."""
    weeks = WEEKS_A_YEAR / season
    return Settings(
        alphas=tuple(1 - (1 - alpha) ** weeks for alpha in WEEKLY.alphas),
        drifts=WEEKLY.drifts,
        damping=WEEKLY.damping**weeks,
        bandwidth=max(WEEKLY.bandwidth / weeks, 0.3),
        year_decay=WEEKLY.year_decay,
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
    alpha = np.array([settings_for(season).alphas[-2]])
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
    seasonal = seasonal_component(logits, weights, season=season, settings=chosen)
    periods = logits.shape[1]
    rest = logits - seasonal[:, np.arange(periods) % season]
    levels = smoothed_levels(rest, weights, np.array(chosen.alphas))
    slopes = _yearly_slopes(levels, season)
    mixture = _mixture(rest, weights, levels, slopes, season=season, settings=chosen)
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
    keep = 1 - alphas[None, :]
    top = np.zeros((series, len(alphas)))
    bottom = np.zeros((series, len(alphas)))
    result = np.empty((periods, series, len(alphas)))
    for now in range(periods):
        weight = weights[:, now, None]
        top = top * keep + weight * values[:, now, None]
        bottom = bottom * keep + weight
        np.divide(top, bottom, out=result[now], where=bottom > 0)
        result[now][bottom <= 0] = 0.0
    return np.ascontiguousarray(result.transpose(1, 2, 0))


def seasonal_component(
    logits: Floats, weights: Floats, *, season: int, settings: Settings | None = None
) -> Floats:
    """Return the seasonal of each series, [s, season], with mean 0.

    Means by place in the season of what is left after a one-season moving average; late years count
    more; smoothed around the circle; shrunk towards 0 by how much of it noise would make.
    """
    chosen = settings or settings_for(season)
    place = np.arange(logits.shape[1]) % season
    kernel = _circular_kernel(season, chosen.bandwidth)
    years_ago = (logits.shape[1] - 1 - np.arange(logits.shape[1])) // season
    late = weights * chosen.year_decay**years_ago
    seasonal = np.zeros((logits.shape[0], season))
    for _ in range(2):  # the second pass mends the trend at the ends, where the average is lopsided
        trend = _moving_mean(logits - seasonal[:, place], weights, season)
        left = logits - trend
        support = _by_place(late, season)
        smooth = _circular(_by_place(left * late, season), kernel)
        seasonal = smooth / np.maximum(_circular(support, kernel), 1e-9)
        seasonal -= seasonal.mean(1, keepdims=True)
        noise = _noise_of_seasonal(left - seasonal[:, place], weights, season, kernel)
        spread = np.maximum(seasonal.var(1), 1e-12)
        seasonal *= np.clip(1 - noise / spread, 0, 1)[:, None]
    return seasonal


def _noise_of_seasonal(left: Floats, weights: Floats, season: int, kernel: Floats) -> Floats:
    """Return the variance [s] that noise alone would give the smoothed seasonal."""
    total = np.maximum(weights.sum(1), 1e-9)
    variance = (weights * left**2).sum(1) / total
    averaged = np.maximum(total / season, 1e-9) / float((kernel**2).sum())
    return np.asarray(variance / averaged, dtype=np.float64)


def _by_place(values: Floats, season: int) -> Floats:
    """Return sums [s, season] of values [s, t] by place in the season."""
    series, periods = values.shape
    padded = np.zeros((series, -(-periods // season) * season))
    padded[:, :periods] = values
    return np.asarray(padded.reshape(series, -1, season).sum(1), dtype=np.float64)


def _circular_kernel(season: int, bandwidth: float) -> Floats:
    """Return Gaussian weights [season] around the circle, summing to 1."""
    steps = np.arange(season)
    distance = np.minimum(steps, season - steps)
    kernel = np.exp(-0.5 * (distance / bandwidth) ** 2)
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


def _circular(values: Floats, kernel: Floats) -> Floats:
    """Return values [s, season] smoothed around the circle."""
    spectrum = np.fft.rfft(values, axis=1) * np.fft.rfft(kernel)
    return np.asarray(np.fft.irfft(spectrum, values.shape[1], axis=1), dtype=np.float64)


def _moving_mean(values: Floats, weights: Floats, season: int) -> Floats:
    """Return weighted means [s, t] over one season around each period, cut off at the ends."""
    periods = values.shape[1]
    first = np.maximum(np.arange(periods) - season // 2, 0)
    last = np.minimum(np.arange(periods) + season // 2 + 1, periods)
    top = _window_sums(values * weights, first, last)
    bottom = _window_sums(weights, first, last)
    return np.asarray(top / np.maximum(bottom, 1e-9), dtype=np.float64)


def _window_sums(values: Floats, first: Ints, last: Ints) -> Floats:
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    return np.asarray(sums[:, last] - sums[:, first], dtype=np.float64)


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
        actual, weight = rest[:, None, start + step :], weights[:, None, start + step :]
        for place, drift in enumerate(drifts):
            ahead = levels[:, :, start:-step] + drift * (reach + lags) * slopes[:, :, start:-step]
            errors[:, :, place] += (np.abs(actual - ahead) * weight).sum(2)
    errors *= 1 + settings.caution * drifts
    flat = errors.reshape(len(errors), -1)
    odds = (flat / flat.min(1, keepdims=True)) ** -settings.sharpness
    odds /= odds.sum(1, keepdims=True)
    return np.asarray(odds.reshape(errors.shape), dtype=np.float64)

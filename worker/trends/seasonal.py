"""The seasonal component: what of a series comes back every year, beyond what noise would."""

from typing import Final

import numpy as np

from worker.trends.arrays import Floats, by_blocks

WEEKS_A_YEAR: Final = 52
BANDWIDTHS: Final = (1.0, 2.0)
"""Standard deviations of the smoother in weeks, averaged: sharp holidays and slow seasons."""
YEAR_DECAY: Final = 0.7
"""Weight of a year relative to the year after it."""
NOISE_TAKEN_OFF: Final = 0.5
"""Of the part that noise would make: what is left over a season is not noise alone."""
_NARROWEST: Final = 0.3


def seasonal_component(
    logits: Floats,
    weights: Floats,
    *,
    season: int,
    noise_taken_off: float = NOISE_TAKEN_OFF,
) -> Floats:
    """Return the seasonal of each series, [s, season], with mean 0.

    Means by place in the season of what is left after a one-season moving average; late years count
    more; smoothed around the circle; shrunk towards 0 by how much of it noise would make.

    Args:
        logits: [s, t].
        weights: [s, t], 0..1; 0 for a gap.
        season: periods in a year.
        noise_taken_off: part of the noise's share that is taken off, 0..1.
    """

    def work(logits: Floats, weights: Floats) -> Floats:
        return _component(logits, weights, season, noise_taken_off)

    return by_blocks(work, logits, weights)


def over_seasons(seasonal: Floats, periods: int) -> Floats:
    """Return values by place in the season, [s, season], as they come back, [s, periods]."""
    return np.tile(seasonal, -(-periods // seasonal.shape[1]))[:, :periods]


def _component(logits: Floats, weights: Floats, season: int, noise_taken_off: float) -> Floats:
    periods = logits.shape[1]
    kernel = _circular_kernel(season)
    years_ago = (periods - 1 - np.arange(periods)) // season
    late = weights * YEAR_DECAY**years_ago
    seasonal = np.zeros((logits.shape[0], season))
    around = np.maximum(_around(weights, season), 1e-9)
    support = np.maximum(_circular(_by_place(late, season), kernel), 1e-9)
    for _ in range(2):  # the second pass mends the trend at the ends, where the average is lopsided
        trend = _around((logits - over_seasons(seasonal, periods)) * weights, season) / around
        left = logits - trend
        seasonal = _circular(_by_place(left * late, season), kernel) / support
        seasonal -= seasonal.mean(1, keepdims=True)
        still = left - over_seasons(seasonal, periods)
        noise = _noise_of_seasonal(still, weights, season, kernel)
        spread = np.maximum(seasonal.var(1), 1e-12)
        seasonal *= np.clip(1 - noise_taken_off * noise / spread, 0, 1)[:, None]
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


def _circular_kernel(season: int) -> Floats:
    """Return the mean of Gaussian weights [season] around the circle, summing to 1."""
    steps = np.arange(season)
    distance = np.minimum(steps, season - steps)
    total = np.zeros(season)
    for weeks in BANDWIDTHS:
        bandwidth = max(weeks * season / WEEKS_A_YEAR, _NARROWEST)
        kernel = np.exp(-0.5 * (distance / bandwidth) ** 2)
        total += kernel / kernel.sum()
    return np.asarray(total / len(BANDWIDTHS), dtype=np.float64)


def _circular(values: Floats, kernel: Floats) -> Floats:
    """Return values [s, season] smoothed around the circle."""
    spectrum = np.fft.rfft(values, axis=1) * np.fft.rfft(kernel)
    return np.asarray(np.fft.irfft(spectrum, values.shape[1], axis=1), dtype=np.float64)


def _around(values: Floats, season: int) -> Floats:
    """Return sums [s, t] over one season around each period, cut off at the ends."""
    series, periods = values.shape
    before, after = season // 2, season // 2 + 1
    # Running sums with room at either end, where nothing is added: slices are cheaper than places.
    running = np.zeros((series, before + 1 + periods + after))
    np.cumsum(values, axis=1, out=running[:, before + 1 : before + 1 + periods])
    running[:, before + 1 + periods :] = running[:, [before + periods]]
    width = before + after
    return np.asarray(running[:, width : width + periods] - running[:, :periods])

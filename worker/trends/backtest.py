"""Backtests from rolling origins, and the conformal intervals that their residuals give."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from worker.trends.arrays import Bools, Floats, Ints, expit, logit
from worker.trends.forecast import SEASONS_FOR_LITE, forecast

MOST_ORIGINS: Final = 8
WANTED_ORIGINS: Final = 3
LEVELS: Final = (0.8, 0.95)
QUANTILES: Final = (0.025, 0.1, 0.5, 0.9, 0.975)
SAME: Final = 0.05  # a change within 5% counts as no change
_NORMAL: Final = (1.2816, 1.96)
_TINY: Final = 1e-9
_LEAST_ERROR: Final = 1e-3


@dataclass(frozen=True)
class Conformal:
    """What turns a middle forecast into intervals.

    Attributes:
        spread: error of each series on the logit scale, half shrunk to the expected one, [s].
        growth: how errors grow with the step ahead, [h].
        quantiles: multiples of ``spread * growth`` for each of ``LEVELS``.
        mean_quantile: multiple of ``spread`` that holds 80% of errors of the horizon's mean.
        rough: there was no trial to learn from; errors are taken from inside the history.
    """

    spread: Floats
    growth: Floats
    quantiles: tuple[float, float]
    mean_quantile: float
    rough: bool = False

    def half_widths(self, level: int) -> Floats:
        """Return half of the interval's width on the logit scale, [s, h]."""
        return self.quantiles[level] * self.spread[:, None] * self.growth[None, :]


@dataclass(frozen=True)
class Trials:
    """Forecasts made at earlier dates, on the logit scale.

    Attributes:
        origins: the first forecast period of each trial.
        actual, predicted, naive: [o, s, h].
        seen: whether there is an outcome, [o, s, h].
        recent: share over the last quarter of a year before each origin, [o, s].
        scale: mean absolute error of seasonal naive inside each history, as a share, [o, s].
        chance: variance that sampling alone gives the logit of a share, [s].
    """

    origins: tuple[int, ...]
    actual: Floats
    predicted: Floats
    naive: Floats
    seen: Bools
    recent: Floats
    scale: Floats
    chance: Floats

    @cached_property
    def happened(self) -> Floats:
        """The shares that came, 0..1, [o, s, h]."""
        return expit(self.actual)

    def conformal(self) -> Conformal:
        """Return the intervals that all trials together give."""
        return calibrate(self.actual - self.predicted, self.seen, self.chance)


@dataclass(frozen=True)
class Scores:
    """Errors over all trials; NaN where they cannot be measured."""

    mase: float
    smape: float
    pinball: float
    coverage80: float
    coverage95: float
    direction: float


def rolling_origins(periods: int, season: int, horizon: int) -> tuple[int, ...]:
    """Return where to stand for trials: up to 8, a quarter of a year apart, the newest last.

    Each leaves a whole horizon to check, and enough history for the method of today where there is
    any such place. Closer together where that makes three.
    """
    last = periods - horizon
    first = SEASONS_FOR_LITE * season
    if last < first:
        first = season if last >= season else max(4, periods // 2)
    if last < first:
        return ()
    quarter = max(1, season // 4)
    step = max(1, min(quarter, (last - first) // (WANTED_ORIGINS - 1)))
    return tuple(sorted(range(last, first - 1, -step)[:MOST_ORIGINS]))


def run_trials(
    shares: Floats,
    trust: Floats,
    *,
    season: int,
    horizon: int,
    groups: Ints | None = None,
    origins: tuple[int, ...] | None = None,
    chance: Floats | None = None,
) -> Trials:
    """Forecast from each origin with the data before it, beside seasonal naive.

    Args:
        shares: [s, t], 0..1.
        trust: [s, t], 0..1; 0 for a gap, which is never scored.
        season: periods in a year.
        horizon: periods ahead.
        groups: as in `forecast`.
        origins: `rolling_origins` when not given.
        chance: as in `calibrate`.
    """
    series, periods = shares.shape
    chosen = rolling_origins(periods, season, horizon) if origins is None else origins
    shape = (len(chosen), series, horizon)
    actual, predicted, naive = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    seen = np.zeros(shape, dtype=bool)
    recent, scale = np.zeros(shape[:2]), np.zeros(shape[:2])
    logits = logit(shares)
    for row, origin in enumerate(chosen):
        past, weights = shares[:, :origin], trust[:, :origin]
        after = slice(origin, origin + horizon)
        actual[row], seen[row] = logits[:, after], trust[:, after] > 0
        predicted[row] = forecast(past, weights, season=season, horizon=horizon, groups=groups)
        naive[row] = forecast(
            past, weights, season=season, horizon=horizon, method="seasonal-naive"
        )
        recent[row] = recent_share(past, weights, season)
        scale[row] = naive_scale(past, weights, season)
    noise = np.zeros(series) if chance is None else chance
    return Trials(chosen, actual, predicted, naive, seen, recent, scale, noise)


def recent_share(shares: Floats, trust: Floats, season: int) -> Floats:
    """Return the mean share of the last quarter of a year, [s]; gaps do not count."""
    tail = slice(-max(1, season // 4), None)
    total = trust[:, tail].sum(1)
    mean = (shares[:, tail] * trust[:, tail]).sum(1) / np.maximum(total, _TINY)
    return np.asarray(np.where(total > 0, mean, shares[:, -1]), dtype=np.float64)


def naive_scale(shares: Floats, trust: Floats, season: int) -> Floats:
    """Return the mean absolute step from the year before (else the period before), [s]."""
    lag = season if shares.shape[1] > season else 1
    both = (trust[:, lag:] > 0) & (trust[:, :-lag] > 0)
    steps = np.abs(shares[:, lag:] - shares[:, :-lag]) * both
    return np.asarray(steps.sum(1) / np.maximum(both.sum(1), 1), dtype=np.float64)


def calibrate(residuals: Floats, seen: Bools, chance: Floats | None = None) -> Conformal:
    """Learn intervals from the residuals of trials.

    Split conformal (Vovk; Lei et al. 2018): residuals are divided by their series' usual error and
    by the usual growth with the step, then pooled over series, origins and steps, so that a few
    trials are enough. Per-series quantiles from so few trials cannot reach 95%.

    Args:
        residuals: actual minus predicted on the logit scale, [o, s, h], o >= 1.
        seen: [o, s, h].
        chance: variance that sampling alone gives the logit of a share, [s]; 0 when not given.
    """
    size = np.where(seen, np.abs(residuals), 0.0)
    count = seen.sum((0, 2))
    own = size.sum((0, 2)) / np.maximum(count, 1)
    usual = _usual(own, count > 0, np.zeros(len(own)) if chance is None else chance)
    spread = (np.where(count > 0, own, usual) + usual) / 2
    growth = _growth(size / spread[None, :, None], seen)
    pooled = (size / (spread[None, :, None] * growth[None, None, :]))[seen]
    means = _masked_mean(residuals, seen)
    filled = seen.any(2)
    return Conformal(
        spread=spread,
        growth=growth,
        quantiles=_quantiles(pooled),
        mean_quantile=_quantiles((np.abs(means) / spread[None, :])[filled])[0],
    )


def _usual(own: Floats, known: Bools, chance: Floats) -> Floats:
    """Return the error to expect of each series, [s]: one movement for all, and its own chance."""
    sampling = chance * 2 / np.pi  # the mean absolute value of a normal, squared
    moved = own[known] ** 2 - sampling[known]
    movement = max(float(moved.mean()) if known.any() else 0.0, _LEAST_ERROR**2)
    return np.asarray(np.sqrt(movement + sampling), dtype=np.float64)


def rough_intervals(shares: Floats, trust: Floats, season: int, horizon: int) -> Conformal:
    """Return intervals for a history too short for any trial.

    From steps between neighbours, as for a random walk, with normal quantiles.
    """
    values = logit(shares)
    both = (trust[:, 1:] > 0) & (trust[:, :-1] > 0)
    steps = np.where(both, np.abs(np.diff(values, axis=1)), 0.0)
    own = steps.sum(1) / np.maximum(both.sum(1), 1)
    usual = max(float(own.mean()), 1e-3)
    ahead = np.sqrt(1 + np.arange(horizon) / max(1, season // 4))
    return Conformal((own + usual) / 2, ahead, _NORMAL, _NORMAL[0], rough=True)


def score(trials: Trials, *, naive: bool = False) -> Scores:
    """Return the errors of the forecaster, or of seasonal naive on the same trials.

    Coverage and pinball loss of each trial use intervals learnt from the other trials only.
    """
    middle = trials.naive if naive else trials.predicted
    if not len(trials.origins) or not trials.seen.any():
        return Scores(*[float("nan")] * 6)
    actual, expected = expit(trials.actual), expit(middle)
    usable = trials.seen & (trials.scale > _TINY)[:, :, None]
    error = np.abs(actual - expected)
    relative = 200 * error / np.maximum(actual + expected, _TINY)
    covered, losses = _interval_scores(trials, middle)
    scaled = np.maximum(trials.scale, _TINY)[:, :, None]
    return Scores(
        mase=_mean_of_series(error / scaled, usable),
        smape=_mean_of_series(relative, trials.seen),
        pinball=_mean_of_series(losses / scaled, usable),
        coverage80=_mean_of_series(covered[0], trials.seen),
        coverage95=_mean_of_series(covered[1], trials.seen),
        direction=_direction(trials, actual, expected),
    )


def errors_of_trials(trials: Trials, predicted: Floats) -> Floats:
    """Return mean absolute errors over each horizon, scaled as MASE, [o, s]; 0 where unseen.

    Args:
        trials: what happened.
        predicted: forecasts of it on the logit scale, [o, s, h].
    """
    wide = np.abs(trials.happened - expit(predicted)) * trials.seen
    mean = wide.sum(2) / np.maximum(trials.seen.sum(2), 1)
    return np.where(trials.scale > _TINY, mean / np.maximum(trials.scale, _TINY), 0.0)


def _interval_scores(trials: Trials, middle: Floats) -> tuple[Floats, Floats]:
    """Return hits [2, o, s, h] and mean quantile loss [o, s, h]; NaN with a single trial."""
    covered = np.full((2, *middle.shape), np.nan)
    losses = np.full(middle.shape, np.nan)
    residuals = trials.actual - middle
    for row in range(len(trials.origins)):
        others = np.arange(len(trials.origins)) != row
        if not trials.seen[others].any():
            continue
        conformal = calibrate(residuals[others], trials.seen[others], trials.chance)
        inner, outer = conformal.half_widths(0), conformal.half_widths(1)
        covered[0, row] = np.abs(residuals[row]) <= inner
        covered[1, row] = np.abs(residuals[row]) <= outer
        offsets = (-outer, -inner, np.zeros_like(inner), inner, outer)
        actual = expit(trials.actual[row])
        losses[row] = np.mean(
            [
                _pinball(actual - expit(middle[row] + offset), quantile)
                for quantile, offset in zip(QUANTILES, offsets, strict=True)
            ],
            axis=0,
        )
    return covered, losses


def _pinball(gap: Floats, quantile: float) -> Floats:
    return np.maximum(quantile * gap, (quantile - 1) * gap)


def _mean_of_series(values: Floats, mask: Bools) -> float:
    """Return the mean over steps, then over series and origins; NaN where nothing counts."""
    mask = mask & np.isfinite(values)
    filled = mask.any(-1)
    if not filled.any():
        return float("nan")
    return float(_masked_mean(values, mask)[filled].mean())


def _masked_mean(values: Floats, mask: Bools) -> Floats:
    """Return means over the last axis where the mask holds; 0 where it never does."""
    total = np.where(mask, values, 0.0).sum(-1)
    return np.asarray(total / np.maximum(mask.sum(-1), 1), dtype=np.float64)


def _direction(trials: Trials, actual: Floats, expected: Floats) -> float:
    """Return how often up, same or down (against the last quarter of a year) was called rightly."""
    filled = trials.seen.any(2)
    before = np.maximum(trials.recent, _TINY)
    happened = _sign(_masked_mean(actual, trials.seen) / before - 1)
    said = _sign(_masked_mean(expected, trials.seen) / before - 1)
    return float((happened == said)[filled].mean())


def _sign(change: Floats) -> Floats:
    return np.sign(change) * (np.abs(change) > SAME)


def _growth(size: Floats, seen: Bools) -> Floats:
    """Return the usual size of errors by step, smoothed, never falling, with mean 1, [h]."""
    horizon = size.shape[2]
    total = np.where(seen, size, 0.0).sum((0, 1))
    count = seen.sum((0, 1)).astype(np.float64)
    width = min(horizon, 2 * (horizon // 6) + 1)
    kernel = np.ones(width)
    smooth = np.convolve(np.pad(total, width // 2, mode="edge"), kernel, mode="valid")
    support = np.convolve(np.pad(count, width // 2, mode="edge"), kernel, mode="valid")
    usual = np.maximum.accumulate(smooth / np.maximum(support, _TINY))
    mean = float(usual.mean())
    return np.ones(horizon) if mean <= 0 else np.maximum(usual / mean, 0.2)


def _quantiles(values: Floats) -> tuple[float, float]:
    """Return the conformal quantiles of `LEVELS`: with the finite-sample step up of one value."""
    if not len(values):
        return _NORMAL
    inner, outer = np.quantile(values, [min(1.0, one * (1 + 1 / len(values))) for one in LEVELS])
    return float(inner), float(outer)

"""A second forecaster beside our own, where it is installed and its own backtest earns it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from worker.trends.arrays import Floats, Ints, expit, logit
from worker.trends.backtest import WANTED_ORIGINS, Trials, errors_of_trials
from worker.trends.forecast import SEASONS_FOR_LITE, renormalise

WEIGHTS: Final = (0.25, 0.5, 0.75)
LEAST_GAIN: Final = 0.005
OFTEN: Final = 2 / 3  # of the trials must be the better for it
MOST_FITS: Final = 4000  # about a minute; beyond it the second forecaster is not asked
STATSFORECAST: Final = "statsforecast"

Forecaster = Callable[[Floats, int, int], Floats]
"""From logits [s, t] without gaps, a season and a horizon to forecasts, logit scale, [s, h]."""


@dataclass(frozen=True)
class Joined:
    """A forecast that a second forecaster may have a part in.

    Attributes:
        middle: logit scale, [s, h].
        trials: with the same mixture, each by the weight that the other trials chose.
        weight: of the second forecaster, 0..1; 0 where it did not earn a part.
        error_without, error_with: MASE over the trials; NaN where there were too few to tell.
        note: in plain words, what was used and why; empty where no second forecaster is installed.
    """

    middle: Floats
    trials: Trials
    weight: float = 0.0
    error_without: float = float("nan")
    error_with: float = float("nan")
    note: str = ""


def installed() -> bool:
    """Return whether the ``forecast`` extra is there."""
    return find_spec(STATSFORECAST) is not None


def mstl(logits: Floats, season: int, horizon: int) -> Floats:
    """Forecast by MSTL (Bandara et al. 2021) and damped exponential smoothing of what is left.

    Needs the ``forecast`` extra, and two seasons at least. About 0.01 s a series.
    """
    models: Any = import_module(f"{STATSFORECAST}.models")
    rest = models.AutoETS(model="ZAN", damped=True)
    rows = [
        models.MSTL(season_length=season, trend_forecaster=rest).forecast(y=row, h=horizon)["mean"]
        for row in np.ascontiguousarray(logits)
    ]
    return np.asarray(rows, dtype=np.float64)


def join(
    middle: Floats,
    trials: Trials,
    own: tuple[Floats, Floats],
    *,
    season: int,
    groups: Ints | None = None,
    second: Forecaster | None = None,
) -> Joined:
    """Mix a second forecaster in, by the weight that the trials earn it.

    Weights of a quarter, a half and three quarters are tried on the logit scale, for all series
    together. The best one stands where it lowers the error by 0.5% in two trials of three, and
    three trials there must be, each with two years before it.

    Args:
        middle: our forecast, logit scale, [s, h].
        trials: ours.
        own: shares and trust of the series, [s, t].
        season: periods in a year.
        groups: as in `worker.trends.forecast.forecast`.
        second: `mstl` where it is installed, when not given.
    """
    if second is None and not installed():
        return Joined(middle, trials)
    reason = _too_little(middle, trials, periods=own[0].shape[1], season=season)
    if reason:
        return Joined(middle, trials, note=f"The second forecaster was not used: {reason}.")
    forecaster, ends = second or mstl, (*trials.origins, own[0].shape[1])
    logits = logit(own[0])
    others = [
        forecaster(_filled(logits[:, :end], own[1][:, :end]), season, middle.shape[1])
        for end in ends
    ]
    base = errors_of_trials(trials, trials.predicted)
    mixed = {weight: _mixed(trials.predicted, np.stack(others[:-1]), weight) for weight in WEIGHTS}
    errors = {weight: errors_of_trials(trials, one) for weight, one in mixed.items()}
    everything = np.arange(len(base))
    weight = _earned(base, errors, everything)
    if not weight:
        best = min(float(one.mean()) for one in errors.values())
        note = (
            "The second forecaster was tried and not used: it did not lower the backtest's error."
        )
        return Joined(middle, trials, 0.0, float(base.mean()), best, note)
    chosen = [_earned(base, errors, np.delete(everything, one)) for one in everything]
    predicted = np.stack(
        [mixed[one][row] if one else trials.predicted[row] for row, one in enumerate(chosen)]
    )
    joined = _mixed(middle, others[-1], weight)
    if groups is not None:
        joined = logit(renormalise(expit(joined), groups))
        predicted = np.stack([logit(renormalise(expit(one), groups)) for one in predicted])
    with_it = float(errors_of_trials(trials, predicted).mean())
    note = f"A second forecaster (MSTL, from statsforecast) has a weight of {weight:.0%}."
    return Joined(
        joined, replace(trials, predicted=predicted), weight, float(base.mean()), with_it, note
    )


def _too_little(middle: Floats, trials: Trials, *, periods: int, season: int) -> str:
    """Return why a second forecaster cannot be tried, or nothing where it can."""
    ends = (*trials.origins, periods)
    if len(ends) <= WANTED_ORIGINS or ends[0] < SEASONS_FOR_LITE * season or not trials.seen.any():
        return "there are too few trials to earn it a part"
    if len(ends) * len(middle) > MOST_FITS:
        return "there are too many series for it"
    return ""


def _mixed(ours: Floats, theirs: Floats, weight: float) -> Floats:
    return np.where(np.isfinite(theirs), (1 - weight) * ours + weight * theirs, ours)


def _earned(base: Floats, errors: dict[float, Floats], rows: Ints) -> float:
    """Return the weight with the least error over these trials, 0 where none lowers it enough."""
    before = base[rows].mean(1)
    best, least = 0.0, (1 - LEAST_GAIN) * before.mean()
    for weight, one in errors.items():
        after = one[rows].mean(1)
        if (after < before).mean() >= OFTEN and after.mean() <= least:
            best, least = weight, after.mean()
    return best


def _filled(logits: Floats, trust: Floats) -> Floats:
    """Return logits in which gaps are filled on a line between their neighbours."""
    result = logits.copy()
    places = np.arange(logits.shape[1])
    for row, weights in zip(result, trust, strict=True):
        known = weights > 0
        if known.any() and not known.all():
            row[~known] = np.interp(places[~known], places[known], row[known])
    return result

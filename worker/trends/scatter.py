"""Scatter: how far counts stray from a smooth expectation, beyond what a binomial would."""

from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from worker.trends.arrays import Bools, Floats, expit, logit, row_medians
from worker.trends.seasonal import over_seasons, seasonal_component
from worker.trends.series import Panel

_CUT: Final = 3.0  # standard deviations
_NORMAL_MAD: Final = 1.4826
_LEVEL_PERIODS: Final = 8
_TINY: Final = 1e-9
_found: Final[WeakKeyDictionary[Panel, Floats]] = WeakKeyDictionary()


def dispersion(panel: Panel) -> Floats:
    """Return how many times more the counts vary than a binomial would, >= 1, [s].

    The long-run variance (Newey & West 1987) of Pearson residuals around a moving level and the
    seasonal, so that slow noise counts as well as scatter; half shrunk to the median of all. Six
    tests ask for it: it is worked out once for each panel, and not to be written to.
    """
    if panel not in _found:
        _found[panel] = _dispersion(panel)
        _found[panel].flags.writeable = False
    return _found[panel]


def _dispersion(panel: Panel) -> Floats:
    residuals, seen = pearson(panel, expected(panel))
    # A flash is no noise: residuals far outside the usual ones are cut off.
    usual = np.nan_to_num(row_medians(np.abs(residuals), seen))
    limit = np.maximum(_CUT * _NORMAL_MAD * usual, _CUT)[:, None]
    residuals = np.clip(residuals, -limit, limit)
    lags = max(1, panel.season // 3)
    count = np.maximum(seen.sum(1), 1)
    variance = (residuals**2).sum(1) / count
    for lag in range(1, min(lags, residuals.shape[1] - 1) + 1):
        together = (residuals[:, lag:] * residuals[:, :-lag]).sum(1) / count
        variance += 2 * (1 - lag / (lags + 1)) * together
    # Lagged terms only ever add: a residual that swings back is no proof of little noise.
    own = np.maximum(variance, np.maximum((residuals**2).sum(1) / count, 1.0))
    return np.asarray((own + np.median(own)) / 2, dtype=np.float64)


def expected(panel: Panel, *, seasonal: bool = True) -> Floats:
    """Return a smooth expectation of the shares, [s, t]: moving level, and the seasonal."""
    logits, trust = logit(panel.shares), panel.trust
    periods = logits.shape[1]
    pattern = np.zeros_like(logits)
    if seasonal and periods >= 2 * panel.season:
        component = seasonal_component(logits, trust, season=panel.season, noise_taken_off=1.0)
        pattern = over_seasons(component, periods)
    width = max(_LEVEL_PERIODS, panel.season)  # shorter would follow the noise it must measure
    total = np.maximum(_centred(panel.totals, width), _TINY)
    wanted = logit(_centred(panel.effective, width) / total)
    level = wanted
    for _ in range(2 if seasonal else 0):  # so that sums over a season agree with the counts
        sums = _centred(panel.totals * expit(level + pattern), width)
        level = level + wanted - logit(sums / total)
    return expit(level + pattern) if seasonal else expit(level)


def pearson(panel: Panel, shares: Floats) -> tuple[Floats, Bools]:
    """Return standardised residuals [s, t], 0 in a gap, and where there is no gap."""
    seen = panel.totals > 0
    spread = np.sqrt(np.maximum(panel.totals * shares * (1 - shares), _TINY))
    residuals = np.where(seen, (panel.effective - panel.totals * shares) / spread, 0.0)
    return residuals, seen


def _centred(values: Floats, width: int) -> Floats:
    """Return sums over a centred window, cut off at the ends, [s, t]."""
    periods = values.shape[1]
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    first = np.maximum(np.arange(periods) - width // 2, 0)
    last = np.minimum(np.arange(periods) + width // 2 + 1, periods)
    return np.asarray(sums[:, last] - sums[:, first], dtype=np.float64)

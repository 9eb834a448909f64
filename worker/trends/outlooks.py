"""Outlooks: how the forecast stands against the same part of the last year."""

from typing import Final

import numpy as np

from shared.schemas.trends import Direction, Outlook
from worker.trends.arrays import Bools, Floats, expit, logit
from worker.trends.backtest import Conformal
from worker.trends.forecast import renormalise, wholes
from worker.trends.ranking import number
from worker.trends.scatter import dispersion
from worker.trends.series import Panel

_Z80: Final = 1.281552
_TINY: Final = 1e-9


def outlooks(
    panel: Panel,
    middle: Floats,
    conformal: Conformal,
    *,
    minimum_change: float,
    excluded: Bools | None = None,
) -> list[Outlook | None]:
    """Compare the forecast's mean with the same periods of the last year.

    The interval holds the error of the forecast's mean and, as last year's counts are a sample too,
    the over-dispersed error of what it is compared with. Without the second, one flat series in
    nine was called rising or falling.

    Args:
        panel: the series.
        middle: the forecast, logit scale, [s, h].
        conformal: its intervals.
        minimum_change: a smaller relative change is never called rising or declining.
        excluded: periods that do not count as last year's, [s, t]: a flash is no level.

    Returns:
        By series; None with less than a year of history, or where last year holds nothing.
    """
    series, periods = panel.totals.shape
    if periods < panel.season:
        return [None] * series
    same = periods - panel.season + np.arange(middle.shape[1]) % panel.season
    trust = panel.trust if excluded is None else panel.trust * ~excluded
    trust = trust[:, same]
    total = trust.sum(1)
    # Made as the forecast is: a plain mean of shares lies above a middle forecast for noise alone.
    held = np.maximum(total, _TINY)
    usual = expit((logit(panel.shares[:, same]) * trust).sum(1) / held)
    groups = wholes(panel.effective, panel.totals, panel.groups)
    before = renormalise(usual[:, None], groups)[:, 0]
    after = (middle * trust).sum(1) / held
    once = slice(0, min(middle.shape[1], panel.season))  # a year seen twice is no more evidence
    seen = (panel.totals[:, same] * (trust > 0))[:, once].sum(1)
    sampled = dispersion(panel) / np.maximum(seen * before * (1 - before), _TINY)
    width = np.hypot(conformal.mean_quantile * conformal.spread, _Z80 * np.sqrt(sampled))
    low, high = expit(after - width) / before - 1, expit(after + width) / before - 1
    relative = expit(after) / before - 1
    return [
        Outlook(
            relative=number(relative[row]),
            low80=number(low[row]),
            high80=number(high[row]),
            direction=_direction(float(low[row]), float(high[row]))
            if abs(relative[row]) >= minimum_change
            else "unclear",
        )
        if total[row] > 0
        else None
        for row in range(series)
    ]


def _direction(low: float, high: float) -> Direction:
    if low > 0:
        return "rising"
    return "declining" if high < 0 else "unclear"

"""Observed change: which shares differ from a year ago by more than chance."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.trends.arrays import Bools, Floats, Ints, expit
from worker.trends.chance import benjamini_hochberg, two_sided
from worker.trends.scatter import dispersion
from worker.trends.series import Panel
from worker.trends.turning import lasting_steps

LEAST_EVIDENCE: Final = 10.0  # garments of the value in the periods that are compared
TREND_YEARS: Final = 3
_FILLED: Final = 0.65  # of the places in the season: those to be seen in two years or more
_Z95: Final = 1.959964
_TINY: Final = 1e-9
_WIDEST: Final = 5.0  # of a log ratio: beyond it an interval says "unknown" whatever its number


@dataclass(frozen=True)
class Change:
    """Change of each series against the same part of the year before; NaN where not testable.

    Attributes:
        ratio, low, high: recent over earlier share, with its 95% interval, [s].
        recent, earlier: shares, [s].
        window: the latest periods looked at, [s]: a quarter of a year, else years.
        p_values, q_values: [s].
        short_ratio: the ratio over the last quarter of a year, which ranks what emerges, [s].
        still: neither the last year nor its last quarter speaks against the direction, and it is
            not a single step of more than a year ago, [s].
    """

    ratio: Floats
    low: Floats
    high: Floats
    recent: Floats
    earlier: Floats
    window: Ints
    p_values: Floats
    q_values: Floats
    short_ratio: Floats
    still: Bools

    @property
    def testable(self) -> Bools:
        """Where there is a year ago to compare with, and enough garments, [s]."""
        return np.isfinite(self.p_values)


@dataclass(frozen=True)
class _Window:
    """Both sides of one comparison, pooled over matched periods, [s] each."""

    z: Floats
    ratio: Floats
    error: Floats  # standard error of the log ratio
    recent: Floats
    earlier: Floats
    evidence: Floats


def observed_change(panel: Panel, *, excluded: Bools | None = None) -> Change:
    """Compare the latest periods with the same ones a year before.

    Only the same place of the season is compared, so neither the season nor an uneven filling
    counts as change; the variance is scaled by `dispersion`. Two comparisons are tried: the last
    quarter of a year against the same quarter a year before, and the yearly change over the last
    years, up to three. The better p-value, doubled, stands. q-values are Benjamini & Hochberg
    (1995) over all series that can be tested.

    Args:
        panel: the series.
        excluded: periods of a series that are not to be compared, [s, t]: a flash is no trend.
    """
    series, periods = panel.totals.shape
    short = max(2, panel.season // 4)
    if periods < panel.season + short:
        return _untestable(series)
    scatter = dispersion(panel)
    used = np.ones((series, periods), dtype=bool) if excluded is None else ~excluded
    near = _compare(panel, scatter, used, short)
    year = _compare(panel, scatter, used, min(panel.season, periods - panel.season))
    far, span = _compare_years(panel, scatter, used)
    chosen = ~(np.abs(near.z) > np.abs(far.z))  # also where the near one cannot be made
    z = np.where(chosen, far.z, near.z)
    p_values = np.minimum(1, 2 * two_sided(z))
    evidence = np.where(chosen, far.evidence, near.evidence)
    followed = np.array([not name.rest for name in panel.names])
    p_values[(evidence < LEAST_EVIDENCE) | ~np.isfinite(z) | ~followed] = np.nan
    step = lasting_steps(panel, years=TREND_YEARS, excluded=excluded)
    past = (step >= 0) & (step < periods - panel.season)
    ratio, error = np.where(chosen, far.ratio, near.ratio), np.where(chosen, far.error, near.error)
    return Change(
        ratio=ratio,
        low=ratio * np.exp(-_Z95 * error),
        high=ratio * np.exp(_Z95 * error),
        recent=np.where(chosen, far.recent, near.recent),
        earlier=np.where(chosen, far.earlier, near.earlier),
        window=np.where(chosen, span, short),
        p_values=p_values,
        q_values=benjamini_hochberg(p_values),
        short_ratio=np.where(np.isfinite(near.z), near.ratio, np.nan),
        still=_goes_on(np.sign(z), ratio, near, year) & ~past,
    )


def significant(change: Change, *, false_discovery_rate: float, minimum_change: float) -> Bools:
    """Return which changes are more than chance and large enough to matter, [s]."""
    with np.errstate(invalid="ignore"):
        large = np.abs(change.ratio - 1) >= minimum_change
        return np.asarray((change.q_values <= false_discovery_rate) & large)


def _goes_on(sign: Floats, ratio: Floats, near: _Window, year: _Window) -> Bools:
    """Return where the move goes on, as far as can be told, [s].

    The last year kept at least half of the pace, and so did its last quarter.
    """
    half = np.log(ratio) / 2
    with np.errstate(invalid="ignore"):
        lately = ~(sign * (np.log(near.ratio) - half) <= -near.error)
        lately &= ~(sign * near.z <= -1)
        return np.asarray(lately & ~(sign * (np.log(year.ratio) - half) <= -year.error))


def _untestable(series: int) -> Change:
    nothing = np.full(series, np.nan)
    return Change(
        ratio=nothing,
        low=nothing,
        high=nothing,
        recent=nothing,
        earlier=nothing,
        window=np.zeros(series, dtype=np.int64),
        p_values=nothing,
        q_values=nothing,
        short_ratio=nothing,
        still=np.zeros(series, dtype=bool),
    )


def _compare(panel: Panel, scatter: Floats, used: Bools, width: int) -> _Window:
    """Compare the last ``width`` periods with the same ones a year before."""
    periods = panel.totals.shape[1]
    late = slice(periods - width, periods)
    early = slice(periods - width - panel.season, periods - panel.season)
    totals = np.stack([panel.totals[:, early], panel.totals[:, late]], axis=1)
    effective = np.stack([panel.effective[:, early], panel.effective[:, late]], axis=1)
    both = np.stack([used[:, early], used[:, late]], axis=1)
    return _trend(totals * both, effective * both, scatter)


def _compare_years(panel: Panel, scatter: Floats, used: Bools) -> tuple[_Window, int]:
    """Follow the last years, up to three; return the yearly change and the periods looked at."""
    series, periods = panel.totals.shape
    span = min(periods, TREND_YEARS * panel.season)
    years = -(-span // panel.season)
    shape = (series, years, panel.season)
    totals, effective = np.zeros((2, series, years * panel.season))
    totals[:, -span:] = (panel.totals * used)[:, -span:]
    effective[:, -span:] = (panel.effective * used)[:, -span:]
    return _trend(totals.reshape(shape), effective.reshape(shape), scatter), span


def _trend(totals: Floats, effective: Floats, scatter: Floats) -> _Window:
    """Test for a steady yearly change of counts [s, years, places], one stratum a place.

    The score test of a logistic slope (Cochran 1954, Armitage 1955, stratified as by Mantel), which
    for two years is Cochran-Mantel-Haenszel. A place seen in one year only adds nothing.
    """
    year = np.arange(totals.shape[1])[None, :, None]
    stratum = np.maximum(totals.sum(1, keepdims=True), _TINY)
    offset = year - (totals * year).sum(1, keepdims=True) / stratum
    share = effective.sum((1, 2)) / np.maximum(totals.sum((1, 2)), _TINY)
    local = effective.sum(1, keepdims=True) / stratum
    gained = (offset * (effective - totals * local)).sum((1, 2))
    # One pooled share, never 0: a stratum alone holds few garments.
    spread = (totals * offset**2).sum((1, 2))
    held = np.clip(share, 0.5 / (spread + 1), 1 - 0.5 / (spread + 1))
    information = np.maximum(spread, _TINY) * held * (1 - held)
    slope = np.clip(gained / information, -_WIDEST, _WIDEST)
    middle = np.log(held / (1 - held))
    recent, earlier = expit(middle + slope / 2), expit(middle - slope / 2)
    error = np.sqrt(scatter / information)
    filled = (totals > 0).sum(1) > 1
    told = (spread > 0) & (filled.mean(1) >= _FILLED)
    return _Window(
        z=np.where(told, gained / np.sqrt(scatter * information), np.nan),
        ratio=recent / earlier,
        error=np.minimum(error * (1 - held), _WIDEST),
        recent=recent,
        earlier=earlier,
        evidence=(effective * (np.abs(offset) > 0)).sum((1, 2)),
    )

"""What a series does: observed change and its significance, flashes, seasons, and the class."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.schemas.trends import TrendClass
from worker.trends.arrays import Bools, Floats, Ints, expit, logit
from worker.trends.forecast import seasonal_component
from worker.trends.series import Panel

LEAST_EVIDENCE: Final = 10.0  # garments of the value in the two windows that are compared
STRONG_SEASON: Final = 0.6
SEASON_LEVEL: Final = 0.01
FLASH_LEVEL: Final = 0.01
FLASH_LIFT: Final = 1.5
FLASH_WEEKS: Final = 12  # up to 8 weeks from the height to half of it, and a quicker rise
REPEAT_Z: Final = 2.0
TREND_YEARS: Final = 3
_Z95: Final = 1.959964
_TINY: Final = 1e-9
_WIDEST: Final = 5.0  # of a log ratio: beyond it an interval says "unknown" whatever its number
_CUT: Final = 3.0  # standard deviations
_MONTHS: Final = 12
_LEVEL_PERIODS: Final = 8
_FILLED: Final = 0.65  # of the places in the season: those to be seen in two years or more
_WEEKS: Final = 52


@dataclass(frozen=True)
class Change:
    """Change of each series against the same part of the year before; NaN where not testable.

    Attributes:
        ratio, low, high: recent over earlier share, with its 95% interval, [s].
        recent, earlier: shares, [s].
        window: the latest periods looked at, [s]: a quarter of a year, else years.
        p_values, q_values: [s].
        short_ratio: the ratio over the last quarter of a year, which ranks what emerges, [s].
        still: neither the last year nor its last quarter speaks against the direction, [s].
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


@dataclass(frozen=True)
class Season:
    """How much of each series repeats every year, [s]."""

    strength: Floats
    significant: Bools


@dataclass(frozen=True)
class Flash:
    """A short peak that has passed: its first period and length, 0 where none, [s]."""

    start: Ints
    length: Ints


def dispersion(panel: Panel) -> Floats:
    """Return how many times more the counts vary than a binomial would, >= 1, [s].

    The long-run variance (Newey & West 1987) of Pearson residuals around a moving level and the
    seasonal, so that slow noise counts as well as scatter; half shrunk to the median of all.
    """
    residuals, seen = _pearson(panel, _expected(panel))
    # A flash is no noise: residuals far outside the usual ones are cut off.
    usual = np.array(
        [
            np.median(np.abs(row[known])) if known.any() else 0.0
            for row, known in zip(residuals, seen, strict=True)
        ]
    )
    limit = np.maximum(_CUT * 1.4826 * usual, _CUT)[:, None]
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


def observed_change(panel: Panel, *, excluded: Flash | None = None) -> Change:
    """Compare the latest periods with the same ones a year before.

    Only the same place of the season is compared, so neither the season nor an uneven filling
    counts as change; the variance is scaled by `dispersion`. Two comparisons are tried: the last
    quarter of a year against the same quarter a year before, and the yearly change over the last
    years, up to three. The better p-value, doubled, stands. q-values are Benjamini & Hochberg
    (1995) over all series that can be tested.

    Args:
        panel: the series.
        excluded: flashes, whose periods are not compared.
    """
    series, periods = panel.totals.shape
    short = max(2, panel.season // 4)
    if periods < panel.season + short:
        return _untestable(series)
    scatter = dispersion(panel)
    used = (
        np.ones((series, periods), dtype=bool) if excluded is None else ~flash_mask(panel, excluded)
    )
    near = _compare(panel, scatter, used, short)
    year = _compare(panel, scatter, used, min(panel.season, periods - panel.season))
    far, span = _compare_years(panel, scatter, used)
    chosen = ~(np.abs(near.z) > np.abs(far.z))  # also where the near one cannot be made
    z = np.where(chosen, far.z, near.z)
    p_values = np.minimum(1, 2 * _two_sided(z))
    evidence = np.where(chosen, far.evidence, near.evidence)
    followed = np.array([not name.rest for name in panel.names])
    p_values[(evidence < LEAST_EVIDENCE) | ~np.isfinite(z) | ~followed] = np.nan
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
        still=_goes_on(np.sign(z), ratio, near, year),
    )


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return q-values; NaN stays NaN and does not count."""
    result = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested])]
    raised = p_values[order] * len(order) / np.arange(1, len(order) + 1)
    result[order] = np.minimum(1, np.minimum.accumulate(raised[::-1])[::-1])
    return result


def season_of(panel: Panel) -> Season:
    """Measure the season beyond chance.

    Strength is the seasonal's variance over itself plus what is left, sampling noise taken off.
    Significance comes from the power at one and two cycles a year: under noise it is a sum of unit
    exponentials. Needs two years; 0 and false before that.
    """
    series, periods = panel.totals.shape
    if periods < 2 * panel.season:
        return Season(np.zeros(series), np.zeros(series, dtype=bool))
    logits, trust = logit(panel.shares), panel.trust
    seasonal = seasonal_component(logits, trust, season=panel.season)
    level = _expected(panel, seasonal=False)
    fitted = logit(level) + seasonal[:, np.arange(periods) % panel.season]
    weight = np.maximum(trust.sum(1), _TINY)
    left = (trust * (logits - fitted) ** 2).sum(1) / weight
    information = np.maximum(panel.totals * level * (1 - level), 0.5)
    chance = (trust / information).sum(1) / weight
    power = seasonal.var(1)
    strength = power / np.maximum(power + np.maximum(left - chance, 0.0), _TINY)
    p_values = _season_p_values(panel, level)
    return Season(strength, benjamini_hochberg(p_values) <= SEASON_LEVEL)


def find_flashes(panel: Panel) -> Flash:
    """Find short peaks that have passed.

    A window of up to 12 weeks whose share is far above both sides (a scan, Bonferroni over places),
    by half at least, and above the same weeks of every other year that was seen.
    """
    series, periods = panel.totals.shape
    start, length = np.zeros(series, dtype=np.int64), np.zeros(series, dtype=np.int64)
    best = np.full(series, -np.inf)
    longest = round(FLASH_WEEKS * panel.season / _WEEKS)
    if panel.season < _MONTHS or periods < panel.season:
        return Flash(start, length)
    scatter = dispersion(panel)
    limit = _z_for(FLASH_LEVEL / (2 * periods))
    for width in range(1, longest + 1):
        z = _flash_scores(panel, scatter, width)
        place = z.argmax(1)
        top = z[np.arange(series), place]
        better = (top > limit) & (top > best)
        start[better], length[better], best[better] = place[better], width, top[better]
    return Flash(start, length)


def classify(
    panel: Panel,
    change: Change,
    season: Season,
    flash: Flash,
    *,
    false_discovery_rate: float,
    minimum_change: float,
) -> list[TrendClass]:
    """Return the class of each series; a trend comes before a flash, that before a season."""
    called = significant(
        change, false_discovery_rate=false_discovery_rate, minimum_change=minimum_change
    )
    result: list[TrendClass] = []
    for row in range(len(panel.names)):
        if not change.testable[row]:
            result.append("insufficient")
        elif called[row] and change.still[row]:
            result.append("rising" if change.ratio[row] > 1 else "declining")
        elif flash.length[row]:
            result.append("flash")
        elif season.significant[row] and season.strength[row] > STRONG_SEASON:
            result.append("seasonal")
        else:
            result.append("stable")
    return result


def significant(change: Change, *, false_discovery_rate: float, minimum_change: float) -> Bools:
    """Return which changes are more than chance and large enough to matter, [s]."""
    with np.errstate(invalid="ignore"):
        large = np.abs(change.ratio - 1) >= minimum_change
        return np.asarray((change.q_values <= false_discovery_rate) & large)


def flash_mask(panel: Panel, flash: Flash) -> Bools:
    """Return the periods of each flash and one on either side, [s, t]."""
    places = np.arange(panel.totals.shape[1])[None, :]
    first, last = flash.start[:, None] - 1, (flash.start + flash.length)[:, None]
    return np.asarray((places >= first) & (places <= last) & (flash.length > 0)[:, None])


def _goes_on(sign: Floats, ratio: Floats, near: _Window, year: _Window) -> Bools:
    """Return where the last year kept at least half of the pace, as far as can be told, [s]."""
    pace = sign * (np.log(year.ratio) - np.log(ratio) / 2)
    with np.errstate(invalid="ignore"):
        lately = ~(sign * near.z <= -1)
        return np.asarray(lately & ~(pace <= -year.error))


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


def _expected(panel: Panel, *, seasonal: bool = True) -> Floats:
    """Return a smooth expectation of the shares, [s, t]: moving level, and the seasonal."""
    logits, trust = logit(panel.shares), panel.trust
    periods = logits.shape[1]
    pattern = np.zeros_like(logits)
    if periods >= 2 * panel.season:
        component = seasonal_component(logits, trust, season=panel.season)
        pattern = component[:, np.arange(periods) % panel.season]
    width = max(_LEVEL_PERIODS, panel.season)  # shorter would follow the noise it must measure
    total = np.maximum(_centred(panel.totals, width), _TINY)
    wanted = logit(_centred(panel.effective, width) / total)
    level = wanted
    for _ in range(2 if seasonal else 0):  # so that sums over a season agree with the counts
        sums = _centred(panel.totals * expit(level + pattern), width)
        level = level + wanted - logit(sums / total)
    return expit(level + pattern) if seasonal else expit(level)


def _centred(values: Floats, width: int) -> Floats:
    """Return sums over a centred window, cut off at the ends, [s, t]."""
    periods = values.shape[1]
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    first = np.maximum(np.arange(periods) - width // 2, 0)
    last = np.minimum(np.arange(periods) + width // 2 + 1, periods)
    return np.asarray(sums[:, last] - sums[:, first], dtype=np.float64)


def _pearson(panel: Panel, expected: Floats) -> tuple[Floats, Bools]:
    """Return standardised residuals [s, t], 0 in a gap, and where there is no gap."""
    seen = panel.totals > 0
    spread = np.sqrt(np.maximum(panel.totals * expected * (1 - expected), _TINY))
    residuals = np.where(seen, (panel.effective - panel.totals * expected) / spread, 0.0)
    return residuals, seen


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


def _season_p_values(panel: Panel, level: Floats) -> Floats:
    """Return p-values of one and two cycles a year, [s]."""
    residuals, seen = _pearson(panel, level)
    cycles = (1, 2) if panel.season >= _MONTHS else (1,)
    places = np.arange(residuals.shape[1])
    waves = [np.exp(2j * np.pi * cycle * places / panel.season) for cycle in cycles]
    count = np.maximum(seen.sum(1), 1)
    powers = [np.abs(residuals @ wave) ** 2 / count for wave in waves]
    together = np.sum(powers, axis=0)
    noise = (residuals**2).sum(1) - 2 * together  # each cycle fits two numbers
    x = together / np.maximum(noise / np.maximum(count - 2 * len(cycles), 1), 1.0)
    tail = np.exp(-x) * (1 + x if len(cycles) > 1 else 1)
    return np.asarray(np.minimum(tail, 1.0), dtype=np.float64)


def _flash_scores(panel: Panel, scatter: Floats, width: int) -> Floats:
    """Return how clearly each window of ``width`` stands out from both sides, [s, t]; -inf if not.

    The lesser of the z against the side before and the side after.
    """
    ring = max(panel.season // 6, 2 * width)
    buffer = 1 + width // 2
    inside = _sums(panel, 0, width)
    before = _sums(panel, -buffer - ring, ring)
    after = _sums(panel, width + buffer, ring)
    z = np.minimum(_contrast(inside, before, scatter), _contrast(inside, after, scatter))
    fresh = np.zeros_like(z, dtype=bool)
    repeated = np.zeros_like(z, dtype=bool)
    for years in range(-10, 11):
        if years and abs(years) * panel.season < z.shape[1]:
            # One period of room on either side: seasons do not keep to the day.
            other = _sums(panel, years * panel.season - 1, width + 2)
            known = other[1] > 0
            fresh |= known
            repeated |= known & (_contrast(inside, other, scatter) < REPEAT_Z)
    sides = (before[1] > 0) & (after[1] > 0) & (inside[1] > 0)
    return np.where(sides & fresh & ~repeated, z, -np.inf)


def _sums(panel: Panel, offset: int, width: int) -> tuple[Floats, Floats]:
    """Return effective and total garments of windows at ``t + offset``, [s, t]; 0 outside."""
    periods = panel.totals.shape[1]
    first = np.clip(np.arange(periods) + offset, 0, periods)
    last = np.clip(np.arange(periods) + offset + width, 0, periods)
    pair = []
    for values in (panel.effective, panel.totals):
        sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
        pair.append(np.maximum(sums[:, last] - sums[:, first], 0.0))
    return pair[0], pair[1]


def _contrast(one: tuple[Floats, Floats], other: tuple[Floats, Floats], scatter: Floats) -> Floats:
    """Return z of the first share above the second, [s, t]; -inf where not above by half.

    On the log scale, where noise that multiplies is not taken for a peak.
    """
    share_one = (one[0] + 0.5) / (one[1] + 1)
    share_other = (other[0] + 0.5) / (other[1] + 1)
    pooled = (one[0] + other[0] + 0.5) / (one[1] + other[1] + 1)
    inverse = 1 / np.maximum(one[1], _TINY) + 1 / np.maximum(other[1], _TINY)
    lift = np.log(share_one / share_other)
    z = lift / np.sqrt(scatter[:, None] * np.maximum(1 - pooled, _TINY) / pooled * inverse)
    return np.where(lift >= math.log(FLASH_LIFT), z, -np.inf)


def _two_sided(z: Floats) -> Floats:
    finite = np.where(np.isfinite(z), np.abs(z), 0.0)
    return np.array([math.erfc(value / math.sqrt(2)) for value in finite])


def _z_for(level: float) -> float:
    """Return the z that noise exceeds with probability ``level`` (one-sided), by bisection."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        above = 0.5 * math.erfc(middle / math.sqrt(2)) > level
        low, high = (middle, high) if above else (low, middle)
    return high

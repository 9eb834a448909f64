"""What a series does: seasons, flashes, and the class of each series."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.schemas.trends import TrendClass
from worker.trends.arrays import Bools, Floats, Ints, logit
from worker.trends.chance import benjamini_hochberg
from worker.trends.changes import Change, significant
from worker.trends.scatter import dispersion, expected, pearson
from worker.trends.seasonal import seasonal_component
from worker.trends.series import Panel

STRONG_SEASON: Final = 0.6
SEASON_LEVEL: Final = 0.01
FLASH_LEVEL: Final = 0.01
FLASH_LIFT: Final = 1.5
FLASH_WEEKS: Final = 12  # up to 8 weeks from the height to half of it, and a quicker rise
REPEAT_Z: Final = 2.0
_TINY: Final = 1e-9
_MONTHS: Final = 12
_WEEKS: Final = 52


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
    seasonal = seasonal_component(logits, trust, season=panel.season, noise_taken_off=1.0)
    level = expected(panel, seasonal=False)
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


def flash_mask(panel: Panel, flash: Flash) -> Bools:
    """Return the periods of each flash and one on either side, [s, t]."""
    places = np.arange(panel.totals.shape[1])[None, :]
    first, last = flash.start[:, None] - 1, (flash.start + flash.length)[:, None]
    return np.asarray((places >= first) & (places <= last) & (flash.length > 0)[:, None])


def _season_p_values(panel: Panel, level: Floats) -> Floats:
    """Return p-values of one and two cycles a year, [s]."""
    residuals, seen = pearson(panel, level)
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


def _z_for(level: float) -> float:
    """Return the z that noise exceeds with probability ``level`` (one-sided), by bisection."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        above = 0.5 * math.erfc(middle / math.sqrt(2)) > level
        low, high = (middle, high) if above else (low, middle)
    return high

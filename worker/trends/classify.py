"""What a series does: seasons, flashes, and the class of each series."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.schemas.trends import TrendClass
from worker.trends.arrays import Bools, Floats, Ints, blocks, logit
from worker.trends.chance import benjamini_hochberg
from worker.trends.changes import Change, significant
from worker.trends.scatter import dispersion, expected, pearson
from worker.trends.seasonal import over_seasons, seasonal_component
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
    fitted = logit(level) + over_seasons(seasonal, periods)
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
    longest = round(FLASH_WEEKS * panel.season / _WEEKS)
    if panel.season < _MONTHS or periods < panel.season:
        return Flash(start, length)
    limit = _z_for(FLASH_LEVEL / (2 * periods))
    scatter = dispersion(panel)
    for rows in blocks(panel.totals):
        scan = _Scan(
            panel.effective[rows], panel.totals[rows], scatter[rows], panel.season, longest
        )
        start[rows], length[rows] = _clearest(scan, longest, limit)
    return Flash(start, length)


def _clearest(scan: "_Scan", longest: int, limit: float) -> tuple[Ints, Ints]:
    """Return start and length of the window that stands out most, 0 where none does, [s] each."""
    series = np.arange(len(scan.scatter))
    start, length = np.zeros((2, len(series)), dtype=np.int64)
    best = np.full(len(series), -np.inf)
    for width in range(1, longest + 1):
        z = _flash_scores(scan, width, limit)
        place = z.argmax(1)
        top = z[series, place]
        better = top > best
        start[better], length[better], best[better] = place[better], width, top[better]
    return start, length


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


class _Scan:
    """Sums of any windows of some series, from sums that were run up once."""

    def __init__(
        self, effective: Floats, totals: Floats, scatter: Floats, season: int, longest: int
    ) -> None:
        self.season, self.periods, self.scatter = season, totals.shape[1], scatter
        self._room = _ring(season, longest) + 2 * longest + 2
        self._running = [_run_up(one, self._room) for one in (effective, totals)]

    def windows(self, offset: int, width: int) -> tuple[Floats, Floats]:
        """Return effective and total garments of windows at ``t + offset``, [s, t]; 0 outside."""
        first = self._room + offset
        last = first + width
        effective, totals = (
            np.maximum(one[:, last : last + self.periods] - one[:, first : first + self.periods], 0)
            for one in self._running
        )
        return effective, totals

    def at(self, rows: Ints, first: Ints, width: int) -> tuple[Floats, Floats]:
        """Return the same of the windows that start at these periods of these rows, [n]."""
        last = self._room + np.clip(first + width, 0, self.periods)
        first = self._room + np.clip(first, 0, self.periods)
        effective, totals = (
            np.maximum(one[rows, last] - one[rows, first], 0) for one in self._running
        )
        return effective, totals


def _run_up(values: Floats, room: int) -> Floats:
    """Return running sums [s, t + 1], with room on both sides, where nothing is added."""
    running = np.zeros((len(values), values.shape[1] + 1 + 2 * room))
    np.cumsum(values, axis=1, out=running[:, room + 1 : room + 1 + values.shape[1]])
    running[:, room + 1 + values.shape[1] :] = running[:, [room + values.shape[1]]]
    return running


def _ring(season: int, width: int) -> int:
    """Return how many periods on either side a window is held against."""
    return max(season // 6, 2 * width)


def _flash_scores(scan: _Scan, width: int, limit: float) -> Floats:
    """Return how clearly each window of ``width`` stands out from both sides, [s, t]; -inf if not.

    The lesser of the z against the side before and the side after. Few windows are half above
    both sides, and hardly any by more than chance: only those are held against other years.
    """
    ring, buffer = _ring(scan.season, width), 1 + width // 2
    sides = [scan.windows(offset, ring) for offset in (-buffer - ring, width + buffer)]
    inside = scan.windows(0, width)
    share = _share(*inside)
    above = inside[1] > 0
    for side in sides:
        # A little below the limit, so that rounding leaves the verdict to the test itself.
        above &= (side[1] > 0) & (share >= (1 - _TINY) * FLASH_LIFT * _share(*side))
    rows, places = np.nonzero(above)
    own = (inside[0][above], inside[1][above])
    z = np.minimum(
        *(_contrast(own, (side[0][above], side[1][above]), scan.scatter[rows]) for side in sides)
    )
    clear = z > limit
    rows, places, z, own = rows[clear], places[clear], z[clear], (own[0][clear], own[1][clear])
    alone = _comes_once(scan, rows, places, own, width)
    scores = np.full(above.shape, -np.inf)
    scores[rows[alone], places[alone]] = z[alone]
    return scores


def _comes_once(
    scan: _Scan, rows: Ints, places: Ints, inside: tuple[Floats, Floats], width: int
) -> Bools:
    """Return which windows stand above the same weeks of every other year that was seen, [n]."""
    fresh = np.zeros(len(rows), dtype=bool)
    repeated = np.zeros(len(rows), dtype=bool)
    for years in range(-10, 11):
        if years and abs(years) * scan.season < scan.periods:
            # One period of room on either side: seasons do not keep to the day.
            other = scan.at(rows, places + years * scan.season - 1, width + 2)
            known = other[1] > 0
            fresh |= known
            repeated |= known & (_contrast(inside, other, scan.scatter[rows]) < REPEAT_Z)
    return fresh & ~repeated


def _share(effective: Floats, totals: Floats) -> Floats:
    return (effective + 0.5) / (totals + 1)


def _contrast(one: tuple[Floats, Floats], other: tuple[Floats, Floats], scatter: Floats) -> Floats:
    """Return z of the first share above the second, [n]; -inf where not above by half.

    On the log scale, where noise that multiplies is not taken for a peak.
    """
    pooled = (one[0] + other[0] + 0.5) / (one[1] + other[1] + 1)
    inverse = 1 / np.maximum(one[1], _TINY) + 1 / np.maximum(other[1], _TINY)
    lift = np.log(_share(*one) / _share(*other))
    z = lift / np.sqrt(scatter * np.maximum(1 - pooled, _TINY) / pooled * inverse)
    return np.where(lift >= math.log(FLASH_LIFT), z, -np.inf)


def _z_for(level: float) -> float:
    """Return the z that noise exceeds with probability ``level`` (one-sided), by bisection."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        above = 0.5 * math.erfc(middle / math.sqrt(2)) > level
        low, high = (middle, high) if above else (low, middle)
    return high

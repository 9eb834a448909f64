"""Turning points: from when on a series ran otherwise than it had been heading."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.trends.arrays import Bools, Floats, Ints, logit
from worker.trends.forecast import SEASONS_FOR_LITE
from worker.trends.scatter import dispersion
from worker.trends.seasonal import over_seasons, seasonal_component
from worker.trends.series import Panel

PENALTY: Final = 3.0
"""Times the log of the number of blocks, for each turning point: BIC, for a place, a level and a
slope. Errors are in standard deviations of the over-dispersed counts, so nothing is estimated from
the fit itself. On flat noise fewer than one series in twenty gets a turning point."""
BLOCKS_A_YEAR: Final = 13
SHORTEST_YEARS: Final = 0.25  # between two turning points
LEAST_MOVE: Final = 0.05  # a smaller one is not worth a word
_MONTHS: Final = 12
_TINY: Final = 1e-9


@dataclass(frozen=True)
class Turn:
    """A turning point: the first period after it, and where the series went instead."""

    place: int
    upward: bool


def turning_points(panel: Panel, *, excluded: Bools | None = None) -> list[tuple[Turn, ...]]:
    """Find the turning points of each series.

    The deseasonalised level on the logit scale, in blocks of four weeks, is cut into straight lines
    by optimal partitioning (Jackson et al. 2005) at the cost ``PENALTY * log(blocks)`` a cut. A cut
    is upward where the half year after it lies above the line before it carried on.

    Args:
        panel: the series; two years or more, in weeks or months, else none has a turning point.
        excluded: periods that are not to count, [s, t]: a flash is no turn.

    Returns:
        By series, in order of time.
    """
    series, periods = panel.totals.shape
    if panel.season < _MONTHS or periods < SEASONS_FOR_LITE * panel.season:
        return [()] * series
    width = max(1, panel.season // BLOCKS_A_YEAR)
    values, information = _blocks(panel, excluded, width)
    shortest = max(3, math.ceil(SHORTEST_YEARS * panel.season / width))
    sums = _Sums.of(values, information)
    cuts = _partition(sums, shortest, PENALTY * math.log(values.shape[1]))
    offset = periods - values.shape[1] * width
    half_year = max(1, panel.season // (2 * width))
    return [
        tuple(_turns(sums, row, found, half_year, offset, width)) for row, found in enumerate(cuts)
    ]


def lasting_steps(panel: Panel, *, years: int, excluded: Bools | None = None) -> Ints:
    """Return where one step explains the last years better than a straight line, -1 if none, [s].

    Better by the log of the number of blocks, which is what a place costs (BIC). What stepped up
    and stayed there had risen, and does not rise.

    Args:
        panel: the series.
        years: to look at, the last ones.
        excluded: as in `turning_points`.
    """
    series, periods = panel.totals.shape
    found = np.full(series, -1)
    if panel.season < _MONTHS or periods < SEASONS_FOR_LITE * panel.season:
        return found
    width = max(1, panel.season // BLOCKS_A_YEAR)
    values, information = _blocks(panel, excluded, width)
    number = min(values.shape[1], years * panel.season // width)
    sums = _Sums.of(values[:, -number:], information[:, -number:])
    line = sums.lines(np.array([0]), number)[2][:, 0]
    shortest = max(1, number // (4 * years))
    cuts = np.arange(shortest, number - shortest + 1)
    step = np.stack([sums.level(0, cut) + sums.level(cut, number) for cut in cuts.tolist()], axis=1)
    better = step.min(1) + math.log(number) < line
    found[better] = periods - (number - cuts[step.argmin(1)][better]) * width
    return found


@dataclass(frozen=True)
class _Sums:
    """Running sums over blocks of w, wx, wy, wxx, wxy, wyy, [6, s, b + 1]."""

    running: Floats

    @classmethod
    def of(cls, values: Floats, weights: Floats) -> "_Sums":
        x = np.arange(values.shape[1], dtype=np.float64)
        columns = [weights, weights * x, weights * values]
        columns += [weights * x * x, weights * x * values, weights * values * values]
        padded = np.zeros((6, len(values), values.shape[1] + 1))
        padded[:, :, 1:] = np.cumsum(np.stack(columns), axis=2)
        return cls(padded)

    def lines(self, first: Ints, last: int) -> tuple[Floats, Floats, Floats]:
        """Return height at block 0, slope and cost left over, of lines through first..last-1."""
        w, wx, wy, wxx, wxy, wyy = self.running[:, :, [last]] - self.running[:, :, first]
        total = np.maximum(w, _TINY)
        across = np.maximum(wxx - wx**2 / total, _TINY)
        together = wxy - wx * wy / total
        slope = together / across
        cost = np.maximum(wyy - wy**2 / total - together * slope, 0.0)
        return wy / total - slope * wx / total, slope, cost

    def level(self, first: int, last: int) -> Floats:
        """Return the cost left over by one level for the blocks first..last-1, [s]."""
        w, _, wy, _, _, wyy = self.running[:, :, last] - self.running[:, :, first]
        cost = wyy - wy**2 / np.maximum(w, _TINY)
        return np.asarray(np.maximum(cost, 0.0), dtype=np.float64)


def _blocks(panel: Panel, excluded: Bools | None, width: int) -> tuple[Floats, Floats]:
    """Return levels of blocks up to the last period, and one over their variance, [s, b]."""
    series, periods = panel.totals.shape
    shares, trust = panel.shares, panel.trust
    if excluded is not None:
        trust = trust * ~excluded
    logits = logit(shares)
    seasonal = seasonal_component(logits, trust, season=panel.season, noise_taken_off=1.0)
    rest = logits - over_seasons(seasonal, periods)
    usual = (shares * trust).sum(1) / np.maximum(trust.sum(1), _TINY)
    known = panel.totals * (trust > 0) * (usual * (1 - usual) / dispersion(panel))[:, None]
    number = periods // width
    tail = slice(periods - number * width, periods)
    shape = (series, number, width)
    information = known[:, tail].reshape(shape).sum(2)
    moved = (rest * known)[:, tail].reshape(shape).sum(2)
    return moved / np.maximum(information, _TINY), information


def _partition(sums: _Sums, shortest: int, penalty: float) -> list[list[int]]:
    """Return by series the first blocks of all pieces but the first."""
    series, ends = sums.running.shape[1:]
    best = np.full((series, ends), np.inf)
    best[:, 0] = -penalty
    before = np.zeros((series, ends), dtype=np.int64)
    for end in range(shortest, ends):
        first = np.arange(end - shortest + 1)
        total = best[:, first] + sums.lines(first, end)[2] + penalty
        before[:, end] = total.argmin(1)
        best[:, end] = total.min(1)
    found = []
    for row in range(series):
        cuts, place = [], int(before[row, -1])
        while place > 0:
            cuts.append(place)
            place = int(before[row, place])
        found.append(cuts[::-1])
    return found


def _turns(
    sums: _Sums, row: int, cuts: list[int], half_year: int, offset: int, width: int
) -> list[Turn]:
    """Return which cuts of one series matter, and where it went."""
    own = _Sums(sums.running[:, row : row + 1])
    edges = [0, *cuts, own.running.shape[2] - 1]
    turns = []
    for start, cut, end in zip(edges, edges[1:], edges[2:], strict=False):
        old, old_slope, _ = (float(part[0, 0]) for part in own.lines(np.array([start]), cut))
        new, new_slope, _ = (float(part[0, 0]) for part in own.lines(np.array([cut]), end))
        middle = cut + min(half_year, end - cut) / 2
        gap = (new + new_slope * middle) - (old + old_slope * middle)
        if abs(gap) >= math.log1p(LEAST_MOVE):
            turns.append(Turn(offset + cut * width, gap > 0))
    return turns

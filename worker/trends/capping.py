"""Caps: how much one account or one source may weigh in a period.

An account that posts ten times a day is one voice, not three hundred; and when one source sends ten
times as much as the others, its own taste would be the trend. So both are held to a part of each
period. The cap only lowers weights; the Kish number of effective garments then says what is left.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.trends.arrays import Floats, Ints, distinct, summed
from worker.trends.observations import UNKNOWN, Codes

LEAST_KEPT: Final = 0.5
"""Part of a period's effective garments that a cap on sources leaves. A hundred posts beside ten
thousand would else throw away nearly all that is known, and let the period swing with them."""

_HALVINGS: Final = 30


@dataclass(frozen=True)
class Capped:
    """Factors that hold groups to a part of each period.

    Attributes:
        factors: 0..1 by which each row's weight is multiplied, [n].
        periods: for each group, in how many periods it was held down, [g].
    """

    factors: Floats
    periods: Ints


@dataclass(frozen=True)
class _Cells:
    """What each group brings to each period where it was seen, by period and falling mass."""

    places: Ints
    groups: Ints
    mass: Floats
    squares: Floats
    rows: Ints  # cell of each known row


def cap(  # noqa: PLR0913 - each stands for itself
    groups: Codes,
    places: Ints,
    counts: Floats,
    weights: Floats,
    *,
    size: int,
    periods: int,
    limit: float,
    least_kept: float = 0.0,
) -> Capped:
    """Hold each group to a part of each period's weight.

    The part is ``limit``, but never less than twice an equal part of those that are there: two
    sources may weigh two to one, a lone one stands as it is. Rows of no group count as a voice
    each and are not held.

    Args:
        groups: account or source of each row, -1 where not known, [n].
        places: period of each row, 0..periods-1, [n].
        counts: garments that each row stands for, [n].
        weights: of each of them, [n].
        size: number of groups.
        periods: number of periods.
        limit: largest part, above 0 to 1; 1 caps nothing.
        least_kept: part of a period's effective garments that must be left, 0..1.
    """
    known = groups != UNKNOWN
    untouched = Capped(np.ones(len(groups)), np.zeros(size, dtype=np.int64))
    if limit >= 1 or size == 0 or not known.any():
        return untouched
    mass = counts * weights
    cells = _cells(
        groups[known], places[known], mass[known], (mass * weights)[known], (size, periods)
    )
    free = summed(places[~known], mass[~known], periods)
    free_squares = summed(places[~known], (mass * weights)[~known], periods)
    free_rows = np.bincount(places[~known], minlength=periods)
    starts = np.searchsorted(cells.places, np.arange(periods + 1))
    scale = np.ones(len(cells.mass))
    for period in range(periods):
        part = slice(starts[period], starts[period + 1])
        voices = part.stop - part.start + int(free_rows[period])
        if part.stop == part.start or voices == 1:
            continue
        most = max(limit, 2 / (voices + 1))
        held = _held(cells.mass[part], float(free[period]), most)
        if least_kept > 0 and np.any(held < 1):
            held = _relaxed(
                cells.mass[part], cells.squares[part], held,
                free=float(free[period]), free_squares=float(free_squares[period]),
                least_kept=least_kept,
            )  # fmt: skip
        scale[part] = held
    factors = np.ones(len(groups))
    factors[known] = scale[cells.rows]
    return Capped(factors, np.bincount(cells.groups[scale < 1], minlength=size))


def _cells(
    groups: Codes, places: Ints, mass: Floats, squares: Floats, shape: tuple[int, int]
) -> _Cells:
    size, periods = shape
    keys, rows = distinct(places * size + groups, size * periods)
    sums = summed(rows, mass, len(keys))
    order = np.lexsort((-sums, keys // size))
    moved = np.empty(len(keys), dtype=np.int64)
    moved[order] = np.arange(len(keys))
    return _Cells(
        places=(keys // size)[order],
        groups=(keys % size)[order],
        mass=sums[order],
        squares=summed(rows, squares, len(keys))[order],
        rows=moved[rows],
    )


def _held(mass: Floats, free: float, most: float) -> Floats:
    """Return the factors of one period's groups, the heaviest first, [g].

    The k heaviest are held so that each is exactly ``most`` of all that is left: with the others'
    sum R that is ``most * R / (1 - k * most)``. The right k is the least for which the next one is
    not above it.
    """
    rest = free + np.append(mass[::-1].cumsum()[::-1], 0.0)
    number = np.arange(len(mass) + 1)
    room = 1 - number * most
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(room > 0, most * rest / room, np.inf)
    first = int(np.argmax(np.append(mass, 0.0) <= level * (1 + 1e-9)))
    factors = np.ones(len(mass))
    factors[:first] = level[first] / mass[:first]
    return factors


def _relaxed(
    mass: Floats,
    squares: Floats,
    held: Floats,
    *,
    free: float,
    free_squares: float,
    least_kept: float,
) -> Floats:
    """Return factors between ``held`` and 1 that keep enough effective garments (Kish 1965)."""

    def effective(factors: Floats) -> float:
        total = free + float((factors * mass).sum())
        spread = free_squares + float((factors**2 * squares).sum())
        return total**2 / spread if spread > 0 else 0.0

    wanted = least_kept * effective(np.ones(len(mass)))
    if effective(held) >= wanted:
        return held
    low, high = 0.0, 1.0  # 0 is `held`, 1 is no cap
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if effective(held ** (1 - middle)) >= wanted:
            high = middle
        else:
            low = middle
    return np.asarray(held ** (1 - high))

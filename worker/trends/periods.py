"""Periods: weeks, months and quarters, and which of them suits the data."""

from typing import Final

import numpy as np

from shared.schemas.trends import Period, TrendOptions
from worker.trends.arrays import Dates, Floats, Ints
from worker.trends.observations import Codes

SEASONS: Final[dict[Period, int]] = {"week": 52, "month": 12, "quarter": 4}
DENSE_WEEKS: Final = 26
FEW_MONTHS: Final = 6
EMPTY_WEEKS: Final = 0.1
EMPTY_MONTHS: Final = 0.4
_LENGTHS: Final[tuple[Period, ...]] = ("week", "month", "quarter")
_MATTERS: Final = 0.05  # part of all garments
_LEAST_DAYS: Final = 4
_MONTHLY_DAYS: Final = 27  # usual days from one day of a source to its next: February has 28
_QUARTERLY_DAYS: Final = 85
_MONDAY: Final = 3  # 1970-01-01 was a Thursday
_MONTHS_A_QUARTER: Final = 3
_DAYS_A_WEEK: Final = 7


def choose_period(
    days: Dates, counts: Floats, options: TrendOptions, *, sources: Codes | None = None
) -> Period:
    """Return the length of a step: as asked, else the shortest that the data can fill.

    Weeks where the usual week has enough garments and few are empty; quarters where most months are
    empty, as with garments dated by season; else months. Never a step shorter than one of the
    sources counts by: a month's counts are no event of the week that its first day falls in.

    Args:
        days: of each row, [n].
        counts: garments that each row stands for, [n].
        options: what was asked for.
        sources: code of each row's source, -1 where not known, [n].
    """
    if options.period != "auto":
        return options.period
    own = _densest(days, counts, options)
    return own if sources is None else max(own, _told_by(days, counts, sources), key=_LENGTHS.index)


def _densest(days: Dates, counts: Floats, options: TrendOptions) -> Period:
    weekly = _per_step(period_numbers(days, "week"), counts)
    dense = float(np.median(weekly)) >= options.minimum_per_period
    if len(weekly) >= DENSE_WEEKS and dense and np.mean(weekly == 0) <= EMPTY_WEEKS:
        return "week"
    monthly = _per_step(period_numbers(days, "month"), counts)
    if len(monthly) < FEW_MONTHS:
        return "week"
    return "quarter" if np.mean(monthly == 0) > EMPTY_MONTHS else "month"


def _told_by(days: Dates, counts: Floats, sources: Codes) -> Period:
    """Return the longest step by which a source counts, of those that matter."""
    codes = sources.astype(np.int64) + 1
    numbers = days.view(np.int64) - int(days.view(np.int64).min())
    mass = np.bincount(codes, counts)
    longest: Period = "week"
    for code in np.flatnonzero(mass >= _MATTERS * mass.sum()):
        places = np.flatnonzero(np.bincount(numbers[codes == code]))
        if len(places) < _LEAST_DAYS:
            continue
        gap = float(np.median(np.diff(places)))
        told: Period = "week"
        if gap >= _MONTHLY_DAYS:
            told = "quarter" if gap >= _QUARTERLY_DAYS else "month"
        longest = max(longest, told, key=_LENGTHS.index)
    return longest


def period_numbers(days: Dates, period: Period) -> Ints:
    """Return the number of the period that each day falls in, counted from 1970."""
    if period == "week":
        return np.asarray((days.astype(np.int64) + _MONDAY) // _DAYS_A_WEEK, dtype=np.int64)
    months = days.astype("datetime64[M]").astype(np.int64)
    return np.asarray(months if period == "month" else months // _MONTHS_A_QUARTER, dtype=np.int64)


def period_starts(numbers: Ints, period: Period) -> Dates:
    """Return the first day of each numbered period; the inverse of `period_numbers`."""
    if period == "week":
        return np.asarray((numbers * _DAYS_A_WEEK - _MONDAY).astype("datetime64[D]"))
    months = numbers if period == "month" else numbers * _MONTHS_A_QUARTER
    return np.asarray(months.astype("datetime64[M]").astype("datetime64[D]"))


def following(starts: Dates, horizon: int, period: Period) -> Dates:
    """Return the first days of the periods that come after."""
    last = int(period_numbers(starts[-1:], period)[0])
    return period_starts(np.arange(last + 1, last + 1 + horizon), period)


def _per_step(steps: Ints, counts: Floats) -> Floats:
    return np.bincount(steps - steps.min(), weights=counts).astype(np.float64)

"""The rows that a report counts: dated, not strays, in periods, and with no voice too loud."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np

from shared.errors import TooLittleDataError
from shared.schemas.trends import Period, TrendOptions
from worker.trends.arrays import Bools, Dates, Floats, Ints
from worker.trends.capping import LEAST_KEPT, Capped, cap
from worker.trends.observations import Codes, Observations
from worker.trends.periods import SEASONS, choose_period, period_numbers, period_starts

LONGEST_YEARS: Final = 10  # older fashion says nothing about the next season
STRAYS: Final = 0.05
LEAST_GARMENTS: Final = 50
LEAST_PERIODS: Final = 4


@dataclass(frozen=True)
class Inside:
    """The rows inside a report, by period.

    Attributes:
        period: length of a step.
        starts: first day of each period, [t].
        where: row numbers in the observations, [n].
        places: period of each row, 0..t-1, [n].
        counts: garments that each row stands for, [n].
        weights: of each of those, as given, [n].
        factors: 0..1, what the caps leave of each weight, [n].
        capped_sources: periods in which each source was held down, [sources].
        capped_accounts: how many accounts were held down in some period.
        notes: what was left out and why, in plain words.
    """

    period: Period
    starts: Dates
    where: Ints
    places: Ints
    counts: Floats
    weights: Floats
    factors: Floats
    capped_sources: Ints
    capped_accounts: int
    notes: tuple[str, ...] = ()

    @property
    def periods(self) -> int:
        """How many periods there are."""
        return len(self.starts)

    @cached_property
    def mass(self) -> Floats:
        """What each row brings to a capped sum, [n]."""
        return self.counts * self.weights * self.factors

    @cached_property
    def squares(self) -> Floats:
        """What each row brings to the sum of squared weights of Kish (1965), [n]."""
        return self.counts * (self.weights * self.factors) ** 2

    @cached_property
    def plain(self) -> Floats:
        """What each row would bring without any cap, [n]."""
        return self.counts * self.weights


def look_inside(observations: Observations, options: TrendOptions, *, today: date) -> Inside:
    """Choose the rows and the period, and hold down accounts and sources.

    Raises:
        TooLittleDataError: too few dated garments or periods.
    """
    usable = observations.dated & (observations.dates <= np.datetime64(today, "D"))
    days = observations.dates[usable]
    counts = observations.multiplicity[usable]
    _require(float(counts.sum()))
    sources = None if observations.sources is None else observations.sources[usable]
    period = choose_period(days, counts, options, sources=sources)
    steps = period_numbers(days, period)
    first = _first_step(steps, counts, SEASONS[period])
    inside = steps >= first
    number = int(steps.max()) - first + 1
    notes = _notes(observations, usable, inside)
    where = np.flatnonzero(usable)[inside]
    places = steps[inside] - first
    _require_periods(places, counts[inside], period)
    starts = period_starts(np.arange(first, first + number), period)
    return _weighed(observations, options, period, starts, where, places, tuple(notes))


def inside_of(
    observations: Observations, options: TrendOptions, period: Period, starts: Dates
) -> Inside:
    """Return the rows that fall into the given periods, as `look_inside` would give them."""
    steps = period_numbers(observations.dates, period)
    first, last = period_numbers(starts[[0, -1]], period).tolist()
    where = np.flatnonzero(observations.dated & (steps >= first) & (steps <= last))
    return _weighed(observations, options, period, starts, where, steps[where] - first, ())


def _weighed(
    observations: Observations,
    options: TrendOptions,
    period: Period,
    starts: Dates,
    where: Ints,
    places: Ints,
    notes: tuple[str, ...],
) -> Inside:
    """Cap accounts first, then sources: an account's flood is not its source's fault."""
    counts, weights = observations.multiplicity[where], observations.weights[where]

    def capped(
        codes: Codes | None, size: int, limit: float, factors: Floats, least_kept: float
    ) -> Capped:
        if codes is None:
            return Capped(factors, np.zeros(size, dtype=np.int64))
        found = cap(
            codes[where], places, counts, weights * factors,
            size=size, periods=len(starts), limit=limit, least_kept=least_kept,
        )  # fmt: skip
        return Capped(factors * found.factors, found.periods)

    whole = np.ones(len(where))
    accounts = capped(
        observations.accounts, len(observations.account_names), options.account_cap, whole, 0.0
    )
    sources = capped(
        observations.sources, len(observations.source_names), options.source_cap,
        accounts.factors, LEAST_KEPT,
    )  # fmt: skip
    return Inside(
        period=period,
        starts=starts,
        where=where,
        places=places,
        counts=counts,
        weights=weights,
        factors=sources.factors,
        capped_sources=sources.periods,
        capped_accounts=int((accounts.periods > 0).sum()),
        notes=notes,
    )


def _first_step(steps: Ints, counts: Floats, season: int) -> int:
    """Return where the history starts: ten years back, and after stray early garments.

    Strays stand before a gap of more than a year and are at most one in twenty.
    """
    seen = np.unique(steps)
    start = int(seen[0])
    for gap in np.flatnonzero(np.diff(seen) > season):
        if counts[steps <= seen[gap]].sum() <= STRAYS * counts.sum():
            start = int(seen[gap + 1])
    return max(start, int(seen[-1]) - LONGEST_YEARS * season + 1)


def _require(garments: float) -> None:
    if garments < LEAST_GARMENTS:
        raise TooLittleDataError(
            f"{garments:.0f} dated garments are too few for a trend report: at least "
            f"{LEAST_GARMENTS}, over at least {LEAST_PERIODS} weeks, months or quarters, are "
            "needed. Give more garments a date.",
            dated=int(garments),
            needed=LEAST_GARMENTS,
            needed_periods=LEAST_PERIODS,
        )


def _require_periods(places: Ints, counts: Floats, period: Period) -> None:
    filled = len(np.unique(places))
    if filled < LEAST_PERIODS:
        raise TooLittleDataError(
            f"the dated garments fill {filled} {period}{'s' if filled != 1 else ''}: at least "
            f"{LEAST_GARMENTS} dated garments over at least {LEAST_PERIODS} {period}s are needed.",
            dated=int(counts.sum()),
            periods=filled,
            needed=LEAST_GARMENTS,
            needed_periods=LEAST_PERIODS,
        )


def _notes(observations: Observations, usable: Bools, inside: Bools) -> list[str]:
    counts = observations.multiplicity
    notes = []
    undated = counts[np.isnat(observations.dates)].sum()
    if undated:
        notes.append(f"{_garments(undated)} without a date, left out.")
    future = counts[observations.dated & ~usable].sum()
    if future:
        notes.append(f"{_garments(future)} dated after this report, left out.")
    old = counts[usable][~inside].sum()
    if old:
        notes.append(
            f"{_garments(old)} older than {LONGEST_YEARS} years, or before a gap of more than a "
            "year, left out."
        )
    return notes


def _garments(count: float) -> str:
    return f"{count:,.0f} garment{'' if count == 1 else 's'}"

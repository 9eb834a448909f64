"""Share series: from observations to counts, shares and bands per period."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np

from shared.errors import InvalidInputError, TooLittleDataError
from shared.schemas.trends import Period, TrendOptions
from worker.trends.arrays import Bools, Dates, Floats, Ints, distinct, row_medians, summed, those
from worker.trends.inside import LEAST_GARMENTS, LEAST_PERIODS, Inside, look_inside
from worker.trends.observations import Observations
from worker.trends.periods import SEASONS

PAIR_OF: Final = (("category", "colour"), ("category", "color"))
PAIR_PER_PERIOD: Final = 3.0
MOST_PAIRS: Final = 100
MOST_VALUES: Final = 1000
REST: Final = "(everything else)"
WILSON_Z: Final = 1.959964


@dataclass(frozen=True)
class Name:
    """Which attribute value a series follows."""

    attribute: str
    value: str
    rest: bool = False
    parts: tuple[tuple[str, str], ...] = ()  # of a pair: its attributes and values
    segment: str | None = None  # of a series that follows one segment alone


@dataclass(frozen=True, eq=False)  # two panels are never compared, and each is a key
class Panel:
    """All series over the same periods.

    Attributes:
        period: length of a step; ``season`` of them make a year.
        starts: first day of each period, [t].
        names: [s].
        garments: garments behind each series, [s].
        totals: Kish effective garments of the series' attribute, [s, t]: the ``n`` of its shares.
        effective: the part of ``totals`` that carries the value, [s, t]: the ``k``.
        weighted: sum of weights that carry the value, as given, before any cap, [s, t].
        groups: series with the same number are the parts of one whole, [s].
        thin: too few garments in the period, [s, t].
    """

    period: Period
    season: int
    starts: Dates
    names: tuple[Name, ...]
    garments: Floats
    totals: Floats
    effective: Floats
    weighted: Floats
    groups: Ints
    thin: Bools
    notes: tuple[str, ...] = ()

    @cached_property
    def shares(self) -> Floats:
        """Shares for the model, [s, t], never 0 or 1.

        ``(k + .5) / (n + .5 / p)`` with ``p`` the value's share over all periods: the usual
        ``(k + .5) / (n + 1)`` where p is a half, and without its upward pull on rare values.
        """
        total = np.maximum(self.totals.sum(1, keepdims=True), 1e-9)
        overall = np.clip(self.effective.sum(1, keepdims=True) / total, 0.005, 0.5)
        return _kept((self.effective + 0.5) / (self.totals + 0.5 / overall))

    @cached_property
    def trust(self) -> Floats:
        """How far each period may move the model, 0..1, [s, t]; 0 for a gap."""
        usual = np.nan_to_num(row_medians(self.totals, self.totals > 0), nan=1.0)
        return _kept(np.minimum(1, self.totals / usual[:, None]))

    @cached_property
    def chance(self) -> Floats:
        """Variance that sampling alone gives the logit of a share over the last year, [s]."""
        shares, trust = self.shares[:, -self.season :], self.trust[:, -self.season :]
        known = np.maximum(self.totals[:, -self.season :] * shares * (1 - shares), 0.5)
        total = np.maximum(trust.sum(1), 1e-9)
        return _kept((trust / known).sum(1) / total)

    def wilson(self) -> tuple[Floats, Floats, Floats]:
        """Return share, low and high of the 95% band (Wilson 1927), [s, t]; NaN in a gap."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share = self.effective / self.totals
            square = WILSON_Z**2
            centre = (self.effective + square / 2) / (self.totals + square)
            half = (
                WILSON_Z
                * np.sqrt(self.totals * share * (1 - share) + square / 4)
                / (self.totals + square)
            )
        half[~np.isfinite(half)] = np.nan
        return share, np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def _kept(values: Floats) -> Floats:
    """Return values that are asked for again and again: nobody is to write in them."""
    values.flags.writeable = False
    return values


def build_panel(
    observations: Observations,
    options: TrendOptions,
    *,
    today: date,
    inside: Inside | None = None,
) -> Panel:
    """Count shares per period.

    Args:
        observations: what was seen.
        options: what to look at.
        today: rows dated later are left out.
        inside: the rows that `look_inside` chose, where it was asked already.

    Raises:
        InvalidInputError: an attribute is asked for that no garment has.
        TooLittleDataError: too few dated garments, periods or attribute values.
    """
    wanted = _wanted(observations, options)
    rows = inside or look_inside(observations, options, today=today)
    return _stack(observations, options, wanted, rows)


def _wanted(observations: Observations, options: TrendOptions) -> tuple[str, ...]:
    if options.attributes is None:
        return tuple(sorted(observations.attributes))
    missing = [name for name in options.attributes if name not in observations.attributes]
    if missing:
        known = ", ".join(sorted(observations.attributes)) or "none"
        raise InvalidInputError(
            f"no garment has the attribute {', '.join(missing)}; the attributes are: {known}"
        )
    return tuple(dict.fromkeys(options.attributes))


@dataclass(frozen=True)
class _Column:
    """One attribute, or a pair, of the rows."""

    attribute: str
    codes: Ints
    vocabulary: tuple[str, ...]
    least: float
    most: int
    parts: tuple[tuple[tuple[str, str], ...], ...] = ()


@dataclass(frozen=True)
class _Block:
    """The series of one attribute."""

    names: list[Name]
    garments: Floats
    totals: Floats
    effective: Floats
    weighted: Floats


@dataclass(frozen=True)
class _Sums:
    """Sums of one attribute: of weights and effective garments, [series, t]; totals, [t]."""

    weighted: Floats
    effective: Floats
    totals: Floats


def _stack(
    observations: Observations,
    options: TrendOptions,
    wanted: tuple[str, ...],
    rows: Inside,
) -> Panel:
    notes = list(rows.notes)
    blocks = []
    for column in _columns(observations, options, wanted, rows):
        block = _count(column, rows)
        if block is not None:
            blocks.append(block)
        elif column.attribute in wanted:
            notes.append(
                f"{column.attribute}: fewer than two values have enough garments to be followed."
            )
    if not blocks:
        raise TooLittleDataError(
            "no attribute has two values with at least "
            f"{options.minimum_garments:.0f} garments each; "
            f"the garments need at least one attribute such as category or colour (seen: "
            f"{', '.join(wanted) or 'none'}), and at least {LEAST_GARMENTS} dated garments over at "
            f"least {LEAST_PERIODS} periods.",
            attributes=list(wanted),
        )
    totals = np.concatenate([np.tile(block.totals, (len(block.names), 1)) for block in blocks])
    return Panel(
        period=rows.period,
        season=SEASONS[rows.period],
        starts=rows.starts,
        names=tuple(name for block in blocks for name in block.names),
        garments=np.concatenate([block.garments for block in blocks]),
        totals=totals,
        effective=np.concatenate([block.effective for block in blocks]),
        weighted=np.concatenate([block.weighted for block in blocks]),
        groups=np.repeat(np.arange(len(blocks)), [len(block.names) for block in blocks]),
        thin=totals < options.minimum_per_period,
        notes=tuple(notes),
    )


def _columns(
    observations: Observations, options: TrendOptions, wanted: tuple[str, ...], rows: Inside
) -> Iterator[_Column]:
    """Yield the attributes, then the pair of category and colour."""
    for name in wanted:
        codes = observations.attributes[name][rows.where].astype(np.int64)
        vocabulary = observations.vocabulary[name]
        yield _Column(name, codes, vocabulary, options.minimum_garments, MOST_VALUES)
    for one, other in PAIR_OF if options.pairs else ():
        if one in wanted and other in wanted:
            left, right = observations.vocabulary[one], observations.vocabulary[other]
            first = observations.attributes[one][rows.where].astype(np.int64)
            second = observations.attributes[other][rows.where].astype(np.int64)
            # 0 is a pair of which a half is not known.
            both = np.where((first < 0) | (second < 0), 0, first * len(right) + second + 1)
            used, codes = distinct(both, len(left) * len(right) + 1)
            unknown = int(len(used) > 0 and used[0] == 0)
            parts = tuple(
                ((one, left[pair // len(right)]), (other, right[pair % len(right)]))
                for pair in (used[unknown:] - 1).tolist()
            )
            yield _Column(
                attribute=f"{one} and {other}",
                codes=codes - unknown,
                vocabulary=tuple(f"{pair[1][1]} {pair[0][1]}" for pair in parts),
                least=max(options.minimum_garments, PAIR_PER_PERIOD * rows.periods),
                most=MOST_PAIRS,
                parts=parts,
            )


def _count(column: _Column, rows: Inside) -> _Block | None:
    """Count one attribute; ``None`` where there would be fewer than two series."""
    known = those(column.codes >= 0)
    size = len(column.vocabulary)
    garments = summed(column.codes[known], rows.counts[known], size)
    kept = _followed(garments, column)
    rare = float(garments.sum() - garments[kept].sum())
    if len(kept) == 0 or len(kept) + (rare > 0) < 2:  # noqa: PLR2004 - a share needs a rival
        return None
    series = len(kept) + (rare > 0)
    table = np.full(len(garments), len(kept))
    table[kept] = np.arange(len(kept))
    sums = _sums(table[column.codes[known]], known, rows, series)
    names = [
        Name(
            column.attribute,
            column.vocabulary[code],
            parts=column.parts[code] if column.parts else (),
        )
        for code in kept
    ]
    if rare:
        names.append(Name(column.attribute, REST, rest=True))
    return _Block(
        names=names,
        garments=np.append(garments[kept], [rare] * (rare > 0)),
        totals=sums.totals,
        effective=sums.effective,
        weighted=sums.weighted,
    )


def _followed(garments: Floats, column: _Column) -> Ints:
    """Return the codes that get a series of their own, in order."""
    enough = np.flatnonzero(garments >= column.least)
    most = enough[np.argsort(-garments[enough], kind="stable")][: column.most]
    return np.sort(most)


def _sums(codes: Ints, known: Bools | slice, rows: Inside, series: int) -> _Sums:
    """Sum up one attribute; what the caps leave decides its evidence, not its plain weights."""
    places = rows.places[known]
    size = series * rows.periods
    flat = codes * rows.periods + places
    mass, squares = rows.mass[known], rows.squares[known]
    capped = summed(flat, mass, size)
    plain = summed(flat, rows.plain[known], size)
    whole = summed(places, mass, rows.periods)
    spread = summed(places, squares, rows.periods)
    totals = np.divide(whole**2, spread, out=np.zeros_like(whole), where=spread > 0)
    scale = np.divide(totals, whole, out=np.zeros_like(whole), where=whole > 0)
    shape = (series, rows.periods)
    return _Sums(
        weighted=plain.reshape(shape),
        effective=capped.reshape(shape) * scale,
        totals=totals,
    )

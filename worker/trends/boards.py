"""Which moodboards a report gives reason for, and what hangs on the racks of two seasons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from shared.colour import code_of
from shared.schemas.boards import LeftOut
from shared.schemas.trends import TrendReport, ValueEvidence, ValueTrend

MOST_BOARDS: Final = 6
LEAST_PICTURES: Final = 4
"""Fewer pictures are no evidence that anyone could look at: no board is made of them."""

RACKED: Final = (("category",), ("colour", "color"))
_QUARTERS: Final = 4

Condition = Mapping[str, str]


@dataclass(frozen=True)
class Takes:
    """What a release can be asked for.

    Attributes:
        vocabulary: attribute -> values.
        colours: whether it takes any colour as `colour`.
    """

    vocabulary: Mapping[str, Sequence[str]]
    colours: bool

    def serves(self, attribute: str, value: str) -> bool:
        """Return whether a design can be asked to have a value."""
        if value in self.vocabulary.get(attribute, ()):
            return True
        return self.colours and attribute == "colour" and code_of(value) is not None


@dataclass(frozen=True)
class BoardPlan:
    """A board to make: the rise, what to ask of the release, and what the rise rests on."""

    series: ValueTrend
    condition: Condition
    evidence: ValueEvidence


@dataclass(frozen=True)
class RackPlan:
    """A rack to make: the conditions of its pieces, in the season's proportions.

    Attributes:
        pieces: a condition, and how many of the same stand before it: the same piece of two racks
            is the same design.
        shares: attribute -> value -> share among the values that can be drawn.
    """

    first: date
    last: date
    shares: Mapping[str, Mapping[str, float]]
    pieces: tuple[tuple[Condition, int], ...]


@dataclass(frozen=True)
class Plan:
    """All that is to be made of a report, and what is not, with the reason."""

    boards: tuple[BoardPlan, ...]
    left_out: tuple[LeftOut, ...]
    this_season: RackPlan | None
    next_season: RackPlan | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to make."""
        return not self.boards and self.next_season is None


def plan_boards(report: TrendReport, takes: Takes, *, rack: int) -> Plan:
    """Plan a board for each significant rise that the release can draw and that can be shown.

    Args:
        report: with the evidence of its rises.
        takes: what the release can be asked for.
        rack: pieces on each rack; 0 plans none.
    """
    boards: list[BoardPlan] = []
    left: list[LeftOut] = []
    evidence = {(one.attribute, one.value): one for one in report.evidence if one.segment is None}
    for series in rises(report):
        condition = dict(series.parts or ((series.attribute, series.value),))
        behind = evidence.get((series.attribute, series.value))
        why = _why_not(condition, takes, behind, len(boards))
        if why is not None or behind is None:
            left.append(LeftOut(attribute=series.attribute, value=series.value, why=str(why)))
        else:
            boards.append(BoardPlan(series, condition, behind))
    now, ahead = _racks(report, takes, rack) if rack else (None, None)
    return Plan(tuple(boards), tuple(left), now, ahead)


def rises(report: TrendReport) -> list[ValueTrend]:
    """Return the significant rises over all segments, in the order of the report's ranking."""
    found = [
        one
        for one in report.series
        if one.kind == "rising"
        and one.segment is None
        and not one.rest
        and one.change is not None
        and one.change.significant
    ]
    order = {(one.attribute, one.value): place for place, one in enumerate(report.rising)}
    return sorted(found, key=lambda one: order.get((one.attribute, one.value), len(order)))


def _why_not(
    condition: Condition, takes: Takes, behind: ValueEvidence | None, made: int
) -> str | None:
    missing = [name for name, value in condition.items() if not takes.serves(name, value)]
    if missing:
        asked = ", ".join(f"{name} {condition[name]!r}" for name in missing)
        return f"The release cannot be asked for {asked}."
    images = 0 if behind is None else behind.images
    if images < LEAST_PICTURES:
        return (
            f"The evidence is thin: {images} picture{'' if images == 1 else 's'} lately, and "
            f"{LEAST_PICTURES} are the least to show."
        )
    return f"Only the first {MOST_BOARDS} rises have a board." if made >= MOST_BOARDS else None


def _racks(report: TrendReport, takes: Takes, size: int) -> tuple[RackPlan | None, RackPlan | None]:
    """Return this season's rack and the next one's, a quarter of a year each."""
    length = min(max(1, report.season // _QUARTERS), len(report.forecast_periods))
    now: dict[str, dict[str, float]] = {}
    ahead: dict[str, dict[str, float]] = {}
    for names in RACKED:
        drawn = [
            one
            for one in report.series
            if one.attribute in names
            and one.segment is None
            and not one.rest
            and takes.serves(one.attribute, one.value)
        ]
        if len(drawn) > 1:
            now[drawn[0].attribute] = _shares(drawn, [_lately(one, length) for one in drawn])
            ahead[drawn[0].attribute] = _shares(
                drawn, [sum(one.forecast.mean[:length]) for one in drawn]
            )
    if not now or not all(map(sum, (one.values() for one in now.values()))):
        return None, None
    seen, coming = report.periods[-length:], report.forecast_periods[:length]
    return _rack(seen, now, size), _rack(coming, ahead, size)


def _lately(series: ValueTrend, length: int) -> float:
    return sum(one for one in series.share[-length:] if one is not None)


def _shares(series: Sequence[ValueTrend], weights: Sequence[float]) -> dict[str, float]:
    total = sum(weights)
    return {
        one.value: weight / total if total else 0.0
        for one, weight in zip(series, weights, strict=True)
    }


def _rack(days: Sequence[date], shares: Mapping[str, Mapping[str, float]], size: int) -> RackPlan:
    """Hang pieces so that every attribute is in its proportions, each rounded to whole pieces.

    The attributes are combined as if independent, by a shuffle that is always the same.
    """
    columns = {}
    for place, (name, values) in enumerate(shares.items()):
        counts = apportioned(list(values.values()), size)
        column = [value for value, count in zip(values, counts, strict=True) for _ in range(count)]
        order = np.arange(size) if place == 0 else np.random.default_rng(place).permutation(size)
        columns[name] = [column[one] for one in order]
    seen: dict[tuple[str, ...], int] = {}
    pieces = []
    for row in sorted(zip(*columns.values(), strict=True)):
        pieces.append((dict(zip(columns, row, strict=True)), seen.get(row, 0)))
        seen[row] = seen.get(row, 0) + 1
    return RackPlan(days[0], days[-1], shares, tuple(pieces))


def apportioned(shares: Sequence[float], size: int) -> list[int]:
    """Return whole numbers that sum to `size`, by the largest remainder (Hamilton's method).

    Args:
        shares: not negative, summing to 1.
        size: what is shared out.
    """
    exact = [share * size for share in shares]
    counts = [math.floor(one) for one in exact]
    order = sorted(range(len(exact)), key=lambda place: counts[place] - exact[place])
    for place in order[: size - sum(counts)]:
        counts[place] += 1
    return counts

"""Plain words for what changed since the last report, and for what earlier ones said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.schemas.record import RecordScores, SaidAndHappened, SeriesRef, TrackRecord
from shared.schemas.trends import Difference, Moved, Revised, TrendReport
from worker.trends.words import KINDS, growth, percent

SHOWN_LINES: Final = 16
SHOWN_ISSUES: Final = 12
_TOO_LITTLE: Final = "insufficient"
_FEW: Final = 200  # forecasts; with fewer, a coverage is mostly luck


@dataclass(frozen=True)
class News:
    """One line of what is new: how it is marked, which value, and what of it."""

    kind: str
    name: str
    text: str


def name_of(one: SeriesRef) -> str:
    """Return a series' name for people: its value, and its segment where it has one."""
    return one.value if one.segment is None else f"{one.value} ({one.segment})"


def day(when: date) -> str:
    """Return ``"3 March 2026"``."""
    return f"{when.day} {when:%B %Y}"


def news(difference: Difference) -> list[News]:
    """Return what is new, one line each: what began, what ended, what is called otherwise."""
    lines = [News("rising", name_of(one), _began(one)) for one in difference.new_rises]
    lines += [News("declining", name_of(one), _began(one)) for one in difference.new_falls]
    lines += [News(one.now or "gone", name_of(one), _ended(one)) for one in difference.ended]
    lines += [
        News(one.now or "gone", name_of(one), f"was {_called(one.before)} and is "
             f"{_called(one.now)} now.")
        for one in difference.class_changes
        if not _is_of_data(one)
    ]  # fmt: skip
    return lines


def of_data(difference: Difference) -> str:
    """Return how many values only came to have, or lack, enough data; empty where none did."""
    few = [one for one in difference.class_changes if _is_of_data(one)]
    came = sum(one.before == _TOO_LITTLE for one in few)
    went = len(few) - came
    parts = [f"{came} can be judged now that could not be then"] if came else []
    parts += [f"{went} could be judged then and cannot now"] if went else []
    return f"Of the other values {', and '.join(parts)}: their data is thin." if parts else ""


def revision(one: Revised) -> str:
    """Return how a forecast was revised, as a sentence without the name at its start."""
    outside = ", outside the 80% interval that was told then" if one.outside80 else ""
    return (
        f"{growth(one.revision)}: {percent(one.before)} of garments were expected from "
        f"{day(one.first)} on, and {percent(one.now)} are now{outside}."
    )


def verdict(record: TrackRecord) -> str:
    """Return how the forecasts stood so far, in two or three sentences."""
    total = record.total
    if not total.forecasts:
        return "No period that an earlier report forecast is over yet, so nothing is scored."
    text = f"{total.forecasts:,} forecasts of earlier reports have come due. "
    text += _against_naive(total)
    if total.coverage80 is not None and total.coverage95 is not None:
        text += (
            f" Of the outcomes {total.coverage80:.0%} lay in the 80% interval and "
            f"{total.coverage95:.0%} in the 95% one"
        )
        text += "." if total.forecasts >= _FEW else ", of too few to judge by."
    return text


def chosen_lines(report: TrendReport, record: TrackRecord) -> list[SaidAndHappened]:
    """Return the lines to show: what is ranked first, then the series of most garments."""
    ranked = [*report.rising, *report.declining, *report.emerging]
    names = [(one.attribute, one.value) for one in ranked]
    by_size = sorted(report.series, key=lambda one: -one.garments)
    order = {
        name: place
        for place, name in enumerate(
            dict.fromkeys([*names, *((one.attribute, one.value) for one in by_size)])
        )
    }
    lines = sorted(record.lines, key=lambda one: _place_of(one, order))
    return lines[:SHOWN_LINES]


def _place_of(line: SaidAndHappened, order: Mapping[tuple[str, str], int]) -> tuple[bool, int]:
    """What is of one segment alone comes after what is of all."""
    return line.segment is not None, order.get((line.attribute, line.value), len(order))


def steps_ahead(record: TrackRecord) -> Sequence[RecordScores]:
    """Return the scores by periods ahead, at most six of them, evenly spread."""
    scores = record.by_ahead
    step = max(1, -(-len(scores) // 6))
    return scores[::step]


def _against_naive(total: RecordScores) -> str:
    if total.error is None or total.naive_error is None or total.skill is None:
        return ""
    points = f"they were off by {100 * total.error:.2g} percentage points in the mean"
    if total.skill > 0:
        return f"{points[0].upper()}{points[1:]}, {total.skill:.0%} less than “same as last year”."
    return (
        f"{points[0].upper()}{points[1:]}, no better than “same as last year” "
        f"({-total.skill:.0%} more)."
    )


def _is_of_data(one: Moved) -> bool:
    """Return whether a verdict changed only because there is, or was, too little data for one."""
    return _TOO_LITTLE in {one.before, one.now}


def _began(one: Moved) -> str:
    verb = "rise" if one.now == "rising" else "decline"
    change = "" if one.change_now is None else f": {growth(one.change_now)} a year"
    if one.before is None:
        return f"is followed for the first time, and its share began to {verb}{change}."
    before = f", after it was {_called(one.before)}"
    return f"began to {verb}{change}{before}."


def _ended(one: Moved) -> str:
    before = _called(one.before)
    if one.now is None:
        return f"was {before} and is not followed any more."
    return f"was {before} and is {_called(one.now)} now."


def _called(kind: str | None) -> str:
    return "not followed" if kind is None else KINDS.get(kind, kind)

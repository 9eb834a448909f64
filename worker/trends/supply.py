"""Plain words for the data behind a report: its sources, their mix, thin periods and gaps."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Final

from shared.schemas.trends import DataSeen, MixChange, Period, TrendReport
from worker.trends.saying import day
from worker.trends.words import MONTHS, percent, spell

SHOWN_SPANS: Final = 8
SHOWN_CHANGES: Final = 12
_OF_TWO: Final = 2 / 3
_QUARTERS: Final = ("first", "second", "third", "fourth")


def has_sources(data: DataSeen) -> bool:
    """Return whether sources can be told of: with one alone, and no account held down, not."""
    return len(data.sources) > 1 or bool(data.sources and data.capped_accounts)


def of_caps(report: TrendReport) -> str:
    """Return how many accounts were held down; empty where none was."""
    number = report.data.capped_accounts
    if not number:
        return ""
    return (
        f"{number:,} account{' was' if number == 1 else 's were'} held down in some "
        f"{report.period}: one account may have {100 * report.options.account_cap:g}% of its "
        "weight, or twice an equal part where there are few."
    )


def of_source_cap(report: TrendReport) -> str:
    """Return what holds a source down."""
    limit = report.options.source_cap
    two = ", or two thirds where there are two" if limit < _OF_TWO else ""
    return (
        f"One source may have {100 * limit:g}% of a {report.period}'s weight{two}, as far as that "
        "leaves half of the effective garments."
    )


def of_change(change: MixChange, period: Period) -> str:
    """Return when and how the mix of sources moved."""
    return (
        f"From {when(change.period, period)} on {change.source} makes {percent(change.after)} of "
        f"the weight, after {percent(change.before)} in the quarter of a year before; "
        f"{percent(change.distance)} of all weight moved between sources."
    )


def more_changes(changes: Sequence[MixChange]) -> int:
    """Return how many changes of the mix are not shown."""
    return max(0, len(changes) - SHOWN_CHANGES)


def of_thin(report: TrendReport) -> str:
    """Return which periods hold too few garments to trust alone; empty where none does."""
    found = report.data.thin_at
    if not found:
        return ""
    verb = "holds" if len(found) == 1 else "hold"
    least = f"{report.options.minimum_per_period:g}"
    return (
        f"{spell(len(found), report.period)} {verb} fewer than {least} garments of any "
        f"attribute, and move the forecast less: {_listed(report, found)}."
    )


def of_gaps(report: TrendReport) -> str:
    """Return in which periods nothing was seen; empty where there is no gap."""
    found = report.data.gaps_at
    if not found:
        return ""
    verb = "holds" if len(found) == 1 else "hold"
    return f"{spell(len(found), report.period)} {verb} nothing at all: {_listed(report, found)}."


def when(start: date, period: Period) -> str:
    """Return a period by its day, month or quarter."""
    if period == "week":
        return day(start)
    if period == "quarter":
        return f"the {_QUARTERS[(start.month - 1) // 3]} quarter of {start.year}"
    return f"{MONTHS[start.month - 1]} {start.year}"


def spans(report: TrendReport, days: Sequence[date]) -> list[tuple[date, date]]:
    """Return runs of neighbouring periods, each by its first and last one."""
    place = {start: at for at, start in enumerate(report.periods)}
    edges = [
        at
        for at, (before, after) in enumerate(pairwise(days), 1)
        if place[after] != place[before] + 1
    ]
    starts, ends = [0, *edges], [*edges, len(days)]
    return [(days[first], days[end - 1]) for first, end in zip(starts, ends, strict=True)]


def _listed(report: TrendReport, days: Sequence[date]) -> str:
    found = spans(report, days)
    told = [
        when(first, report.period)
        if first == last
        else f"{when(first, report.period)} to {when(last, report.period)}"
        for first, last in found[:SHOWN_SPANS]
    ]
    more = len(found) - len(told)
    return ", ".join(told) + (
        f", and {more} more stretch{'' if more == 1 else 'es'}" if more else ""
    )

"""The rows of the page's tables: numbers of one series, its small line, and what shows it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.schemas.trends import SegmentTrends, TrendReport, ValueTrend
from worker.trends import words
from worker.trends.grounds import grounds, marked

SHOWN_LOOKS: Final = 6  # pictures beside a style's name
SPARK: Final = (150.0, 34.0)
_SPARK_POINTS: Final = 60

Looks = Mapping[tuple[str, str], Sequence[str]]
"""Attribute and value of each style -> addresses of the pictures of its most typical garments."""


def ranking_tables(report: TrendReport, looks: Looks) -> list[dict[str, Any]]:
    """Return the three rankings, each with what its values rest on.

    A value that emerges as well is told of once, where it rises.
    """
    tables: list[dict[str, Any]] = [
        {
            "title": "Rising",
            "kind": "rising",
            "evident": False,
            "about": "The share grew by more than chance, and still does.",
            "empty": "No value rose by more than chance.",
            "ranked": report.rising,
        },
        {
            "title": "Declining",
            "kind": "declining",
            "evident": False,
            "about": "The share fell by more than chance, and still does.",
            "empty": "No value fell by more than chance.",
            "ranked": report.declining,
        },
        {
            "title": "Emerging",
            "kind": "emerging",
            "evident": True,
            "about": "Ordered by last quarter's growth and forecast growth together; only values "
            "whose rise, seen or forecast, is more than chance.",
            "empty": "Nothing both grows and is expected to grow on.",
            "ranked": report.emerging,
        },
    ]
    told: set[tuple[str, str]] = set()
    for table in tables:
        series = [words.find(report, one) for one in table["ranked"]]
        new = [one for one in series if (one.attribute, one.value) not in told]
        told |= {(one.attribute, one.value) for one in new}
        table["rows"] = [row_of(report, one, looks) for one in series]
        table["grounds"] = [(one, lines) for one in new if (lines := grounds(report, one))]
    return tables


def attribute_rows(report: TrendReport, attribute: str, looks: Looks) -> list[dict[str, Any]]:
    """Return all rows of one attribute, the rest last."""
    mine = [one for one in report.series if one.attribute == attribute]
    ordered = sorted(mine, key=lambda one: (one.rest, -one.garments))
    return [row_of(report, one, looks) for one in ordered]


def row_of(report: TrendReport, series: ValueTrend, looks: Looks) -> dict[str, Any]:
    """Return one row: the series, its latest and its expected share, its line, and its pictures."""
    seen, ahead = _spark(series)
    return {
        "series": series,
        "mark": marked(series.origin),
        "looks": looks.get((series.attribute, series.value), ())[:SHOWN_LOOKS],
        "now": _latest(series, max(1, report.season // 4)),
        "expected": sum(series.forecast.mean) / len(series.forecast.mean),
        "seen": seen,
        "ahead": ahead,
    }


def segment_tables(report: TrendReport) -> list[dict[str, Any]]:
    """Return what rises and declines in each segment followed, beside the same value over all.

    A pair is left out where one of its parts goes the same way there: it says nothing new.
    """
    whole = {(one.attribute, one.value): one for one in report.series}
    return [
        {
            "segment": segment,
            "judged": sum(not one.rest for one in segment.series),
            "rows": [
                {
                    "series": one,
                    "over_all": over_all,
                    "mark": _marked(over_all),
                }
                for one in moved[: report.options.top]
                for over_all in [whole.get((one.attribute, one.value))]
            ],
            "more": max(0, len(moved) - report.options.top),
        }
        for segment in report.segments
        for moved in [_moved(segment)]
    ]


def _marked(over_all: ValueTrend | None) -> str:
    """Return the mark of a value in one segment: how many are predicted is known over all only."""
    mark = "" if over_all is None else marked(over_all.origin)
    return "partly predicted" if mark.endswith(" predicted") else mark


def _moved(segment: SegmentTrends) -> list[ValueTrend]:
    """Return rises, then declines, each by the cautious end of its interval."""
    kinds = {(one.attribute, one.value): one.kind for one in segment.series}
    found = [
        one
        for one in segment.series
        if one.kind in {"rising", "declining"}
        and not one.rest
        and not any(kinds.get(part) == one.kind for part in one.parts)
    ]
    return sorted(found, key=lambda one: (one.kind == "declining", _caution(one)))


def _caution(series: ValueTrend) -> float:
    if series.change is None:
        return 0.0
    return -series.change.low if series.kind == "rising" else series.change.high


def _latest(series: ValueTrend, periods: int) -> float | None:
    """Return the mean share of the latest periods, or ``None`` where they are empty."""
    shares = [one for one in series.share[-periods:] if one is not None]
    return sum(shares) / len(shares) if shares else None


def _spark(series: ValueTrend) -> tuple[str, str]:
    """Return the points of a small line: what was seen, and what is expected."""
    seen = _thinned([one for one in series.share if one is not None])
    ahead = _thinned(list(series.forecast.mean))
    ahead = ahead[: max(2, len(ahead) // 2)] if len(ahead) > len(seen) else ahead
    width, height = SPARK
    top = max((*seen, *ahead, 1e-9))
    step = width / max(1, len(seen) + len(ahead) - 1)
    points = [
        f"{place * step:.1f},{height - 2 - (height - 4) * value / top:.1f}"
        for place, value in enumerate([*seen, *ahead])
    ]
    return " ".join(points[: len(seen)]), " ".join(points[max(0, len(seen) - 1) :])


def _thinned(values: list[float]) -> list[float]:
    """Return means of neighbours, at most 60 of them."""
    size = -(-len(values) // _SPARK_POINTS)
    return [
        sum(values[start : start + size]) / len(values[start : start + size])
        for start in range(0, len(values), size)
    ]

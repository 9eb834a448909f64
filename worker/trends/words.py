"""Plain words for what a report found."""

import calendar
from typing import Final

from shared.schemas.trends import Period, RankedValue, TrendReport, ValueTrend

MONTHS: Final = tuple(calendar.month_name[1:])
KINDS: Final = {
    "rising": "rising",
    "declining": "declining",
    "seasonal": "seasonal",
    "flash": "a flash",
    "stable": "stable",
    "insufficient": "too little data",
}
_DOUBLE: Final = 1.0
_TENFOLD: Final = 9.0
_FINE: Final = 0.1
_EVEN: Final = 0.015
_TIMES: Final = "\N{MULTIPLICATION SIGN}"


def heading(attribute: str) -> str:
    """Return an attribute's name as people write it: ``"colour_family"`` is "Colour family"."""
    plain = attribute.replace("_", " ")
    return plain[:1].upper() + plain[1:]


def percent(share: float) -> str:
    """Return ``"12%"``, or ``"1.2%"`` where a whole number would hide too much."""
    return f"{share:.0%}" if share >= _FINE or share == 0 else f"{share:.1%}"


def growth(relative: float) -> str:
    """Return ``"+23%"``, ``"-8%"`` with a true minus, or ``"x2.5"`` with a true times sign."""
    if relative > _TENFOLD:
        return f"over {_TIMES}10"
    if relative > _DOUBLE:
        return f"{_TIMES}{1 + relative:.1f}"
    text = f"{abs(relative):.0%}"
    return text if text == "0%" else ("+" if relative > 0 else "\N{MINUS SIGN}") + text


def spell(periods: int, period: Period) -> str:
    """Return ``"26 weeks"``."""
    return f"{periods} {period}{'' if periods == 1 else 's'}"


def find(report: TrendReport, ranked: RankedValue) -> ValueTrend:
    """Return the series that a ranking names."""
    return next(
        one
        for one in report.series
        if (one.attribute, one.value) == (ranked.attribute, ranked.value)
    )


def peak_month(report: TrendReport, series: ValueTrend) -> str:
    """Return the name of the month in which the share is usually highest."""
    sums = [0.0] * 12
    counts = [0] * 12
    for day, share in zip(report.periods, series.share, strict=True):
        if share is not None:
            sums[day.month - 1] += share
            counts[day.month - 1] += 1
    means = [total / count if count else 0.0 for total, count in zip(sums, counts, strict=True)]
    return MONTHS[means.index(max(means))]


def change_words(series: ValueTrend) -> str:
    """Return what was observed, as a clause."""
    change = series.change
    if change is None:
        return "there is no year before to compare with"
    return (
        f"{growth(change.relative)} a year, from {percent(change.earlier_share)} to "
        f"{percent(change.recent_share)} of garments"
    )


def outlook_words(report: TrendReport, series: ValueTrend) -> str:
    """Return what is expected, as a sentence."""
    outlook = series.outlook
    if outlook is None:
        return ""
    ahead = spell(len(report.forecast_periods), report.period)
    span = f"80% interval {growth(outlook.low80)} to {growth(outlook.high80)}"
    if outlook.direction == "unclear":
        return f"Where the next {ahead} will stand against a year ago cannot be told ({span})."
    where = "above" if outlook.direction == "rising" else "below"
    return f"The next {ahead} should stay {where} a year ago: {growth(outlook.relative)} ({span})."


def sentence(report: TrendReport, series: ValueTrend) -> str:
    """Return one finding in a sentence or two, without the name at its start."""
    if series.kind in {"rising", "declining"}:
        text = f"is {series.kind}: {change_words(series)}."
        return f"{text} {outlook_words(report, series)}".strip()
    if series.kind == "seasonal":
        return f"comes back every year and is highest around {peak_month(report, series)}."
    if series.kind == "flash" and series.flash_at is not None:
        when = f"{MONTHS[series.flash_at.month - 1]} {series.flash_at.year}"
        return f"had a short peak in {when} and went back to where it was."
    return "did not move by more than chance would."


def headlines(report: TrendReport) -> list[tuple[ValueTrend, str]]:
    """Return the findings worth a line at the top: series and sentence."""
    chosen = []
    for ranking in (report.rising, report.declining):
        first = sorted(ranking, key=lambda one: one.pair)[:3]  # what is broad before what is narrow
        chosen += [find(report, one) for one in first]
    single = [one for one in report.series if not one.rest and not one.pair]
    for kind in ("flash", "seasonal"):
        alike = [one for one in single if one.kind == kind]
        chosen += sorted(alike, key=lambda one: -one.garments)[:3]
    return [(one, sentence(report, one)) for one in chosen]


def silence(report: TrendReport) -> str:
    """Return why there is no finding."""
    if all(one.kind == "insufficient" for one in report.series):
        return (
            "There is too little to call any trend. A value is judged when it has a dozen garments "
            f"or more, and when most {report.period}s of the last two years hold garments, so that "
            "each can be compared with the year before."
        )
    return (
        "Nothing moved by more than chance: no value rises, declines, or comes back with the "
        "season clearly enough to be called."
    )


def trust(report: TrendReport) -> str:
    """Return how far to believe the forecast, in a sentence or two."""
    test = report.backtest
    if test.skill is None:
        return test.note or "There was nothing to test the forecast on."
    trials = f"{len(test.origins)} trial{'' if len(test.origins) == 1 else 's'} on the past"
    if abs(test.skill) < _EVEN:
        text = f"In {trials} the forecast erred as much as “same as last year”."
    elif test.skill > 0:
        text = f"In {trials} the forecast erred {test.skill:.0%} less than “same as last year”."
    else:
        text = (
            f"In {trials} the forecast was no better than “same as last year” "
            f"({abs(test.skill):.0%} more error): rely on what was observed, not on the forecast."
        )
    return f"{text} {test.note}".strip()

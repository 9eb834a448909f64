"""Plain words for what one rise or decline rests on: sources, turns, a leader, and its labels."""

from typing import Final

from shared.schemas.trends import (
    FixedMix,
    LeadingSegment,
    OriginShare,
    Period,
    TrendReport,
    TurningPoint,
    ValueTrend,
)
from worker.trends.words import MONTHS, spell

_MINUS: Final = "\N{MINUS SIGN}"
_SEEN: Final = 0.005  # of the garments: below it a part rounds to nothing
_WHOLE: Final = 0.995
_KNOWN: Final = (
    ("given", "given"),
    ("measured", "measured from the picture"),
    ("predicted", "predicted from labelled garments"),
    ("style", "told by what they look like"),
)
_ALONE: Final = {
    "measured": "Nobody gave this value: it is measured from the pictures.",
    "predicted": "Nobody gave this value: it is predicted from labelled garments.",
    "style": "A style: garments that look alike, found without labels.",
}


def grounds(report: TrendReport, series: ValueTrend) -> list[str]:
    """Return what can be said of a rise or decline beyond its size; empty where nothing can."""
    told = []
    if series.fixed_mix is not None and series.change is not None:
        told.append(of_mix(series.fixed_mix, rises=series.change.relative >= 0))
    if series.turning_points:
        told.append(of_turns(series.turning_points))
    if series.lead is not None:
        told.append(of_lead(series.lead, report.period))
    origin = of_origin(series.origin)
    return [*told, origin] if origin else told


def of_mix(found: FixedMix, *, rises: bool) -> str:
    """Return whether a change stays when the mix of sources is held fixed.

    Args:
        found: the change, split.
        rises: which way the value is said to go; where the part of the year that was split goes
            the other way, nothing is said to stay.
    """
    total = points(found.within + found.mix)
    within = f"{points(found.within)} (95% interval {points(found.low)} to {points(found.high)})"
    same_way = (found.within + found.mix >= 0) == rises
    if found.verdict == "stays" and same_way:
        return (
            f"It stays when the mix of sources is held fixed: of {total} points, {within} come "
            "from within the sources."
        )
    if found.verdict == "mix" and same_way:
        return (
            f"Most of it is the mix of sources: of {total} points, only {within} are left when "
            "the mix is held fixed."
        )
    return (
        f"Whether it stays when the mix of sources is held fixed is unclear: of {total} points, "
        f"{within} come from within the sources."
    )


def of_turns(turns: tuple[TurningPoint, ...]) -> str:
    """Return since when a value runs otherwise than it was heading; true to a few weeks.

    It is not said to turn up or down: a rise that slows down turns, and rises on.
    """
    parts = [
        f"from around {MONTHS[turn.at.month - 1]} {turn.at.year} "
        f"{'above' if turn.upward else 'below'}"
        for turn in turns
    ]
    noun = "Turning point" if len(turns) == 1 else "Turning points"
    return f"{noun}: it ran {joined(parts)} where it had been heading."


def of_lead(lead: LeadingSegment, period: Period) -> str:
    """Return which segment is used in a value's forecast, and what that gains."""
    others = "" if lead.alone else ", as all values that it holds do together"
    return (
        f"Its forecast follows the segment {lead.segment}, which moves {spell(lead.lag, period)} "
        f"earlier{others}: error (MASE) {lead.error_with:.2f} with it, {lead.error_without:.2f} "
        "without."
    )


def of_origin(origin: OriginShare) -> str:
    """Return how a value is known; empty where it was given for all garments."""
    if origin.given >= _WHOLE:
        return ""
    for name, text in _ALONE.items():
        if getattr(origin, name) >= _WHOLE:
            return text
    parts = [
        f"{getattr(origin, name):.0%} {text}"
        for name, text in _KNOWN
        if getattr(origin, name) >= _SEEN
    ]
    return f"How the value of its garments is known: {joined(parts)}."


def marked(origin: OriginShare) -> str:
    """Return the mark of a value that is predicted, at least in part; empty where none is."""
    if origin.predicted <= 0:
        return ""
    if origin.predicted >= _WHOLE:
        return "predicted"
    return f"{origin.predicted:.0%} predicted" if origin.predicted >= _SEEN else "<1% predicted"


def points(share: float) -> str:
    """Return a difference of shares in percentage points, such as ``"+4.2"``, with its sign."""
    text = f"{abs(100 * share):.1f}"
    return text if text == "0.0" else ("+" if share > 0 else _MINUS) + text


def joined(parts: list[str]) -> str:
    """Return ``"a, b and c"``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

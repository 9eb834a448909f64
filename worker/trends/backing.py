"""What stands behind the series of a report: sources, accounts, garments, and a fixed mix."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from shared.schemas.trends import OriginShare, SegmentTrends, ValueTrend
from worker.trends.changes import Change
from worker.trends.evidence import gather
from worker.trends.inside import Inside
from worker.trends.mixes import Sources, fixed_mix, mix_changes, seen
from worker.trends.observations import ORIGIN_NAMES, Observations
from worker.trends.scatter import dispersion
from worker.trends.series import Panel

_DIGITS: Final = 4


def with_backing(
    trends: tuple[ValueTrend, ...],
    observations: Observations,
    panel: Panel,
    inside: Inside,
    sources: Sources | None,
    change: Change,
) -> tuple[ValueTrend, ...]:
    """Return the series of a report with what stands behind each; ``trends`` are the panel's."""
    found = gather(observations, panel, inside)
    windows = np.where(change.testable, change.window, 0)
    mixes = fixed_mix(
        observations, panel, inside, sources, windows=windows, scatter=dispersion(panel)
    )
    return tuple(
        one
        if one.segment is not None
        else one.model_copy(
            update={
                "sources": int(found.sources[row]),
                "accounts": int(found.accounts[row]),
                "origin": OriginShare(
                    **{
                        name: round(float(found.origins[row, at]), _DIGITS)
                        for at, name in enumerate(ORIGIN_NAMES)
                    }
                ),
                "evidence": found.garments[row],
                "fixed_mix": mixes[row],
            }
        )
        for row, one in enumerate(trends)
    )


def by_segment(
    trends: tuple[ValueTrend, ...], segments: Mapping[str, Panel]
) -> tuple[SegmentTrends, ...]:
    """Return the series of single segments, each with its segment, the largest segment first."""
    return tuple(
        SegmentTrends(name=name, garments=_garments_of(panel), series=own)
        for name, panel in segments.items()
        if (own := tuple(one for one in trends if one.segment == name))
    )


def told_sources(
    observations: Observations, panel: Panel, inside: Inside, sources: Sources | None
) -> dict[str, Any]:
    """Return what a report says of the sources: who gave what, and when their mix moved."""
    if sources is None:
        return {}
    return {
        "sources": seen(observations, inside, sources),
        "mix_changes": mix_changes(panel, sources),
    }


def _garments_of(panel: Panel) -> int:
    """Return a segment's garments: those of the attribute that most of them have."""
    return round(
        max(float(panel.garments[panel.groups == group].sum()) for group in set(panel.groups))
    )

"""Segments: the same series in each market or audience by itself."""

from dataclasses import replace
from typing import Final

import numpy as np

from shared.schemas.trends import TrendOptions
from worker.trends.arrays import Bools, Floats, Ints, summed, those
from worker.trends.coded import coded
from worker.trends.inside import Inside, inside_of
from worker.trends.observations import UNKNOWN, Observations
from worker.trends.series import PAIR_PER_PERIOD, REST, Panel

FILLED: Final = 0.6  # of the periods: a segment seen in fewer is no series
MOST_SEGMENTS: Final = 20
MOST_SERIES: Final = 2000  # of single segments, over all of them


def segment_panels(
    observations: Observations,
    options: TrendOptions,
    panel: Panel,
    *,
    inside: Inside | None = None,
) -> dict[str, Panel]:
    """Count each dense segment by itself, in the same series and periods as the panel.

    A segment is dense where its usual period holds at least ``options.minimum_per_period``
    garments and at least six in ten periods hold any. At most 20 are followed, the largest ones.

    Args:
        observations: what was seen.
        options: as the panel was counted with.
        panel: over all segments; only its series over all segments count.
        inside: the rows of the panel, where they are at hand.

    Returns:
        For each segment, by falling size, a panel whose rows and periods are the panel's own, with
        ``segment`` in its names. Empty where fewer than two segments were ever named.
    """
    if not options.segments or len(observations.segment_names) < 2:  # noqa: PLR2004 - one is all
        return {}
    rows = inside or inside_of(observations, options, panel.period, panel.starts)
    chosen = _dense(observations, options, rows)
    if not chosen:
        return {}
    place = np.full(len(observations.segment_names) + 1, UNKNOWN)
    place[chosen] = np.arange(len(chosen))
    segment = place[observations.segments[rows.where]]  # the code -1 reads the last place
    counted = _count(observations, panel, rows, segment, len(chosen))
    return {
        observations.segment_names[code]: replace(
            panel,
            names=tuple(
                replace(name, segment=observations.segment_names[code]) for name in panel.names
            ),
            garments=counted.garments[at],
            totals=counted.totals[at],
            effective=counted.effective[at],
            weighted=counted.weighted[at],
            thin=counted.totals[at] < options.minimum_per_period,
            notes=(),
        )
        for at, code in enumerate(chosen)
    }


def with_segments(panel: Panel, segments: dict[str, Panel], options: TrendOptions) -> Panel:
    """Return one panel: the series over all, then those of each segment that hold enough.

    A segment's series is followed with at least ``options.minimum_garments`` garments and three a
    period; of an attribute at least two, and what is too rare joins its rest, so that the parts of
    an attribute stay a whole.
    """
    whole, left = [panel], MOST_SERIES
    for part in segments.values():
        kept = _kept(part, options, left)
        if kept is not None:
            renumbered = kept.groups + 1 + max(int(one.groups.max()) for one in whole)
            whole.append(replace(kept, groups=renumbered))
            left -= len(kept.names)
    return _stacked(whole)


class _Counts:
    """Sums of each segment: [g, s] and [g, s, t]."""

    def __init__(self, segments: int, series: int, periods: int) -> None:
        self.garments = np.zeros((segments, series))
        self.totals = np.zeros((segments, series, periods))
        self.effective = np.zeros((segments, series, periods))
        self.weighted = np.zeros((segments, series, periods))


def _dense(observations: Observations, options: TrendOptions, rows: Inside) -> list[int]:
    """Return the codes of the segments that fill the periods, the largest first."""
    codes = observations.segments[rows.where].astype(np.int64)
    known = codes >= 0
    size = len(observations.segment_names)
    flat = codes[known] * rows.periods + rows.places[known]
    counts = summed(flat, rows.counts[known], size * rows.periods).reshape(size, -1)
    filled = (counts > 0).mean(1) >= FILLED
    usual = np.array([np.median(row[row > 0]) if np.any(row > 0) else 0 for row in counts])
    dense = np.flatnonzero(filled & (usual >= options.minimum_per_period))
    order = np.argsort(-counts.sum(1)[dense], kind="stable")
    found: list[int] = dense[order][:MOST_SEGMENTS].tolist()
    return found


def _count(
    observations: Observations, panel: Panel, rows: Inside, segment: Ints, number: int
) -> _Counts:
    periods = rows.periods
    counts = _Counts(number, len(panel.names), periods)
    mass, squares, plain = rows.mass, rows.squares, rows.plain
    for one in coded(observations, panel, rows):
        known = those((one.codes >= 0) & (segment >= 0))
        codes, group, places = one.codes[known], segment[known], rows.places[known]
        flat = (group * one.size + codes) * periods + places
        shape, size = (number, one.size, periods), number * one.size * periods
        capped = summed(flat, mass[known], size).reshape(shape)
        spread = summed(group * periods + places, squares[known], number * periods)
        whole = capped.sum(1)
        totals = _divided(whole**2, spread.reshape(number, periods))
        counts.totals[:, one.series] = totals[:, None, :]
        counts.effective[:, one.series] = capped * _divided(totals, whole)[:, None, :]
        counts.weighted[:, one.series] = summed(flat, plain[known], size).reshape(shape)
        counts.garments[:, one.series] = summed(
            group * one.size + codes, rows.counts[known], number * one.size
        ).reshape(number, one.size)
    return counts


def _divided(upper: Floats, lower: Floats) -> Floats:
    return np.divide(upper, lower, out=np.zeros_like(upper), where=lower > 0)


def _kept(part: Panel, options: TrendOptions, most: int) -> Panel | None:
    """Return a segment's series that hold enough, the others of an attribute in its rest."""
    least = max(options.minimum_garments, PAIR_PER_PERIOD * len(part.starts))
    found: list[Panel] = []
    for group in dict.fromkeys(part.groups.tolist()):
        rows = np.flatnonzero(part.groups == group)
        rest = np.array([part.names[row].rest for row in rows])
        enough = (part.garments[rows] >= least) & ~rest
        small = rows[~enough]
        size = int(enough.sum()) + (len(small) > 0)
        if enough.sum() == 0 or size < 2 or size > most:  # noqa: PLR2004 - a share needs a rival
            continue
        most -= size
        found.append(_merged(part, rows[enough].tolist(), small.tolist()))
    return _stacked(found) if found else None


def _merged(part: Panel, rows: list[int], rest: list[int]) -> Panel:
    names = [part.names[row] for row in rows]

    def with_rest(column: Floats) -> Floats:
        added = [column[rest].sum(0, keepdims=True)] if rest else []
        return np.concatenate([column[rows], *added])

    if rest:
        model = next((part.names[row] for row in rest if part.names[row].rest), None)
        first = part.names[rest[0]]
        names.append(model or replace(first, value=REST, rest=True, parts=()))
    number = len(names)
    return replace(
        part,
        names=tuple(names),
        garments=with_rest(part.garments),
        totals=np.repeat(part.totals[rows[:1]], number, axis=0),
        effective=with_rest(part.effective),
        weighted=with_rest(part.weighted),
        groups=np.repeat(part.groups[rows[:1]], number),
        thin=np.repeat(part.thin[rows[:1]], number, axis=0),
    )


def _stacked(panels: list[Panel]) -> Panel:
    return replace(
        panels[0],
        names=tuple(name for one in panels for name in one.names),
        garments=np.concatenate([one.garments for one in panels]),
        totals=np.concatenate([one.totals for one in panels]),
        effective=np.concatenate([one.effective for one in panels]),
        weighted=np.concatenate([one.weighted for one in panels]),
        groups=np.concatenate([one.groups for one in panels]),
        thin=np.concatenate([one.thin for one in panels]),
    )


def over_all(panel: Panel) -> Bools:
    """Return which series are over all segments, [s]."""
    return np.array([name.segment is None for name in panel.names])

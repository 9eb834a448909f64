"""Evidence: how many sources and accounts stand behind a series, and which garments show it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.schemas.trends import ValueEvidence, ValueTrend
from worker.trends.arrays import Bools, Floats, Ints, summed, those
from worker.trends.coded import Coded, coded
from worker.trends.inside import Inside
from worker.trends.observations import GIVEN, ORIGIN_NAMES, Codes, Observations
from worker.trends.series import Panel

MOST_GARMENTS: Final = 12
_LOOKED_AT: Final = 200  # newest garments of a series among which those to show are chosen
MOST_OF_ONE: Final = 2  # from one account: a series is not shown by a single voice
MOST_SHOWN: Final = 8  # of what was seen lately, beside a ranked value
_LEAST_PERIODS: Final = 2
_LARGEST_TABLE: Final = 64_000_000  # bytes


@dataclass(frozen=True)
class Evidence:
    """What stands behind each series over all segments; other series have none.

    Attributes:
        sources: distinct sources, [s].
        accounts: distinct accounts, [s].
        origins: part of the garments whose value is given, measured, predicted, or a style, in the
            order of ``ORIGIN_NAMES``, [s, 4].
        garments: ids of the newest garments with a picture, newest first, at most 12 a series and
            two an account, [s].
    """

    sources: Ints
    accounts: Ints
    origins: Floats
    garments: tuple[tuple[str, ...], ...]


def gather(observations: Observations, panel: Panel, inside: Inside) -> Evidence:
    """Look up the evidence of each series."""
    size = len(panel.names)
    sources, accounts = np.zeros((2, size), dtype=np.int64)
    origins = np.zeros((size, len(ORIGIN_NAMES)))
    garments: list[tuple[str, ...]] = [()] * size
    newest = _newest_first(observations, inside)
    of_source = _known(observations.sources, inside)
    of_account = _known(observations.accounts, inside)
    for one in coded(observations, panel, inside):
        sources[one.series] = _distinct(one, of_source)
        accounts[one.series] = _distinct(one, of_account)
        origins[one.series] = _origins(observations, panel, one, inside)
        if newest is not None:
            garments[one.series] = _shown(observations, one, inside, newest)
    return Evidence(sources, accounts, origins, tuple(garments))


def lately(
    observations: Observations, panel: Panel, inside: Inside, ranked: Iterable[ValueTrend]
) -> tuple[ValueEvidence, ...]:
    """Return what stands behind series in the latest quarter of a year: pictures, and of whom.

    Args:
        observations: what was seen.
        panel: all series.
        inside: the rows of the panel.
        ranked: series over all segments; those that no picture shows are left out.
    """
    first = max(0, len(panel.starts) - max(_LEAST_PERIODS, panel.season // 4))
    late = _newest_first(observations, inside, since=first)
    if late is None:
        return ()
    since: date = panel.starts[first].astype("datetime64[D]").item()
    rows = {(name.attribute, name.value): row for row, name in enumerate(panel.names)
            if name.segment is None}  # fmt: skip
    wanted = {rows[one.attribute, one.value]: one for one in ranked}
    found = {}
    for one in coded(observations, panel, inside, late):
        for row in wanted.keys() & set(range(one.first, one.first + one.size)):
            carrying = inside.where[late[one.codes == row - one.first]]
            found[row] = _recent(observations, wanted[row], carrying, since)
    return tuple(found[row] for row in wanted if row in found and found[row].images)


def _recent(
    observations: Observations, series: ValueTrend, rows: Ints, since: date
) -> ValueEvidence:
    sources = np.empty(0) if observations.sources is None else observations.sources[rows]
    ids = observations.ids
    shown = _varied(observations, rows[:_LOOKED_AT])[:MOST_SHOWN]
    return ValueEvidence(
        attribute=series.attribute,
        value=series.value,
        segment=series.segment,
        images=len(rows),
        sources=len(np.unique(sources[sources >= 0])),
        since=since,
        garments=() if ids is None else tuple(ids[row].decode() for row in shown),
    )


_Known = tuple[Bools | slice, Ints]
"""Which rows inside are of a group, and the group of each of those."""


def _known(groups: Codes | None, inside: Inside) -> _Known | None:
    if groups is None:
        return None
    found = groups[inside.where]
    rows = those(found >= 0)
    return rows, found[rows].astype(np.int64)


def _distinct(one: Coded, groups: _Known | None) -> Ints:
    """Return how many different groups carry each series, [size]."""
    if groups is None or not len(groups[1]):
        return np.zeros(one.size, dtype=np.int64)
    codes, found = one.codes[groups[0]], groups[1]
    known = those(codes >= 0)
    pairs = found[known] * one.size + codes[known]
    largest = (int(found.max()) + 1) * one.size
    if largest <= _LARGEST_TABLE:
        seen = np.zeros(largest, dtype=bool)
        seen[pairs] = True
        present = np.flatnonzero(seen)
    else:
        present = np.unique(pairs)
    return np.asarray(np.bincount(present % one.size, minlength=one.size))


def _origins(observations: Observations, panel: Panel, one: Coded, inside: Inside) -> Floats:
    """Return the part of each series' garments by origin, [size, 4]; a pair is as its weaker half.

    The weaker half is the one that is known less surely: the later in ``ORIGIN_NAMES``.
    """
    name = panel.names[one.first]
    parts = next((n.parts for n in panel.names[one.series] if n.parts), ())
    attributes = [part[0] for part in parts] or [name.attribute]
    marked = [observations.origins[each] for each in attributes if each in observations.origins]
    shares = np.zeros((one.size, len(ORIGIN_NAMES)))
    if not marked:
        shares[:, GIVEN] = 1
        return shares
    origin = np.max([codes[inside.where] for codes in marked], axis=0).astype(np.int64)
    known = one.codes >= 0
    flat = one.codes[known] * len(ORIGIN_NAMES) + origin[known]
    counts = summed(flat, inside.counts[known], shares.size).reshape(shares.shape)
    return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1e-9))


def _newest_first(observations: Observations, inside: Inside, *, since: int = 0) -> Ints | None:
    """Return the rows inside, from a period on, that are garments with a picture, newest first."""
    if observations.ids is None:
        return None
    rows = np.flatnonzero(inside.places >= since)
    rows = rows[observations.ids[inside.where[rows]] != b""]
    days = observations.dates[inside.where[rows]].view(np.int64)
    age = days.max(initial=0) - days
    order = np.argsort(_narrow(age), kind="stable")
    return np.asarray(rows[order])


def _shown(
    observations: Observations, one: Coded, inside: Inside, newest: Ints
) -> list[tuple[str, ...]]:
    ids = observations.ids
    if ids is None:
        return [()] * one.size
    order, edges = _first_of_each(one.codes[newest], one.size, _LOOKED_AT)
    result = []
    for row in range(one.size):
        rows = inside.where[newest[order[edges[row] : edges[row + 1]][:_LOOKED_AT]]]
        result.append(tuple(ids[at].decode() for at in _varied(observations, rows)))
    return result


def _first_of_each(codes: Ints, size: int, most: int) -> tuple[Ints, Ints]:
    """Return the places of the codes 0..size-1, those of each in order, and where each starts.

    Of each code at least the first ``most`` places are there, or all that it has. Not all rows are
    sorted: most codes are found often enough in a few of them.
    """
    few = 2 * most * size
    places = np.arange(min(few, len(codes)))
    count = np.bincount(codes[:few] + 1, minlength=size + 1)[1:]
    wanted = np.append(count < most, False)  # the code -1 reads the last
    if few < len(codes):
        places = np.concatenate([places, few + np.flatnonzero(wanted[codes[few:]])])
    found = _narrow(codes[places])
    order = np.argsort(found, kind="stable")
    edges = np.cumsum(np.bincount(found.astype(np.int64) + 1, minlength=size + 1))
    return places[order], edges


def _narrow(values: Ints) -> Ints | NDArray[np.int16]:
    """Return values from -1 up in 16 bits where they fit: NumPy sorts those ten times as fast."""
    return values.astype(np.int16) if values.max(initial=0) <= np.iinfo(np.int16).max else values


def _varied(observations: Observations, rows: Ints) -> list[int]:
    """Return the first rows, at most two of one account."""
    chosen: list[int] = []
    heard: dict[int, int] = {}
    for row in rows.tolist():
        account = -1 if observations.accounts is None else int(observations.accounts[row])
        if account >= 0 and heard.get(account, 0) >= MOST_OF_ONE:
            continue
        heard[account] = heard.get(account, 0) + 1
        chosen.append(row)
        if len(chosen) == MOST_GARMENTS:
            break
    return chosen

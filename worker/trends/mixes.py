"""Sources: how their mix moves, and whether a change stays when the mix is held fixed.

A share over all sources can rise because it rises within them, or because a source where it is
usual sends more. The difference of two such shares splits exactly into both parts, as Kitagawa
showed ("Components of a Difference Between Two Rates", Journal of the American Statistical
Association 50, 1955, 1168-1194): with the parts ``w`` and shares ``p`` of the sources, then and
now,

    sum(w' p') - sum(w p) = sum((p' - p) (w + w') / 2) + sum((w' - w) (p + p') / 2)

The first sum is the change within sources at a fixed mix, the second that of the mix.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from shared.schemas.trends import FixedMix, MixChange, MixVerdict, SourceSeen
from worker.trends.arrays import Bools, Floats, Ints, summed
from worker.trends.coded import coded
from worker.trends.inside import Inside
from worker.trends.observations import Observations
from worker.trends.series import Panel

MOST_SOURCES: Final = 20  # followed one by one; the others are one source together
OTHERS: Final = "(other sources)"
LARGE_SHIFT: Final = 0.2
"""Part of the weight that must move between sources before a period is flagged: below it, a value
that one source holds twice as often as the others moves by less than a fifth."""
_STAYS: Final = 0.5
_Z95: Final = 1.959964
_TINY: Final = 1e-9


@dataclass(frozen=True)
class Sources:
    """The sources of the rows inside a report.

    Attributes:
        names: [j]; sources beyond the 20 largest are one, the last.
        codes: source of each row, [n].
        mass: capped weight by source and period, [j, t].
        garments: [j].
    """

    names: tuple[str, ...]
    codes: Ints
    mass: Floats
    garments: Floats


def sources_of(observations: Observations, inside: Inside) -> Sources | None:
    """Return the sources, by falling number of garments; ``None`` where none is known."""
    if observations.sources is None:
        return None
    codes = observations.sources[inside.where].astype(np.int64)
    size = len(observations.source_names)
    counts = summed(codes[codes >= 0], inside.counts[codes >= 0], size)
    order = [code for code in np.argsort(-counts, kind="stable").tolist() if counts[code] > 0]
    if not order:
        return None
    unknown = bool(np.any(codes < 0))
    kept, more = order[:MOST_SOURCES], len(order) > MOST_SOURCES or unknown
    table = np.full(size + 1, len(kept))
    table[kept] = np.arange(len(kept))
    places = table[codes]
    number = len(kept) + more
    flat = places * inside.periods + inside.places
    return Sources(
        names=(*(observations.source_names[code] for code in kept), *([OTHERS] if more else [])),
        codes=places,
        mass=summed(flat, inside.mass, number * inside.periods).reshape(number, -1),
        garments=summed(places, inside.counts, number),
    )


def seen(observations: Observations, inside: Inside, sources: Sources) -> tuple[SourceSeen, ...]:
    """Return what each source gave, for the report."""
    held = dict(zip(observations.source_names, inside.capped_sources.tolist(), strict=True))
    accounts = _accounts(observations, inside, sources)
    whole = max(float(sources.mass.sum()), _TINY)
    days = observations.dates[inside.where]
    return tuple(
        SourceSeen(
            name=name,
            garments=round(sources.garments[at]),
            accounts=accounts[at],
            share=round(float(sources.mass[at].sum()) / whole, 4),
            first=days[sources.codes == at].min().item(),
            last=days[sources.codes == at].max().item(),
            capped_periods=held.get(name, 0),
        )
        for at, name in enumerate(sources.names)
    )


def mix_changes(panel: Panel, sources: Sources | None) -> tuple[MixChange, ...]:
    """Return the periods at which the mix of sources moved, each with the source that moved most.

    The quarter of a year before a period is set against the one from it on, by the total variation
    between both mixes: half the sum of absolute differences. One is told that is at least a fifth
    and the largest within a quarter of a year.
    """
    if sources is None or len(sources.names) < 2:  # noqa: PLR2004 - one source has no mix
        return ()
    width = max(2, panel.season // 4)
    periods = sources.mass.shape[1]
    sums = np.concatenate([np.zeros((len(sources.names), 1)), sources.mass.cumsum(1)], axis=1)
    at = np.arange(1, periods)
    before = _parts(sums[:, at] - sums[:, np.maximum(at - width, 0)])
    after = _parts(sums[:, np.minimum(at + width, periods)] - sums[:, at])
    distance = np.nan_to_num(np.abs(after - before).sum(0) / 2)
    found = []
    for place in np.flatnonzero(distance >= LARGE_SHIFT).tolist():
        near = slice(max(0, place - width), place + width + 1)
        if int(np.argmax(distance[near])) + near.start == place:
            most = int(np.argmax(np.abs(after - before)[:, place]))
            found.append(
                MixChange(
                    period=_day(panel, place + 1),
                    source=sources.names[most],
                    before=round(float(before[most, place]), 4),
                    after=round(float(after[most, place]), 4),
                    distance=round(float(distance[place]), 4),
                )
            )
    return tuple(found)


def fixed_mix(
    observations: Observations,
    panel: Panel,
    inside: Inside,
    sources: Sources | None,
    *,
    windows: Ints,
    scatter: Floats,
) -> list[FixedMix | None]:
    """Split each series' change into the part within sources and that of their mix.

    The last ``windows`` periods, at most a year, are set against the same ones a year before.

    Args:
        observations: what was seen.
        panel: the series; those of single segments are not split.
        inside: the rows of the panel.
        sources: from `sources_of`.
        windows: periods that each series' change looks at; 0 where it has none, [s].
        scatter: by how much each series' counts vary more than chance, at least 1, [s].

    Returns:
        For each series its split; ``None`` without a change, or with fewer than two sources in
        either window.
    """
    result: list[FixedMix | None] = [None] * len(panel.names)
    if sources is None or len(sources.names) < 2:  # noqa: PLR2004 - one source has no mix
        return result
    periods = inside.periods
    for width in np.unique(windows[windows > 0]).tolist():
        span = min(int(width), panel.season, periods - panel.season)
        if span <= 0:
            continue
        late = inside.places >= periods - span
        start = periods - span - panel.season
        early = (inside.places >= start) & (inside.places < start + span)
        chosen = np.flatnonzero(late | early)
        side = late[chosen].astype(np.int64)
        for one in coded(observations, panel, inside, chosen):
            asked = np.flatnonzero(windows[one.series] == width)
            if len(asked):
                counts = _tables(one.codes, one.size, side, chosen, inside, sources)
                for row in asked.tolist():
                    at = one.first + row
                    result[at] = _split(counts.of(row), counts.effective, float(scatter[at]))
    return result


@dataclass(frozen=True)
class _Tables:
    """Sums of one attribute: [series, side, j] and, of all its series, [side, j]."""

    carried: Floats
    whole: Floats
    effective: Floats

    def of(self, row: int) -> tuple[Floats, Floats]:
        """Return a series' share in each source, and each source's part, [side, j]."""
        share = np.divide(
            self.carried[row], self.whole, out=np.full_like(self.whole, np.nan),
            where=self.whole > 0,
        )  # fmt: skip
        return share, self.whole / np.maximum(self.whole.sum(1, keepdims=True), _TINY)


def _tables(
    codes: Ints, size: int, side: Ints, chosen: Ints, inside: Inside, sources: Sources
) -> _Tables:
    known = codes >= 0
    rows = chosen[known]
    number = len(sources.names)
    cell = side[known] * number + sources.codes[rows]
    mass, squares = inside.mass[rows], inside.squares[rows]
    whole = summed(cell, mass, 2 * number).reshape(2, number)
    spread = summed(cell, squares, 2 * number).reshape(2, number)
    flat = codes[known] * 2 * number + cell
    return _Tables(
        carried=summed(flat, mass, size * 2 * number).reshape(size, 2, number),
        whole=whole,
        effective=np.divide(whole**2, spread, out=np.zeros_like(whole), where=spread > 0),
    )


def _split(found: tuple[Floats, Floats], effective: Floats, scatter: float) -> FixedMix | None:
    share, part = found
    both = np.isfinite(share).all(0)
    if both.sum() == 0 or (part > 0).any(0).sum() < 2:  # noqa: PLR2004 - one source has no mix
        return None
    # A source of one side only cannot have changed within: what it brought or took is mix.
    share = np.where(np.isfinite(share), share, share[::-1])
    middle = part.mean(0)
    within = float(((share[1] - share[0]) * middle)[both].sum())
    mix = float(((part[1] - part[0]) * share.mean(0)).sum())
    held = np.clip(share, 0.5 / (effective + 1), 1 - 0.5 / (effective + 1))
    noise = held * (1 - held) / np.maximum(effective, _TINY)
    error = float(np.sqrt(scatter * (middle**2 * noise.sum(0))[both].sum()))
    return FixedMix(
        before=round(float((part[0] * share[0]).sum()), 6),
        after=round(float((part[1] * share[1]).sum()), 6),
        within=round(within, 6),
        mix=round(mix, 6),
        low=round(within - _Z95 * error, 6),
        high=round(within + _Z95 * error, 6),
        sources=int(both.sum()),
        verdict=_verdict(within, mix, _Z95 * error),
    )


def _verdict(within: float, mix: float, half: float) -> MixVerdict:
    """Say whether the change stays: surely there within sources, and at least half of it."""
    total = within + mix
    sign = 1.0 if total >= 0 else -1.0
    if sign * within - half > 0 and sign * within >= _STAYS * abs(total):
        return "stays"
    if sign * within + half < _STAYS * abs(total):
        return "mix"
    return "unclear"


def _parts(mass: Floats) -> Floats:
    whole = mass.sum(0, keepdims=True)
    parts = np.divide(mass, whole, out=np.full_like(mass, np.nan), where=whole > 0)
    return np.asarray(parts, dtype=np.float64)


def _accounts(observations: Observations, inside: Inside, sources: Sources) -> list[int]:
    number = len(sources.names)
    if observations.accounts is None:
        return [0] * number
    codes = observations.accounts[inside.where].astype(np.int64)
    known: Bools = codes >= 0
    pairs = np.unique(codes[known] * number + sources.codes[known])
    counts: list[int] = np.bincount(pairs % number, minlength=number).tolist()
    return counts


def _day(panel: Panel, place: int) -> date:
    found: date = panel.starts[place].astype("datetime64[D]").item()
    return found

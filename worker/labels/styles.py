"""Styles: groups of garments that look alike, which keep their numbers from one time to the next.

What you can rely on:

- Styles that were found before are where the search begins, in whatever space the garments are now
  seen: their centres are the means of the garments that had them. So a catalog that grows by a
  little, or an encoder that was trained again, moves few garments.
- A style goes on as the style with which it shares garments: pairs are matched so that most are
  shared (Hungarian), and a pair that shares too few is none. So numbers hold though vectors change.
- A new style takes the next number. The number of a style that went is never given again.
- How many there are is chosen anew only when the garments have doubled since, and then styles are
  added, never taken. In between a new style needs garments that are far from all styles and near to
  each other. A style of which too few garments are left goes.
- A garment far from every centre has no style.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.labels import groups
from worker.labels.groups import Floats, Nearest
from worker.labels.matching import NONE, assign, overlap

Codes = NDArray[np.int64]

FEWEST: Final = 160
"""Garments from which styles are looked for."""

TYPICAL: Final = 12
_REGROWN: Final = 2.0
_SMALLEST: Final = 10  # garments of a style
_FAR: Final = 3.0  # deviations below the median cosine to the own centre
_DEVIATION: Final = 1.4826  # times the median absolute deviation, of a normal distribution
_KEPT: Final = 0.3  # of the larger of two styles that they must share to be one
_MOST_CROWDS: Final = 16
_CROWD: Final = 0.25  # of a mean style: garments far from all that make a style of their own


@dataclass(frozen=True)
class Earlier:
    """What was found before.

    Attributes:
        styles: int64 [n]: the style that each of today's garments had; -1 none, or new.
        next_number: the lowest number that was never given.
        chosen_for: the garments that there were when the number of styles was chosen.
        since: style number -> the catalog version in which it was new.
    """

    styles: Codes
    next_number: int
    chosen_for: int
    since: dict[int, int]


@dataclass(frozen=True)
class Style:
    """One style.

    Attributes:
        number: its name.
        garments: how many have it.
        typical: the rows of its most typical garments, most typical first.
        tightness: mean cosine of its garments to its centre.
        kept: of the garments that had this number before and are still there, the part that has
            it now; None for a new style.
        since: the catalog version in which it was new.
    """

    number: int
    garments: int
    typical: tuple[int, ...]
    tightness: float
    kept: float | None
    since: int


@dataclass(frozen=True)
class Styles:
    """What was found.

    Attributes:
        numbers: int64 [n]: each garment's style; -1 none.
        alike: float32 [n]: its cosine to the nearest centre.
        styles: by number.
        next_number, chosen_for: as `Earlier` takes them.
        agreements: candidate number of styles -> how far two halves agree; empty where the number
            was not chosen anew.
        retired: numbers that went.
    """

    numbers: Codes
    alike: Floats
    styles: tuple[Style, ...]
    next_number: int
    chosen_for: int
    agreements: dict[int, float]
    retired: tuple[int, ...]


def find_styles(
    embeddings: Floats, *, earlier: Earlier | None, version: int, seed: int = 0
) -> Styles | None:
    """Find the styles of garments.

    Args:
        embeddings: float32 [n, d] of one encoder.
        earlier: what was found before, of the same garments and others.
        version: the catalog version, for styles that are new.
        seed: every draw follows from it.

    Returns:
        What was found, or None where there are fewer than `FEWEST` garments.
    """
    if len(embeddings) < FEWEST:
        return None
    vectors = groups.directions(embeddings)
    agreements: dict[int, float] = {}
    chosen_for = len(vectors)
    held = np.full(len(vectors), NONE)
    count = 0
    fresh = earlier is None or not (earlier.styles != NONE).any()
    if earlier is None or fresh or len(vectors) >= _REGROWN * earlier.chosen_for:
        count, agreements = groups.choose_count(vectors, seed=seed)
    else:
        chosen_for = earlier.chosen_for
    if earlier is None or fresh:
        centres = groups.find_centres(vectors, count, seed=seed)
    else:
        centres, held = _moved(vectors, earlier, count, seed)
    centres, held = _without_small(vectors, centres, held)
    found = groups.nearest(vectors, centres, held)
    own = np.where(found.alike >= _limit(found.alike), found.groups, NONE)
    numbering = _numbering(own, len(centres), earlier)
    return _told(found, own, numbering, (earlier, version, chosen_for, agreements))


def _moved(vectors: Floats, earlier: Earlier, count: int, seed: int) -> tuple[Floats, Codes]:
    """Return the earlier styles' centres among today's garments, and those of new crowds.

    And which of them each garment was at before, int64 [n]; -1 none. There are `count` centres or
    more.
    """
    names = np.unique(earlier.styles[earlier.styles != NONE])
    known = earlier.styles != NONE
    held = np.where(known, np.searchsorted(names, earlier.styles), NONE)
    before = groups.means(vectors[known], held[known], len(names))
    # New crowds are looked for before centres move: a crowd would draw the nearest one to itself.
    found = groups.nearest(vectors, before, held)
    limit = _limit(found.alike[known])
    new = _crowds(vectors[found.alike < limit], limit, len(vectors) / len(names), seed)
    centres = np.concatenate([before, new])
    more = groups.more_centres(vectors, centres, count - len(centres), seed=seed)
    return groups.settle(vectors, np.concatenate([centres, more]), held), held


def _crowds(away: Floats, limit: float, mean_size: float, seed: int) -> Floats:
    """Return the centres of those that are many enough, and near to each other, [k, d]."""
    least = max(_SMALLEST, round(_CROWD * mean_size))
    if len(away) < least:
        return away[:0]
    tried = groups.find_centres(away, min(_MOST_CROWDS, len(away) // least), seed=seed)
    near = groups.nearest(away, tried)
    fits = np.bincount(near.groups[near.alike >= limit], minlength=len(tried)) >= least
    return tried[fits]


def _without_small(vectors: Floats, centres: Floats, held: Codes) -> tuple[Floats, Codes]:
    while len(centres) > 1:
        found = groups.nearest(vectors, centres, held).groups
        counts = np.bincount(found, minlength=len(centres))
        if counts.min() >= _SMALLEST:
            break
        gone = int(counts.argmin())
        centres = np.delete(centres, gone, axis=0)
        held = np.where(held == gone, NONE, held - (held > gone))
    return centres, held


def _limit(alike: Floats) -> float:
    """Return the cosine to its centre below which a garment is far from all of them."""
    middle = float(np.median(alike))
    spread = _DEVIATION * float(np.median(np.abs(alike - middle)))
    return middle - _FAR * spread


def _numbering(own: Codes, count: int, earlier: Earlier | None) -> Codes:
    """Return each group's number, int64 [count]."""
    numbers = np.full(count, NONE)
    following = 1
    if earlier is not None:
        following = earlier.next_number
        names = np.unique(earlier.styles[earlier.styles != NONE])
        before = np.where(earlier.styles == NONE, NONE, np.searchsorted(names, earlier.styles))
        shared = overlap(own, before, (count, len(names)))
        # Garments that came since belong to no earlier style and tell nothing of it.
        known = before != NONE
        now = np.bincount(own[known & (own != NONE)], minlength=count)
        then = np.bincount(before[known], minlength=len(names))
        for group, name in enumerate(assign(shared)):
            larger = 0 if name == NONE else max(now[group], then[name])
            if larger and shared[group, name] >= _KEPT * larger:
                numbers[group] = names[name]
    new = np.flatnonzero(numbers == NONE)
    numbers[new] = following + np.arange(len(new))
    return numbers


def _told(
    found: Nearest,
    own: Codes,
    numbering: Codes,
    about: tuple[Earlier | None, int, int, dict[int, float]],
) -> Styles:
    earlier, version, chosen_for, agreements = about
    numbers = np.where(own == NONE, NONE, numbering[own])
    told = [
        _style(found, own, group, (int(number), numbers, earlier, version))
        for group, number in enumerate(numbering)
        if (own == group).any()
    ]
    before = () if earlier is None else np.unique(earlier.styles[earlier.styles != NONE]).tolist()
    highest = max(numbering.tolist(), default=0) + 1
    return Styles(
        numbers=numbers,
        alike=found.alike,
        styles=tuple(sorted(told, key=lambda style: style.number)),
        next_number=max(highest, 1 if earlier is None else earlier.next_number),
        chosen_for=chosen_for,
        agreements=agreements,
        retired=_missing(before, numbering),
    )


def _missing(before: Sequence[int], numbering: Codes) -> tuple[int, ...]:
    return tuple(sorted(set(before) - set(numbering.tolist())))


def _style(
    found: Nearest, own: Codes, group: int, about: tuple[int, Codes, Earlier | None, int]
) -> Style:
    number, numbers, earlier, version = about
    members = np.flatnonzero(own == group)
    order = members[np.argsort(-found.alike[members], kind="stable")]
    had = np.zeros(len(own), np.bool_) if earlier is None else earlier.styles == number
    since = version if earlier is None else earlier.since.get(number, version)
    return Style(
        number=number,
        garments=len(members),
        typical=tuple(order[:TYPICAL].tolist()),
        tightness=float(found.alike[members].mean()),
        kept=float((numbers[had] == number).mean()) if had.any() else None,
        since=since,
    )

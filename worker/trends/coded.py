"""Which series of a panel each row belongs to; segments, sources and evidence are counted by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from worker.trends.arrays import Ints
from worker.trends.inside import Inside
from worker.trends.observations import Observations
from worker.trends.series import Name, Panel

_LARGEST_TABLE: Final = 4_000_000


@dataclass(frozen=True)
class Coded:
    """The rows of one attribute's series.

    Attributes:
        first: number of the attribute's first series in the panel.
        size: how many series it has; they follow one another.
        codes: series of each row asked for, 0..size-1, -1 where the attribute is not known, [n].
    """

    first: int
    size: int
    codes: Ints

    @property
    def series(self) -> slice:
        """The attribute's series in the panel."""
        return slice(self.first, self.first + self.size)


def coded(
    observations: Observations, panel: Panel, inside: Inside, chosen: Ints | None = None
) -> Iterator[Coded]:
    """Yield, attribute by attribute, which series each row inside the report belongs to.

    Only series over all segments are looked at; those of single segments follow them in a panel.

    Args:
        observations: what was seen.
        panel: the series.
        inside: the rows of the panel.
        chosen: which of the rows inside are asked for; all of them when not given.
    """
    where = inside.where if chosen is None else inside.where[chosen]
    first = 0
    for group in dict.fromkeys(panel.groups.tolist()):
        names = [panel.names[row] for row in np.flatnonzero(panel.groups == group)]
        if names[0].segment is None:
            if any(name.parts for name in names):
                codes = _pair_codes(observations, names, where)
            else:
                codes = _codes(observations, names, where)
            yield Coded(first, len(names), codes)
        first += len(names)


def _codes(observations: Observations, names: list[Name], where: Ints) -> Ints:
    vocabulary = observations.vocabulary[names[0].attribute]
    place = {name.value: code for code, name in enumerate(names) if not name.rest}
    rest = next((code for code, name in enumerate(names) if name.rest), -1)
    # One place more, at the end: the code -1 reads it.
    table = np.array([*(place.get(value, rest) for value in vocabulary), -1], dtype=np.int64)
    return np.asarray(table[observations.attributes[names[0].attribute][where]])


def _pair_codes(observations: Observations, names: list[Name], where: Ints) -> Ints:
    parts = next(name.parts for name in names if name.parts)
    one, other = parts[0][0], parts[1][0]
    left = {value: code for code, value in enumerate(observations.vocabulary[one])}
    right = {value: code for code, value in enumerate(observations.vocabulary[other])}
    rest = next((code for code, name in enumerate(names) if name.rest), -1)
    keys = {
        left[name.parts[0][1]] * len(right) + right[name.parts[1][1]]: code
        for code, name in enumerate(names)
        if name.parts
    }
    first = observations.attributes[one][where].astype(np.int64)
    second = observations.attributes[other][where]
    both = first * len(right) + second
    both[(first < 0) | (second < 0)] = -1
    return _looked_up(both, keys, rest, size=len(left) * len(right))


def _looked_up(values: Ints, keys: dict[int, int], rest: int, *, size: int) -> Ints:
    """Return the code of each value; ``rest`` for one that is no key, -1 for -1."""
    if size <= _LARGEST_TABLE:
        table = np.full(size + 1, rest, dtype=np.int64)
        table[list(keys)] = list(keys.values())
        table[-1] = -1
        return np.asarray(table[values])
    wanted = np.array(sorted(keys), dtype=np.int64)
    place = np.minimum(np.searchsorted(wanted, values), len(wanted) - 1)
    found = np.array([keys[key] for key in wanted.tolist()], dtype=np.int64)[place]
    return np.where(values < 0, -1, np.where(wanted[place] == values, found, rest))

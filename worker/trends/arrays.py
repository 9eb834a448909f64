"""Array types, and the logit scale on which shares are modelled."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Dates = NDArray[np.datetime64]

_LARGEST_TABLE: Final = 8_000_000
_BLOCK: Final = 2**15  # numbers of one array that stay in a core's own cache, with a few more such
FLOOR: Final = 1e-6  # no share is ever 0 or 1: a logit must stay finite


def logit(shares: Floats) -> Floats:
    """Return ``log(p / (1 - p))`` of shares in 0..1, held off 0 and 1 by ``FLOOR``."""
    held = np.clip(shares, FLOOR, 1 - FLOOR)
    return np.asarray(np.log(held / (1 - held)), dtype=np.float64)


def expit(logits: Floats) -> Floats:
    """Return shares in 0..1 from logits; the inverse of `logit`, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float64)


def summed(places: Ints, amounts: Floats, size: int) -> Floats:
    """Return the sums of amounts [n] by place 0..size-1; also of no rows a float."""
    return np.bincount(places, amounts, size).astype(np.float64, copy=False)


def those(chosen: Bools) -> Bools | slice:
    """Return what picks the chosen of millions of rows; where that is all, without copying them."""
    return slice(None) if chosen.all() else chosen


def blocks(array: Floats) -> Iterator[slice]:
    """Yield slices of the rows of an array [s, ...], each of which a core's own cache holds.

    What is worked out in several steps, each for all of thousands of rows, takes twice the time:
    what stands between the steps goes to the memory and back.
    """
    rows = max(1, _BLOCK * len(array) // max(array.size, 1))
    return (slice(start, start + rows) for start in range(0, len(array), rows))


def by_blocks(work: Callable[..., Floats], *arrays: Floats) -> Floats:
    """Return what ``work`` makes of arrays [s, ...], asked for a block of rows at a time.

    Only for work in which no row of what comes out depends on another row.
    """
    parts = [work(*(one[rows] for one in arrays)) for rows in blocks(arrays[0])]
    return np.concatenate(parts) if parts else work(*arrays)


def distinct(keys: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the distinct keys 0..size-1 in order, and which of them each row has, [n].

    As ``np.unique`` with its inverse, but without sorting where a table of all keys is small.
    """
    if size > _LARGEST_TABLE:
        used, rows = np.unique(keys, return_inverse=True)
        return used, rows
    used = np.flatnonzero(np.bincount(keys, minlength=size))
    places = np.zeros(size, dtype=np.int64)
    places[used] = np.arange(len(used))
    return used, places[keys]


def unlike_rows(*arrays: Floats) -> tuple[Ints, Ints]:
    """Return which rows of arrays [s, t] are unlike all before them, and which each is like, [s].

    What rows have in common is then worked out once.
    """
    places: dict[bytes, int] = {}
    found: list[int] = []
    first: list[int] = []
    for row, parts in enumerate(zip(*arrays, strict=True)):
        place = places.setdefault(b"".join(part.tobytes() for part in parts), len(places))
        found.append(place)
        if place == len(first):
            first.append(row)
    return np.array(first, dtype=np.int64), np.array(found, dtype=np.int64)


def row_medians(values: Floats, known: Bools) -> Floats:
    """Return the median of the known values of each row, [s]; NaN where none is known."""
    count = known.sum(1)
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    rows = np.arange(len(values))
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    middle = (ordered[rows, low] + ordered[rows, np.minimum(high, values.shape[1] - 1)]) / 2
    return np.where(count > 0, middle, np.nan)

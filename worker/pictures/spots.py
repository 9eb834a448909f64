"""Round spots of one size on cloth: whether a pattern is dots."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int64]

_CLOTH_PART: Final = (0.03, 0.45)  # what dots may cover of the cloth
_LEAST_SPOTS: Final = 5
_LEAST_PIXELS: Final = 4
_LARGEST: Final = 0.03  # of the crop: larger things are motifs
_SPREAD: Final = 0.75  # quartile range of the spots' areas over their median
_ASPECT: Final = (0.55, 1.8)
_FULL: Final = 0.55  # part of its bounding box that a disc fills; 0.79 on paper, less in pixels
_ALL_ALIKE: Final = 0.7  # part of what stands out that must be such spots
_REST: Final = 0.3  # deviation of the cloth between, over how far spots stand out
_ROUNDS: Final = 48  # steps from end to end of the longest thing that could pass


def is_dotted(relief: Floats, cloth: Mask) -> bool:
    """Tell whether most of what stands out from the cloth is round, of one size and apart.

    Args:
        relief: float32 [height, width], of `worker.pictures.weave`.
        cloth: bool [height, width].
    """
    inside = relief[cloth]
    if not inside.size:
        return False
    bound = 0.5 * float(inside.std())
    return any(
        _is_even(side * relief, cloth, bound)
        and _is_spotted(cloth & (side * relief > bound), cloth)
        for side in (1, -1)
    )


def _is_even(relief: Floats, cloth: Mask, bound: float) -> bool:
    """Tell whether the cloth between is of one shade; between the squares of a check it is not."""
    spots, rest = relief[cloth & (relief > bound)], relief[cloth & (relief <= bound)]
    if not len(spots) or not len(rest):
        return False
    return bool(rest.std() <= _REST * (spots.mean() - rest.mean()))


def _is_spotted(out: Mask, cloth: Mask) -> bool:
    covered = out.sum() / cloth.sum()
    if not _CLOTH_PART[0] <= covered <= _CLOTH_PART[1]:
        return False
    labels = _connected(out)
    names, flat = np.unique(labels[out], return_inverse=True)
    rows, columns = np.nonzero(out)
    area = np.bincount(flat)
    tall, broad = (_extent(flat, where, len(names)) for where in (rows, columns))
    whole = ~_at_edge(labels, names, cloth)
    aspect, full = broad / tall, area / (tall * broad)
    round_ = (aspect >= _ASPECT[0]) & (aspect <= _ASPECT[1]) & (full >= _FULL)
    fits = round_ & (area >= _LEAST_PIXELS) & (area <= _LARGEST * out.size)
    spots = area[fits & whole]
    if len(spots) < _LEAST_SPOTS or area[fits & whole].sum() < _ALL_ALIKE * area[whole].sum():
        return False
    low, middle, high = np.quantile(spots, [0.25, 0.5, 0.75])
    return bool(high - low <= _SPREAD * middle)


def _extent(flat: Labels, where: Labels, count: int) -> Labels:
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(first, flat, where)
    np.maximum.at(last, flat, where)
    return np.asarray(last - first + 1)


def _at_edge(labels: Labels, names: Labels, cloth: Mask) -> Mask:
    """Tell which things touch the crop's edge or the ground: they may be cut."""
    edge = np.ones_like(cloth)
    edge[1:-1, 1:-1] = ~(cloth[:-2, 1:-1] & cloth[2:, 1:-1] & cloth[1:-1, :-2] & cloth[1:-1, 2:])
    return np.isin(names, labels[edge])


def _connected(out: Mask) -> Labels:
    """Name the things of a mask: each takes the smallest place in it; -1 where there is none."""
    none = out.size
    labels = np.where(out, np.arange(none).reshape(out.shape), none)
    for _ in range(_ROUNDS):
        grown = labels.copy()
        grown[1:] = np.minimum(grown[1:], labels[:-1])
        grown[:-1] = np.minimum(grown[:-1], labels[1:])
        grown[:, 1:] = np.minimum(grown[:, 1:], labels[:, :-1])
        grown[:, :-1] = np.minimum(grown[:, :-1], labels[:, 1:])
        grown[~out] = none
        if np.array_equal(grown, labels):
            break
        labels = grown
    return np.where(out, labels, -1)

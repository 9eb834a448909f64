"""Which conditions are worth trying for a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def likely(
    scores: NDArray[np.float32], given: NDArray[np.int32], values: Sequence[int], *, most: int
) -> NDArray[np.int32]:
    """Return the likeliest label combinations; all of them where they are no more than `most`.

    The attributes are taken as independent, so keeping the best `most` after each attribute loses
    none of the best `most` of all.

    Args:
        scores: [all values], logits of the attributes' values side by side.
        given: int32 [attributes], -1 where open; what is given is kept.
        values: how many values each attribute has.
        most: rows at most, above zero.

    Returns:
        int32 [m, attributes], the likeliest first.
    """
    kept: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    starts = np.cumsum([0, *values])
    for start, count, label in zip(starts[:-1], values, given.tolist(), strict=True):
        part = scores[start : start + count].astype(np.float64)
        part -= part.max() + np.log(np.exp(part - part.max()).sum())
        open_values = range(count) if label < 0 else (label,)
        longer = [(score + part[v], (*row, v)) for score, row in kept for v in open_values]
        kept = sorted(longer, key=lambda pair: -pair[0])[:most]
    return np.array([row for _, row in kept], np.int32).reshape(len(kept), len(values))

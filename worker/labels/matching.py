"""Which group of one grouping is which group of another: an assignment, exact and without SciPy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

NONE = -1


def assign(worth: Floats) -> Codes:
    """Pair rows with columns so that the sum of what the pairs are worth is greatest.

    The Hungarian method by shortest augmenting paths, O(rows^2 x columns): H. W. Kuhn, "The
    Hungarian method for the assignment problem", Naval Research Logistics Quarterly 2 (1955);
    R. Jonker, A. Volgenant, Computing 38 (1987).

    Args:
        worth: float64 [rows, columns], finite.

    Returns:
        int64 [rows]: each row's column, or -1 where there are more rows than columns.
    """
    rows, columns = worth.shape
    if rows > columns:
        turned = assign(worth.T)
        result = np.full(rows, NONE)
        result[turned[turned != NONE]] = np.flatnonzero(turned != NONE)
        return result
    cost = worth.max(initial=0.0) - worth
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, NONE)
    for row in range(rows):
        end, came_from = _nearest_free(cost, row, owner, (row_price, column_price))
        while end != NONE:
            before = came_from[end]
            owner[end] = row if before == NONE else owner[before]
            end = before
    result = np.full(rows, NONE)
    result[owner[owner != NONE]] = np.flatnonzero(owner != NONE)
    return result


def _nearest_free(
    cost: Floats, row: int, owner: Codes, prices: tuple[Floats, Floats]
) -> tuple[int, Codes]:
    """Find the cheapest way from a row to a free column, and change the prices by it.

    Returns:
        The free column; and for each column the one before it on the way, -1 for the first.
    """
    row_price, column_price = prices
    reach = np.full(cost.shape[1], np.inf)
    came_from = np.full(cost.shape[1], NONE)
    done = np.zeros(cost.shape[1], np.bool_)
    at, last, far = row, NONE, 0.0
    while True:
        through = far + cost[at] - row_price[at] - column_price
        better = ~done & (through < reach)
        reach[better], came_from[better] = through[better], last
        last = int(np.where(done, np.inf, reach).argmin())
        far = float(reach[last])
        done[last] = True
        if owner[last] == NONE:
            break
        at = int(owner[last])
    used = done & (owner != NONE)
    row_price[row] += far
    row_price[owner[used]] += far - reach[used]
    column_price[used] -= far - reach[used]
    return last, came_from


def overlap(first: Codes, second: Codes, sizes: tuple[int, int]) -> Floats:
    """Count what two groupings of the same things share: float64 [sizes[0], sizes[1]].

    Args:
        first: int64 [n], each thing's group, 0 to sizes[0]; -1 none.
        second: the same of the other grouping.
        sizes: how many groups each has.
    """
    both = (first != NONE) & (second != NONE)
    flat = first[both] * sizes[1] + second[both]
    return np.bincount(flat, minlength=sizes[0] * sizes[1]).reshape(sizes).astype(np.float64)


def agreement(first: Codes, second: Codes) -> float:
    """Return the adjusted Rand index of two groupings: 1 the same, 0 as by chance.

    L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2 (1985). Things that
    are in no group of either are left out.
    """
    shared = overlap(first, second, (int(first.max()) + 1, int(second.max()) + 1))
    pairs, all_pairs = _pairs(shared), _pairs(shared.sum())
    rows, columns = _pairs(shared.sum(axis=1)), _pairs(shared.sum(axis=0))
    by_chance = rows * columns / max(all_pairs, 1)
    most = (rows + columns) / 2
    return 1.0 if most == by_chance else float((pairs - by_chance) / (most - by_chance))


def _pairs(counts: Floats | np.float64) -> float:
    values = np.asarray(counts)
    return float((values * (values - 1) / 2).sum())

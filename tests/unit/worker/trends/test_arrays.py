"""Arrays: what rows have in common is worked out once."""

import numpy as np

from worker.trends.arrays import those, unlike_rows


def test_rows_are_alike_only_where_every_array_is() -> None:
    one = np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    other = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [5.0, 0.0]])
    first, like = unlike_rows(one, other)
    assert first.tolist() == [0, 2, 3]
    assert like.tolist() == [0, 0, 1, 2]
    assert np.array_equal(one[first][like], one)
    assert np.array_equal(other[first][like], other)


def test_all_rows_are_picked_without_a_copy() -> None:
    rows = np.arange(4.0)
    assert np.shares_memory(rows[those(rows >= 0)], rows)
    assert rows[those(rows > 1)].tolist() == [2, 3]
    assert rows[those(rows > 9)].tolist() == []

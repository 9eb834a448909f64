"""Arrays: what rows have in common is worked out once, and thousands of rows by blocks."""

import numpy as np

from worker.trends.arrays import Floats, blocks, by_blocks, those, unlike_rows


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


def test_blocks_hold_every_row_once() -> None:
    for shape in ((5000, 300), (3, 100_000), (1, 1), (0, 4)):
        array = np.zeros(shape)
        for rows in blocks(array):
            array[rows] += 1
        assert np.all(array == 1)
    assert len(list(blocks(np.zeros((5000, 300))))) > 1


def test_work_by_blocks_gives_the_same_bits_as_work_at_once() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 3000, 157))

    def work(left: Floats, right: Floats) -> Floats:
        return np.asarray((np.cumsum(left, axis=1) * right).sum(1) / right.mean(1))

    assert np.array_equal(by_blocks(work, one, other), work(one, other))
    assert by_blocks(work, one[:0], other[:0]).shape == (0,)

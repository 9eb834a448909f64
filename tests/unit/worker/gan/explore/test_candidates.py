import itertools

import numpy as np

from worker.gan.explore.candidates import likely


def test_all_combinations_are_tried_where_they_are_few() -> None:
    rows = likely(np.zeros(5, np.float32), np.array([-1, -1], np.int32), [3, 2], most=6)
    assert sorted(map(tuple, rows.tolist())) == list(itertools.product(range(3), range(2)))


def test_the_likeliest_come_first_and_none_better_is_lost() -> None:
    draw = np.random.default_rng(4)
    values = [4, 3, 5]
    scores = draw.normal(size=12).astype(np.float32)
    rows = likely(scores, np.full(3, -1, np.int32), values, most=7)
    parts = np.split(scores, [4, 7])
    every = sorted(
        itertools.product(*map(range, values)),
        key=lambda row: -sum(float(part[code]) for part, code in zip(parts, row, strict=True)),
    )
    assert list(map(tuple, rows.tolist())) == every[:7]


def test_what_is_given_is_kept() -> None:
    rows = likely(np.zeros(5, np.float32), np.array([2, -1], np.int32), [3, 2], most=9)
    assert rows.tolist() == [[2, 0], [2, 1]]


def test_without_attributes_there_is_one_candidate() -> None:
    assert likely(np.zeros(0, np.float32), np.zeros(0, np.int32), [], most=3).shape == (1, 0)

"""Assignments and agreement of groupings."""

from itertools import permutations

import numpy as np
import pytest

from worker.labels.matching import agreement, assign, overlap


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (4, 6), (6, 4), (5, 5)])
def test_no_other_pairing_is_worth_more(seed: int, shape: tuple[int, int]) -> None:
    worth = np.random.default_rng(seed).integers(0, 20, shape).astype(float)
    found = assign(worth)
    pairs = [(row, column) for row, column in enumerate(found.tolist()) if column != -1]
    assert len({column for _, column in pairs}) == len(pairs) == min(shape)
    small, turned = (worth, False) if shape[0] <= shape[1] else (worth.T, True)
    best = max(
        sum(small[row, column] for row, column in enumerate(order))
        for order in permutations(range(small.shape[1]), small.shape[0])
    )
    assert sum(worth[pair] for pair in pairs) == best, turned


def test_nothing_is_paired_with_nothing() -> None:
    assert assign(np.zeros((0, 3))).tolist() == []
    assert assign(np.zeros((2, 0))).tolist() == [-1, -1]


def test_a_large_assignment_is_found_quickly() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(64)
    worth = rng.random((64, 64))
    worth[np.arange(64), order] += 1
    assert assign(worth).tolist() == order.tolist()


def test_what_two_groupings_share_is_counted_without_what_is_in_none() -> None:
    shared = overlap(np.array([0, 0, 1, -1, 1]), np.array([1, 1, 0, 0, -1]), (2, 2))
    assert shared.tolist() == [[0, 2], [1, 0]]


def test_agreement_is_one_for_the_same_groups_under_other_names_and_none_by_chance() -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 5, 4000)
    assert agreement(first, (first + 2) % 5) == pytest.approx(1)
    assert agreement(first, rng.integers(0, 5, 4000)) == pytest.approx(0, abs=0.02)

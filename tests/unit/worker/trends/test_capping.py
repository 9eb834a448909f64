"""Caps: no account and no source is louder than its part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schemas.trends import TrendOptions
from tests.unit.worker.trends.test_series import TODAY
from worker.trends.capping import cap
from worker.trends.inside import Inside, look_inside
from worker.trends.observations import from_rows


def _parts(groups: list[int], counts: list[float], limit: float) -> np.ndarray:
    codes = np.array(groups, dtype=np.int32)
    ones, places = np.ones(len(codes)), np.zeros(len(codes), dtype=np.int64)
    found = cap(codes, places, np.array(counts), ones, size=max(groups) + 1, periods=1, limit=limit)
    mass = found.factors * counts
    return np.asarray(mass / mass.sum())


def test_an_account_that_floods_a_period_is_held_to_its_part() -> None:
    parts = _parts([0, *range(1, 100)], [900.0, *[1.0] * 99], 0.05)
    assert parts[0] == pytest.approx(0.05)
    assert parts[1:] == pytest.approx(0.95 / 99)


def test_those_below_the_cap_keep_their_proportions() -> None:
    parts = _parts([0, 1, 2, 3, 4, 5], [1000.0, 800.0, 3, 2, 2, 1], 0.3)
    assert parts[:2] == pytest.approx(0.3)
    assert parts[2] / parts[5] == pytest.approx(3)


def test_a_lone_group_stands_as_it_is() -> None:
    assert cap(
        np.zeros(5, dtype=np.int32), np.zeros(5, dtype=np.int64), np.ones(5), np.ones(5),
        size=1, periods=1, limit=0.05,
    ).factors.tolist() == [1] * 5  # fmt: skip


def test_of_two_one_may_weigh_twice_as_much() -> None:
    assert _parts([0, 1], [100.0, 10.0], 0.5).tolist() == pytest.approx([2 / 3, 1 / 3])


def test_rows_of_no_account_are_voices_of_their_own() -> None:
    groups = np.array([0] * 10 + [-1] * 200, dtype=np.int32)
    found = cap(
        groups, np.zeros(210, dtype=np.int64), np.ones(210), np.ones(210),
        size=1, periods=1, limit=0.05,
    )  # fmt: skip
    assert found.factors.tolist() == [1] * 210  # 10 of 210 are less than a twentieth


@given(
    masses=st.lists(st.floats(0.1, 1e6), min_size=2, max_size=60),
    free=st.integers(0, 30),
    limit=st.floats(0.01, 0.9),
)
def test_no_group_is_ever_above_its_part_and_none_gains(
    masses: list[float], free: int, limit: float
) -> None:
    groups = np.array([*range(len(masses)), *[-1] * free], dtype=np.int32)
    counts = np.array([*masses, *[1.0] * free])
    found = cap(
        groups, np.zeros(len(groups), dtype=np.int64), counts, np.ones(len(groups)),
        size=len(masses), periods=1, limit=limit,
    )  # fmt: skip
    mass = counts * found.factors
    most = max(limit, 2 / (len(groups) + 1))
    assert found.factors.max() <= 1
    assert (mass / mass.sum())[: len(masses)].max() <= most * (1 + 1e-6)


def _two_sources(large: int, small: int) -> Inside:
    days = np.repeat(np.arange("2026-01-05", "2026-03-02", 7, dtype="datetime64[D]"), large + small)
    sources = (["shop"] * large + ["blog"] * small) * 8
    seen = from_rows(days, {"colour": ["red", "blue"] * (len(days) // 2)}, sources=sources)
    return look_inside(seen, TrendOptions(period="week"), today=TODAY)


def test_a_cap_on_sources_leaves_half_of_the_effective_garments() -> None:
    inside = _two_sources(400, 4)
    whole = np.bincount(inside.places, inside.mass)
    effective = whole**2 / np.bincount(inside.places, inside.squares)
    assert effective == pytest.approx(202, rel=0.01)
    assert inside.capped_sources.tolist() == [0, 8]


def test_one_source_is_never_capped() -> None:
    assert _two_sources(400, 0).factors.min() == 1

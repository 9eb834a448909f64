"""Turning points: shifts and turns are dated and signed, and noise turns nowhere."""

from dataclasses import replace

import numpy as np
import pytest

from tests.bench.trend_worlds import make_world
from worker.trends.changes import observed_change, significant
from worker.trends.series import Panel
from worker.trends.turning import lasting_steps, turning_points


def test_a_lasting_shift_is_dated_within_eight_weeks_and_has_the_right_sign() -> None:
    made = make_world(("shift", "flat"), groups=40, years=4)
    found = turning_points(made.panel)
    hits = [
        any(
            abs(turn.place - made.since[row]) <= 8 and turn.upward == made.upward[row]
            for turn in found[row]
        )
        for row, kind in enumerate(made.truth)
        if kind == "shift"
    ]
    assert np.mean(hits) >= 0.95


@pytest.mark.parametrize("scatter", [0.0, 0.2])
def test_flat_noise_hardly_ever_turns(scatter: float) -> None:
    made = make_world(("flat",) * 8, groups=30, years=4, scatter=scatter)
    turned = [
        bool(turns)
        for turns, kind in zip(turning_points(made.panel), made.truth, strict=True)
        if kind == "flat"
    ]
    assert len(turned) == 240
    assert np.mean(turned) <= 0.05


def _counted(panel: Panel, shares: np.ndarray) -> Panel:
    return replace(panel, effective=panel.totals * shares)


def test_a_rise_that_turns_into_a_fall_turns_downward_once() -> None:
    panel = make_world(("flat",), groups=2, years=4, garments=1000).panel
    years = np.arange(panel.totals.shape[1]) / 52
    for turns in turning_points(_counted(panel, 0.1 * np.exp(0.5 * (2 - np.abs(years - 2))))):
        assert [turn.upward for turn in turns] == [False]
        assert abs(turns[0].place - 104) <= 8


def test_a_steady_rise_has_no_turning_point() -> None:
    panel = make_world(("flat",), groups=2, years=4, garments=1000).panel
    years = np.arange(panel.totals.shape[1]) / 52
    assert turning_points(_counted(panel, 0.02 * np.exp(0.4 * years))) == [()] * 4


def test_months_turn_too_and_short_or_quarterly_histories_do_not() -> None:
    made = make_world(("shift",), groups=20, years=5, period="month", garments=2000)
    found = turning_points(made.panel)
    assert np.mean([bool(found[row]) for row in range(0, 40, 2)]) >= 0.9
    short = make_world(("shift",), groups=2, years=1.5).panel
    quarters = make_world(("shift",), groups=2, years=5, period="quarter").panel
    assert turning_points(short) == turning_points(quarters) == [()] * 4


def test_what_is_excluded_is_no_turn() -> None:
    panel = make_world(("flat",), groups=2, years=4, garments=1000).panel
    shares = np.full(panel.totals.shape, 0.1)
    shares[:, 100:125] = 0.4
    excluded = shares > 0.2
    assert all(turning_points(_counted(panel, shares)))
    assert not any(turning_points(_counted(panel, shares), excluded=excluded))


def test_a_level_that_shifted_long_ago_is_a_step_and_a_steady_rise_is_none() -> None:
    made = make_world(("shift", "rising", "flat"), groups=40, years=3)
    steps = lasting_steps(made.panel, years=3)
    truth = np.array(made.truth)
    shifted = truth == "shift"
    assert np.mean(np.abs(steps[shifted] - made.since[shifted]) <= 8) >= 0.9
    assert np.mean(steps[truth == "rising"] >= 0) <= 0.05


def test_what_shifted_over_a_year_ago_is_not_called_rising() -> None:
    made = make_world(("shift", "flat"), groups=40, years=3)
    change = observed_change(made.panel)
    called = significant(change, false_discovery_rate=0.05, minimum_change=0.05) & change.still
    assert np.mean(called[np.array(made.truth) == "shift"]) <= 0.1

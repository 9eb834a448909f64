"""Backtests: where they stand, what they may see, and whether intervals hold."""

import math

import numpy as np
import pytest

from worker.trends.arrays import expit
from worker.trends.backtest import (
    calibrate,
    naive_scale,
    rolling_origins,
    rough_intervals,
    run_trials,
    score,
)

SEASON = 52


@pytest.mark.parametrize(
    ("periods", "season", "horizon", "origins"),
    [
        (156, 52, 26, (104, 117, 130)),
        (36, 12, 6, (24, 27, 30)),
        (120, 52, 8, (104, 108, 112)),
        (130, 52, 26, (104,)),
        (70, 52, 8, (52, 57, 62)),
        (6, 52, 4, ()),
    ],
)
def test_origins_leave_two_years_before_and_a_horizon_after(
    periods: int, season: int, horizon: int, origins: tuple[int, ...]
) -> None:
    assert rolling_origins(periods, season, horizon) == origins


def test_a_long_history_gives_eight_origins_with_the_newest_last() -> None:
    origins = rolling_origins(520, SEASON, 26)
    assert len(origins) == 8
    assert origins[-1] == 494


def test_a_trial_sees_nothing_after_its_origin() -> None:
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.1, 0.2, (3, 156))
    other = shares.copy()
    other[:, 130:] = 0.9
    one = run_trials(shares, np.ones_like(shares), season=SEASON, horizon=26)
    two = run_trials(other, np.ones_like(other), season=SEASON, horizon=26)
    assert np.array_equal(one.predicted, two.predicted)
    assert np.array_equal(one.naive, two.naive)
    assert np.array_equal(one.scale, two.scale)


def test_intervals_of_noise_hold_what_they_promise() -> None:
    rng = np.random.default_rng(0)
    shares = expit(-2 + rng.uniform(0.1, 0.4, (60, 1)) * rng.normal(size=(60, 182)))
    past, after = shares[:, :156], shares[:, 156:]
    trials = run_trials(past, np.ones_like(past), season=SEASON, horizon=26)
    scores = score(trials)
    assert scores.coverage80 == pytest.approx(0.8, abs=0.03)
    assert scores.coverage95 == pytest.approx(0.95, abs=0.02)
    assert trials.conformal().quantiles[0] < trials.conformal().quantiles[1]
    assert after.shape == (60, 26)


def test_a_noisier_series_gets_a_wider_interval() -> None:
    residuals = np.random.default_rng(0).normal(size=(3, 2, 13)) * np.array([0.1, 1.0])[:, None]
    conformal = calibrate(residuals, np.ones_like(residuals, dtype=bool))
    assert conformal.spread[1] > 1.5 * conformal.spread[0]


def test_a_thinner_series_gets_a_wider_interval_even_before_it_errs() -> None:
    residuals = np.full((3, 2, 13), 0.2)
    seen = np.ones_like(residuals, dtype=bool)
    seen[:, 1] = False
    conformal = calibrate(residuals, seen, np.array([0.0, 1.0]))
    assert conformal.spread[1] > 2 * conformal.spread[0]


def test_intervals_never_narrow_with_the_step() -> None:
    residuals = np.random.default_rng(1).normal(size=(3, 5, 26))
    widths = calibrate(residuals, np.ones_like(residuals, dtype=bool)).half_widths(0)
    assert np.all(np.diff(widths, axis=1) >= -1e-12)


def test_gaps_are_not_scored() -> None:
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.1, 0.2, (3, 156))
    trust = np.ones_like(shares)
    trust[:, 140] = 0
    spoilt = shares.copy()
    spoilt[:, 140] = 0.99
    one = run_trials(shares, trust, season=SEASON, horizon=26)
    two = run_trials(spoilt, trust, season=SEASON, horizon=26)
    assert score(one) == score(two)


def test_no_origin_gives_no_scores_rather_than_zeros() -> None:
    shares = np.full((2, 6), 0.1)
    trials = run_trials(shares, np.ones_like(shares), season=SEASON, horizon=4)
    assert math.isnan(score(trials).mase)
    assert rough_intervals(shares, np.ones_like(shares), SEASON, 4).rough


def test_one_origin_cannot_show_coverage() -> None:
    shares = np.random.default_rng(0).uniform(0.1, 0.2, (3, 130))
    scores = score(run_trials(shares, np.ones_like(shares), season=SEASON, horizon=26))
    assert math.isnan(scores.coverage80)
    assert scores.mase > 0


def test_the_naive_scale_is_the_step_from_last_year() -> None:
    shares = np.array([[0.1, 0.2, 0.3, 0.5]])
    assert naive_scale(shares, np.ones_like(shares), 2)[0] == pytest.approx(0.25)

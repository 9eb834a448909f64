"""A second forecaster: it has a part only where the trials earn it one."""

import math

import numpy as np
import pytest

from worker.trends.arrays import Floats, expit, logit
from worker.trends.backtest import Trials, run_trials
from worker.trends.ensemble import MOST_FITS, Joined, installed, join, mstl
from worker.trends.forecast import forecast

SEASON, HORIZON = 12, 6


def _shares(series: int = 8, periods: int = 72) -> Floats:
    rng = np.random.default_rng(0)
    time = np.arange(periods)
    wave = 0.4 * np.cos(2 * np.pi * time / SEASON + rng.uniform(0, 6, (series, 1)))
    return expit(-2 + wave + 0.3 * rng.normal(size=(series, periods)).cumsum(1) * 0.3)


def _start(shares: Floats) -> tuple[Floats, Trials]:
    trust = np.ones_like(shares)
    return (
        forecast(shares, trust, season=SEASON, horizon=HORIZON),
        run_trials(shares, trust, season=SEASON, horizon=HORIZON),
    )


def _knowing(shares: Floats) -> Joined:
    """Join one who knows what is to come."""
    middle, trials = _start(shares)
    future = np.concatenate([logit(shares), np.zeros((len(shares), HORIZON))], axis=1)

    def seer(past: Floats, season: int, horizon: int) -> Floats:
        assert season == SEASON
        return future[:, past.shape[1] : past.shape[1] + horizon]

    return join(middle, trials, (shares, np.ones_like(shares)), season=SEASON, second=seer)


def test_a_forecaster_that_knows_better_gets_the_most_weight() -> None:
    joined = _knowing(_shares())
    assert joined.weight == 0.75
    assert joined.error_with < 0.5 * joined.error_without
    assert "75%" in joined.note


def test_a_forecaster_that_errs_more_gets_no_part() -> None:
    shares = _shares()
    middle, trials = _start(shares)
    joined = join(
        middle,
        trials,
        (shares, np.ones_like(shares)),
        season=SEASON,
        second=lambda past, _, horizon: np.full((len(past), horizon), 3.0),
    )
    assert joined.weight == 0
    assert joined.middle is middle
    assert joined.trials is trials
    assert joined.error_with > joined.error_without
    assert "not used" in joined.note


def test_a_forecast_that_is_not_a_number_is_not_mixed_in() -> None:
    shares = _shares()
    middle, trials = _start(shares)
    joined = join(
        middle,
        trials,
        (shares, np.ones_like(shares)),
        season=SEASON,
        second=lambda past, _, horizon: np.full((len(past), horizon), np.nan),
    )
    assert joined.weight == 0
    assert np.isfinite(joined.middle).all()


def test_gaps_are_filled_before_a_second_forecaster_sees_them() -> None:
    shares, trust = _shares(), np.ones((8, 72))
    trust[:, 20:24] = 0
    shares[:, 20:24] = 0.99
    middle, trials = _start(shares)

    def looks(past: Floats, season: int, horizon: int) -> Floats:
        assert season == SEASON
        assert past[:, 20:24].max() < 2
        return np.zeros((len(past), horizon))

    assert join(middle, trials, (shares, trust), season=SEASON, second=looks).weight == 0


def test_too_few_trials_or_too_many_series_leave_it_out_and_say_so() -> None:
    def never(past: Floats, season: int, horizon: int) -> Floats:
        raise AssertionError((past.shape, season, horizon))

    short = _shares(periods=26)
    middle, trials = _start(short)
    few = join(middle, trials, (short, np.ones_like(short)), season=SEASON, second=never)
    assert "too few trials" in few.note
    assert math.isnan(few.error_with)
    many = _shares(series=MOST_FITS // 9 + 1)
    middle, trials = _start(many)
    much = join(middle, trials, (many, np.ones_like(many)), season=SEASON, second=never)
    assert "too many series" in much.note


def test_mstl_repeats_a_season() -> None:
    if not installed():
        pytest.skip("statsforecast is not installed: pip install 'toile[forecast]'")
    time = np.arange(60)
    wave = np.stack([np.cos(2 * np.pi * time / SEASON), np.sin(2 * np.pi * time / SEASON)]) - 2
    wave += 0.01 * np.random.default_rng(0).normal(size=wave.shape)
    ahead = mstl(wave[:, :48], SEASON, 12)
    assert ahead == pytest.approx(wave[:, 48:], abs=0.1)

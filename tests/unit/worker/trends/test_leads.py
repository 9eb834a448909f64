"""Leading segments: a leader is found and used, and noise leads nobody."""

from dataclasses import replace

import numpy as np
import pytest

from tests.bench.trend_worlds import make_world
from worker.trends.arrays import Floats, expit
from worker.trends.backtest import Trials, run_trials
from worker.trends.forecast import forecast
from worker.trends.leads import Led, align, follow, lags_for

SEASON, HORIZON = 52, 13


def _walks(series: int, periods: int, *, seed: int = 0) -> Floats:
    """Return levels that wander slowly, on the logit scale, [series, periods]."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(series, periods + 100)) * 0.05
    return np.cumsum(steps, axis=1)[:, 100:] - 3


def _noisy(levels: Floats, *, seed: int) -> Floats:
    return expit(levels + 0.05 * np.random.default_rng(seed).normal(size=levels.shape))


def _led(shares: Floats, leader: Floats, *, groups: np.ndarray | None = None) -> tuple[Led, Trials]:
    trust = np.ones_like(shares)
    middle = forecast(shares, trust, season=SEASON, horizon=HORIZON, groups=groups)
    trials = run_trials(shares, trust, season=SEASON, horizon=HORIZON, groups=groups)
    segments = {"influencers": (leader, np.ones_like(leader))}
    return (
        follow(middle, trials, (shares, trust), segments, season=SEASON, groups=groups),
        trials,
    )


def test_values_that_all_follow_a_segment_are_forecast_better_with_it() -> None:
    levels = _walks(20, 208)
    leader, shares = levels[:, 8:], levels[:, :-8]
    led, trials = _led(_noisy(shares, seed=1), _noisy(leader, seed=2))
    assert all(lead is not None and lead.segment == "influencers" for lead in led.leads)
    found = [lead for lead in led.leads if lead is not None]
    assert all(4 <= lead.lag <= 26 and lead.pull > 0.3 for lead in found)
    before = np.mean([lead.error_without for lead in found])
    assert np.mean([lead.error_with for lead in found]) < 0.95 * before
    assert np.abs(led.trials.actual - led.trials.predicted).mean() < 0.95 * float(
        np.abs(trials.actual - trials.predicted).mean()
    )
    assert "influencers" in led.note


def test_one_value_that_follows_by_itself_is_told_from_those_that_do_not() -> None:
    levels = _walks(30, 264)
    shares, leader = levels[:, :260].copy(), _walks(30, 260, seed=9)
    leader[0] = levels[0, 4:]
    led, _ = _led(_noisy(shares, seed=1), _noisy(leader, seed=2))
    first = led.leads[0]
    assert first is not None
    assert first.alone
    assert first.error_with < 0.98 * first.error_without
    assert sum(lead is not None for lead in led.leads) <= 2


@pytest.mark.parametrize("seed", range(3))
def test_noise_leads_nobody(seed: int) -> None:
    shares = _noisy(_walks(30, 208, seed=seed), seed=seed)
    leader = _noisy(_walks(30, 208, seed=seed + 50), seed=seed + 50)
    led, trials = _led(shares, leader)
    assert sum(lead is not None for lead in led.leads) <= 2
    assert np.abs(led.trials.predicted - trials.predicted).mean() < 0.01
    if not any(led.leads):
        assert led.note == "No segment leads: none lowers the backtest's error."


def test_a_trial_learns_nothing_from_its_own_outcome() -> None:
    levels = _walks(20, 208)
    shares, leader = _noisy(levels[:, :-8], seed=1), _noisy(levels[:, 8:], seed=2)
    one, _ = _led(shares, leader)
    spoilt = shares.copy()
    spoilt[:, -HORIZON:] *= 1.2  # the outcome of the last trial alone
    other, _ = _led(spoilt, leader)
    assert one.leads[0] is not None
    assert other.leads[0] is not None
    assert one.leads[0].lag == other.leads[0].lag
    # Only the yardstick, the series' usual miss, has changed.
    assert other.trials.predicted[-1] == pytest.approx(one.trials.predicted[-1], abs=0.15)


def test_parts_of_a_whole_still_sum_to_one_when_they_are_led() -> None:
    levels = _walks(10, 208)
    leader, part = _noisy(levels[:, 8:], seed=1), _noisy(levels[:, :-8], seed=2)
    shares = np.concatenate([part, 1 - part])
    led, _ = _led(shares, np.concatenate([leader, 1 - leader]), groups=np.tile(np.arange(10), 2))
    assert any(led.leads)
    ahead = expit(led.middle)
    assert ahead[:10] + ahead[10:] == pytest.approx(np.ones((10, HORIZON)))


def test_a_short_history_is_left_as_it_is() -> None:
    shares = _noisy(_walks(5, 110), seed=0)
    led, trials = _led(shares, shares)
    assert not any(led.leads)
    assert led.trials is trials
    assert led.note == "There are too few trials to tell whether a segment leads."


def test_a_segment_is_aligned_by_value_and_by_day_and_never_with_itself() -> None:
    panel = make_world(("flat", "rising"), groups=1, years=1).panel
    late = replace(
        panel,
        names=panel.names[::-1],
        starts=panel.starts[10:],
        **{
            key: getattr(panel, key)[::-1, 10:]
            for key in ("totals", "effective", "weighted", "thin")
        },
    )
    shares, trust = align(panel, {"shops": late})["shops"]
    assert np.all(trust[:, :10] == 0)
    assert np.all(trust[:, 10:] > 0)
    assert shares[0, 10:] == pytest.approx(late.shares[2])
    own = replace(panel, names=tuple(replace(name, segment="shops") for name in panel.names))
    assert np.all(align(own, {"shops": late})["shops"][1] == 0)
    assert np.all(align(panel, {"shops": replace(late, period="month")})["shops"][1] == 0)
    assert list(align(panel, dict.fromkeys("abcdefgh", late))) == list("abcdef")


@pytest.mark.parametrize(
    ("season", "lags"),
    [(52, (1, 2, 3, 4, 5, 6, 7, 8, 13, 26, 39, 52)), (12, (1, 2, 3, 6, 9, 12)), (4, (1, 2, 3, 4))],
)
def test_lags_reach_eight_weeks_one_by_one_and_then_a_year(
    season: int, lags: tuple[int, ...]
) -> None:
    assert lags_for(season) == lags

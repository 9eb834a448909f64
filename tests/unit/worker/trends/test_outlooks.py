"""Outlooks: a forecast rise is called when last year's sampling error is counted too."""

from collections import Counter

import numpy as np

from tests.bench.trend_worlds import World, make_world
from worker.trends.backtest import run_trials
from worker.trends.forecast import forecast
from worker.trends.outlooks import outlooks


def _directions(made: World, kind: str, *, minimum_change: float = 0.05) -> Counter[str]:
    panel, horizon = made.panel, 26
    groups, season = panel.groups, panel.season
    middle = forecast(panel.shares, panel.trust, season=season, horizon=horizon, groups=groups)
    trials = run_trials(
        panel.shares,
        panel.trust,
        season=season,
        horizon=horizon,
        groups=groups,
        chance=panel.chance,
    )
    found = outlooks(panel, middle, trials.conformal(), minimum_change=minimum_change)
    return Counter(
        one.direction
        for one, truth in zip(found, made.truth, strict=True)
        if one is not None and truth == kind
    )


def test_a_thousand_flat_series_are_hardly_ever_forecast_to_move() -> None:
    called = _directions(make_world(("flat",) * 8, groups=125), "flat")
    assert called.total() == 1000
    assert called["rising"] + called["declining"] <= 50


def test_a_true_rise_is_forecast_to_go_on() -> None:
    called = _directions(make_world(("rising", "flat"), groups=30, years=5), "rising")
    assert called["rising"] >= 20
    assert called["declining"] == 0


def test_a_change_too_small_to_matter_is_never_called() -> None:
    made = make_world(("rising", "flat"), groups=5, years=5)
    assert _directions(made, "rising", minimum_change=5.0) == {"unclear": 5}


def test_there_is_no_outlook_without_a_year() -> None:
    panel = make_world(("flat",), groups=1, years=0.8).panel
    middle = np.zeros((2, 4))
    trials = run_trials(panel.shares, panel.trust, season=52, horizon=4)
    found = outlooks(panel, middle, trials.conformal(), minimum_change=0.05)
    assert found == [None, None]

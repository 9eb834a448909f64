"""Classes: what rises is called rising, and noise is not."""

import math
from collections import Counter
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from worker.trends.chance import benjamini_hochberg
from worker.trends.changes import observed_change
from worker.trends.classify import classify, find_flashes, flash_mask, season_of
from worker.trends.scatter import dispersion
from worker.trends.series import Panel

KINDS = ("rising", "declining", "seasonal", "flash", "flat", "flat")
World = Callable[..., Any]


def _classes(panel: Panel) -> list[str]:
    flash = find_flashes(panel)
    change = observed_change(panel, excluded=flash_mask(panel, flash))
    season = season_of(panel)
    return list(
        classify(panel, change, season, flash, false_discovery_rate=0.05, minimum_change=0.05)
    )


def _confusion(made: Any) -> dict[str, Counter[str]]:
    table: dict[str, Counter[str]] = {kind: Counter() for kind in made.truth}
    for truth, called in zip(made.truth, _classes(made.panel), strict=True):
        table[truth][called] += 1
    return table


@pytest.mark.parametrize(
    ("period", "years", "garments"),
    [("week", 3, 300), ("week", 5, 1000), ("month", 3, 300)],
)
def test_known_trends_are_called_by_their_names(
    world: World, period: str, years: float, garments: int
) -> None:
    table = _confusion(world(KINDS, period=period, years=years, garments=garments, seed=1))
    assert table["rising"]["rising"] >= 16
    assert table["declining"]["declining"] >= 16
    assert table["seasonal"]["seasonal"] >= 18
    assert table["flash"]["flash"] >= 17
    called = sum(row["rising"] for row in table.values())
    assert table["rising"]["rising"] >= 0.9 * (called - table["rest"]["rising"])


def test_a_flash_is_told_from_a_rise(world: World) -> None:
    for seed in range(3):
        table = _confusion(world(("rising", "flash"), groups=40, seed=seed))
        assert table["flash"]["rising"] <= 2
        assert table["flash"]["flash"] >= 36
        assert table["rising"]["flash"] <= 1


@pytest.mark.parametrize("scatter", [0.0, 0.1, 0.2])
@pytest.mark.parametrize(("period", "garments"), [("week", 300), ("week", 1000), ("month", 55)])
def test_flat_noise_is_hardly_ever_called_a_trend(
    world: World, period: str, garments: int, scatter: float
) -> None:
    made = world(("flat",) * 8, groups=125, period=period, garments=garments, scatter=scatter)
    called = _confusion(made)["flat"]
    assert sum(called.values()) == 1000
    assert called["rising"] + called["declining"] <= 50
    assert called["flash"] + called["seasonal"] <= 50


def test_a_history_of_less_than_a_year_is_not_judged(world: World) -> None:
    assert set(_classes(world(KINDS, groups=2, years=0.8).panel)) == {"insufficient"}


def test_values_with_a_handful_of_garments_are_not_judged(world: World) -> None:
    made = world(KINDS, groups=2, garments=300)
    few = Panel(**{**made.panel.__dict__, "effective": made.panel.effective * 0.001})
    assert set(_classes(few)) == {"insufficient"}


def test_mostly_empty_years_are_not_compared(world: World) -> None:
    made = world(("rising",), groups=2, period="month", garments=1000)
    seen = np.zeros(made.panel.totals.shape[1])
    seen[::4] = 1
    gappy = Panel(
        **{
            **made.panel.__dict__,
            "effective": made.panel.effective * seen,
            "totals": made.panel.totals * seen,
        }
    )
    assert set(_classes(gappy)) == {"insufficient"}


def test_the_change_in_a_year_is_measured_rightly(world: World) -> None:
    made = world(("flat",), groups=30, garments=5000)
    years = np.arange(made.panel.totals.shape[1]) / 52
    shares = 0.05 * 1.3**years
    grown = Panel(**{**made.panel.__dict__, "effective": made.panel.totals * shares})
    change = observed_change(grown)
    assert change.ratio == pytest.approx(1.3, abs=0.03)
    assert np.all((change.low <= 1.3) & (change.high >= 1.3 - 0.03))


def test_q_values_follow_benjamini_and_hochberg() -> None:
    p_values = np.array([0.01, 0.04, 0.03, np.nan, 0.5])
    expected = [0.04, 0.16 / 3, 0.16 / 3, np.nan, 0.5]
    assert benjamini_hochberg(p_values) == pytest.approx(expected, nan_ok=True)


def test_the_scan_finds_what_looking_at_each_window_finds(world: World) -> None:
    made = world(("flash", "seasonal", "flat"), groups=4, period="month", years=4, seed=3)
    panel = made.panel
    found = find_flashes(panel)
    wanted = [_flash_by_hand(panel, row) for row in range(len(panel.names))]
    assert list(zip(found.start.tolist(), found.length.tolist(), strict=True)) == wanted
    assert sum(length > 0 for _, length in wanted) >= 3


def _flash_by_hand(panel: Panel, row: int) -> tuple[int, int]:
    """Return start and length of the clearest flash of one series, window by window."""
    season, periods, scatter = panel.season, panel.totals.shape[1], dispersion(panel)[row]

    def sums(first: int, width: int) -> tuple[float, float]:
        inside = slice(min(max(first, 0), periods), min(max(first + width, 0), periods))
        return float(panel.effective[row, inside].sum()), float(panel.totals[row, inside].sum())

    def z(one: tuple[float, float], other: tuple[float, float]) -> float:
        lift = math.log((one[0] + 0.5) / (one[1] + 1) / ((other[0] + 0.5) / (other[1] + 1)))
        pooled = (one[0] + other[0] + 0.5) / (one[1] + other[1] + 1)
        spread = scatter * (1 - pooled) / pooled * (1 / one[1] + 1 / other[1])
        return lift / math.sqrt(spread) if lift >= math.log(1.5) else -math.inf

    limit = NormalDist().inv_cdf(1 - 0.01 / (2 * periods))
    best, place = limit, (0, 0)
    for width in range(1, round(12 * season / 52) + 1):
        ring, buffer = max(season // 6, 2 * width), 1 + width // 2
        for start in range(periods):
            own = sums(start, width)
            sides = [sums(start - buffer - ring, ring), sums(start + width + buffer, ring)]
            years = [sums(start + year * season - 1, width + 2) for year in range(-10, 11) if year]
            years = [one for one in years if one[1] > 0]
            if not (own[1] > 0 and sides[0][1] > 0 and sides[1][1] > 0 and years):
                continue
            clear = min(z(own, side) for side in sides)
            if clear > best and all(z(own, other) >= 2 for other in years):
                best, place = clear, (start, width)
    return place

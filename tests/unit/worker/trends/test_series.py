"""Series: periods, counts, shares and bands."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from shared.errors import InvalidInputError, TooLittleDataError
from shared.schemas.trends import Period, TrendOptions
from worker.trends.arrays import row_medians
from worker.trends.observations import Observations, from_rows
from worker.trends.periods import choose_period, following, period_numbers, period_starts
from worker.trends.series import REST, Panel, build_panel

TODAY = date(2026, 10, 1)
Shop = Callable[..., Observations]


def _row(panel: Panel, attribute: str, value: str) -> int:
    return next(
        row
        for row, name in enumerate(panel.names)
        if (name.attribute, name.value) == (attribute, value)
    )


@pytest.mark.parametrize(
    ("period", "day", "start"),
    [
        ("week", "2026-10-01", "2026-09-28"),
        ("week", "1969-12-28", "1969-12-22"),
        ("month", "2026-10-31", "2026-10-01"),
        ("quarter", "2026-12-31", "2026-10-01"),
    ],
)
def test_a_day_falls_into_the_period_that_starts_before_it(
    period: Period, day: str, start: str
) -> None:
    numbers = period_numbers(np.array([day], dtype="datetime64[D]"), period)
    assert str(period_starts(numbers, period)[0]) == start


def test_forecast_periods_follow_the_last_one() -> None:
    starts = np.array(["2026-10-01", "2026-11-01"], dtype="datetime64[D]")
    assert [str(day) for day in following(starts, 2, "month")] == ["2026-12-01", "2027-01-01"]


def test_dense_data_is_counted_by_week_and_sparse_by_month(shop: Shop) -> None:
    dense, sparse = shop(12000), shop(1500)
    assert choose_period(dense.dates, dense.multiplicity, TrendOptions()) == "week"
    assert choose_period(sparse.dates, sparse.multiplicity, TrendOptions()) == "month"


def test_garments_dated_by_season_are_counted_by_quarter() -> None:
    days = np.array([f"{year}-{month}-15" for year in (2024, 2025) for month in ("02", "05", "08")])
    dates = np.repeat(days.astype("datetime64[D]"), 40)
    assert choose_period(dates, np.ones(len(dates)), TrendOptions()) == "quarter"


@pytest.mark.parametrize(("step", "period"), [("D", "week"), ("M", "month"), ("Q", "quarter")])
def test_no_step_is_shorter_than_a_source_counts_by(step: str, period: Period) -> None:
    own = np.repeat(np.arange("2025-01-01", "2026-01-01", dtype="datetime64[D]"), 30)
    months = np.arange("2025-01", "2026-01", dtype="datetime64[M]")
    every = {"D": 1, "M": 1, "Q": 3}[step]
    told = own[::30] if step == "D" else months[::every].astype("datetime64[D]")
    days, sources = np.concatenate([own, told]), np.repeat([0, 1], [len(own), len(told)])
    counts = np.concatenate([np.ones(len(own)), np.full(len(told), 5000.0 / len(told))])
    found = choose_period(days, counts, TrendOptions(), sources=sources.astype(np.int32))
    assert found == period
    assert choose_period(days, counts, TrendOptions()) == "week"


def test_the_shares_of_an_attribute_sum_to_one(shop: Shop) -> None:
    panel = build_panel(shop(), TrendOptions(), today=TODAY)
    share, _, _ = panel.wilson()
    for group in np.unique(panel.groups):
        assert share[panel.groups == group].sum(0) == pytest.approx(1)


def test_the_band_holds_the_share(shop: Shop) -> None:
    share, low, high = build_panel(shop(), TrendOptions(), today=TODAY).wilson()
    assert np.all(low <= share + 1e-12)
    assert np.all(share <= high + 1e-12)
    assert low.min() >= 0
    assert high.max() <= 1


def test_a_heavy_weight_moves_the_share_and_lowers_the_evidence() -> None:
    days = np.repeat(np.array(["2026-01-15", "2026-02-15", "2026-03-15", "2026-04-15"]), 25)
    colours = ["red"] * 50 + ["blue"] * 50
    weights = np.ones(100)
    weights[0] = 25.0
    seen = from_rows(days.astype("datetime64[D]"), {"colour": colours}, weights=weights)
    panel = build_panel(seen, TrendOptions(period="month"), today=TODAY)
    red = _row(panel, "colour", "red")
    assert panel.weighted[red, 0] == pytest.approx(49)
    assert panel.totals[red, 0] == pytest.approx(49**2 / (24 + 25**2))
    assert panel.totals[red, 1] == pytest.approx(25)


def test_counts_are_evidence_where_weights_are_not() -> None:
    days = np.array([f"2026-{month:02d}-15" for month in range(1, 9) for _ in (0, 1)])
    colours = ["red", "blue"] * 8
    counts = np.array([30.0, 10.0] * 8)
    seen = from_rows(days.astype("datetime64[D]"), {"colour": colours}, counts=counts)
    panel = build_panel(seen, TrendOptions(period="month"), today=TODAY)
    assert panel.totals[0].tolist() == pytest.approx([40] * 8)
    assert panel.garments.sum() == 320


def test_rare_values_are_followed_together() -> None:
    days = np.repeat(np.array([f"2026-{month:02d}-10" for month in range(1, 7)]), 20)
    colours = (["red"] * 10 + ["blue"] * 8 + ["teal", "puce"]) * 6
    seen = from_rows(days.astype("datetime64[D]"), {"colour": colours})
    panel = build_panel(seen, TrendOptions(period="month"), today=TODAY)
    assert [name.value for name in panel.names] == ["blue", "red", REST]
    assert panel.garments.tolist() == [48, 60, 12]


def test_category_and_colour_are_also_followed_together(shop: Shop) -> None:
    panel = build_panel(shop(), TrendOptions(), today=TODAY)
    pairs = [name for name in panel.names if name.parts]
    assert {name.value for name in pairs} == {"blue coat", "red coat", "blue dress", "red dress"}
    alone = build_panel(shop(), TrendOptions(pairs=False), today=TODAY)
    assert not any(name.parts for name in alone.names)


def test_pairs_of_two_huge_vocabularies_need_little_memory() -> None:
    rng = np.random.default_rng(0)
    rows, size = 20_000, 20_000
    names = tuple(f"v{code}" for code in range(size))
    common = np.where(rng.random(rows) < 0.5, 7, rng.integers(0, size, rows)).astype(np.int32)
    seen = Observations(
        dates=np.datetime64("2024-01-01") + rng.integers(0, 900, rows).astype("timedelta64[D]"),
        weights=np.ones(rows),
        attributes={"category": common, "colour": common},
        vocabulary={"category": names, "colour": names},
        segments=np.full(rows, -1, dtype=np.int32),
    )
    panel = build_panel(seen, TrendOptions(), today=TODAY)
    assert "v7 v7" in {name.value for name in panel.names}


def test_a_gap_is_a_period_without_share() -> None:
    months = ["01", "02", "04", "05", "06"]
    days = np.repeat(np.array([f"2026-{month}-10" for month in months]), 20)
    seen = from_rows(days.astype("datetime64[D]"), {"colour": ["red", "blue"] * 50})
    panel = build_panel(seen, TrendOptions(period="month"), today=TODAY)
    share, low, _ = panel.wilson()
    assert np.isnan(share[:, 2]).all()
    assert np.isnan(low[:, 2]).all()
    assert panel.trust[0].tolist() == [1, 1, 0, 1, 1, 1]
    assert np.isfinite(panel.shares).all()


def test_a_stray_old_garment_does_not_stretch_the_history(shop: Shop) -> None:
    seen = shop()
    stray = from_rows(["1970-01-01"], {"material": ["wool"]})
    days = np.concatenate([stray.dates, seen.dates])
    materials = ["wool"] + [
        seen.vocabulary["material"][code] for code in seen.attributes["material"]
    ]
    panel = build_panel(from_rows(days, {"material": materials}), TrendOptions(), today=TODAY)
    assert panel.starts[0] >= np.datetime64("2023-09-01")
    assert any("left out" in note for note in panel.notes)


def test_garments_dated_after_today_are_left_out(shop: Shop) -> None:
    panel = build_panel(shop(), TrendOptions(), today=date(2026, 1, 15))
    assert panel.starts[-1] == np.datetime64("2026-01-01")
    assert any("after this report" in note for note in panel.notes)


def test_an_unknown_attribute_is_refused_and_the_known_ones_named(shop: Shop) -> None:
    with pytest.raises(InvalidInputError, match="category, colour, material"):
        build_panel(shop(), TrendOptions(attributes=("fabric",)), today=TODAY)


@pytest.mark.parametrize(
    "seen",
    [
        from_rows([], {}),
        from_rows([None] * 100, {"colour": ["red", "blue"] * 50}),
        from_rows(["2026-01-05"] * 100, {"colour": ["red", "blue"] * 50}),
        from_rows(["2026-01-05", "2026-02-05"] * 10, {"colour": ["red", "blue"] * 10}),
    ],
    ids=["nothing", "no date", "one day", "few garments"],
)
def test_too_little_data_says_how_much_is_needed(seen: Observations) -> None:
    with pytest.raises(TooLittleDataError, match=r"50.* at least 4") as caught:
        build_panel(seen, TrendOptions(), today=TODAY)
    assert caught.value.details["needed"] == 50


def test_garments_without_attributes_are_too_little_data() -> None:
    days = np.datetime64("2026-01-01") + np.arange(200).astype("timedelta64[D]")
    with pytest.raises(TooLittleDataError, match="attribute"):
        build_panel(from_rows(days, {}), TrendOptions(), today=TODAY)
    with pytest.raises(TooLittleDataError, match="attribute"):
        build_panel(from_rows(days, {"colour": ["red"] * 200}), TrendOptions(), today=TODAY)


def test_the_median_of_a_row_is_that_of_what_is_known() -> None:
    rng = np.random.default_rng(0)
    values, known = rng.normal(size=(20, 9)), rng.random((20, 9)) < 0.6
    known[0], known[1] = False, True
    expected = [
        np.median(row[seen]) if seen.any() else np.nan
        for row, seen in zip(values, known, strict=True)
    ]
    assert row_medians(values, known) == pytest.approx(expected, nan_ok=True)

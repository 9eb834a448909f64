"""The report: what it finds, what it admits, and that it survives JSON."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from shared.demo import drawn
from shared.errors import TooLittleDataError
from shared.schemas.trends import TrendOptions, TrendReport
from worker.trends import arrays
from worker.trends.observations import Observations, from_rows
from worker.trends.ranking import number, rounded
from worker.trends.report import build_report, default_horizon

Shop = Callable[..., Observations]


@pytest.fixture(scope="module")
def report() -> TrendReport:
    from tests.unit.worker.trends.conftest import NOW, make_shop

    return build_report(make_shop(), TrendOptions(), generated_at=NOW)


def _find(report: TrendReport, value: str) -> Any:
    return next(one for one in report.series if one.value == value)


def test_what_rises_is_first_in_the_ranking(report: TrendReport) -> None:
    assert report.rising[0].value == "linen"
    assert report.rising[0].significant
    assert _find(report, "wool").kind == "seasonal"
    assert [one.value for one in report.emerging] == ["linen"]


@pytest.mark.parametrize("block", [1, 1000, 2**40])
def test_a_report_is_the_same_however_many_series_are_worked_out_at_once(
    monkeypatch: pytest.MonkeyPatch, report: TrendReport, block: int
) -> None:
    from tests.unit.worker.trends.conftest import NOW, make_shop

    monkeypatch.setattr(arrays, "_BLOCK", block)
    again = build_report(make_shop(), TrendOptions(), generated_at=NOW)
    assert again.model_dump_json() == report.model_dump_json()


def test_nothing_in_the_json_is_not_a_number(report: TrendReport) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(report.model_dump_json(), parse_constant=refuse)
    assert TrendReport.model_validate_json(report.model_dump_json()) == report


def test_every_series_has_a_number_for_every_period(report: TrendReport) -> None:
    for one in report.series:
        for column in (one.effective, one.weighted, one.share, one.low, one.high, one.thin):
            assert len(column) == len(report.periods)
        bands = one.forecast
        for column in (bands.mean, bands.low80, bands.high80, bands.low95, bands.high95):
            assert len(column) == len(report.forecast_periods)


def test_intervals_lie_around_the_forecast(report: TrendReport) -> None:
    for one in report.series:
        bands = zip(
            one.forecast.low95,
            one.forecast.low80,
            one.forecast.mean,
            one.forecast.high80,
            one.forecast.high95,
            strict=True,
        )
        assert all(list(step) == sorted(step) for step in bands)


def test_the_report_is_tested_on_the_past_beside_last_year(report: TrendReport) -> None:
    test = report.backtest
    assert len(test.origins) >= 3
    assert test.forecaster.mase is not None
    assert test.naive.mase is not None
    assert test.skill == pytest.approx(1 - test.forecaster.mase / test.naive.mase, abs=1e-4)


def test_the_same_data_gives_the_same_report(shop: Shop, now: datetime) -> None:
    one = build_report(shop(800), TrendOptions(), generated_at=now)
    two = build_report(shop(800), TrendOptions(), generated_at=now)
    assert one == two


def test_it_says_what_it_was_made_from(shop: Shop, now: datetime) -> None:
    seen = shop(1000)
    days = seen.dates.copy()
    days[:100] = np.datetime64("NaT")
    part = Observations(**{**seen.__dict__, "dates": days})
    data = build_report(part, TrendOptions(), generated_at=now).data
    assert (data.garments, data.dated, data.used) == (1000, 900, 900)
    assert sum(one.garments for one in data.segments) == 900
    assert {one.name for one in data.segments} == {"online", "store"}
    assert any("100 garments without a date" in note for note in data.notes)


@pytest.mark.parametrize("months", [5, 9, 14, 20, 26])
def test_a_short_history_gives_a_modest_report(shop: Shop, now: datetime, months: int) -> None:
    made = build_report(shop(2000, years=months / 12), TrendOptions(), generated_at=now)
    if months <= 12:
        assert made.method == "level"
        assert {one.kind for one in made.series} == {"insufficient"}
        assert made.rising == made.declining == made.emerging == ()
    if len(made.backtest.origins) < 3:
        assert made.backtest.note
    made.model_dump_json()


@pytest.mark.parametrize("horizon", [1, 30, 104])
def test_any_horizon_that_may_be_asked_for_works(shop: Shop, now: datetime, horizon: int) -> None:
    made = build_report(shop(), TrendOptions(horizon=horizon), generated_at=now)
    assert len(made.forecast_periods) == horizon


@pytest.mark.parametrize("period", ["week", "month", "quarter"])
def test_any_period_may_be_asked_for(shop: Shop, now: datetime, period: Any) -> None:
    made = build_report(shop(), TrendOptions(period=period), generated_at=now)
    assert made.period == period
    assert made.periods[1] > made.periods[0]


@pytest.mark.parametrize(
    ("periods", "season", "horizon"), [(156, 52, 26), (36, 12, 6), (110, 52, 4), (20, 52, 5)]
)
def test_the_horizon_leaves_room_to_test(periods: int, season: int, horizon: int) -> None:
    assert default_horizon(periods, season) == horizon


def test_a_pair_that_only_follows_its_colour_is_not_news(now: datetime) -> None:
    rng = np.random.default_rng(0)
    count = 20000
    day = rng.integers(0, 1095, count)
    red = rng.random(count) < 0.1 * 1.5 ** (day / 365)
    seen = from_rows(
        np.datetime64("2023-10-01") + day.astype("timedelta64[D]"),
        {
            "category": [("coat", "dress")[code] for code in rng.integers(0, 2, count)],
            "colour": ["red" if one else "blue" for one in red],
        },
    )
    made = build_report(seen, TrendOptions(), generated_at=now)
    assert [one.value for one in made.rising] == ["red"]
    assert _find(made, "red coat").kind == "rising"


def test_too_little_data_is_said_in_words(now: datetime) -> None:
    with pytest.raises(TooLittleDataError, match="at least 50"):
        build_report(
            from_rows(["2026-01-01"] * 3, {"a": ["b"] * 3}), TrendOptions(), generated_at=now
        )


def test_the_written_trends_of_the_drawn_catalog_are_found() -> None:
    end = date(2026, 11, 24)
    garments = drawn.plan(end=end)
    seen = from_rows(
        [str(one.date) for one in garments],
        {name: [getattr(one, name) for one in garments] for name in drawn.ATTRIBUTES},
    )
    moment = datetime.fromisoformat("2026-11-24T12:00:00+00:00")
    made = build_report(seen, TrendOptions(), generated_at=moment)
    called = {(one.attribute, one.value): one.kind for one in made.series}
    for trend in drawn.TRENDS:
        found = called[(trend.attribute, trend.value)]
        if trend.kind == "steady":
            assert found == "stable"
        else:
            assert found in {str(trend.kind), "stable"}
    right = sum(called[(one.attribute, one.value)] == one.kind for one in drawn.TRENDS)
    steady = sum(one.kind == "steady" for one in drawn.TRENDS)
    assert right >= len(drawn.TRENDS) - steady - 2


def test_weights_of_any_size_are_taken(shop: Shop, now: datetime) -> None:
    seen = shop(2000)
    rng = np.random.default_rng(0)
    heavy = Observations(**{**seen.__dict__, "weights": rng.pareto(0.5, len(seen)) * 1e9})
    made = build_report(heavy, TrendOptions(), generated_at=now)
    assert all(math.isfinite(value) for one in made.series for value in one.forecast.mean)


def test_a_report_tells_segments_sources_and_a_fixed_mix(shop: Shop, now: datetime) -> None:
    plain = shop(12000)
    rng = np.random.default_rng(5)
    linen = plain.attributes["material"] == plain.vocabulary["material"].index("linen")
    blog = rng.random(len(plain)) < np.where(linen, 0.6, 0.3)
    seen = replace(plain, sources=blog.astype(np.int32), source_names=("catalog", "blog"))
    report = build_report(seen, TrendOptions(), generated_at=now)
    assert {one.segment for one in report.series} == {None}
    assert {one.name for one in report.segments} == {"online", "store"}
    for part in report.segments:
        assert {one.segment for one in part.series} == {part.name}
        kinds = {one.value: one.kind for one in part.series if one.attribute == "material"}
        assert kinds["linen"] == "rising"
    (rise,) = (one for one in report.series if one.value == "linen")
    assert rise.sources == 2
    assert rise.fixed_mix is not None
    assert rise.fixed_mix.verdict == "stays"
    assert [one.name for one in report.data.sources] == ["catalog", "blog"]
    assert report.data.gaps_at == ()
    ranked = [(one.attribute, one.value) for one in report.rising]
    assert len(ranked) == len(set(ranked))


def test_a_known_fingerprint_stands_in_the_report(shop: Shop, now: datetime) -> None:
    report = build_report(shop(), TrendOptions(), generated_at=now, fingerprint="f" * 64)
    assert report.data_fingerprint == "f" * 64


def test_many_numbers_are_rounded_as_one_is() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([10 ** rng.uniform(-9, 7, 5000) * rng.choice([-1, 1], 5000), [0, 1e9]])
    assert rounded(values).tolist() == pytest.approx([number(one) for one in values], rel=1e-12)
    assert np.isnan(rounded(np.array([np.nan]))[0])
    shares = rng.random(5000)
    assert rounded(shares).tolist() == [number(one) for one in shares]


def test_what_rises_is_shown_by_its_latest_pictures_of_several_voices() -> None:
    from tests.unit.worker.trends.conftest import NOW, make_shop

    shop = make_shop()
    ids = np.array([f"g{row}" for row in range(len(shop))], dtype="S")
    sources = (np.arange(len(shop)) % 3).astype(np.int32)
    pictured = replace(shop, ids=ids, sources=sources, source_names=("a", "b", "c"))
    told = build_report(pictured, TrendOptions(), generated_at=NOW)
    linen = next(one for one in told.evidence if one.value == "linen")
    attribute = shop.attributes[linen.attribute]
    carries = attribute == shop.vocabulary[linen.attribute].index("linen")
    late = carries & (shop.dates >= np.datetime64(linen.since)) & shop.dated
    late &= shop.dates <= np.datetime64(NOW.date())
    assert linen.images == late.sum() > 0
    assert linen.sources == 3
    rows = [int(name.removeprefix("g")) for name in linen.garments]
    assert len(rows) == 8
    assert all(late[row] for row in rows)
    days = shop.dates[rows]
    assert np.all(days[:-1] >= days[1:])
    assert build_report(shop, TrendOptions(), generated_at=NOW).evidence == ()

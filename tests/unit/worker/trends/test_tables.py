"""Series and forecasts as tables."""

import csv
import io
from collections.abc import Callable
from datetime import datetime

import pytest

from shared.schemas.trends import TrendOptions, TrendReport
from worker.trends import tables
from worker.trends.issued import every_series
from worker.trends.observations import Observations
from worker.trends.report import build_report


@pytest.fixture
def report(shop: Callable[..., Observations], now: datetime) -> TrendReport:
    return build_report(shop(1200), TrendOptions(), generated_at=now)


def test_the_csv_holds_every_series_and_period(report: TrendReport) -> None:
    files = tables.tables_of(report)
    rows = list(csv.DictReader(io.StringIO(files["series.csv"].decode(), newline="")))
    assert len(rows) == len(every_series(report)) * len(report.periods)
    first = report.series[0]
    assert rows[0]["value"] == first.value
    assert rows[0]["period"] == report.periods[0].isoformat()
    assert float(rows[0]["share"]) == pytest.approx(first.share[0], rel=1e-5)
    ahead = list(csv.DictReader(io.StringIO(files["forecast.csv"].decode(), newline="")))
    assert len(ahead) == len(every_series(report)) * len(report.forecast_periods)
    assert float(ahead[-1]["high95"]) == pytest.approx(
        every_series(report)[-1].forecast.high95[-1], rel=1e-5
    )


def test_a_gap_is_an_empty_cell_and_a_formula_is_text() -> None:
    data = tables.to_csv({"value": ["=1+1", "a, b"], "share": [None, 0.25]})
    assert data == b'value,share\r\n\'=1+1,\r\n"a, b",0.25\r\n'


def test_parquet_is_offered_where_its_library_is(report: TrendReport) -> None:
    files = tables.tables_of(report)
    assert ("series.parquet" in files) == tables.can_write_parquet()


@pytest.mark.skipif(not tables.can_write_parquet(), reason="the extra `parquet` is not installed")
def test_parquet_holds_what_the_csv_holds(report: TrendReport) -> None:
    from arro3.io import read_parquet

    columns = tables.series_columns(report)
    table = read_parquet(io.BytesIO(tables.to_parquet(columns))).read_all()
    assert table.column_names == list(columns)
    assert table["period"].to_pylist() == columns["period"]
    assert table["share"].to_pylist() == columns["share"]
    assert table["thin"].to_pylist() == columns["thin"]

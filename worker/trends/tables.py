"""A report's series and forecasts as tables: CSV always, Parquet where its library is there."""

import csv
import importlib.util
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from shared.schemas.trends import TrendReport
from worker.trends.issued import BANDS, every_series

Columns = Mapping[str, Sequence[Any]]
_KEY: Final = ("attribute", "value", "segment")
_EPOCH: Final = date(1970, 1, 1).toordinal()


def series_columns(report: TrendReport) -> dict[str, list[Any]]:
    """Return what was seen, one row a series and period, the series in the report's order.

    ``low95`` and ``high95`` are the share's Wilson band; ``share`` is None in a gap.
    """
    count, series = len(report.periods), every_series(report)
    seen = {
        "share": (one.share for one in series),
        "low95": (one.low for one in series),
        "high95": (one.high for one in series),
        "effective": (one.effective for one in series),
        "weighted": (one.weighted for one in series),
        "thin": (one.thin for one in series),
    }
    return {
        **_keys(report, count),
        "period": list(report.periods) * len(series),
        **{name: [value for row in rows for value in row] for name, rows in seen.items()},
    }


def forecast_columns(report: TrendReport) -> dict[str, list[Any]]:
    """Return what is expected, one row a series and period: mean, and 80% and 95% intervals."""
    count, series = len(report.forecast_periods), every_series(report)
    return {
        **_keys(report, count),
        "period": list(report.forecast_periods) * len(series),
        **{
            name: [value for one in series for value in getattr(one.forecast, name)]
            for name in BANDS
        },
    }


def tables_of(report: TrendReport) -> dict[str, bytes]:
    """Return the tables by file name: ``series`` and ``forecast``, as `.csv` and `.parquet`.

    Parquet needs the extra `parquet`; without it those two files are not made, and whoever asks
    for them is told so (`web.api.trends`).
    """
    tables = {"series": series_columns(report), "forecast": forecast_columns(report)}
    files = {f"{name}.csv": to_csv(columns) for name, columns in tables.items()}
    if can_write_parquet():
        files |= {f"{name}.parquet": to_parquet(columns) for name, columns in tables.items()}
    return files


def to_csv(columns: Columns) -> bytes:
    """Return a table as CSV (RFC 4180) in UTF-8: a heading, ISO dates, an empty cell for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    shown = [_cells(name, values) for name, values in columns.items()]
    writer.writerows(zip(*shown, strict=True))
    return text.getvalue().encode()


def can_write_parquet() -> bool:
    """Return whether the extra `parquet` is installed."""
    if importlib.util.find_spec("arro3") is None:
        return False
    return all(importlib.util.find_spec(name) for name in ("arro3.core", "arro3.io"))


def to_parquet(columns: Columns) -> bytes:
    """Return a table as Parquet, Zstandard-compressed: text, 32-bit days, 64-bit floats, flags."""
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    types = {**dict.fromkeys(_KEY, DataType.utf8()), "thin": DataType.bool()}
    arrays = {
        name: Array(list(values), type=types.get(name, DataType.float64()))
        for name, values in columns.items()
        if name != "period"
    }
    # It takes no dates, but knows what days since 1970 mean.
    days = [day.toordinal() - _EPOCH for day in columns["period"]]
    arrays["period"] = Array(days, type=DataType.int32()).cast(DataType.date32())
    buffer = io.BytesIO()
    ordered = {name: arrays[name] for name in columns}
    write_parquet(Table.from_pydict(ordered), buffer, compression="zstd(3)")
    return buffer.getvalue()


def _keys(report: TrendReport, count: int) -> dict[str, list[Any]]:
    return {
        name: [getattr(one, name) for one in every_series(report) for _ in range(count)]
        for name in _KEY
    }


def _cells(name: str, values: Sequence[Any]) -> Iterable[Any]:
    if name in _KEY:
        return ("" if value is None else _held(value) for value in values)
    if name == "thin":
        return ("true" if value else "false" for value in values)
    if name == "period":
        texts = {day: day.isoformat() for day in set(values)}
        return [texts[day] for day in values]
    return values  # rounded already, and None is an empty cell


def _held(text: str) -> str:
    """Return text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

"""A report's series and forecasts as tables: CSV always, Parquet where its library is there."""

import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import chain, repeat
from typing import Any, Final, TypeVar

from pydantic_core import to_json

from shared.schemas.trends import TrendReport
from worker.trends.issued import BANDS, every_series

Columns = Mapping[str, Sequence[Any]]
_Value = TypeVar("_Value")
_Made = TypeVar("_Made")
_KEY: Final = ("attribute", "value", "segment")
_AT_ONCE: Final = 50_000  # rows
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
        **{name: list(chain.from_iterable(rows)) for name, rows in seen.items()},
    }


def forecast_columns(report: TrendReport) -> dict[str, list[Any]]:
    """Return what is expected, one row a series and period: mean, and 80% and 95% intervals."""
    count, series = len(report.forecast_periods), every_series(report)
    return {
        **_keys(report, count),
        "period": list(report.forecast_periods) * len(series),
        **{
            name: list(chain.from_iterable(getattr(one.forecast, name) for one in series))
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
    parts = [f"{','.join(columns)}\r\n"]
    # Some rows at a time: the text of each cell takes more memory than the table.
    for start in range(0, max(len(values) for values in columns.values()), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        cells = [_cells(name, values[part]) for name, values in columns.items()]
        rows = map(",".join, zip(*cells, strict=True))
        parts.append("".join(f"{row}\r\n" for row in rows))
    return "".join(parts).encode()


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
    days = _each(columns["period"], lambda day: day.toordinal() - _EPOCH)
    arrays["period"] = Array(days, type=DataType.int32()).cast(DataType.date32())
    buffer = io.BytesIO()
    ordered = {name: arrays[name] for name in columns}
    write_parquet(Table.from_pydict(ordered), buffer, compression="zstd(3)")
    return buffer.getvalue()


def _keys(report: TrendReport, count: int) -> dict[str, list[Any]]:
    series = every_series(report)
    return {
        name: list(chain.from_iterable(repeat(getattr(one, name), count) for one in series))
        for name in _KEY
    }


def _cells(name: str, values: Sequence[Any]) -> list[str]:
    if name in _KEY:
        return _each(values, lambda value: "" if value is None else _quoted(_held(value)))
    if name == "thin":
        return ["true" if value else "false" for value in values]
    if name == "period":
        return _each(values, date.isoformat)
    # Rounded already. JSON is how numbers become text fastest, and no comma stands in one.
    return to_json(values).decode()[1:-1].replace("null", "").split(",") if values else []


def _each(values: Sequence[_Value], make: Callable[[_Value], _Made]) -> list[_Made]:
    """Return what is made of each value, made once of those that come again and again."""
    made = {value: make(value) for value in set(values)}
    return [made[value] for value in values]


def _quoted(text: str) -> str:
    if not any(one in text for one in ',"\r\n'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _held(text: str) -> str:
    """Return text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

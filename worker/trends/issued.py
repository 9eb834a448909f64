"""Forecasts as they were issued: written once with their report, and never changed."""

import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np

from shared.errors import ArtifactDamagedError, ReportCorruptError
from shared.schemas.trends import TrendClass, TrendReport, ValueTrend
from worker.trends.arrays import Floats

FORMAT: Final = 1
BANDS: Final = ("mean", "low80", "high80", "low95", "high95")
_NUMBERS: Final = ("bands", "naive", "change", "outlook", "direction")
_SIGNS: Final = {"rising": 1.0, "declining": -1.0, "unclear": 0.0}


class Key(NamedTuple):
    """Which series is spoken of; of one scope, the same from report to report."""

    attribute: str
    value: str
    segment: str | None


@dataclass(frozen=True)
class Issued:
    """What one report said of the future, and how it called what it saw.

    Attributes:
        report_id: the report.
        issued_at: when it was made.
        period: length of a step.
        periods: first days of the periods that were forecast, [h].
        keys: the series, [s]; those of the rest are not among them.
        kinds: how each was called, [s].
        bands: shares as `BANDS`, [5, s, h].
        naive: seasonal naive as it stood then, shares [s, h].
        change: observed relative change in a year, [s]; NaN where it could not be told.
        outlook: relative change that was expected, [s]; NaN where none was.
        direction: 1 where the outlook's 80% interval lay above 0, -1 below, else 0, [s].
    """

    report_id: str
    issued_at: datetime
    period: str
    periods: tuple[date, ...]
    keys: tuple[Key, ...]
    kinds: tuple[TrendClass, ...]
    bands: Floats
    naive: Floats
    change: Floats
    outlook: Floats
    direction: Floats

    @cached_property
    def rows(self) -> dict[Key, int]:
        """Key -> row."""
        return {key: row for row, key in enumerate(self.keys)}

    @property
    def origin(self) -> date:
        """The first period that was forecast."""
        return self.periods[0]


def every_series(report: TrendReport) -> tuple[ValueTrend, ...]:
    """Return all series of a report, of single segments and the rest of each attribute too."""
    return (*report.series, *(one for segment in report.segments for one in segment.series))


def key_of(series: ValueTrend) -> Key:
    """Return what names a series."""
    return Key(series.attribute, series.value, series.segment)


def issue(report: TrendReport, report_id: str) -> Issued:
    """Return what a report says of the future, to be kept for ever."""
    followed = [one for one in every_series(report) if not one.rest]
    horizon = len(report.forecast_periods)
    bands = [[getattr(one.forecast, name) for one in followed] for name in BANDS]
    return Issued(
        report_id=report_id,
        issued_at=report.generated_at,
        period=report.period,
        periods=report.forecast_periods,
        keys=tuple(key_of(one) for one in followed),
        kinds=tuple(one.kind for one in followed),
        bands=np.array(bands, dtype=np.float64).reshape(len(BANDS), len(followed), horizon),
        naive=np.array([seasonal_naive(one.share, report.season, horizon) for one in followed])
        .reshape(len(followed), horizon),
        change=_numbers([one.change.relative if one.change else None for one in followed]),
        outlook=_numbers([one.outlook.relative if one.outlook else None for one in followed]),
        direction=_numbers(
            [_SIGNS[one.outlook.direction] if one.outlook else 0.0 for one in followed]
        ),
    )  # fmt: skip


def seasonal_naive(share: Sequence[float | None], season: int, horizon: int) -> Floats:
    """Return "the same as last year", shares [h].

    Where last year's period is empty, the year before it speaks, and so on; where none does, the
    last share that was seen.

    Args:
        share: what was seen, the newest last; None in a gap.
        season: periods in a year.
        horizon: periods ahead.
    """
    seen = np.array([np.nan if one is None else one for one in share], dtype=np.float64)
    known = seen[np.isfinite(seen)]
    last = float(known[-1]) if len(known) else 0.0
    result = np.full(horizon, last)
    for step in range(horizon):
        places = np.arange(len(seen) - season + step % season, -1, -season)
        places = places[places >= 0]
        before = seen[places]
        if np.isfinite(before).any():
            result[step] = before[np.isfinite(before)][0]
    return result


def write(issued: Issued) -> bytes:
    """Return it as .npz bytes: numbers as float32, and a heading as JSON."""
    heading = {
        "format": FORMAT,
        "report_id": issued.report_id,
        "issued_at": issued.issued_at.isoformat(),
        "period": issued.period,
        "periods": [day.isoformat() for day in issued.periods],
        "keys": [list(key) for key in issued.keys],
        "kinds": list(issued.kinds),
    }
    arrays = {name: getattr(issued, name).astype(np.float32) for name in _NUMBERS}
    text = json.dumps(heading, ensure_ascii=False).encode()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, heading=np.frombuffer(text, np.uint8), **arrays)
    return buffer.getvalue()


def read(data: bytes) -> Issued:
    """Return what `write` wrote.

    Raises:
        ReportCorruptError: the bytes are damaged, or of a format that this version does not know.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            heading = json.loads(found["heading"].tobytes())
            numbers = {name: found[name].astype(np.float64) for name in _NUMBERS}
        if heading["format"] != FORMAT:
            raise _corrupt(f"format {heading['format']}, and this version knows {FORMAT}")
        return _assembled(heading, numbers)
    except (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile, zlib.error) as error:
        raise _corrupt(f"{type(error).__name__}: {error}") from error


def _assembled(heading: dict[str, Any], numbers: dict[str, Floats]) -> Issued:
    issued = Issued(
        report_id=str(heading["report_id"]),
        issued_at=datetime.fromisoformat(heading["issued_at"]),
        period=str(heading["period"]),
        periods=tuple(date.fromisoformat(day) for day in heading["periods"]),
        keys=tuple(Key(*key) for key in heading["keys"]),
        kinds=tuple(heading["kinds"]),
        **numbers,
    )
    shape = (len(issued.keys), len(issued.periods))
    if issued.bands.shape != (len(BANDS), *shape) or issued.naive.shape != shape:
        message = f"numbers for {issued.naive.shape} and names for {shape}"
        raise ValueError(message)
    return issued


def read_all(
    places: Iterable[tuple[str, str]], read_bytes: Callable[[str], bytes]
) -> tuple[list[Issued], list[str]]:
    """Read several; one that is lost, damaged or was changed costs no report, but is told.

    Args:
        places: artifact key and SHA-256, in hex, of each.
        read_bytes: gives an artifact's bytes, or raises FileNotFoundError.

    Returns:
        Those that are as they were issued, in order, and what is wrong with the others.
    """
    found: list[Issued] = []
    wrong: list[str] = []
    for key, sha256 in places:
        try:
            data = read_bytes(key)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise _corrupt("its bytes are not those that were issued")
            found.append(read(data))
        except FileNotFoundError:
            wrong.append(f"{key} is not in the artifact store")
        except (ArtifactDamagedError, ReportCorruptError) as error:
            wrong.append(f"{key}: {error.message}")
    return found, wrong


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)


def _corrupt(why: str) -> ReportCorruptError:
    return ReportCorruptError(
        f"The forecasts that a report issued cannot be read ({why}). Restore the artifact store "
        "from a backup; the report itself is not touched."
    )

"""The track record: what earlier reports said, and what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np

from shared.schemas.record import (
    AheadScores,
    IssueScores,
    RecordScores,
    SaidAndHappened,
    TrackRecord,
)
from shared.schemas.trends import TrendReport
from worker.trends.arrays import Floats, Ints
from worker.trends.issued import BANDS, Issued, Key, every_series, key_of
from worker.trends.periods import following
from worker.trends.ranking import number

_TINY: Final = 1e-12
_MEASURES: Final = 5  # the count, two errors, two coverages
_MEAN, _LOW80, _HIGH80, _LOW95, _HIGH95 = range(len(BANDS))


@dataclass(frozen=True)
class _Due:
    """One issue's forecasts that have come due, [s, k]: those that the report can look up.

    Attributes:
        issued: as it was.
        columns: places of the due periods among those that were forecast, [k].
        happened: shares, NaN where nothing was seen, [s, k].
    """

    issued: Issued
    columns: Ints
    happened: Floats

    @cached_property
    def sums(self) -> Floats:
        """How many were scored, and sums of error, naive's error, inside 80% and 95%, [5, k]."""
        bands = self.issued.bands[:, :, self.columns]
        happened, seen = self.happened, np.isfinite(self.happened)
        errors = np.abs(happened - bands[_MEAN])
        naive = np.abs(happened - self.issued.naive[:, self.columns])
        # A comparison with NaN is false, so that what was not seen is inside of nothing.
        inside80 = (bands[_LOW80] <= happened) & (happened <= bands[_HIGH80])
        inside95 = (bands[_LOW95] <= happened) & (happened <= bands[_HIGH95])
        return np.stack(
            [
                seen.sum(0),
                np.nansum(errors, 0),
                np.nansum(naive, 0),
                inside80.sum(0),
                inside95.sum(0),
            ]
        ).astype(np.float64)


def track_record(report: TrendReport, issues: Sequence[Issued]) -> TrackRecord:
    """Score what earlier reports issued by what this report has seen.

    Only periods that are over count, each with the share as it is known now: a count that was
    revised since is scored as revised. Of several reports that forecast from the same period on,
    the first counts, so that a report made every day does not count a week seven times, and none
    is scored by the better of its tries.

    Args:
        report: the new one.
        issues: of earlier reports over the same garments; those of another period are left out.
    """
    firsts = _first_of_each_origin(report, issues)
    seen = {key_of(one): one.share for one in every_series(report) if not one.rest}
    over = _periods_over(report)
    due = [_due(one, over, seen) for one in firsts]
    return TrackRecord(
        total=_scores(
            np.sum([one.sums.sum(1) for one in due], axis=0) if due else np.zeros(_MEASURES)
        ),
        issues=tuple(_of_issue(one) for one in reversed(due)),
        by_ahead=_by_ahead(due),
        lines=_lines(due, over),
    )


def _first_of_each_origin(report: TrendReport, issues: Sequence[Issued]) -> list[Issued]:
    firsts: dict[date, Issued] = {}
    for one in sorted(issues, key=lambda one: one.issued_at):
        if one.period == report.period and one.origin <= report.periods[-1]:
            firsts.setdefault(one.origin, one)
    return [firsts[origin] for origin in sorted(firsts)]


def _periods_over(report: TrendReport) -> dict[date, int]:
    """Return the periods that no garment of today can be added to, with their places."""
    starts = np.array(report.periods, dtype="datetime64[D]")
    ends = [*report.periods[1:], following(starts, 1, report.period)[0].astype(object)]
    today = report.generated_at.date()
    return {
        start: place
        for place, (start, end) in enumerate(zip(report.periods, ends, strict=True))
        if end <= today
    }


def _due(issued: Issued, over: dict[date, int], seen: dict[Key, tuple[float | None, ...]]) -> _Due:
    columns = [place for place, day in enumerate(issued.periods) if day in over]
    places = [over[issued.periods[column]] for column in columns]
    happened = np.full((len(issued.keys), len(columns)), np.nan)
    for row, key in enumerate(issued.keys):
        share = seen.get(key)
        if share is not None:
            values = [share[place] for place in places]
            happened[row] = [np.nan if value is None else value for value in values]
    return _Due(issued, np.array(columns, dtype=np.int64), happened)


def _scores(sums: Floats) -> RecordScores:
    """Return the scores of some forecasts from their sums, [5]."""
    count = round(float(sums[0]))
    if not count:
        return RecordScores(
            forecasts=0, error=None, naive_error=None, skill=None, coverage80=None, coverage95=None
        )
    error, naive, inside80, inside95 = (sums[1:] / count).tolist()
    return RecordScores(
        forecasts=count,
        error=number(error),
        naive_error=number(naive),
        skill=number(1 - error / naive) if naive > _TINY else None,
        coverage80=number(inside80),
        coverage95=number(inside95),
    )


def _of_issue(due: _Due) -> IssueScores:
    issued = due.issued
    return IssueScores(
        report_id=issued.report_id,
        issued_at=issued.issued_at,
        origin=issued.origin,
        due=len(due.columns),
        horizon=len(issued.periods),
        **_scores(due.sums.sum(1)).model_dump(),
    )


def _by_ahead(due: Sequence[_Due]) -> tuple[AheadScores, ...]:
    furthest = max((len(one.issued.periods) for one in due), default=0)
    sums = np.zeros((_MEASURES, furthest))
    for one in due:
        sums[:, one.columns] += one.sums
    return tuple(
        AheadScores(ahead=place + 1, **_scores(sums[:, place]).model_dump())
        for place in range(furthest)
        if sums[0, place]
    )


def _lines(due: Sequence[_Due], over: dict[date, int]) -> tuple[SaidAndHappened, ...]:
    """Return each series in the newest period that is over, by who spoke of it first."""
    spoken = [day for day in over if any(day in one.issued.periods for one in due)]
    if not spoken:
        return ()
    newest = max(spoken)
    lines: dict[Key, SaidAndHappened] = {}
    for one in due:  # the oldest first
        if newest in one.issued.periods:
            column = one.issued.periods.index(newest)
            for row, key in enumerate(one.issued.keys):
                line = _line(one, row, column)
                if line is not None:
                    lines.setdefault(key, line)
    return tuple(lines.values())


def _line(due: _Due, row: int, column: int) -> SaidAndHappened | None:
    happened = float(due.happened[row, due.columns.tolist().index(column)])
    if not np.isfinite(happened):
        return None
    issued = due.issued
    said = dict(zip(BANDS, issued.bands[:, row, column].tolist(), strict=True))
    naive = float(issued.naive[row, column])
    return SaidAndHappened(
        **issued.keys[row]._asdict(),
        report_id=issued.report_id,
        issued_at=issued.issued_at,
        period=issued.periods[column],
        ahead=column + 1,
        naive=number(naive),
        happened=number(happened),
        error=number(happened - said["mean"]),
        naive_error=number(happened - naive),
        inside80=said["low80"] <= happened <= said["high80"],
        inside95=said["low95"] <= happened <= said["high95"],
        **{name: number(value) for name, value in said.items()},
    )

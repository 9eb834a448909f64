"""The track record: what earlier reports said, and what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from shared.schemas.trends import (
    AheadScores,
    IssueScores,
    RecordScores,
    SaidAndHappened,
    TrackRecord,
    TrendReport,
)
from worker.trends.arrays import Bools, Floats, Ints
from worker.trends.issued import BANDS, Issued, Key, every_series, key_of
from worker.trends.periods import following
from worker.trends.ranking import number

_TINY: Final = 1e-12
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

    @property
    def seen(self) -> Bools:
        """Where something happened that can be compared, [s, k]."""
        return np.isfinite(self.happened)

    @property
    def bands(self) -> Floats:
        """What was said, [5, s, k]."""
        return self.issued.bands[:, :, self.columns]

    @property
    def naive(self) -> Floats:
        """Seasonal naive as it stood then, [s, k]."""
        return self.issued.naive[:, self.columns]


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
        total=_scores(due),
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


def _scores(due: Sequence[_Due], *, ahead: int | None = None) -> RecordScores:
    """Score some issues together, or only what they said of so many periods ahead."""
    parts = [_errors(one, ahead) for one in due]
    count = sum(part.shape[1] for part in parts)
    if not count:
        return RecordScores(
            forecasts=0, error=None, naive_error=None, skill=None, coverage80=None, coverage95=None
        )
    error, naive, inside80, inside95 = np.concatenate(parts, axis=1).mean(1)
    return RecordScores(
        forecasts=count,
        error=number(error),
        naive_error=number(naive),
        skill=number(1 - error / naive) if naive > _TINY else None,
        coverage80=number(inside80),
        coverage95=number(inside95),
    )


def _errors(due: _Due, ahead: int | None) -> Floats:
    """Return absolute error, naive's, and whether inside 80% and 95%, [4, n]."""
    kept = due.seen
    if ahead is not None:
        kept = kept & (due.columns == ahead - 1)
    bands, happened = due.bands[:, kept], due.happened[kept]
    return np.stack(
        [
            np.abs(happened - bands[_MEAN]),
            np.abs(happened - due.naive[kept]),
            (bands[_LOW80] <= happened) & (happened <= bands[_HIGH80]),
            (bands[_LOW95] <= happened) & (happened <= bands[_HIGH95]),
        ]
    ).astype(np.float64)


def _of_issue(due: _Due) -> IssueScores:
    issued = due.issued
    return IssueScores(
        report_id=issued.report_id,
        issued_at=issued.issued_at,
        origin=issued.origin,
        due=len(due.columns),
        horizon=len(issued.periods),
        **_scores([due]).model_dump(),
    )


def _by_ahead(due: Sequence[_Due]) -> tuple[AheadScores, ...]:
    furthest = max((int(one.columns.max()) + 1 for one in due if len(one.columns)), default=0)
    scored = [(ahead, _scores(due, ahead=ahead)) for ahead in range(1, furthest + 1)]
    return tuple(
        AheadScores(ahead=ahead, **scores.model_dump())
        for ahead, scores in scored
        if scores.forecasts
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

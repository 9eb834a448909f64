"""The trend report: from observations and options to everything that is shown."""

import math
from datetime import date, datetime
from typing import Final

import numpy as np

from shared.schemas.trends import (
    BacktestSummary,
    DataSeen,
    Direction,
    ForecastScores,
    ObservedChange,
    Outlook,
    SegmentCount,
    ShareForecast,
    TrendOptions,
    TrendReport,
    ValueTrend,
)
from worker.trends.arrays import Dates, Floats, expit, logit
from worker.trends.backtest import (
    WANTED_ORIGINS,
    Conformal,
    Scores,
    rough_intervals,
    run_trials,
    score,
)
from worker.trends.changes import observed_change, significant
from worker.trends.classify import classify, find_flashes, flash_mask, season_of
from worker.trends.forecast import forecast, method_for
from worker.trends.observations import Observations
from worker.trends.periods import following
from worker.trends.ranking import Findings, number, rankings
from worker.trends.series import Panel, build_panel

_SHORTEST: Final = 2
_YEARS_TO_BEAT: Final = 2
_TINY: Final = 1e-9


def build_report(
    observations: Observations, options: TrendOptions, *, generated_at: datetime
) -> TrendReport:
    """Make a trend report.

    Args:
        observations: the garments; those without a date, or dated after ``generated_at``, are
            counted and left out.
        options: what to look at.
        generated_at: the time the report is made, aware; stands in the report.

    Raises:
        InvalidInputError: an attribute is asked for that no garment has.
        TooLittleDataError: fewer than 50 dated garments, fewer than 4 filled periods, or no
            attribute with two values worth following.
    """
    panel = build_panel(observations, options, today=generated_at.date())
    horizon = options.horizon or default_horizon(len(panel.starts), panel.season)
    findings = _study(panel, horizon, options)
    ranked = rankings(findings, options.top)
    return TrendReport(
        generated_at=generated_at,
        data_fingerprint=observations.fingerprint(),
        options=options,
        data=_data_seen(observations, panel),
        period=panel.period,
        season=panel.season,
        method=method_for(len(panel.starts), panel.season),
        periods=_days(panel.starts),
        forecast_periods=_days(following(panel.starts, horizon, panel.period)),
        series=_series(findings),
        rising=ranked["rising"],
        declining=ranked["declining"],
        emerging=ranked["emerging"],
        backtest=_backtest(findings, horizon),
    )


def default_horizon(periods: int, season: int) -> int:
    """Return half a year, or less where that would leave no room for three trials."""
    room = periods - _YEARS_TO_BEAT * season - (WANTED_ORIGINS - 1)
    wanted = max(_SHORTEST, season // 2)
    if room >= _SHORTEST:
        return min(wanted, room)
    return max(_SHORTEST, min(wanted, periods // 4))


def _study(panel: Panel, horizon: int, options: TrendOptions) -> Findings:
    shares, trust = panel.shares, panel.trust
    flash = find_flashes(panel)
    passed = flash_mask(panel, flash)
    # A flash will not come back with the season: the forecast is not to learn from it.
    middle = forecast(
        shares,
        trust * ~passed,
        season=panel.season,
        horizon=horizon,
        groups=panel.groups,
    )
    trials = run_trials(
        shares,
        trust,
        season=panel.season,
        horizon=horizon,
        groups=panel.groups,
        chance=panel.chance,
    )
    conformal = (
        trials.conformal()
        if trials.seen.any()
        else rough_intervals(shares, trust, panel.season, horizon)
    )
    change = observed_change(panel, excluded=passed)
    season = season_of(panel)
    rate, least = options.false_discovery_rate, options.minimum_change
    called = significant(change, false_discovery_rate=rate, minimum_change=least)
    return Findings(
        panel=panel,
        middle=middle,
        conformal=conformal,
        trials=trials,
        change=change,
        called=tuple(bool(one) for one in called),
        season=season,
        flash=flash,
        kinds=classify(
            panel, change, season, flash, false_discovery_rate=rate, minimum_change=least
        ),
        outlooks=_outlooks(panel, middle, conformal),
    )


def _outlooks(panel: Panel, middle: Floats, conformal: Conformal) -> list[Outlook | None]:
    """Compare the forecast's mean with the same periods of the last year."""
    series, periods = panel.totals.shape
    if periods < panel.season:
        return [None] * series
    same = periods - panel.season + np.arange(middle.shape[1]) % panel.season
    trust = panel.trust[:, same]
    total = trust.sum(1)
    before = np.maximum((panel.shares[:, same] * trust).sum(1) / np.maximum(total, _TINY), _TINY)
    after = logit((expit(middle) * trust).sum(1) / np.maximum(total, _TINY))
    width = conformal.mean_quantile * conformal.spread
    low, high = expit(after - width) / before - 1, expit(after + width) / before - 1
    relative = expit(after) / before - 1
    return [
        Outlook(
            relative=number(relative[row]),
            low80=number(low[row]),
            high80=number(high[row]),
            direction=_direction(float(low[row]), float(high[row])),
        )
        if total[row] > 0
        else None
        for row in range(series)
    ]


def _direction(low: float, high: float) -> Direction:
    if low > 0:
        return "rising"
    return "declining" if high < 0 else "unclear"


def _series(findings: Findings) -> tuple[ValueTrend, ...]:
    panel = findings.panel
    share, low, high = panel.wilson()
    inner, outer = findings.conformal.half_widths(0), findings.conformal.half_widths(1)
    middle = findings.middle
    bands = {
        "mean": expit(middle),
        "low80": expit(middle - inner),
        "high80": expit(middle + inner),
        "low95": expit(middle - outer),
        "high95": expit(middle + outer),
    }
    two_years = len(panel.starts) >= _YEARS_TO_BEAT * panel.season
    strength = findings.season.strength * findings.season.significant
    return tuple(
        ValueTrend(
            attribute=name.attribute,
            value=name.value,
            pair=bool(name.parts),
            parts=name.parts,
            rest=name.rest,
            garments=round(panel.garments[row]),
            effective=_numbers(panel.effective[row]),
            weighted=_numbers(panel.weighted[row]),
            share=_perhaps(share[row]),
            low=_perhaps(low[row]),
            high=_perhaps(high[row]),
            thin=tuple(panel.thin[row].tolist()),
            forecast=ShareForecast(**{key: _numbers(band[row]) for key, band in bands.items()}),
            change=_change(findings, row),
            outlook=findings.outlooks[row],
            kind=findings.kinds[row],
            seasonal_strength=number(strength[row]) if two_years else None,
            flash_at=_flash_day(findings, row),
        )
        for row, name in enumerate(panel.names)
    )


def _change(findings: Findings, row: int) -> ObservedChange | None:
    change = findings.change
    if not change.testable[row]:
        return None
    return ObservedChange(
        relative=number(change.ratio[row] - 1),
        low=number(change.low[row] - 1),
        high=number(change.high[row] - 1),
        recent_share=number(change.recent[row]),
        earlier_share=number(change.earlier[row]),
        window=int(change.window[row]),
        p_value=number(change.p_values[row]),
        q_value=number(change.q_values[row]),
        significant=findings.called[row],
    )


def _flash_day(findings: Findings, row: int) -> date | None:
    if findings.kinds[row] != "flash":
        return None
    return _days(findings.panel.starts)[int(findings.flash.start[row])]


def _backtest(findings: Findings, horizon: int) -> BacktestSummary:
    trials = findings.trials
    own, naive = _scores(score(trials)), _scores(score(trials, naive=True))
    skill = None
    if own.mase is not None and naive.mase:
        skill = number(1 - own.mase / naive.mase)
    return BacktestSummary(
        origins=tuple(_days(findings.panel.starts)[origin] for origin in trials.origins),
        horizon=horizon,
        series=len(findings.panel.names),
        forecaster=own,
        naive=naive,
        skill=skill,
        note=_backtest_note(findings),
    )


def _backtest_note(findings: Findings) -> str:
    origins, panel = len(findings.trials.origins), findings.panel
    if findings.conformal.rough:
        return (
            "The history is too short to try a forecast on the past: the intervals are rough, and "
            "no accuracy can be shown."
        )
    parts = []
    if origins < WANTED_ORIGINS:
        parts.append(
            f"Only {origins} trial{'s' if origins > 1 else ''} on the past could be made; "
            f"{WANTED_ORIGINS} or more would be a fair test."
        )
    if origins == 1:
        parts.append("Coverage needs two trials, so it is not shown.")
    if findings.trials.origins[0] < _YEARS_TO_BEAT * panel.season:
        parts.append(
            "Some trials had less than two years to learn from and fell back on last year's values."
        )
    return " ".join(parts)


def _scores(scores: Scores) -> ForecastScores:
    return ForecastScores(
        mase=_maybe(scores.mase),
        smape=_maybe(scores.smape),
        pinball=_maybe(scores.pinball),
        coverage80=_maybe(scores.coverage80),
        coverage95=_maybe(scores.coverage95),
        direction=_maybe(scores.direction),
    )


def _data_seen(observations: Observations, panel: Panel) -> DataSeen:
    dated, counts = observations.dated, observations.multiplicity
    inside = dated & (observations.dates >= panel.starts[0])
    after = following(panel.starts, 1, panel.period)[0]
    inside &= observations.dates < after
    days = observations.dates[inside]
    codes = observations.segments
    per_segment = np.bincount(
        codes[inside & (codes >= 0)],
        counts[inside & (codes >= 0)],
        minlength=len(observations.segment_names),
    )
    whole = panel.totals.max(0)
    return DataSeen(
        garments=round(counts.sum()),
        dated=round(counts[dated].sum()),
        used=round(counts[inside].sum()),
        first=_days(days.min(keepdims=True))[0],
        last=_days(days.max(keepdims=True))[0],
        segments=tuple(
            SegmentCount(name=name, garments=round(count))
            for name, count in zip(observations.segment_names, per_segment, strict=True)
            if count
        ),
        thin_periods=int(panel.thin.all(0).sum()),
        empty_periods=int((whole <= 0).sum()),
        notes=panel.notes,
    )


def _days(starts: Dates) -> tuple[date, ...]:
    days: list[date] = starts.astype("datetime64[D]").tolist()
    return tuple(days)


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(number(value) for value in values)


def _maybe(value: float) -> float | None:
    return number(value) if math.isfinite(value) else None


def _perhaps(values: Floats) -> tuple[float | None, ...]:
    return tuple(_maybe(float(value)) for value in values)

"""The trend report: from observations and options to everything that is shown."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

import numpy as np

from shared.schemas.trends import (
    BacktestSummary,
    DataSeen,
    ForecastScores,
    LeadingSegment,
    ObservedChange,
    RankedValue,
    SegmentCount,
    ShareForecast,
    TrendOptions,
    TrendReport,
    TurningPoint,
    ValueTrend,
)
from worker.trends.arrays import Bools, Dates, Floats, expit
from worker.trends.backing import by_segment, told_sources, with_backing
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
from worker.trends.ensemble import join
from worker.trends.evidence import lately
from worker.trends.forecast import forecast, method_for, wholes
from worker.trends.inside import Inside, look_inside
from worker.trends.leads import Lead, Led, align, follow
from worker.trends.mixes import Sources, sources_of
from worker.trends.observations import Observations
from worker.trends.outlooks import outlooks
from worker.trends.periods import following
from worker.trends.ranking import Findings, number, rankings, rounded
from worker.trends.segments import segment_panels, with_segments
from worker.trends.series import Panel, build_panel
from worker.trends.turning import turning_points

_SHORTEST: Final = 2
_YEARS_TO_BEAT: Final = 2


def build_report(
    observations: Observations,
    options: TrendOptions,
    *,
    generated_at: datetime,
    fingerprint: str | None = None,
) -> TrendReport:
    """Make a trend report.

    Args:
        observations: the garments; those without a date, or dated after ``generated_at``, are
            counted and left out.
        options: what to look at.
        generated_at: the time the report is made, aware; stands in the report.
        fingerprint: of the observations, where it is known; else it is worked out.

    Raises:
        InvalidInputError: an attribute is asked for that no garment has.
        TooLittleDataError: fewer than 50 dated garments, fewer than 4 filled periods, or no
            attribute with two values worth following.
    """
    inside = look_inside(observations, options, today=generated_at.date())
    sources = sources_of(observations, inside)
    whole = build_panel(observations, options, today=generated_at.date(), inside=inside)
    segments = segment_panels(observations, options, whole, inside=inside)
    panel = with_segments(whole, segments, options)
    horizon = options.horizon or default_horizon(len(panel.starts), panel.season)
    findings = study(panel, horizon, options, segments)
    trends = with_backing(_series(findings), observations, panel, inside, sources, findings.change)
    ranked = rankings(findings, options.top)
    return TrendReport(
        generated_at=generated_at,
        data_fingerprint=fingerprint or observations.fingerprint(),
        options=options,
        data=_data_seen(observations, whole, inside, sources),
        period=panel.period,
        season=panel.season,
        method=method_for(len(panel.starts), panel.season),
        periods=_days(panel.starts),
        forecast_periods=_days(following(panel.starts, horizon, panel.period)),
        series=tuple(one for one in trends if one.segment is None),
        segments=by_segment(trends, segments),
        rising=ranked["rising"],
        declining=ranked["declining"],
        emerging=ranked["emerging"],
        backtest=_backtest(findings, horizon),
        evidence=lately(observations, panel, inside, _shown(trends, ranked["emerging"])),
    )


def _shown(trends: tuple[ValueTrend, ...], emerging: tuple[RankedValue, ...]) -> list[ValueTrend]:
    """Return the series, over all segments, whose pictures are shown: what rises or emerges."""
    named = {(one.attribute, one.value) for one in emerging}
    return [
        one
        for one in trends
        if one.segment is None
        and not one.rest
        and (one.kind == "rising" or (one.attribute, one.value) in named)
    ]


def default_horizon(periods: int, season: int) -> int:
    """Return half a year, or less where that would leave no room for three trials."""
    room = periods - _YEARS_TO_BEAT * season - (WANTED_ORIGINS - 1)
    wanted = max(_SHORTEST, season // 2)
    if room >= _SHORTEST:
        return min(wanted, room)
    return max(_SHORTEST, min(wanted, periods // 4))


def study(
    panel: Panel, horizon: int, options: TrendOptions, segments: Mapping[str, Panel]
) -> Findings:
    """Work out everything about a panel's series.

    Args:
        panel: the series.
        horizon: periods to forecast.
        options: limits of what is called a trend.
        segments: panels of single segments, which may lead.
    """
    flash = find_flashes(panel)
    passed = flash_mask(panel, flash)
    led, second, conformal = _forecast(panel, passed, horizon, segments)
    change = observed_change(panel, excluded=passed)
    season = season_of(panel)
    rate, least = options.false_discovery_rate, options.minimum_change
    called = significant(change, false_discovery_rate=rate, minimum_change=least)
    return Findings(
        panel=panel,
        middle=led.middle,
        conformal=conformal,
        trials=led.trials,
        change=change,
        called=tuple(bool(one) for one in called),
        season=season,
        flash=flash,
        kinds=classify(
            panel, change, season, flash, false_discovery_rate=rate, minimum_change=least
        ),
        outlooks=outlooks(panel, led.middle, conformal, minimum_change=least, excluded=passed),
        turns=turning_points(panel, excluded=passed),
        led=led,
        second=second,
    )


def _forecast(
    panel: Panel, passed: Bools, horizon: int, segments: Mapping[str, Panel]
) -> tuple[Led, str, Conformal]:
    """Return the forecast with all that its trials earned, a word on the second, and intervals."""
    shares, trust = panel.shares, panel.trust
    groups = wholes(panel.effective, panel.totals, panel.groups)
    # A flash will not come back with the season: the forecast is not to learn from it.
    clean = trust * ~passed
    middle = forecast(shares, clean, season=panel.season, horizon=horizon, groups=groups)
    trials = run_trials(
        shares, trust, season=panel.season, horizon=horizon, groups=groups, chance=panel.chance
    )
    joined = join(middle, trials, (shares, clean), season=panel.season, groups=groups)
    led = follow(
        joined.middle,
        joined.trials,
        (shares, clean),
        align(panel, segments),
        season=panel.season,
        groups=groups,
    )
    if led.trials.seen.any():
        return led, joined.note, led.trials.conformal()
    return led, joined.note, rough_intervals(shares, trust, panel.season, horizon)


def _series(findings: Findings) -> tuple[ValueTrend, ...]:
    panel = findings.panel
    inner, outer = findings.conformal.half_widths(0), findings.conformal.half_widths(1)
    middle = findings.middle
    # Rounded and told all series at once: there are millions of numbers.
    share, low, high = (_perhaps(one) for one in panel.wilson())
    effective, weighted = _numbers(panel.effective), _numbers(panel.weighted)
    thin = panel.thin.tolist()
    bands = {
        "mean": _numbers(expit(middle)),
        "low80": _numbers(expit(middle - inner)),
        "high80": _numbers(expit(middle + inner)),
        "low95": _numbers(expit(middle - outer)),
        "high95": _numbers(expit(middle + outer)),
    }
    two_years = len(panel.starts) >= _YEARS_TO_BEAT * panel.season
    strength = findings.season.strength * findings.season.significant
    days = _days(panel.starts)
    return tuple(
        ValueTrend(
            attribute=name.attribute,
            value=name.value,
            pair=bool(name.parts),
            parts=name.parts,
            rest=name.rest,
            segment=name.segment,
            garments=round(panel.garments[row]),
            effective=effective[row],
            weighted=weighted[row],
            share=share[row],
            low=low[row],
            high=high[row],
            thin=tuple(thin[row]),
            forecast=ShareForecast(**{key: band[row] for key, band in bands.items()}),
            change=_change(findings, row),
            outlook=findings.outlooks[row],
            kind=findings.kinds[row],
            seasonal_strength=number(strength[row]) if two_years else None,
            flash_at=_flash_day(findings, row),
            turning_points=tuple(
                TurningPoint(at=days[turn.place], upward=turn.upward)
                for turn in findings.turns[row]
            ),
            lead=_lead(findings.led.leads[row]),
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


def _lead(lead: Lead | None) -> LeadingSegment | None:
    if lead is None:
        return None
    return LeadingSegment(
        segment=lead.segment,
        lag=lead.lag,
        pull=number(lead.pull),
        alone=lead.alone,
        error_without=number(lead.error_without),
        error_with=number(lead.error_with),
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
        second=findings.second,
        leading=findings.led.note,
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


def _data_seen(
    observations: Observations, panel: Panel, inside: Inside, sources: Sources | None
) -> DataSeen:
    dated, counts = observations.dated, observations.multiplicity
    used = dated & (observations.dates >= panel.starts[0])
    after = following(panel.starts, 1, panel.period)[0]
    used &= observations.dates < after
    days = observations.dates[used]
    codes = observations.segments
    per_segment = np.bincount(
        codes[used & (codes >= 0)],
        counts[used & (codes >= 0)],
        minlength=len(observations.segment_names),
    )
    whole = panel.totals.max(0)
    return DataSeen(
        garments=round(counts.sum()),
        dated=round(counts[dated].sum()),
        used=round(counts[used].sum()),
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
        thin_at=_days(panel.starts[panel.thin.all(0) & (whole > 0)]),
        gaps_at=_days(panel.starts[whole <= 0]),
        capped_accounts=inside.capped_accounts,
        **told_sources(observations, panel, inside, sources),
    )


def _days(starts: Dates) -> tuple[date, ...]:
    days: list[date] = starts.astype("datetime64[D]").tolist()
    return tuple(days)


def _numbers(values: Floats) -> list[tuple[float, ...]]:
    """Return the rounded rows of values [s, t]."""
    return [tuple(row) for row in rounded(values).tolist()]


def _maybe(value: float) -> float | None:
    return number(value) if math.isfinite(value) else None


def _perhaps(values: Floats) -> list[tuple[float | None, ...]]:
    """Return the same, with ``None`` where a value is not known."""
    found: list[list[float]] = rounded(values).tolist()
    gappy = set(np.nonzero(~np.isfinite(values))[0].tolist())
    return [
        tuple(one if math.isfinite(one) else None for one in shown)
        if row in gappy
        else tuple(shown)
        for row, shown in enumerate(found)
    ]

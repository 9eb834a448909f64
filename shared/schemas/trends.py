"""Trend reports: what is asked for, and what is answered."""

from datetime import date, datetime
from typing import Final, Literal

from pydantic import Field

from shared.schemas.base import Schema
from shared.schemas.record import SeriesRef, TrackRecord

FORMAT_VERSION: Final = 1

Period = Literal["week", "month", "quarter"]
TrendClass = Literal["rising", "declining", "seasonal", "flash", "stable", "insufficient"]
Direction = Literal["rising", "declining", "unclear"]
Method = Literal["level", "seasonal-naive", "lite"]
MixVerdict = Literal["stays", "mix", "unclear"]


class TrendOptions(Schema):
    """What a trend report should look at."""

    period: Literal["auto", "week", "month", "quarter"] = Field(
        default="auto", description="Length of one step; `auto` picks it from span and density."
    )
    horizon: int | None = Field(
        default=None, ge=1, le=104, description="Periods to forecast; about half a year when null."
    )
    attributes: tuple[str, ...] | None = Field(
        default=None, description="Attributes to report on; all of them when null."
    )
    pairs: bool = Field(
        default=True, description="Also follow category and colour together, where dense enough."
    )
    minimum_per_period: float = Field(
        default=30, ge=1, description="A period with fewer effective garments is flagged as thin."
    )
    minimum_garments: float = Field(
        default=20, ge=1, description="A value with fewer effective garments in all joins the rest."
    )
    false_discovery_rate: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Expected part of false calls among the changes called significant.",
    )
    minimum_change: float = Field(
        default=0.05, ge=0, description="A relative change below this is never called a trend."
    )
    account_cap: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Largest part of a period's weight that one account may have, or twice an "
        "equal part where there are few accounts; 1 caps nothing.",
    )
    source_cap: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Largest part of a period's weight that one source may have, or twice an "
        "equal part where there are two, as far as that leaves half of the period's effective "
        "garments; 1 caps nothing.",
    )
    segments: bool = Field(
        default=True, description="Also follow each segment by itself, where dense enough."
    )
    top: int = Field(default=10, ge=1, le=100, description="Length of each ranking.")


class ShareForecast(Schema):
    """Forecast shares, one number a forecast period, with central 80% and 95% intervals."""

    mean: tuple[float, ...]
    low80: tuple[float, ...]
    high80: tuple[float, ...]
    low95: tuple[float, ...]
    high95: tuple[float, ...]


class ObservedChange(Schema):
    """How the share changed against the same part of the year before."""

    relative: float = Field(description="0.2 is a fifth more than a year ago.")
    low: float = Field(description="Lower end of the 95% interval of `relative`.")
    high: float = Field(description="Upper end of the 95% interval of `relative`.")
    recent_share: float
    earlier_share: float
    window: int = Field(
        description="Latest periods looked at: a quarter of a year against the one a year before, "
        "or up to three years, whose yearly change this is."
    )
    p_value: float
    q_value: float = Field(description="`p_value` after Benjamini-Hochberg over all series.")
    significant: bool


class FixedMix(Schema):
    """A change split into that within sources and that of their mix (Kitagawa 1955).

    The last periods of the change, at most a year, against the same ones a year before. `within`
    and `mix` are parts of a share and sum to `after` - `before`.
    """

    before: float
    after: float
    within: float = Field(description="What is left of the change when the mix is held fixed.")
    mix: float = Field(description="What sources that grew, shrank, came or went make of it.")
    low: float = Field(description="Lower end of the 95% interval of `within`.")
    high: float = Field(description="Upper end of the 95% interval of `within`.")
    sources: int = Field(description="Sources seen on both sides.")
    verdict: MixVerdict = Field(
        description="`stays`: it goes the same way within sources, beyond chance, and that is at "
        "least half of it. `mix`: surely less than half of it does. Else `unclear`."
    )


class OriginShare(Schema):
    """Part of a series' garments by how their value is known; the four sum to 1."""

    given: float = 1.0
    measured: float = 0.0
    predicted: float = 0.0
    style: float = 0.0


class Outlook(Schema):
    """How the forecast stands against the same part of the last year."""

    relative: float
    low80: float
    high80: float
    direction: Direction = Field(
        description="`rising` only where `low80` is above 0 and the change is not a trifle."
    )


class TurningPoint(Schema):
    """From when on a value ran otherwise than it had been heading."""

    at: date = Field(description="First day of the period; found to within a few weeks.")
    upward: bool = Field(description="It ran above where it had been heading; else below.")


class LeadingSegment(Schema):
    """A segment in which the value moves before it does as a whole, used in its forecast."""

    segment: str
    lag: int = Field(description="By how many periods the segment leads.")
    pull: float = Field(description="Part of the segment's move that follows, logit scale, 0..1.")
    alone: bool = Field(
        description="This value follows by itself, by more than chance; else all values that the "
        "segment holds were found to follow it together."
    )
    error_without: float = Field(description="MASE of this value's trials without the segment.")
    error_with: float = Field(description="MASE of this value's trials with it.")


class ValueTrend(Schema):
    """One attribute value: what was seen, what is expected, and what to call it."""

    attribute: str
    value: str
    segment: str | None = Field(None, description="Null: over all segments.")
    pair: bool = Field(description="Category and colour together.")
    parts: tuple[tuple[str, str], ...] = Field(
        (), description="Of a pair: its attributes and values."
    )
    rest: bool = Field(description="All values too rare to be followed one by one.")
    garments: int = Field(description="Garments behind this series.")
    effective: tuple[float, ...] = Field(description="Kish effective garments of this value.")
    weighted: tuple[float, ...] = Field(description="Sum of weights of this value.")
    share: tuple[float | None, ...] = Field(description="Null where nothing was seen.")
    low: tuple[float | None, ...] = Field(description="Lower end of the 95% Wilson band.")
    high: tuple[float | None, ...] = Field(description="Upper end of the 95% Wilson band.")
    thin: tuple[bool, ...] = Field(description="Too few garments in the period to trust it alone.")
    forecast: ShareForecast
    change: ObservedChange | None = Field(description="Null where a year ago cannot be compared.")
    outlook: Outlook | None = Field(description="Null with less than a year of history.")
    kind: TrendClass
    seasonal_strength: float | None = Field(
        description="0..1: how much of the movement beyond chance repeats every year; 0 where a "
        "season cannot be told from chance, null with less than two years."
    )
    flash_at: date | None = Field(description="Start of a short peak that has passed.")
    sources: int = Field(0, description="Different sources behind it; 0 in one segment alone.")
    accounts: int = Field(0, description="Different accounts behind it.")
    origin: OriginShare = Field(
        default_factory=OriginShare, description="How the garments' value is known."
    )
    evidence: tuple[str, ...] = Field(
        (), description="Ids of the newest garments with a picture, at most two of one account."
    )
    fixed_mix: FixedMix | None = Field(
        None, description="The change at a fixed mix of sources; null with fewer than two."
    )
    turning_points: tuple[TurningPoint, ...] = ()
    lead: LeadingSegment | None = Field(
        default=None, description="Null where no segment was found to lead."
    )


class RankedValue(Schema):
    """A place in a ranking."""

    attribute: str
    value: str
    pair: bool
    garments: int
    change: float = Field(description="Observed relative change against a year ago.")
    outlook: float | None = Field(description="Forecast relative change.")
    significant: bool = Field(description="The observed change is more than chance.")
    expected_to_last: bool = Field(description="The 80% forecast interval excludes no change.")


class ForecastScores(Schema):
    """Errors of one forecaster over all origins; null where they cannot be measured."""

    mase: float | None = Field(description="Mean absolute error over that of last year's value.")
    smape: float | None = Field(description="Symmetric percentage error, 0..200.")
    pinball: float | None = Field(description="Quantile loss over 5 quantiles, scaled as MASE.")
    coverage80: float | None = Field(description="Part of outcomes inside the 80% interval.")
    coverage95: float | None = Field(description="Part of outcomes inside the 95% interval.")
    direction: float | None = Field(description="Part of series called up, flat or down rightly.")


class BacktestSummary(Schema):
    """The same forecast made at earlier dates, against what then happened."""

    origins: tuple[date, ...] = Field(description="First forecast period of each trial.")
    horizon: int
    series: int
    forecaster: ForecastScores
    naive: ForecastScores = Field(description="Seasonal naive: the same as last year.")
    skill: float | None = Field(description="1 - MASE / naive MASE; above 0 beats last year.")
    note: str = Field(description="What to know when reading these numbers; may be empty.")
    second: str = Field(
        default="",
        description="Whether a second forecaster was tried, and what part it earned; empty where "
        "none is installed.",
    )
    leading: str = Field(
        default="", description="Which segments lead and what that gains; empty without segments."
    )


class SegmentCount(Schema):
    """How many dated garments a segment gave."""

    name: str
    garments: int


class SourceSeen(Schema):
    """What a source gave."""

    name: str
    garments: int
    accounts: int
    share: float = Field(description="Part of all weight, after the caps.")
    first: date
    last: date
    capped_periods: int = Field(description="Periods in which its weight was held down.")


class MixChange(Schema):
    """A period from which on the sources are mixed otherwise than before."""

    period: date
    source: str = Field(description="The source whose part moved most.")
    before: float = Field(description="Its part of the weight in the quarter of a year before.")
    after: float = Field(description="And in the one from this period on.")
    distance: float = Field(description="Part of all weight that moved between sources, 0..1.")


class SegmentTrends(Schema):
    """The series of one segment alone; only those that hold enough garments."""

    name: str
    garments: int
    series: tuple[ValueTrend, ...]


class DataSeen(Schema):
    """What the report was made from."""

    garments: int
    dated: int
    used: int = Field(description="Dated garments inside the periods reported on.")
    first: date
    last: date
    segments: tuple[SegmentCount, ...]
    thin_periods: int
    empty_periods: int
    notes: tuple[str, ...] = Field(description="What was left out, and why, in plain words.")
    sources: tuple[SourceSeen, ...] = ()
    capped_accounts: int = Field(0, description="Accounts held down in some period.")
    mix_changes: tuple[MixChange, ...] = ()
    thin_at: tuple[date, ...] = Field((), description="Periods thin for every series.")
    gaps_at: tuple[date, ...] = Field((), description="Periods in which nothing was seen.")


class Moved(SeriesRef):
    """A series whose verdict is another than in the report before."""

    before: TrendClass | None = Field(description="Null: not followed then.")
    now: TrendClass | None = Field(description="Null: not followed any more.")
    change_before: float | None = None
    change_now: float | None = None


class Revised(SeriesRef):
    """A series of which another future is expected than before."""

    before: float = Field(description="Mean share expected for the periods that both forecast.")
    now: float
    revision: float = Field(description="0.2: a fifth more is expected than before.")
    outside80: bool = Field(description="The new mean lies outside the old 80% interval.")
    first: date
    last: date


class Difference(Schema):
    """What is new against the previous report over the same garments."""

    against: str = Field(description="Id of the previous report.")
    against_at: datetime
    new_rises: tuple[Moved, ...]
    new_falls: tuple[Moved, ...]
    ended: tuple[Moved, ...] = Field(description="Rose or fell then, and not any more.")
    class_changes: tuple[Moved, ...] = Field(description="All other changes of the verdict.")
    revisions: tuple[Revised, ...] = Field(description="The largest of the forecasts.")


class ValueEvidence(SeriesRef):
    """What stands behind a ranked value: how many pictures, of how many sources, and which."""

    images: int = Field(description="Dated garments with a picture in the window looked at.")
    sources: int = Field(description="Different sources among them.")
    since: date
    garments: tuple[str, ...] = Field(description="Some of them, the newest first.")


class TrendReport(Schema):
    """A dated trend report."""

    format_version: int = FORMAT_VERSION
    generated_at: datetime
    data_fingerprint: str
    options: TrendOptions
    data: DataSeen
    period: Period
    season: int = Field(description="Periods in a year.")
    method: Method
    periods: tuple[date, ...] = Field(description="First day of each period seen.")
    forecast_periods: tuple[date, ...]
    series: tuple[ValueTrend, ...]
    segments: tuple[SegmentTrends, ...] = ()
    rising: tuple[RankedValue, ...]
    declining: tuple[RankedValue, ...]
    emerging: tuple[RankedValue, ...]
    backtest: BacktestSummary
    evidence: tuple[ValueEvidence, ...] = ()
    difference: Difference | None = Field(
        None, description="Null in the first report over these garments."
    )
    record: TrackRecord | None = Field(None, description="Null in the first report.")

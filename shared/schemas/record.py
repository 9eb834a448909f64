"""The track record of trend reports: what earlier ones said, and what happened."""

from datetime import date, datetime

from pydantic import Field

from shared.schemas.base import Schema


class SeriesRef(Schema):
    """Which series is spoken of."""

    attribute: str
    value: str
    segment: str | None = Field(None, description="Null: over all segments.")


class RecordScores(Schema):
    """How forecasts that were issued stood against what came; null where nothing came yet."""

    forecasts: int = Field(description="Forecasts of one series for one period that were scored.")
    error: float | None = Field(None, description="Mean absolute error, as a share.")
    naive_error: float | None = Field(
        None, description="The same of seasonal naive, as it stood when the forecast was issued."
    )
    skill: float | None = Field(None, description="1 - error / naive error; above 0 beats it.")
    coverage80: float | None = Field(None, description="Part of outcomes in the 80% interval.")
    coverage95: float | None = Field(None, description="Part of outcomes in the 95% interval.")


class IssueScores(RecordScores):
    """One report's forecasts, as far as they have come due."""

    report_id: str
    issued_at: datetime
    origin: date = Field(description="First period that was forecast.")
    due: int = Field(description="Periods of it that are over.")
    horizon: int = Field(description="Periods that it forecast.")


class AheadScores(RecordScores):
    """All forecasts for so many periods ahead."""

    ahead: int = Field(ge=1)


class SaidAndHappened(SeriesRef):
    """What the first report that spoke of a period said of it, and what happened."""

    report_id: str
    issued_at: datetime
    period: date
    ahead: int
    mean: float
    low80: float
    high80: float
    low95: float
    high95: float
    naive: float = Field(description="Seasonal naive, as it stood then.")
    happened: float
    error: float = Field(description="Happened less said, as a share.")
    naive_error: float
    inside80: bool
    inside95: bool


class TrackRecord(Schema):
    """What earlier reports over the same garments said, and what happened."""

    total: RecordScores
    issues: tuple[IssueScores, ...] = Field(
        description="The first report of each origin, the newest first."
    )
    by_ahead: tuple[AheadScores, ...]
    lines: tuple[SaidAndHappened, ...] = Field(
        description="The newest period that is over, each series as it was forecast first."
    )

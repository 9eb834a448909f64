"""Jobs: their states, what a caller sees of one, and the specs that a row holds."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from shared.schemas.base import Schema
from shared.schemas.catalogs import GarmentFields
from shared.schemas.designs import (
    USUAL_VARIETY,
    Condition,
    ForShopper,
    Fresh,
    ImageFormat,
    Priority,
    TrendLean,
    Walk,
    Way,
)
from shared.schemas.feeds import BatchKind
from shared.schemas.trends import TrendOptions

Preset = Literal["auto", "residual", "dcgan", "mlp", "vae"]
Width = Literal["auto", "s", "m", "l"]
Precision = Literal["auto", "float32", "bfloat16"]
# What a training keeps back to be measured against; the engine caps it for large catalogs.
USUAL_HELDOUT: Final = 0.1


class JobKind(StrEnum):
    """What a job does."""

    INGEST = "ingest"
    TRAINING = "training"
    DESIGN = "design"
    TREND_REPORT = "trend_report"
    FEED = "feed"
    MOODBOARD = "moodboard"


class JobState(StrEnum):
    """Where a job stands. Code decides by the state alone; the reason only explains."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether a job in this state will never change again."""
        return self not in {JobState.QUEUED, JobState.RUNNING}


class Reason(StrEnum):
    """Why a job stands where it stands, beyond the errors' own ``reason`` words."""

    LOST_WORKER = "lost_worker"
    STALLED = "stalled"
    DRAINED = "drained"
    RETRYING = "retrying"
    EXPIRED = "expired"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    CANCELLED_BY_CALLER = "cancelled_by_caller"
    UNCHANGED = "unchanged"
    INTERNAL = "internal"


class Budget(Schema):
    """How long a training may take: minutes of training time, or images seen; exactly one."""

    minutes: float | None = Field(None, gt=0, le=7 * 24 * 60, examples=[3])
    images: int | None = Field(None, ge=64, le=10**10)


class UploadSource(Schema):
    """A file that was uploaded: an archive, or a single picture with its fields."""

    type: Literal["upload"] = "upload"
    artifact: str
    name: str
    fields: GarmentFields | None = None


class PathSource(Schema):
    """A folder, archive or IDX file on the server, under one of TOILE_IMPORT_ROOTS."""

    type: Literal["path"] = "path"
    path: str


class IngestSpec(Schema):
    """Add garments to a catalog."""

    kind: Literal[JobKind.INGEST] = JobKind.INGEST
    schema_version: Literal[1] = 1
    catalog_id: str
    source: Annotated[UploadSource | PathSource, Field(discriminator="type")]


class FeedSpec(Schema):
    """Add a batch to a feed: plain counts, or an archive of dated images."""

    kind: Literal[JobKind.FEED] = JobKind.FEED
    schema_version: Literal[1] = 1
    feed_id: str
    holds: BatchKind
    revises: bool = False
    source: UploadSource


class TrainingSpec(Schema):
    """Train a model on one version of a catalog and publish a release of it."""

    kind: Literal[JobKind.TRAINING] = JobKind.TRAINING
    schema_version: Literal[1] = 1
    catalog_id: str
    catalog_version: int = Field(ge=1)
    model: str
    size: int
    preset: Preset = "auto"
    width: Width = "auto"
    precision: Precision = "auto"
    balance: float | None = Field(None, ge=0, le=1)
    budget: Budget
    early_stop: int | None = Field(None, ge=2, le=1000)
    heldout: float = Field(USUAL_HELDOUT, ge=0.02, le=0.3)
    seed: int = Field(ge=0, lt=2**31)
    attributes: tuple[str, ...]
    colours: bool = Field(False, description="Condition on measured colours, in CIELAB.")
    from_release: str | None = Field(None, description="Go on from this release's weights.")
    preview_seconds: float = Field(10, ge=1, le=3600)
    checkpoint_seconds: float = Field(30, ge=1, le=3600)


class DesignSpec(Schema):
    """Make designs with one release."""

    kind: Literal[JobKind.DESIGN] = JobKind.DESIGN
    schema_version: Literal[1] = 1
    release_id: str
    count: int = Field(ge=1, le=64)
    condition: Condition
    seed: int = Field(ge=0, lt=2**31)
    size: int
    format: ImageFormat
    variety: float = Field(USUAL_VARIETY, ge=0, le=1)
    way: Way = Fresh()
    trend: TrendLean | None = None

    @property
    def images(self) -> int:
        """The images that the device must make for it."""
        match self.way:
            case ForShopper(candidates=candidates):
                return max(candidates, self.count)
            case Walk(frames=frames):
                return frames
            case _:
                return self.count


class TrendSpec(Schema):
    """Report where fashion is going, from the site's dated garments."""

    kind: Literal[JobKind.TREND_REPORT] = JobKind.TREND_REPORT
    schema_version: Literal[1] = 1
    catalog_id: str | None = None
    options: TrendOptions
    until: date | None = None
    only_if_changed: bool = False


class MoodboardSpec(Schema):
    """Make the moodboards of a trend report with one release."""

    kind: Literal[JobKind.MOODBOARD] = JobKind.MOODBOARD
    schema_version: Literal[1] = 1
    report_id: str
    release_id: str | None = Field(None, description="Null: the newest that can serve the rises.")
    count: int = Field(ge=1, le=32)
    rack: int = Field(ge=0, le=64)
    seed: int = Field(ge=0, lt=2**31)


Spec = Annotated[
    IngestSpec | FeedSpec | TrainingSpec | DesignSpec | TrendSpec | MoodboardSpec,
    Field(discriminator="kind"),
]
SPEC: TypeAdapter[Spec] = TypeAdapter(Spec)


class JobError(Schema):
    """Why a job failed, for people and for programs."""

    reason: str
    message: str
    details: dict[str, Any] = Field(default_factory=dict)


class MetricPoint(Schema):
    """One reading of a training's metric, with its interval where one was taken."""

    images: int = Field(ge=0, description="Catalog images shown by then, repeats counted.")
    seconds: float = Field(ge=0, description="Trained seconds by then.")
    value: float
    low: float | None = None
    high: float | None = None


class Progress(Schema):
    """How far a running job is. All but ``fraction`` depend on the kind of job."""

    fraction: float | None = Field(None, ge=0, le=1)
    message: str = ""
    eta_seconds: float | None = Field(None, ge=0)
    step: int | None = None
    images_seen: int | None = None
    images_per_second: float | None = None
    losses: dict[str, float] = Field(default_factory=dict)
    metric: str | None = Field(
        None, description="Key of the figure that `metrics` follows; it names the extractor too."
    )
    metrics: tuple[MetricPoint, ...] = Field(
        (), description="That figure so far, oldest first, thinned to at most 60 readings."
    )
    preview_url: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)


class Preview(Schema):
    """A sample grid that a running training has just shown."""

    url: str = Field(description="Where the grid is; each one has an address of its own.")
    step: int | None = None
    images_seen: int | None = None


class AttemptView(Schema):
    """One try at a job."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    message: str | None = None


class Wait(Schema):
    """What a queued design job waits for, as far as it can be told."""

    images_ahead: int = Field(
        description="Images that are made before it: its site's own earlier ones and all more "
        "urgent ones; counted to a thousand jobs of each."
    )
    eta_seconds: float | None = Field(
        None, description="From measured batch times of its release; none where none was measured."
    )


class Job(Schema):
    """What a caller sees of a job."""

    id: str
    kind: JobKind
    state: JobState
    reason: str | None = None
    error: JobError | None = None
    spec: dict[str, Any]
    result: dict[str, Any] | None = None
    progress: Progress | None = None
    wait: Wait | None = Field(None, description="While a design job is queued.")
    priority: Priority | None = Field(None, description="Of design jobs.")
    expires_at: datetime | None = None
    attempts: int
    cancel_requested: bool = False
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    url: str


class JobBatch(Schema):
    """Several jobs that were taken together, in the order in which they were asked for."""

    jobs: tuple[Job, ...]


class JobRecord(Schema):
    """A job as the system sees it. ``spec`` is unparsed: a bad one must not stop a reader."""

    id: str
    site_id: str
    kind: JobKind
    state: JobState
    reason: str | None
    error: dict[str, Any] | None
    spec: dict[str, Any]
    result: dict[str, Any] | None
    release_id: str | None
    period: str | None
    units: int = Field(description="Images to make, for design jobs; 1 for others.")
    priority: int = Field(1, description="`Priority.rank`: the least is taken first.")
    expires_at: datetime | None = Field(None, description="Not to be started from then on.")
    digest: str | None = Field(None, description="Equal for requests that give equal designs.")
    shopper_id: str | None = None
    attempts: int
    spared: int = Field(0, description="Of these, those that a worker ended by being shut down.")
    fence: int
    owner: str | None
    lease_expires_at: datetime | None
    not_before: datetime | None
    sent_at: datetime | None
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    request_id: str | None = Field(None, description="Of the HTTP request that asked for it.")
    traceparent: str | None = Field(None, description="W3C trace context in which it was asked.")

    @property
    def tries(self) -> int:
        """The attempts that count towards the limit."""
        return self.attempts - self.spared

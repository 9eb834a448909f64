"""Webhooks: where a site wants to be told of events, what it is told, and how that went."""

import datetime as dt
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field

from shared.schemas.base import Schema
from shared.schemas.jobs import JobKind, JobState

KEEP_TRYING: Final = dt.timedelta(hours=24)
"""How long a delivery is tried, from the event or from its replay on."""

MOST_WEBHOOKS: Final = 16
"""Of one site. Each event is written once for each."""


class EventType(StrEnum):
    """What a site can be told of."""

    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    RELEASE_PUBLISHED = "release.published"
    REPORT_PUBLISHED = "report.published"
    TREND_RISING = "trend.rising"
    TREND_FALLING = "trend.falling"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DisabledReason(StrEnum):
    """Why a webhook is told of nothing."""

    CALLER = "caller"
    GONE = "gone"
    FAILING = "failing"


Address = str
"""Where events go; shared.webhooks.addresses says which are taken."""


class WebhookRequest(Schema):
    """Where to send events, and which."""

    address: Address = Field(
        min_length=1,
        max_length=2048,
        description="An https address that takes POST; it must lead to the public internet.",
        examples=["https://shop.example/hooks/toile"],
    )
    events: tuple[EventType, ...] | None = Field(
        None, min_length=1, max_length=len(EventType), description="Null: all, later kinds too."
    )
    description: str = Field("", max_length=200)


class WebhookChange(Schema):
    """What to change of a webhook; what is left out stays."""

    address: Address | None = Field(None, min_length=1, max_length=2048)
    events: tuple[EventType, ...] | None = Field(
        None, min_length=1, max_length=len(EventType), description="Null: all, later kinds too."
    )
    description: str | None = Field(None, max_length=200)
    enabled: bool | None = Field(
        None, description="True takes up again what was disabled; false rests it."
    )


class SecretRotation(Schema):
    """How long the old secret goes on signing beside the new one."""

    overlap_hours: float = Field(24, ge=0, le=7 * 24)


class ReplayRequest(Schema):
    """Which deliveries to send again."""

    since: AwareDatetime = Field(description="Events from then on.")
    states: tuple[Literal["failed", "pending", "delivered"], ...] = Field(
        ("failed",), min_length=1, max_length=3
    )


class Disabled(Schema):
    """Since when and why a webhook is told of nothing."""

    at: dt.datetime
    reason: DisabledReason
    message: str


class Webhook(Schema):
    """An address of a site that is told of events."""

    id: str
    address: str
    events: tuple[EventType, ...] | None = Field(description="Null: all.")
    description: str
    created_at: dt.datetime
    disabled: Disabled | None = Field(description="Null: it is told of events.")
    failing_since: dt.datetime | None = Field(
        description="Since when nothing got through; null where the last try did."
    )
    failures: int = Field(description="Tries that failed, one after the other.")
    paused_until: dt.datetime | None = Field(
        description="It failed, or asked to be spared: nothing is sent before then."
    )
    secret_made_at: dt.datetime
    old_secret_until: dt.datetime | None = Field(
        description="Until then the secret before the last rotation signs too."
    )
    url: str


class NewWebhook(Webhook):
    """A webhook just made, or with a new secret; the only time that the secret is shown."""

    secret: str = Field(description="`whsec_` and base64, as the libraries take it.")


class DeliveryAttempt(Schema):
    """One try at a delivery."""

    number: int
    at: dt.datetime
    seconds: float
    status: int | None = Field(description="HTTP status; null where there was no answer.")
    error: str | None = Field(description="Why it does not count, in words.")
    answer: str = Field(description="The beginning of what was answered, at most 1 KiB.")


class Delivery(Schema):
    """One event on its way to one webhook."""

    id: str
    webhook_id: str
    event_id: str = Field(description="The header `webhook-id`, the same on each try.")
    type: EventType
    subject: str = Field(description="Id of what the event is about.")
    state: DeliveryState
    attempts: int
    created_at: dt.datetime
    due_at: dt.datetime | None = Field(description="When it is tried next; null when it is over.")
    ends_at: dt.datetime = Field(description="When the last try is.")
    settled_at: dt.datetime | None
    last_attempt: DeliveryAttempt | None
    url: str


class DeliveryDetail(Delivery):
    """A delivery with what is sent, and all tries."""

    payload: dict[str, Any]
    log: tuple[DeliveryAttempt, ...]


class Replayed(Schema):
    """How many deliveries are on their way again."""

    deliveries: int


class JobEnded(Schema):
    """What an event of a job tells; the address has the rest."""

    id: str
    kind: JobKind
    state: JobState
    reason: str | None
    release_id: str | None = Field(description="The release that designs were made with.")
    shopper: str | None = Field(description="The site's own reference, of designs for a shopper.")
    created_at: dt.datetime
    finished_at: dt.datetime
    url: str


class ReleasePublished(Schema):
    """What an event of a release tells."""

    id: str
    number: int
    model_id: str
    model: str
    job_id: str
    url: str
    card_url: str


class ReportPublished(Schema):
    """What an event of a trend report tells."""

    id: str
    job_id: str
    catalog_id: str | None
    url: str
    page_url: str


class TrendTurned(Schema):
    """What an event of a fired alert tells."""

    id: str = Field(description="Of what fired; `GET /v1/trend-alerts/fired` lists it.")
    alert_id: str
    report_id: str
    attribute: str
    value: str
    segment: str | None
    change: float = Field(description="Observed relative change in a year.")
    q_value: float
    report_url: str


class WebhookDisabled(Schema):
    """What the site's other webhooks are told when one is disabled."""

    id: str
    reason: DisabledReason
    message: str
    url: str


class WebhookTested(Schema):
    """What a test tells."""

    id: str
    message: str
    url: str


class _Event(Schema):
    version: Literal[1] = Field(description="Of this form; a later one only adds to it.")
    timestamp: dt.datetime = Field(description="When it happened, not when it was sent.")


class JobEvent(_Event):
    """A job came to its end."""

    type: Literal[EventType.JOB_SUCCEEDED, EventType.JOB_FAILED, EventType.JOB_CANCELLED]
    data: JobEnded


class ReleaseEvent(_Event):
    """A release was published."""

    type: Literal[EventType.RELEASE_PUBLISHED]
    data: ReleasePublished


class ReportEvent(_Event):
    """A trend report was published."""

    type: Literal[EventType.REPORT_PUBLISHED]
    data: ReportPublished


class TrendEvent(_Event):
    """An alert fired: a value began to rise or to fall."""

    type: Literal[EventType.TREND_RISING, EventType.TREND_FALLING]
    data: TrendTurned


class DisabledEvent(_Event):
    """Another webhook of the site was disabled."""

    type: Literal[EventType.WEBHOOK_DISABLED]
    data: WebhookDisabled


class TestEvent(_Event):
    """Somebody asked for a test."""

    type: Literal[EventType.WEBHOOK_TEST]
    data: WebhookTested

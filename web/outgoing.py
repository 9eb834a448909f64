"""What Toile sends to webhooks, as OpenAPI 3.1 has it in `webhooks`, with an example of each."""

from typing import Any, Final

from shared.schemas.base import Schema
from shared.schemas.webhooks import (
    DisabledEvent,
    EventType,
    JobEvent,
    ReleaseEvent,
    ReportEvent,
    TestEvent,
    TrendEvent,
)

EVENTS: Final[tuple[type[Schema], ...]] = (
    JobEvent,
    ReleaseEvent,
    ReportEvent,
    TrendEvent,
    DisabledEvent,
    TestEvent,
)

_AT: Final = "2026-11-26T20:26:10.344522Z"
_JOB: Final = {
    "id": "job_4t9x0c1m7q2v5b8n3k6z1d4f", "kind": "design", "state": "succeeded", "reason": None,
    "release_id": "rel_2m7q4t9x0c1v5b8n3k6z1d4f", "shopper": "c-1042", "created_at": _AT,
    "finished_at": _AT, "url": "/v1/jobs/job_4t9x0c1m7q2v5b8n3k6z1d4f",
}  # fmt: skip
_TREND: Final = {
    "id": "fired_0c1m7q2v5b8n3k6z1d4f4t9x", "alert_id": "alert_7q2v5b8n3k6z1d4f4t9x0c1m",
    "report_id": "rep_5b8n3k6z1d4f4t9x0c1m7q2v", "attribute": "colour", "value": "green",
    "segment": None, "change": 0.42, "q_value": 0.01,
    "report_url": "/v1/trend-reports/rep_5b8n3k6z1d4f4t9x0c1m7q2v",
}  # fmt: skip
_WEBHOOK: Final = "hook_8n3k6z1d4f4t9x0c1m7q2v5b"

DATA: Final[dict[EventType, dict[str, Any]]] = {
    EventType.JOB_SUCCEEDED: _JOB,
    EventType.JOB_FAILED: {
        **_JOB, "kind": "training", "state": "failed", "reason": "out_of_memory",
        "release_id": None, "shopper": None,
    },
    EventType.JOB_CANCELLED: {**_JOB, "state": "cancelled", "reason": "cancelled_by_caller"},
    EventType.RELEASE_PUBLISHED: {
        "id": "rel_2m7q4t9x0c1v5b8n3k6z1d4f", "number": 3,
        "model_id": "model_9x0c1m7q2v5b8n3k6z1d4f4t", "model": "dresses",
        "job_id": "job_4t9x0c1m7q2v5b8n3k6z1d4f",
        "url": "/v1/releases/rel_2m7q4t9x0c1v5b8n3k6z1d4f",
        "card_url": "/v1/releases/rel_2m7q4t9x0c1v5b8n3k6z1d4f/card",
    },
    EventType.REPORT_PUBLISHED: {
        "id": "rep_5b8n3k6z1d4f4t9x0c1m7q2v", "job_id": "job_4t9x0c1m7q2v5b8n3k6z1d4f",
        "catalog_id": None, "url": "/v1/trend-reports/rep_5b8n3k6z1d4f4t9x0c1m7q2v",
        "page_url": "/v1/trend-reports/rep_5b8n3k6z1d4f4t9x0c1m7q2v/files/report.html",
    },
    EventType.TREND_RISING: _TREND,
    EventType.TREND_FALLING: {**_TREND, "value": "navy", "change": -0.31},
    EventType.WEBHOOK_DISABLED: {
        "id": _WEBHOOK, "reason": "failing", "message": "Nothing got through to it for days.",
        "url": f"/v1/webhooks/{_WEBHOOK}",
    },
    EventType.WEBHOOK_TEST: {
        "id": _WEBHOOK, "message": "It works if you can read and verify this.",
        "url": f"/v1/webhooks/{_WEBHOOK}",
    },
}  # fmt: skip
"""An example of each event's data; docs/webhooks.md shows them."""

_HEADERS: Final = {
    "webhook-id": "The event's id, the same on each try and at each webhook: what was seen before "
    "is not to be done again.",
    "webhook-timestamp": "When this try was sent, seconds since 1970. Refuse what is older than "
    "five minutes.",
    "webhook-signature": "`v1,` and base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}."
    "{body}`; after a rotation two of them, with a space between.",
}


def example(event: EventType) -> dict[str, Any]:
    """Return what is sent of an event."""
    return {"type": event.value, "timestamp": _AT, "version": 1, "data": DATA[event]}


def webhooks_section() -> dict[str, Any]:
    """Return the document's `webhooks`."""
    return {event.value: {"post": _operation(event, _schema_of(event))} for event in EventType}


def _schema_of(event: EventType) -> type[Schema]:
    (found,) = [
        one
        for one in EVENTS
        if event in one.model_fields["type"].annotation.__args__  # type: ignore[union-attr]
    ]
    return found


def _operation(event: EventType, schema: type[Schema]) -> dict[str, Any]:
    return {
        "operationId": f"on_{event.value.replace('.', '_')}",
        "summary": schema.__doc__,
        "tags": ["webhooks"],
        "parameters": [
            {"in": "header", "name": name, "required": True, "description": told,
             "schema": {"type": "string"}}
            for name, told in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{schema.__name__}"},
                    "example": example(event),
                }
            },
        },
        "responses": {
            "2XX": {"description": "Taken. Answer within ten seconds, and do the work after that."},
            "410": {"description": "Gone: the webhook is disabled."},
            "429": {"description": "Too many: tried again, after Retry-After where it is told."},
            "503": {"description": "Away: as 429."},
            "default": {"description": "Not taken: tried again over a day. Nothing is redirected."},
        },
    }  # fmt: skip

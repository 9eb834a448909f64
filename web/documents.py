"""The OpenAPI 3.1 document: what flask-openapi3 gathered, with exact schemas put in."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, Literal

from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from shared.schemas.alerts import Alert, AlertRequest
from shared.schemas.boards import MoodboardRequest
from shared.schemas.catalogs import Catalog, CatalogRequest, FolderRequest, GarmentDetail
from shared.schemas.derivations import CatalogStyles
from shared.schemas.designs import (
    Design,
    DesignBatch,
    DesignRequest,
    MixRequest,
    VariationRequest,
    WalkRequest,
)
from shared.schemas.feeds import Feed, FeedRequest
from shared.schemas.figures import Comparison
from shared.schemas.health import Health, Readiness
from shared.schemas.jobs import Job, JobBatch
from shared.schemas.keys import (
    ApiKey,
    KeyRequest,
    NewApiKey,
    RotationRequest,
    SessionRequest,
    ShopperSession,
)
from shared.schemas.links import LinkBatch, LinkRequest
from shared.schemas.models import Model, Release, TrainingRequest
from shared.schemas.problems import MEDIA_TYPE, Problem
from shared.schemas.provenance import Provenance
from shared.schemas.record import TrackRecord
from shared.schemas.reports import ReportView, TrendRequest
from shared.schemas.shoppers import (
    Erasure,
    PreferenceBatch,
    PreferenceRequest,
    Recommendations,
    Recorded,
    Shopper,
    SimilarGarments,
    TasteView,
)
from shared.schemas.trends import Difference
from shared.schemas.usage import Usage
from shared.schemas.webhooks import (
    DeliveryDetail,
    NewWebhook,
    Replayed,
    ReplayRequest,
    SecretRotation,
    WebhookChange,
    WebhookRequest,
)
from web.accept import REPLAYED
from web.api.alerts import AlertList, FiredAlertList
from web.api.catalogs import CatalogList
from web.api.designs import DesignList
from web.api.feeds import FeedBatchList, FeedList
from web.api.garments import GarmentList
from web.api.jobs import AttemptList, JobList
from web.api.keys import ApiKeyList
from web.api.models import ModelList, ReleaseList
from web.api.provenance import PictureUpload
from web.api.shoppers import ErasureList, PreferenceList, ShopperList
from web.api.trends import ReportList
from web.api.webhooks import DeliveryList, WebhookList
from web.outgoing import EVENTS, webhooks_section
from web.uploads import BatchUpload, GarmentUpload

_KEY: Final = "Idempotency-Key"
_REF: Final = "#/components/schemas/{model}"

_ASKED: Final = (
    AlertRequest,
    BatchUpload,
    CatalogRequest,
    DesignBatch,
    DesignRequest,
    FeedRequest,
    FolderRequest,
    GarmentUpload,
    KeyRequest,
    LinkRequest,
    MixRequest,
    MoodboardRequest,
    PictureUpload,
    PreferenceBatch,
    PreferenceRequest,
    ReplayRequest,
    RotationRequest,
    SecretRotation,
    SessionRequest,
    TrainingRequest,
    TrendRequest,
    VariationRequest,
    WalkRequest,
    WebhookChange,
    WebhookRequest,
)
_FILES: Final = (
    ("BatchUpload", "archive"),
    ("BatchUpload", "counts"),
    ("GarmentUpload", "archive"),
    ("GarmentUpload", "image"),
    ("PictureUpload", "image"),
)
_ANSWERED: Final[tuple[type[BaseModel], ...]] = (
    Alert,
    AlertList,
    ApiKey,
    ApiKeyList,
    AttemptList,
    Catalog,
    CatalogList,
    CatalogStyles,
    Comparison,
    DeliveryDetail,
    DeliveryList,
    Design,
    DesignList,
    Difference,
    Erasure,
    ErasureList,
    Feed,
    FeedBatchList,
    FeedList,
    FiredAlertList,
    GarmentDetail,
    GarmentList,
    Health,
    Job,
    JobBatch,
    JobList,
    LinkBatch,
    Model,
    ModelList,
    NewApiKey,
    NewWebhook,
    PreferenceList,
    Problem,
    Provenance,
    Readiness,
    Recommendations,
    Recorded,
    Release,
    ReleaseList,
    Replayed,
    ReportList,
    ReportView,
    Shopper,
    ShopperList,
    ShopperSession,
    SimilarGarments,
    TasteView,
    TrackRecord,
    WebhookList,
    *EVENTS,
    Usage,
)


def describe(app: OpenAPI) -> dict[str, Any]:
    """Return the document of an app whose routes are all registered.

    flask-openapi3 keeps only a part of JSON Schema, so the schemas come from pydantic itself.
    """
    found: dict[str, Any] = app.api_doc
    found["components"]["schemas"] = from_json(_schemas())
    _wait_before_retry(found)
    _tell_replays(found)
    found["webhooks"] = webhooks_section()
    return found


@cache
def _schemas() -> bytes:
    """Return all schemas by name, as JSON: the same for each application, and slow to work out."""
    schemas = {**_schemas_of(_ANSWERED, "serialization"), **_schemas_of(_ASKED, "validation")}
    for upload, name in _FILES:
        schemas[upload]["properties"][name] = {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": schemas[upload]["properties"][name]["description"],
        }
    return to_json(dict(sorted(schemas.items())))


def _schemas_of(
    models: Iterable[type[BaseModel]], mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for model in models:
        schema = model.model_json_schema(ref_template=_REF, mode=mode)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    return schemas


def _wait_before_retry(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            for status in ("429", "503", "507"):
                refused = operation["responses"].get(status, {})
                if MEDIA_TYPE in refused.get("content", {}):
                    refused["headers"] = {
                        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
                    }


def _tell_replays(document: dict[str, Any]) -> None:
    """Tell of each request that takes an idempotency key how a repeated one is known."""
    header = {
        "description": "`true` where this answer was given before, to the same request with the "
        "same Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            if any(one["name"] == _KEY for one in operation.get("parameters", ())):
                for status, answer in operation["responses"].items():
                    if status.startswith("2"):
                        answer["headers"] = {**answer.get("headers", {}), REPLAYED: header}

"""The tables. Only this package sees them."""

from shared.records.tables.artifacts import ArtifactRow, HoldRow
from shared.records.tables.base import Base, Json, UtcDateTime
from shared.records.tables.catalogs import (
    CatalogRow,
    CatalogVersionRow,
    DerivationRow,
    GarmentRow,
    IndexRow,
    ShardRow,
)
from shared.records.tables.designs import DesignRow
from shared.records.tables.feeds import FeedBatchRow, FeedRow
from shared.records.tables.jobs import AttemptRow, IdempotencyKeyRow, JobRow
from shared.records.tables.limits import SiteLimitsRow, UsageRow
from shared.records.tables.models import ModelGrantRow, ModelRow, ReleaseRow
from shared.records.tables.reports import (
    FiredAlertRow,
    ReportRow,
    TrendAlertRow,
    TrendForecastRow,
)
from shared.records.tables.shoppers import ErasureRow, PreferenceRow, ShopperRow, TastePriorRow
from shared.records.tables.sites import ApiKeyRow, ShareRow, SiteRow
from shared.records.tables.webhooks import DeliveryAttemptRow, DeliveryRow, WebhookRow

__all__ = [
    "ApiKeyRow",
    "ArtifactRow",
    "AttemptRow",
    "Base",
    "CatalogRow",
    "CatalogVersionRow",
    "DeliveryAttemptRow",
    "DeliveryRow",
    "DerivationRow",
    "DesignRow",
    "ErasureRow",
    "FeedBatchRow",
    "FeedRow",
    "FiredAlertRow",
    "GarmentRow",
    "HoldRow",
    "IdempotencyKeyRow",
    "IndexRow",
    "JobRow",
    "Json",
    "ModelGrantRow",
    "ModelRow",
    "PreferenceRow",
    "ReleaseRow",
    "ReportRow",
    "ShardRow",
    "ShareRow",
    "ShopperRow",
    "SiteLimitsRow",
    "SiteRow",
    "TastePriorRow",
    "TrendAlertRow",
    "TrendForecastRow",
    "UsageRow",
    "UtcDateTime",
    "WebhookRow",
]

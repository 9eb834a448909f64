"""The tables. Only this package sees them."""

from shared.records.tables.base import Base, Json, UtcDateTime
from shared.records.tables.catalogs import CatalogRow, CatalogVersionRow, GarmentRow, ShardRow
from shared.records.tables.designs import DesignRow
from shared.records.tables.jobs import AttemptRow, IdempotencyKeyRow, JobRow
from shared.records.tables.models import ModelRow, ReleaseRow
from shared.records.tables.reports import ReportRow
from shared.records.tables.sites import ApiKeyRow, SiteRow

__all__ = [
    "ApiKeyRow",
    "AttemptRow",
    "Base",
    "CatalogRow",
    "CatalogVersionRow",
    "DesignRow",
    "GarmentRow",
    "IdempotencyKeyRow",
    "JobRow",
    "Json",
    "ModelRow",
    "ReleaseRow",
    "ReportRow",
    "ShardRow",
    "SiteRow",
    "UtcDateTime",
]

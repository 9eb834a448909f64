"""Garment indexes: a catalog's garments as its encoder sees them."""

import datetime as dt

from shared.schemas.base import Schema


class Index(Schema):
    """An immutable index of one catalog version, and where its files are."""

    id: str
    catalog_id: str
    catalog_version: int
    encoder: str
    garments: int
    artifact: str
    created_at: dt.datetime

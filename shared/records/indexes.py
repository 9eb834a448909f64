"""Garment indexes: which there are, and where their files are."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from shared.records.engine import Transaction
from shared.records.rows import columns_of
from shared.records.tables import IndexRow
from shared.schemas.indexes import Index


def publish(tx: Transaction, site_id: str, *, index_id: str, values: Mapping[str, Any]) -> Index:
    """Add an index whose files are stored.

    Args:
        tx: the open transaction.
        site_id: whose catalog it is.
        index_id: the index's id, which its artifacts already carry.
        values: the other columns: catalog_id, catalog_version, encoder, garments, artifact.
    """
    row = IndexRow(id=index_id, site_id=site_id, created_at=tx.now, **values)
    tx.session.add(row)
    tx.session.flush()
    return _index(row)


def newest(tx: Transaction, site_id: str, catalog_id: str) -> Index | None:
    """Return the newest index of a site's catalog, or None where there is none."""
    query = select(IndexRow).where(IndexRow.site_id == site_id, IndexRow.catalog_id == catalog_id)
    order = (IndexRow.created_at.desc(), IndexRow.id.desc())
    row = tx.session.scalars(query.order_by(*order).limit(1)).first()
    return None if row is None else _index(row)


def of_site(tx: Transaction, site_id: str) -> list[Index]:
    """Return the newest index of each of a site's catalogs, the newest first."""
    query = select(IndexRow).where(IndexRow.site_id == site_id)
    rows = tx.session.scalars(query.order_by(IndexRow.created_at.desc(), IndexRow.id.desc()))
    found: dict[str, Index] = {}
    for row in rows:
        found.setdefault(row.catalog_id, _index(row))
    return list(found.values())


def _index(row: IndexRow) -> Index:
    hidden = {"site_id"}
    return Index(**{name: v for name, v in columns_of(row).items() if name not in hidden})

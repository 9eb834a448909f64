"""Garment indexes: what the garments of a catalog version look like to its encoder."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import columns_of
from shared.records.tables import CatalogRow, IndexRow
from shared.schemas.base import Schema
from shared.schemas.catalogs import Purpose


class Index(Schema):
    """A garment index; its files never change.

    Attributes:
        encoder: digest of the encoder that looked; what another one saw cannot be compared.
        garments: how many it holds.
        artifact: the prefix of its files: ``garments.npz``, ``space.npz``, ``encoder.npz``.
    """

    id: str
    catalog_id: str
    catalog_version: int
    encoder: str
    garments: int
    artifact: str
    created_at: datetime


def publish(tx: Transaction, site_id: str, *, index_id: str, values: Mapping[str, Any]) -> Index:
    """Add an index whose files are in the store.

    Args:
        tx: the open transaction.
        site_id: whose catalog it is.
        index_id: as its files' keys have it.
        values: `catalog_id`, `catalog_version`, `encoder`, `garments` and `artifact`.
    """
    row = IndexRow(id=index_id, site_id=site_id, created_at=tx.now, **values)
    tx.session.add(row)
    tx.session.flush()
    return _index(row)


def get(tx: Transaction, index_id: str) -> Index:
    """Return an index.

    Raises:
        NotFoundError: there is none of that id.
    """
    row = tx.session.get(IndexRow, index_id)
    if row is None:
        raise NotFoundError(f"There is no garment index {index_id!r}.", id=index_id)
    return _index(row)


def newest(tx: Transaction, site_id: str, catalog_id: str) -> Index | None:
    """Return the newest index of a catalog, or None where there is none yet."""
    query = select(IndexRow).where(IndexRow.site_id == site_id, IndexRow.catalog_id == catalog_id)
    ordered = query.order_by(IndexRow.created_at.desc(), IndexRow.id.desc()).limit(1)
    row = tx.session.scalars(ordered).first()
    return None if row is None else _index(row)


def of_site(tx: Transaction, site_id: str) -> list[Index]:
    """Return the newest index of each of a site's own catalogs, the newest of all first.

    What feeds show is not on sale: recommendations and priors come from here, so it is left out.
    """
    place = (IndexRow.created_at.desc(), IndexRow.id.desc())
    ranked = (
        select(
            IndexRow.id,
            func.row_number().over(partition_by=IndexRow.catalog_id, order_by=place).label("rank"),
        )
        .join(CatalogRow, CatalogRow.id == IndexRow.catalog_id)
        .where(IndexRow.site_id == site_id, CatalogRow.purpose == Purpose.CATALOG)
        .subquery()
    )
    query = select(IndexRow).join(ranked, ranked.c.id == IndexRow.id).where(ranked.c.rank == 1)
    return [_index(row) for row in tx.session.scalars(query.order_by(*place))]


def stale(tx: Transaction) -> list[tuple[str, str]]:
    """Return (site id, catalog id) of the catalogs that have grown since their newest index."""
    newest = (
        select(IndexRow.catalog_id, func.max(IndexRow.catalog_version).label("version"))
        .group_by(IndexRow.catalog_id)
        .subquery()
    )
    query = (
        select(CatalogRow.site_id, CatalogRow.id)
        .join(newest, newest.c.catalog_id == CatalogRow.id)
        .where(CatalogRow.version > newest.c.version)
        .order_by(CatalogRow.id)
    )
    return [(site_id, catalog_id) for site_id, catalog_id in tx.session.execute(query)]


def _index(row: IndexRow) -> Index:
    return Index(**{name: v for name, v in columns_of(row).items() if name != "site_id"})

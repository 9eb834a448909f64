"""Derivations: what was told of the garments of catalog versions."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from shared.records.engine import Transaction
from shared.records.rows import columns_of
from shared.records.tables import CatalogRow, DerivationRow, IndexRow
from shared.schemas.base import Schema
from shared.schemas.derivations import DerivationCard


class Derivation(Schema):
    """A derivation; its artifact never changes.

    Attributes:
        index_id: the garment index that it was made from; None where the catalog had none.
        recipe: how it was made; another recipe gives another derivation.
        artifact: key of its columns, as `shared.derivations` reads them.
    """

    id: str
    catalog_id: str
    catalog_version: int
    index_id: str | None
    recipe: str
    artifact: str
    card: DerivationCard
    created_at: datetime


class Due(Schema):
    """A catalog version whose derivation is to be made.

    Attributes:
        index_id: the garment index to make it from; None where the catalog has none.
    """

    site_id: str
    catalog_id: str
    catalog_version: int
    index_id: str | None


def publish(
    tx: Transaction,
    due: Due,
    *,
    derivation_id: str,
    recipe: str,
    artifact: str,
    card: DerivationCard,
) -> Derivation:
    """Add a derivation whose artifact is in the store."""
    row = DerivationRow(
        **due.model_dump(),
        id=derivation_id,
        recipe=recipe,
        artifact=artifact,
        card=card.model_dump(mode="json"),
        created_at=tx.now,
    )
    tx.session.add(row)
    tx.session.flush()
    return _derivation(row)


def newest(
    tx: Transaction, site_id: str, catalog_id: str, *, version: int | None = None
) -> Derivation | None:
    """Return a catalog's newest derivation, or None where there is none yet.

    Args:
        tx: the open transaction.
        site_id: whose catalog it is.
        catalog_id: the catalog.
        version: the last catalog version that counts; None for all.
    """
    query = select(DerivationRow).where(
        DerivationRow.site_id == site_id, DerivationRow.catalog_id == catalog_id
    )
    if version is not None:
        query = query.where(DerivationRow.catalog_version <= version)
    ordered = query.order_by(DerivationRow.created_at.desc(), DerivationRow.id.desc()).limit(1)
    row = tx.session.scalars(ordered).first()
    return None if row is None else _derivation(row)


def due(tx: Transaction, recipe: str) -> list[Due]:
    """Return the catalogs whose newest derivation is not of their newest version and index.

    A catalog whose index lags behind its version is left out until the index has caught up.
    """
    place = (IndexRow.created_at.desc(), IndexRow.id.desc())
    indexed = _ranked(IndexRow, place, IndexRow.id, IndexRow.catalog_version)
    order = (DerivationRow.created_at.desc(), DerivationRow.id.desc())
    made = _ranked(
        DerivationRow, order, DerivationRow.catalog_version, DerivationRow.index_id,
        DerivationRow.recipe,
    )  # fmt: skip
    known = {catalog: rest for catalog, *rest in tx.session.execute(made)}
    indexes = {catalog: rest for catalog, *rest in tx.session.execute(indexed)}
    query = select(CatalogRow.site_id, CatalogRow.id, CatalogRow.version)
    found = []
    for site_id, catalog_id, version in tx.session.execute(
        query.where(CatalogRow.garments > 0).order_by(CatalogRow.id)
    ):
        index_id, indexed_version = indexes.get(catalog_id, (None, version))
        if indexed_version == version and known.get(catalog_id) != [version, index_id, recipe]:
            found.append(
                Due(
                    site_id=site_id,
                    catalog_id=catalog_id,
                    catalog_version=version,
                    index_id=index_id,
                )
            )
    return found


def _ranked(table: Any, order: tuple[Any, ...], *columns: Any) -> Any:
    """Select the catalog and some columns of each catalog's newest row."""
    rank = func.row_number().over(partition_by=table.catalog_id, order_by=order).label("rank")
    inner = select(table.catalog_id, *columns, rank).subquery()
    named = [column for column in inner.c if column.name != "rank"]
    return select(*named).where(inner.c.rank == 1)


def _derivation(row: DerivationRow) -> Derivation:
    values = {name: value for name, value in columns_of(row).items() if name != "site_id"}
    return Derivation(**{**values, "card": DerivationCard.model_validate(row.card)})

"""Catalogs, their versions and shards; `garments` beside it reads what is in them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, or_, select, update

from shared import ids
from shared.errors import CatalogChangedError, ConflictError, NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import (
    CatalogRow,
    CatalogVersionRow,
    DerivationRow,
    GarmentRow,
    IndexRow,
    ShardRow,
)
from shared.schemas.base import Schema
from shared.schemas.catalogs import Catalog, CatalogRequest, Purpose

_BATCH: Final = 5_000


class Shard(Schema):
    """One file of garment pictures."""

    id: str
    catalog_id: str
    version: int
    position: int
    count: int
    artifact: str
    sha256: str


class Columns(Schema):
    """Where the column file of some observations is, and a hash of what it says."""

    artifact: str
    mark: str


class Observed(Schema):
    """A catalog version whose garments trend reports count; without columns, make them first."""

    catalog_id: str
    version: int
    columns: Columns | None


def create(
    tx: Transaction,
    site_id: str,
    request: CatalogRequest,
    *,
    purpose: Purpose = Purpose.CATALOG,
) -> Catalog:
    """Make an empty catalog.

    Raises:
        ConflictError: the site has one of that name.
    """
    if _named(tx, site_id, request.name) is not None:
        raise ConflictError(
            f"There is a catalog named {request.name!r} already. Add garments to it, or choose "
            "another name.",
            name=request.name,
        )
    row = CatalogRow(
        id=ids.new_id(ids.CATALOG),
        site_id=site_id,
        name=request.name,
        image_size=request.image_size,
        version=0,
        garments=0,
        attributes={},
        purpose=purpose,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(row)
    tx.session.flush()
    return _catalog(row)


def get(tx: Transaction, site_id: str, reference: str) -> Catalog:
    """Return a catalog by its id or its name.

    Raises:
        NotFoundError: the site has none of that id or name.
    """
    row = _named(tx, site_id, reference)
    if row is None:
        raise NotFoundError(
            f"There is no catalog {reference!r}. GET /v1/catalogs lists them.", catalog=reference
        )
    return _catalog(row)


def own(tx: Transaction, site_id: str, reference: str) -> Catalog:
    """Return one of the site's own catalogs: one that is trained on and recommended from.

    Raises:
        NotFoundError: the site has none of that id or name.
        ConflictError: it holds a feed's pictures.
    """
    found = get(tx, site_id, reference)
    if found.purpose is Purpose.FEED:
        raise ConflictError(
            f"Catalog {found.id} holds the pictures of feed {found.name}: they are evidence of "
            "trends, and are neither on sale nor the site's own. Name a catalog that GET "
            "/v1/catalogs lists; pictures are added to a feed as batches.",
            catalog=found.id,
            feed=found.name,
        )
    return found


def page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[Catalog]:
    """Return a site's catalogs, newest first; those of feeds are no catalogs of the site's own."""
    query = select(CatalogRow).where(
        CatalogRow.site_id == site_id, CatalogRow.purpose == Purpose.CATALOG
    )
    order = (CatalogRow.created_at, CatalogRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_catalog)


def values_of(tx: Transaction, site_id: str, attribute: str) -> set[str]:
    """Return all values of an attribute that garments of the site's own catalogs have."""
    query = select(CatalogRow.attributes).where(
        CatalogRow.site_id == site_id, CatalogRow.purpose == Purpose.CATALOG
    )
    return {value for counts in tx.session.scalars(query) for value in counts.get(attribute, {})}


def version_of_job(tx: Transaction, job_id: str) -> int | None:
    """Return the version that an ingest job made, or None."""
    return tx.session.execute(
        select(CatalogVersionRow.number).where(CatalogVersionRow.job_id == job_id)
    ).scalar_one_or_none()


def garments_in(tx: Transaction, catalog_id: str, version: int) -> int | None:
    """Return how many garments a version holds, or None where there is no such version."""
    row = tx.session.get(CatalogVersionRow, (catalog_id, version))
    return None if row is None else row.garments


def publish_version(  # noqa: PLR0913 - the parts of a version, all of one transaction
    tx: Transaction,
    catalog_id: str,
    *,
    job_id: str,
    after_version: int,
    shape: tuple[int, int],
    shards: Sequence[Mapping[str, Any]],
    garments: Sequence[Mapping[str, Any]],
    columns: Columns | None = None,
) -> Catalog:
    """Add an ingest's shards and garments to a catalog as its next version.

    Args:
        tx: the open transaction; all of it or none appears.
        catalog_id: the catalog.
        job_id: the ingest; a second publication by the same job is refused by the table.
        after_version: the version that the ingest compared its garments with.
        shape: side of the stored pictures, pixels; and 1 channel for grey, 3 for RGB.
        shards: columns of the shards but `catalog_id` and `version`.
        garments: columns of the garments but `site_id`, `catalog_id` and `added_in_version`.
        columns: what trend reports read of these garments; unset, it is made when one does.

    Raises:
        CatalogChangedError: another ingest published first; this one must look again.
    """
    row = tx.session.get(CatalogRow, catalog_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFoundError(f"There is no catalog {catalog_id!r}.", catalog=catalog_id)
    if row.version != after_version:
        raise CatalogChangedError(
            f"Catalog {row.name!r} went from version {after_version} to {row.version} while these "
            "garments were read. They are compared with it again.",
            catalog=catalog_id,
        )
    row.version += 1
    row.garments += len(garments)
    row.image_size, row.channels = shape
    row.attributes = _counted(row.attributes, garments)
    row.updated_at = tx.now
    place = {"catalog_id": catalog_id, "version": row.version}
    own = {"site_id": row.site_id, "catalog_id": catalog_id, "added_in_version": row.version}
    tx.session.add(
        CatalogVersionRow(
            catalog_id=catalog_id,
            number=row.version,
            garments=row.garments,
            job_id=job_id,
            columns_artifact=None if columns is None else columns.artifact,
            columns_mark=None if columns is None else columns.mark,
            created_at=tx.now,
        )
    )
    tx.session.flush()
    tx.session.execute(insert(ShardRow), [{**shard, **place} for shard in shards])
    for start in range(0, len(garments), _BATCH):
        part = garments[start : start + _BATCH]
        tx.session.execute(insert(GarmentRow), [{**garment, **own} for garment in part])
    return _catalog(row)


def shards_up_to(tx: Transaction, catalog_id: str, version: int) -> list[Shard]:
    """Return the shards of a version, in ingest order."""
    query = (
        select(ShardRow)
        .where(ShardRow.catalog_id == catalog_id, ShardRow.version <= version)
        .order_by(ShardRow.version, ShardRow.position)
    )
    return [Shard(**columns_of(row)) for row in tx.session.execute(query).scalars()]


def channels_of(tx: Transaction, catalog_id: str) -> int:
    """Return how many channels a catalog's pictures have: 1 or 3.

    Raises:
        NotFoundError: there is no such catalog, or nothing was ever added to it.
    """
    row = tx.session.get(CatalogRow, catalog_id)
    if row is None or row.channels is None:
        raise NotFoundError(
            f"Catalog {catalog_id!r} has no garments. Add some before training on it.",
            catalog=catalog_id,
        )
    return row.channels


def versions_observed(tx: Transaction, site_id: str, catalog_id: str | None) -> list[Observed]:
    """Return the versions of one catalog, or of all of a site's, feeds' too, oldest first."""
    query = (
        select(
            CatalogVersionRow.catalog_id,
            CatalogVersionRow.number,
            CatalogVersionRow.columns_artifact,
            CatalogVersionRow.columns_mark,
        )
        .join(CatalogRow, CatalogRow.id == CatalogVersionRow.catalog_id)
        .where(CatalogRow.site_id == site_id)
        .order_by(CatalogRow.created_at, CatalogRow.id, CatalogVersionRow.number)
    )
    if catalog_id is not None:
        query = query.where(CatalogRow.id == catalog_id)
    return [
        Observed(
            catalog_id=catalog,
            version=number,
            columns=None if not artifact or not mark else Columns(artifact=artifact, mark=mark),
        )
        for catalog, number, artifact, mark in tx.session.execute(query)
    ]


def set_columns(tx: Transaction, catalog_id: str, version: int, columns: Columns) -> None:
    """Write where the column file of a version is."""
    tx.session.execute(
        update(CatalogVersionRow)
        .where(CatalogVersionRow.catalog_id == catalog_id, CatalogVersionRow.number == version)
        .values(columns_artifact=columns.artifact, columns_mark=columns.mark)
    )


def erase(tx: Transaction, catalog_id: str) -> list[str]:
    """Remove a catalog with all of its garments, versions, indexes and derivations.

    Returns:
        The ids of its indexes. Their artifacts and the catalog's are the caller's to delete.
    """
    query = select(IndexRow.id).where(IndexRow.catalog_id == catalog_id)
    indexes = list(tx.session.scalars(query))
    for table in (DerivationRow, IndexRow, GarmentRow, ShardRow, CatalogVersionRow):
        tx.session.execute(delete(table).where(table.catalog_id == catalog_id))
    tx.session.execute(delete(CatalogRow).where(CatalogRow.id == catalog_id))
    return indexes


def _named(tx: Transaction, site_id: str, reference: str) -> CatalogRow | None:
    return tx.session.execute(
        select(CatalogRow).where(
            CatalogRow.site_id == site_id,
            or_(CatalogRow.id == reference, CatalogRow.name == reference),
        )
    ).scalar_one_or_none()


def _counted(
    before: Mapping[str, Mapping[str, int]], garments: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    counts = {name: dict(values) for name, values in before.items()}
    for one in garments:
        for name, value in one["attributes"].items():
            values = counts.setdefault(name, {})
            values[value] = values.get(value, 0) + 1
    return counts


def _catalog(row: CatalogRow) -> Catalog:
    hidden = {"site_id"}
    values = {name: value for name, value in columns_of(row).items() if name not in hidden}
    return Catalog(**values, url=f"/v1/catalogs/{row.id}")

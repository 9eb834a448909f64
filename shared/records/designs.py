"""Designs: generated images and where their bytes are."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select

from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import DesignRow
from shared.schemas.base import Schema
from shared.schemas.designs import Design


class DesignPlace(Schema):
    """A design, and where its bytes are: some of an artifact's, or all where no length is told."""

    design: Design
    artifact: str
    start: int
    length: int | None


class SeenDesign(Schema):
    """A design as a taste sees it.

    Attributes:
        embedding: float16 bytes of 128 numbers, or None where no encoder looked at it.
        encoder: digest of the encoder that did.
        colours: measured, ``#rrggbb``, the main one first.
    """

    id: str
    condition: dict[str, str]
    colours: tuple[str, ...] | None
    encoder: str | None
    embedding: bytes | None


def publish(tx: Transaction, designs: Sequence[Mapping[str, Any]]) -> None:
    """Add the designs of a job, in the transaction that ends it."""
    if designs:
        tx.session.execute(insert(DesignRow), [{**one, "created_at": tx.now} for one in designs])


def of_job(tx: Transaction, job_id: str) -> list[Design]:
    """Return a job's designs in their order."""
    query = select(DesignRow).where(DesignRow.job_id == job_id).order_by(DesignRow.position)
    return [_design(row) for row in tx.session.execute(query).scalars()]


def page(
    tx: Transaction,
    site_id: str,
    *,
    job_id: str | None = None,
    release_id: str | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Page[Design]:
    """Return a site's designs, newest first."""
    query = select(DesignRow).where(DesignRow.site_id == site_id)
    if job_id is not None:
        query = query.where(DesignRow.job_id == job_id)
    if release_id is not None:
        query = query.where(DesignRow.release_id == release_id)
    order = (DesignRow.created_at, DesignRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_design)


def get(tx: Transaction, site_id: str, design_id: str) -> DesignPlace:
    """Return a design and where its bytes are.

    Raises:
        NotFoundError: the site has none of that id.
    """
    row = tx.session.get(DesignRow, design_id)
    if row is None or row.site_id != site_id:
        raise NotFoundError(f"There is no design {design_id!r}.", id=design_id)
    return DesignPlace(
        design=_design(row), artifact=row.artifact, start=row.start, length=row.length
    )


def seen(tx: Transaction, site_id: str, design_ids: Collection[str]) -> list[SeenDesign]:
    """Return some of a site's designs as a taste sees them, by id; those that are gone are not."""
    columns = [getattr(DesignRow, name) for name in SeenDesign.model_fields]
    query = select(*columns).where(DesignRow.id.in_(design_ids), DesignRow.site_id == site_id)
    rows = tx.session.execute(query.order_by(DesignRow.id)).mappings()
    return [SeenDesign.model_validate(dict(row)) for row in rows]


def _design(row: DesignRow) -> Design:
    values = {name: value for name, value in columns_of(row).items() if name in Design.model_fields}
    url = f"/v1/designs/{row.id}"
    return Design(**values, url=url, image_url=f"{url}/image")

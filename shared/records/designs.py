"""Designs: generated images and where their bytes are."""

from collections.abc import Collection, Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final

from sqlalchemy import BigInteger, insert, select, type_coerce

from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import Base, DesignRow
from shared.schemas.base import Schema
from shared.schemas.designs import Design

# Bits of 64 in which the hashes of a picture and its copy may differ; candidates are confirmed by
# their thumbnails, so that a wide net costs a few more reads and no wrong answer.
NEAR: Final = 10
# A table, not a mapped class: a batch has up to 64 of them, and is waited for.
_DESIGNS: Final = Base.metadata.tables[DesignRow.__tablename__]
_MOST_SEARCHED: Final = 100_000
_MOST_FOUND: Final = 8
_64_BITS: Final = 2**64 - 1


class DesignPlace(Schema):
    """A design, and where its bytes are: some of an artifact's, or all where no length is told."""

    design: Design
    artifact: str
    start: int
    length: int | None
    shopper_id: str | None = None


class NearDesigns(Schema):
    """Designs whose hashes are near, nearest first, each with the bits in which they differ.

    ``searched`` is how many hashes were compared.
    """

    found: tuple[tuple[str, int], ...]
    searched: int


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
        tx.session.execute(insert(_DESIGNS), [{**one, "created_at": tx.now} for one in designs])


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
    shopper_id: str | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Page[Design]:
    """Return a site's designs, newest first."""
    query = select(DesignRow).where(DesignRow.site_id == site_id)
    if job_id is not None:
        query = query.where(DesignRow.job_id == job_id)
    if release_id is not None:
        query = query.where(DesignRow.release_id == release_id)
    if shopper_id is not None:
        query = query.where(DesignRow.shopper_id == shopper_id)
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
        design=_design(row),
        artifact=row.artifact,
        start=row.start,
        length=row.length,
        shopper_id=row.shopper_id,
    )


def by_sha256(tx: Transaction, site_id: str, sha256: str) -> DesignPlace | None:
    """Return the site's first design whose stored bytes have this hash, in hex, or None.

    One look-up in an index.
    """
    query = (
        select(DesignRow.id)
        .where(DesignRow.sha256 == sha256, DesignRow.site_id == site_id)
        .order_by(DesignRow.created_at, DesignRow.id)
        .limit(1)
    )
    design_id = tx.session.execute(query).scalar_one_or_none()
    return None if design_id is None else get(tx, site_id, design_id)


def of_seed(
    tx: Transaction, site_id: str, release_id: str, seed: int, *, most: int
) -> list[DesignPlace]:
    """Return the site's newest designs of a release and seed: one for each condition asked."""
    query = (
        select(DesignRow.id)
        .where(
            DesignRow.site_id == site_id,
            DesignRow.release_id == release_id,
            DesignRow.seed == seed,
        )
        .order_by(DesignRow.created_at.desc(), DesignRow.id.desc())
        .limit(most)
    )
    return [get(tx, site_id, design_id) for design_id in tx.session.scalars(query)]


def near(tx: Transaction, site_id: str, perceptual_hash: int, *, within: int = NEAR) -> NearDesigns:
    """Return the site's eight nearest designs by perceptual hash.

    Reads the hashes of the site's newest 100,000 designs and compares them one by one: databases
    have no index for this. Half a second for all
    of them on SQLite and a busy core.

    Args:
        tx: the transaction.
        site_id: whose designs.
        perceptual_hash: signed, 64 bits, as `shared.pictures.likeness` gives it.
        within: bits in which a hash may differ, 0 to 64.
    """
    query = (
        select(DesignRow.id, type_coerce(DesignRow.perceptual_hash, BigInteger))
        .where(DesignRow.site_id == site_id, DesignRow.perceptual_hash.is_not(None))
        .order_by(DesignRow.created_at.desc(), DesignRow.id.desc())
        .limit(_MOST_SEARCHED)
    )
    searched, found = 0, []
    for design_id, other in tx.session.execute(query):
        searched += 1
        distance = ((perceptual_hash ^ other) & _64_BITS).bit_count()
        if distance <= within:
            found.append((distance, searched, design_id))
    nearest = nsmallest(_MOST_FOUND, found)
    return NearDesigns(
        found=tuple((design_id, distance) for distance, _, design_id in nearest), searched=searched
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

"""Garments: one with its picture, and those of a version as whoever counts them reads them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Text, cast, func, select

from shared.colour import lab_to_hex
from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import GarmentRow, ShardRow
from shared.schemas.base import Schema
from shared.schemas.catalogs import Garment, Swatch

_BATCH: Final = 5_000  # rows that are read at a time


class GarmentPlace(Schema):
    """A garment and where its picture is."""

    garment: Garment
    artifact: str
    shard_index: int
    sha256: str


class KnownGarment(Schema):
    """What an ingest must know of a garment that is there already, and where its picture is."""

    id: str
    sha256: str
    perceptual_hash: int
    artifact: str
    shard_index: int


def get(tx: Transaction, site_id: str, garment_id: str) -> GarmentPlace:
    """Return a garment and where its picture is.

    Raises:
        NotFoundError: the site has none of that id.
    """
    found = tx.session.execute(
        select(GarmentRow, ShardRow.artifact)
        .join(ShardRow, ShardRow.id == GarmentRow.shard_id)
        .where(GarmentRow.id == garment_id, GarmentRow.site_id == site_id)
    ).one_or_none()
    if found is None:
        raise NotFoundError(f"There is no garment {garment_id!r}.", id=garment_id)
    row, artifact = found
    return GarmentPlace(
        garment=_garment(row), artifact=artifact, shard_index=row.shard_index, sha256=row.sha256
    )


def page(
    tx: Transaction,
    catalog_id: str,
    *,
    attributes: Mapping[str, str] | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Page[Garment]:
    """Return a catalog's garments, newest version first, those with all the attributes given."""
    query = select(GarmentRow).where(GarmentRow.catalog_id == catalog_id)
    for name, value in (attributes or {}).items():
        query = query.where(GarmentRow.attributes[name].as_string() == value)
    order = (GarmentRow.added_in_version, GarmentRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_garment)


def count_dated(tx: Transaction, site_id: str, catalog_id: str | None = None) -> int:
    """Return how many garments of a site have a date."""
    query = select(func.count()).where(
        GarmentRow.site_id == site_id,
        GarmentRow.date.is_not(None),
    )
    if catalog_id is not None:
        query = query.where(GarmentRow.catalog_id == catalog_id)
    return tx.session.execute(query).scalar_one()


def known(tx: Transaction, catalog_id: str) -> list[KnownGarment]:
    """Return the hashes of all garments of a catalog, and where their pictures are."""
    query = (
        select(
            GarmentRow.id,
            GarmentRow.sha256,
            GarmentRow.perceptual_hash,
            ShardRow.artifact,
            GarmentRow.shard_index,
        )
        .join(ShardRow, ShardRow.id == GarmentRow.shard_id)
        .where(GarmentRow.catalog_id == catalog_id)
    )
    names = tuple(KnownGarment.model_fields)
    rows = tx.session.execute(query)
    return [KnownGarment(**dict(zip(names, row, strict=True))) for row in rows]


def labels_up_to(
    tx: Transaction, catalog_id: str, version: int
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield (shard id, place in the shard, attributes) of every garment of a version."""
    query = select(GarmentRow.shard_id, GarmentRow.shard_index, GarmentRow.attributes).where(
        GarmentRow.catalog_id == catalog_id, GarmentRow.added_in_version <= version
    )
    result = tx.session.execute(query.execution_options(yield_per=_BATCH))
    yield from (tuple(row) for row in result)  # type: ignore[misc]  # the columns fix the length


def palettes_up_to(
    tx: Transaction, catalog_id: str, version: int
) -> Iterator[tuple[str, int, list[list[Any]]]]:
    """Yield (shard id, place in the shard, palette) of every garment of a version.

    A palette is ``[[L, a, b, weight, family], ...]``: CIELAB (D65) and the share of the garment,
    0..1, its main colour first; empty for grey pictures.
    """
    query = select(GarmentRow.shard_id, GarmentRow.shard_index, GarmentRow.palette).where(
        GarmentRow.catalog_id == catalog_id, GarmentRow.added_in_version <= version
    )
    result = tx.session.execute(query.execution_options(yield_per=_BATCH))
    yield from (tuple(row) for row in result)


def described_up_to(
    tx: Transaction, catalog_id: str, version: int
) -> Iterator[tuple[str, str, int, dict[str, str], bool, list[list[Any]]]]:
    """Yield what is known of each garment of a version.

    (id, shard id, place in the shard, attributes, whether its colour was measured, palette).
    """
    query = select(
        GarmentRow.id,
        GarmentRow.shard_id,
        GarmentRow.shard_index,
        GarmentRow.attributes,
        GarmentRow.colour_measured,
        GarmentRow.palette,
    ).where(GarmentRow.catalog_id == catalog_id, GarmentRow.added_in_version <= version)
    result = tx.session.execute(query.execution_options(yield_per=_BATCH))
    yield from (tuple(row) for row in result)


def observed(tx: Transaction, catalog_id: str, version: int) -> Iterator[Sequence[Any]]:
    """Yield what trend reports count of the garments that one version added, dated or not.

    Each is (id, date, weight, segment, source, account, attributes as JSON text, whether its colour
    was measured). The attributes stay text: two million garments have a few thousand different
    ones, and to parse each again would take most of the time.
    """
    query = select(
        GarmentRow.id,
        GarmentRow.date,
        GarmentRow.weight,
        GarmentRow.segment,
        GarmentRow.source,
        GarmentRow.account,
        cast(GarmentRow.attributes, Text),
        GarmentRow.colour_measured,
    ).where(GarmentRow.catalog_id == catalog_id, GarmentRow.added_in_version == version)
    yield from tx.session.execute(query.execution_options(yield_per=_BATCH))


def _garment(row: GarmentRow) -> Garment:
    hidden = {"site_id", "shard_id", "shard_index", "sha256", "perceptual_hash", "palette"}
    values = {name: value for name, value in columns_of(row).items() if name not in hidden}
    url = f"/v1/garments/{row.id}"
    return Garment(
        **values,
        palette=tuple(_swatch(colour) for colour in row.palette),
        url=url,
        image_url=f"{url}/image",
    )


def _swatch(colour: Sequence[Any]) -> Swatch:
    lightness, a, b, share, family = colour
    lab = (lightness, a, b)
    return Swatch(hex=lab_to_hex(lab), family=family, lab=lab, share=share)

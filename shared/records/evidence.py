"""Which garments stand behind a trend: those that carry a value and are dated lately."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select

from shared.records.engine import Transaction
from shared.records.tables import GarmentRow
from shared.schemas.base import Schema

_BATCH: Final = 5_000
Condition = tuple[tuple[str, str], ...]
"""Attributes and their values; a garment fits where it has all of them."""


class Found(Schema):
    """Garments that carry some values.

    Attributes:
        images: how many there are.
        sources: how many catalogs they are of.
        garments: ids of some, the newest first.
    """

    images: int
    sources: int
    garments: tuple[str, ...]


def carrying(
    tx: Transaction,
    site_id: str,
    catalog_id: str | None,
    wanted: Sequence[Condition],
    *,
    since: dt.date,
    most: int,
) -> dict[Condition, Found]:
    """Find the garments behind several values in one pass over those of a window.

    Args:
        tx: the open transaction.
        site_id: whose garments.
        catalog_id: of which catalog; None: of all.
        wanted: what garments are to carry.
        since: the window's first day.
        most: ids to return for each.
    """
    query = select(GarmentRow.id, GarmentRow.catalog_id, GarmentRow.attributes).where(
        GarmentRow.site_id == site_id, GarmentRow.date >= since
    )
    if catalog_id is not None:
        query = query.where(GarmentRow.catalog_id == catalog_id)
    ordered = query.order_by(GarmentRow.date.desc(), GarmentRow.id)
    images = dict.fromkeys(wanted, 0)
    sources: dict[Condition, set[str]] = {one: set() for one in wanted}
    newest: dict[Condition, list[str]] = {one: [] for one in wanted}
    for garment_id, catalog, attributes in tx.session.execute(
        ordered.execution_options(yield_per=_BATCH)
    ):
        for one in _fitting(attributes, wanted):
            images[one] += 1
            sources[one].add(catalog)
            if len(newest[one]) < most:
                newest[one].append(garment_id)
    return {
        one: Found(images=images[one], sources=len(sources[one]), garments=tuple(newest[one]))
        for one in wanted
    }


def _fitting(attributes: Mapping[str, str], wanted: Sequence[Condition]) -> list[Condition]:
    return [one for one in wanted if all(attributes.get(name) == value for name, value in one)]

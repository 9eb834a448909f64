"""The pictures behind what a report ranks, and those that show its styles."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from shared.artifacts.pictures import encode_png, picture_of
from shared.derivations import STYLE
from shared.errors import NotFoundError, UnreadableSourceError
from shared.records import Transaction, garments
from shared.schemas.trends import TrendReport
from worker.jobs.columns import Inventory
from worker.jobs.deriving import name_of
from worker.jobs.filling import style_named
from worker.runtime import Runtime
from worker.trends.rows import SHOWN_LOOKS

LOG: Final = logging.getLogger(__name__)

PAGE_SIDE: Final = 96  # px; a page shows them at 72 at most, and carries each as often as it does


Typical = Mapping[str, tuple[str, ...]]
"""Style, by the name that reports give it -> ids of its most typical garments."""


def typical_of(inventory: Inventory, report: TrendReport) -> Typical:
    """Return the garments that show each style that a report follows, the most typical first.

    A value of an attribute `style` that somebody gave is none.
    """
    followed = {
        one.value for one in report.series if one.attribute == STYLE and one.origin.style > 0
    }
    return {
        name: style.typical[:SHOWN_LOOKS]
        for catalog_id, derivation in inventory.derivations.items()
        for style in derivation.card.styles
        for name in [style_named(name_of(style.number), inventory.styles_of(catalog_id))]
        if name in followed
    }


def shown_in(
    runtime: Runtime, site_id: str, report: TrendReport, typical: Typical
) -> dict[str, bytes]:
    """Return the small pictures that a report's page shows, as PNG, by garment id."""
    wanted = [name for one in report.evidence for name in one.garments]
    wanted += [name for garments in typical.values() for name in garments]
    return pictures_of(runtime, site_id, wanted, most=PAGE_SIDE)


def pictures_of(
    runtime: Runtime, site_id: str, garment_ids: Iterable[str], *, most: int | None = None
) -> dict[str, bytes]:
    """Return garments' pictures as PNG, by id; one that is gone is left out, and logged.

    Args:
        runtime: ways out.
        site_id: whose garments.
        garment_ids: may repeat.
        most: sides are shrunk to so many px; None keeps the catalog's own size.
    """
    with runtime.records.reading() as tx:
        places = [
            place for name in dict.fromkeys(garment_ids) if (place := _place(tx, site_id, name))
        ]
    pictures = {}
    for place in places:
        try:
            pixels = picture_of(runtime.store, place.artifact, place.shard_index)
        except (FileNotFoundError, UnreadableSourceError) as error:
            LOG.warning("The picture of %s cannot be shown: %s", place.garment.id, error)
            continue
        pictures[place.garment.id] = encode_png(pixels, most=most)
    return pictures


def _place(tx: Transaction, site_id: str, garment_id: str) -> garments.GarmentPlace | None:
    try:
        return garments.get(tx, site_id, garment_id)
    except NotFoundError:
        return None

"""The pictures behind what a report ranks."""

import logging
from collections.abc import Iterable
from typing import Final

from shared.artifacts.pictures import encode_png, picture_of
from shared.errors import NotFoundError, UnreadableSourceError
from shared.records import Transaction, catalogs
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)


def pictures_of(runtime: Runtime, site_id: str, garment_ids: Iterable[str]) -> dict[str, bytes]:
    """Return garments' pictures as PNG, by id; one that is gone is left out, and logged."""
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
        pictures[place.garment.id] = encode_png(pixels)
    return pictures


def _place(tx: Transaction, site_id: str, garment_id: str) -> catalogs.GarmentPlace | None:
    try:
        return catalogs.garment(tx, site_id, garment_id)
    except NotFoundError:
        return None

"""The pictures behind what a report ranks."""

import logging
from collections.abc import Iterable
from typing import Final

from shared.artifacts.pictures import encode_png, picture_of
from shared.errors import NotFoundError, UnreadableSourceError
from shared.records import Transaction, catalogs, evidence
from shared.records.evidence import Condition
from shared.schemas.trends import TrendReport, ValueEvidence, ValueTrend
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

MOST_SHOWN: Final = 8
_LEAST_PERIODS: Final = 2
_QUARTERS: Final = 4


def evidence_of(
    tx: Transaction, site_id: str, catalog_id: str | None, report: TrendReport
) -> tuple[ValueEvidence, ...]:
    """Return what stands behind each value that emerges or rises, from its latest quarter.

    Values that only a measurement or a classifier gave are in no garment's own attributes; they
    have no evidence here.
    """
    series = _ranked(report)
    since = report.periods[-max(_LEAST_PERIODS, report.season // _QUARTERS) :][0]
    found = evidence.carrying(
        tx, site_id, catalog_id, [condition_of(one) for one in series],
        since=since, most=MOST_SHOWN,
    )  # fmt: skip
    return tuple(
        ValueEvidence(
            attribute=one.attribute,
            value=one.value,
            segment=one.segment,
            since=since,
            **found[condition_of(one)].model_dump(),
        )
        for one in series
        if found[condition_of(one)].images
    )


def condition_of(series: ValueTrend) -> Condition:
    """Return the attributes and values that garments of a series have."""
    return series.parts or ((series.attribute, series.value),)


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


def _ranked(report: TrendReport) -> list[ValueTrend]:
    """Return the series that emerge or rise significantly, over all segments."""
    emerging = {(one.attribute, one.value) for one in report.emerging}
    return [
        one
        for one in report.series
        if one.segment is None
        and not one.rest
        and ((one.attribute, one.value) in emerging or one.kind == "rising")
    ]

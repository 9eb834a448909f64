"""What a new report means beside the earlier ones: the track record and the difference."""

import logging
from dataclasses import dataclass
from typing import Any, Final

from shared.artifacts import keys
from shared.records import Transaction, forecasts
from shared.records.forecasts import IssuedPlace
from shared.schemas.alerts import Standing
from shared.schemas.trends import TrendReport
from worker.runtime import Runtime
from worker.trends.difference import difference
from worker.trends.issued import Issued, every_series, issue, key_of, read_all, write
from worker.trends.record import track_record

LOG: Final = logging.getLogger(__name__)

ISSUED: Final = "issued.npz"
MOST_ORIGINS: Final = 104  # two years of weekly forecasts; what is older is kept, and not read


@dataclass(frozen=True)
class Meant:
    """A report beside the earlier ones over the same garments.

    Attributes:
        report: with its record and its difference.
        issued: what it issues itself.
        previous: what the one before it issued; None in the first.
    """

    report: TrendReport
    issued: Issued
    previous: Issued | None


def meant(
    runtime: Runtime, site_id: str, catalog_id: str | None, report: TrendReport, report_id: str
) -> Meant:
    """Put a new report beside the earlier ones.

    An earlier forecast that cannot be read any more costs no report: it is logged, and the record
    does without it.

    Args:
        runtime: this process' ways out.
        site_id: whose report it is.
        catalog_id: over which garments; None: over all of the site's.
        report: as the engine made it.
        report_id: the id that it is published under.
    """
    issued = issue(report, report_id)
    with runtime.records.reading() as tx:
        last = forecasts.newest(tx, site_id, catalog_id)
        firsts = forecasts.firsts(tx, site_id, catalog_id, period=report.period, most=MOST_ORIGINS)
    if last is None:
        return Meant(report, issued, None)
    known = {one.report_id: one for one in _read(runtime, [last, *firsts])}
    previous = known.get(last.report_id)
    record = track_record(
        report, [known[one.report_id] for one in firsts if one.report_id in known]
    )
    news = None if previous is None else difference(previous, issued)
    told = report.model_copy(update={"record": record, "difference": news})
    return Meant(told, issued, previous)


def standings(beside: Meant) -> list[Standing]:
    """Return how each series stands, and how it stood in the report before: what alerts ask."""
    before = beside.previous
    found = []
    for one in every_series(beside.report):
        if one.rest:
            continue
        row = None if before is None else before.rows.get(key_of(one))
        found.append(
            Standing(
                **key_of(one)._asdict(),
                kind=one.kind,
                was=None if before is None or row is None else before.kinds[row],
                change=one.change.relative if one.change else None,
                q_value=one.change.q_value if one.change else None,
                garments=one.garments,
            )
        )
    return found


def keep(runtime: Runtime, site_id: str, catalog_id: str | None, issued: Issued) -> dict[str, Any]:
    """Store what a report issues; returns the columns of its row, `publish` adds it."""
    key = keys.report_file(issued.report_id, ISSUED)
    artifact = runtime.store.put(key, write(issued))
    return {
        "report_id": issued.report_id,
        "site_id": site_id,
        "catalog_id": catalog_id,
        "period": issued.period,
        "origin": issued.origin,
        "artifact": artifact.key,
        "sha256": artifact.sha256,
    }


def issued_by(runtime: Runtime, tx: Transaction, report_id: str) -> Issued | None:
    """Return what a report issued; None where that was not kept yet, or is lost."""
    place = forecasts.of_report(tx, report_id)
    return None if place is None else next(iter(_read(runtime, [place])), None)


def _read(runtime: Runtime, places: list[IssuedPlace]) -> list[Issued]:
    once = {one.artifact: one.sha256 for one in places}
    found, wrong = read_all(once.items(), runtime.store.read)
    for why in wrong:
        LOG.warning("A forecast that was issued cannot be read: %s", why)
    return found

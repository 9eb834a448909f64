"""Trend report jobs: the site's dated garments in, a report out; and which reports are due."""

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from shared import ids
from shared.artifacts import keys
from shared.jobs.submit import enqueue, send
from shared.records import Transaction, alerts, feeds, forecasts, garments, jobs, reports, sites
from shared.schemas.jobs import JobKind, Progress, Reason, TrendSpec
from shared.schemas.sites import Site
from shared.schemas.trends import TrendOptions, TrendReport
from worker import heap
from worker.attempt import Attempt, Outcome, Publish
from worker.jobs.board_wishes import wanted_boards
from worker.jobs.columns import Inventory, load, mark_of, take_stock
from worker.jobs.evidence import shown_in, typical_of
from worker.jobs.meaning import ISSUED, keep, meant, standings
from worker.runtime import Runtime
from worker.trends.page import render
from worker.trends.report import build_report

LOG: Final = logging.getLogger(__name__)

_HEADLINE: Final = 5


def make_report(attempt: Attempt) -> Publish:
    """Make a report, or find that the last one still holds.

    Raises:
        TooLittleDataError: too few dated garments to say anything.
    """
    spec = TrendSpec.model_validate(attempt.job.spec)
    attempt.report(Progress(fraction=0, message="reading the garments"))
    inventory = take_stock(
        attempt.runtime,
        attempt.job.site_id,
        spec.catalog_id,
        before_each=attempt.raise_if_stopped,
    )
    with attempt.runtime.records.reading() as tx:
        last = reports.newest(tx, attempt.job.site_id, spec.catalog_id)
        now = tx.now
    mark = fingerprint_of(inventory.marks, spec.options)
    if spec.only_if_changed and last is not None and last.data_fingerprint == mark:
        same = {"report_id": last.id, "url": last.url, "unchanged": True}
        return lambda _tx: Outcome(same, reason=Reason.UNCHANGED)
    with heap.kept():
        observed = load(attempt.runtime, inventory)
        attempt.report(Progress(fraction=0.2, message="counting and forecasting"))
        report = build_report(observed, spec.options, generated_at=now, fingerprint=mark)
        attempt.raise_if_stopped()
        attempt.report(Progress(fraction=0.6, message="drawing"))
        return _publication(attempt, spec, inventory, report)


def fingerprint_of(marks: Sequence[str], options: TrendOptions) -> str:
    """Return a hash of all that a report depends on: the data, by its marks, and how it is read."""
    parts = f"{mark_of(marks)}\n{options.model_dump_json()}"
    return hashlib.sha256(parts.encode()).hexdigest()


def schedule_reports(runtime: Runtime) -> int:
    """Queue a report for each site that is due one; returns how many were queued.

    A period is a stretch of the site's own schedule, or else of TOILE_TREND_SCHEDULE_SECONDS,
    counted from 1970. The job's row is unique by site and period, so two beats that run at once
    make one report.
    """
    queued = 0
    with runtime.records.reading() as tx:
        due = [
            (site.id, period)
            for site in sites.every(tx)
            if (period := period_of(runtime, site, tx.now)) and _is_due(tx, site.id, period)
        ]
    for site_id, period in due:
        try:
            with runtime.records.transaction() as tx:
                job = enqueue(tx, site_id, _periodic(), period=period)
        except IntegrityError:
            LOG.info("Another beat has queued this period's report for site %s", site_id)
            continue
        send(runtime.records, runtime.sender, [job])
        queued += 1
    return queued


def period_of(runtime: Runtime, site: Site, now: datetime) -> str | None:
    """Return the name of the period of a site's schedule that a time falls into; None for never."""
    length = site.trend_schedule_seconds
    if length is None:
        length = runtime.settings.trend_schedule_seconds
    return f"{length:g}s:{int(now.timestamp() // length)}" if length > 0 else None


def summary_of(report: TrendReport) -> dict[str, Any]:
    """Return the headline of a report: what lists and pages show without opening it."""
    kept = {"attribute", "value", "change", "outlook", "garments", "significant"}
    ranked = {
        name: [
            one.model_dump(mode="json", include=kept) for one in getattr(report, name)[:_HEADLINE]
        ]
        for name in ("rising", "declining", "emerging")
    }
    return {
        "period": report.period,
        "first": report.data.first.isoformat(),
        "last": report.data.last.isoformat(),
        "garments": report.data.used,
        "skill": report.backtest.skill,
        **ranked,
    }


def _is_due(tx: Transaction, site_id: str, period: str) -> bool:
    if jobs.with_period(tx, site_id, JobKind.TREND_REPORT, period) is not None:
        return False
    return garments.count_dated(tx, site_id) > 0 or feeds.counted(tx, site_id) > 0


def _periodic() -> TrendSpec:
    return TrendSpec(options=TrendOptions(), only_if_changed=True)


def _publication(
    attempt: Attempt, spec: TrendSpec, inventory: Inventory, report: TrendReport
) -> Publish:
    runtime, job = attempt.runtime, attempt.job
    report_id = ids.new_id(ids.REPORT)
    beside = meant(runtime, job.site_id, spec.catalog_id, report, report_id)
    issued = keep(runtime, job.site_id, spec.catalog_id, beside.issued)
    boards = wanted_boards(runtime, job.site_id, spec.catalog_id, report, report_id)
    typical = typical_of(inventory, report)
    shown = shown_in(runtime, job.site_id, report, typical)
    page = render(beside.report, shown, no_boards=boards.why, typical=typical)
    files = {
        name: runtime.store.put(keys.report_file(report_id, name), data).key
        for name, data in page.items()
    }
    values = {
        "id": report_id,
        "site_id": job.site_id,
        "job_id": job.id,
        "catalog_id": spec.catalog_id,
        "data_fingerprint": report.data_fingerprint,
        "summary": summary_of(report),
        "files": {**files, ISSUED: issued["artifact"]},
    }

    attempt.after_success(boards.send)

    def publish(tx: Transaction) -> Outcome:
        told = boards.enqueue(tx)
        view = reports.publish(tx, {**values, "moodboards": told})
        forecasts.publish(tx, issued)
        fired = alerts.settle(tx, job.site_id, spec.catalog_id, view.id, standings(beside))
        return Outcome(
            {
                "report_id": view.id,
                "url": view.url,
                "page_url": view.page_url,
                "unchanged": False,
                "fired": [one.id for one in fired],
                "summary": view.summary,
            }
        )

    return publish

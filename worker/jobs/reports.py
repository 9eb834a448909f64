"""Trend report jobs: the site's dated garments in, a report out; and which reports are due."""

import hashlib
import logging
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

import numpy as np
from sqlalchemy.exc import IntegrityError

from shared import ids
from shared.artifacts import keys
from shared.jobs.submit import enqueue, send
from shared.records import Transaction, alerts, catalogs, forecasts, jobs, reports, sites
from shared.schemas.jobs import JobKind, Progress, Reason, TrendSpec
from shared.schemas.trends import TrendOptions, TrendReport
from worker.attempt import Attempt, Outcome, Publish
from worker.jobs.board_wishes import wanted_boards
from worker.jobs.evidence import evidence_of, pictures_of
from worker.jobs.meaning import ISSUED, keep, meant, standings
from worker.runtime import Runtime
from worker.trends.observations import Observations
from worker.trends.page import render
from worker.trends.report import build_report

LOG: Final = logging.getLogger(__name__)

_HEADLINE: Final = 5

Row = tuple[date | None, float, str | None, dict[str, str]]


def make_report(attempt: Attempt) -> Publish:
    """Make a report, or find that the last one still holds.

    Raises:
        TooLittleDataError: too few dated garments to say anything.
    """
    spec = TrendSpec.model_validate(attempt.job.spec)
    attempt.report(Progress(fraction=0, message="reading the garments"))
    with attempt.runtime.records.reading() as tx:
        observed = observations_from(catalogs.observed(tx, attempt.job.site_id, spec.catalog_id))
        last = reports.newest(tx, attempt.job.site_id, spec.catalog_id)
        now = tx.now
    mark = fingerprint_of(observed, spec.options)
    if spec.only_if_changed and last is not None and last.data_fingerprint == mark:
        same = {"report_id": last.id, "url": last.url, "unchanged": True}
        return lambda _tx: Outcome(same, reason=Reason.UNCHANGED)
    attempt.report(Progress(fraction=0.2, message="counting and forecasting"))
    report = build_report(observed, spec.options, generated_at=now)
    attempt.raise_if_stopped()
    attempt.report(Progress(fraction=0.6, message="drawing"))
    return _publication(attempt, spec, report, mark)


def observations_from(rows: Iterable[Row]) -> Observations:
    """Turn garments into the columns that the trend engine reads."""
    found = list(rows)
    names = sorted({name for row in found for name in row[3]})
    attributes, vocabulary = {}, {}
    for name in names:
        codes, values = _encode([row[3].get(name) for row in found])
        attributes[name], vocabulary[name] = codes, values
    segments, segment_names = _encode([row[2] for row in found])
    return Observations(
        dates=np.array([row[0] for row in found], dtype="datetime64[D]"),
        weights=np.array([row[1] for row in found], dtype=np.float64),
        attributes=attributes,
        vocabulary=vocabulary,
        segments=segments,
        segment_names=segment_names,
    )


def fingerprint_of(observed: Observations, options: TrendOptions) -> str:
    """Return a hash of all that a report depends on: the data and how it is read."""
    parts = f"{observed.fingerprint()}\n{options.model_dump_json()}"
    return hashlib.sha256(parts.encode()).hexdigest()


def schedule_reports(runtime: Runtime) -> int:
    """Queue a report for each site that is due one; returns how many were queued.

    A period is a stretch of TOILE_TREND_SCHEDULE_SECONDS counted from 1970. The job's row is
    unique by site and period, so two beats that run at once make one report.
    """
    queued = 0
    with runtime.records.reading() as tx:
        due = [site.id for site in sites.every(tx) if _is_due(tx, runtime, site.id)]
    for site_id in due:
        try:
            with runtime.records.transaction() as tx:
                job = enqueue(tx, site_id, _periodic(), period=period_of(runtime, tx.now))
        except IntegrityError:
            LOG.info("Another beat has queued this period's report for site %s", site_id)
            continue
        send(runtime.records, runtime.sender, [job])
        queued += 1
    return queued


def period_of(runtime: Runtime, now: datetime) -> str:
    """Return the name of the schedule's period that a time falls into."""
    length = runtime.settings.trend_schedule_seconds
    return f"{length:g}s:{int(now.timestamp() // length)}"


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


def _is_due(tx: Transaction, runtime: Runtime, site_id: str) -> bool:
    period = period_of(runtime, tx.now)
    if jobs.with_period(tx, site_id, JobKind.TREND_REPORT, period) is not None:
        return False
    return catalogs.count_dated(tx, site_id) > 0


def _periodic() -> TrendSpec:
    return TrendSpec(options=TrendOptions(), only_if_changed=True)


def _encode(values: list[str | None]) -> tuple[Any, tuple[str, ...]]:
    known = tuple(sorted({value for value in values if value is not None}))
    position = {value: code for code, value in enumerate(known)}
    codes = np.array([-1 if value is None else position[value] for value in values], np.int32)
    return codes, known


def _publication(attempt: Attempt, spec: TrendSpec, report: TrendReport, mark: str) -> Publish:
    runtime, job = attempt.runtime, attempt.job
    report_id = ids.new_id(ids.REPORT)
    with runtime.records.reading() as tx:
        evidence = evidence_of(tx, job.site_id, spec.catalog_id, report)
    report = report.model_copy(update={"evidence": evidence})
    beside = meant(runtime, job.site_id, spec.catalog_id, report, report_id)
    issued = keep(runtime, job.site_id, spec.catalog_id, beside.issued)
    boards = wanted_boards(runtime, job.site_id, spec.catalog_id, report, report_id)
    shown = pictures_of(runtime, job.site_id, [name for one in evidence for name in one.garments])
    files = {
        name: runtime.store.put(keys.report_file(report_id, name), data).key
        for name, data in render(beside.report, shown, no_boards=boards.why).items()
    }
    values = {
        "id": report_id,
        "site_id": job.site_id,
        "job_id": job.id,
        "catalog_id": spec.catalog_id,
        "data_fingerprint": mark,
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

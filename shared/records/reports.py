"""Trend reports that were made."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, select

from shared.errors import NotFoundError
from shared.records import webhooks
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import JobRow, ReportRow
from shared.schemas.base import Schema
from shared.schemas.jobs import JobKind, JobState
from shared.schemas.reports import Failing, ReportView
from shared.schemas.webhooks import EventType, ReportPublished

BOARD_PAGE: Final = "moodboard.html"
_TOLD: Final = set(ReportPublished.model_fields)


class ReportPlace(Schema):
    """A report and where its files are: file name to artifact key."""

    report: ReportView
    artifacts: dict[str, str]


def publish(tx: Transaction, values: Mapping[str, Any]) -> ReportView:
    """Add a report, in the transaction that ends its job."""
    row = ReportRow(**values, created_at=tx.now)
    tx.session.add(row)
    tx.session.flush()
    report = _report(row)
    told = ReportPublished.model_validate(report.model_dump(include=_TOLD))
    webhooks.announce(tx, row.site_id, EventType.REPORT_PUBLISHED, subject=report.id, data=told)
    return report


def page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[ReportView]:
    """Return a site's reports, newest first; the newest one says whether later tries fail."""
    query = select(ReportRow).where(ReportRow.site_id == site_id)
    order = (ReportRow.created_at, ReportRow.id)
    found = page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_report)
    if cursor is not None or not found.items:
        return found
    first = _with_failing(tx, site_id, found.items[0])
    return Page([first, *found.items[1:]], found.next_cursor)


def failing(tx: Transaction, site_id: str, catalog_id: str | None) -> Failing | None:
    """Return since when reports over one catalog (None: over all) fail, or None where they do not.

    Counted are the jobs that ended after the last one that succeeded, unchanged ones too.
    """
    ended = (JobRow.finished_at.desc(), JobRow.id.desc())
    about = _about(site_id, catalog_id)
    good = tx.session.scalars(
        select(JobRow).where(about, JobRow.state == JobState.SUCCEEDED).order_by(*ended).limit(1)
    ).first()
    query = select(JobRow).where(about, JobRow.state == JobState.FAILED)
    if good is not None:
        query = query.where(JobRow.finished_at > good.finished_at)
    failed = tx.session.scalars(query.order_by(*ended)).all()
    if not failed or failed[-1].finished_at is None:
        return None
    error = failed[0].error or {}
    return Failing(
        since=failed[-1].finished_at,
        attempts=len(failed),
        job_id=failed[0].id,
        reason=str(error.get("reason", failed[0].reason)),
        message=str(error.get("message", "")),
    )


def _about(site_id: str, catalog_id: str | None) -> ColumnElement[bool]:
    catalog = JobRow.spec["catalog_id"].as_string()
    same = catalog.is_(None) if catalog_id is None else catalog == catalog_id
    return and_(JobRow.site_id == site_id, JobRow.kind == JobKind.TREND_REPORT, same)


def _with_failing(tx: Transaction, site_id: str, report: ReportView) -> ReportView:
    found = failing(tx, site_id, report.catalog_id)
    return report if found is None else report.model_copy(update={"failing": found})


def newest(tx: Transaction, site_id: str, catalog_id: str | None) -> ReportView | None:
    """Return the newest report over one catalog (None: over all of the site's), or None."""
    query = select(ReportRow).where(ReportRow.site_id == site_id)
    query = query.where(
        ReportRow.catalog_id.is_(None) if catalog_id is None else ReportRow.catalog_id == catalog_id
    )
    ordered = query.order_by(ReportRow.created_at.desc(), ReportRow.id.desc()).limit(1)
    row = tx.session.execute(ordered).scalar_one_or_none()
    return None if row is None else _report(row)


def get(tx: Transaction, site_id: str, report_id: str) -> ReportPlace:
    """Return a report and where its files are; the id `latest` means the newest of the site.

    Raises:
        NotFoundError: the site has none of that id.
    """
    if report_id == "latest":
        query = select(ReportRow).where(ReportRow.site_id == site_id)
        newest_first = query.order_by(ReportRow.created_at.desc(), ReportRow.id.desc())
        row = tx.session.execute(newest_first.limit(1)).scalar_one_or_none()
    else:
        row = tx.session.get(ReportRow, report_id)
    if row is None or row.site_id != site_id:
        raise NotFoundError(
            f"There is no trend report {report_id!r}. POST /v1/trend-reports makes one.",
            id=report_id,
        )
    report = _report(row)
    if report_id == "latest":
        report = _with_failing(tx, site_id, report)
    return ReportPlace(report=report, artifacts=dict(row.files))


def add_moodboards(
    tx: Transaction, report_id: str, *, told: Mapping[str, Any], files: Mapping[str, str]
) -> ReportView:
    """Say how a report's moodboards stand, and add their files beside the report's own.

    Args:
        tx: the open transaction.
        report_id: the report.
        told: as `shared.schemas.reports.Moodboards` has it, without the address.
        files: name -> artifact key; those of earlier moodboards of these names are replaced.

    Raises:
        NotFoundError: the report is gone.
    """
    row = tx.session.get(ReportRow, report_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFoundError(f"There is no trend report {report_id!r}.", id=report_id)
    row.moodboards = dict(told)
    row.files = {**row.files, **files}
    tx.session.flush()
    return _report(row)


def _report(row: ReportRow) -> ReportView:
    values = {name: value for name, value in columns_of(row).items() if name != "site_id"}
    values["files"] = tuple(sorted(values["files"]))
    url = f"/v1/trend-reports/{row.id}"
    boards = dict(row.moodboards or {})
    if BOARD_PAGE in row.files:
        boards["page_url"] = f"{url}/files/{BOARD_PAGE}"
    return ReportView(
        **{**values, "moodboards": boards}, url=url, page_url=f"{url}/files/report.html"
    )

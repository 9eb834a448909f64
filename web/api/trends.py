"""Trend reports: asking for one, and reading it."""

from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from flask import Response, request
from pydantic import Field

from shared.errors import NotFoundError, TooLittleDataError
from shared.records import catalogs, feeds, reports
from shared.schemas.base import Schema
from shared.schemas.jobs import TrendSpec
from shared.schemas.listing import Listing
from shared.schemas.reports import ReportView, TrendRequest
from web import answers, auth
from web.accept import Promise, accept
from web.api.noun import ListQuery, accepted_job, binary, not_modified, noun, problems
from web.runtime import runtime

api: Final = noun("trends", "Where fashion is going, as the site's dated garments tell.")

_NEWEST: Final = "latest"
_MEDIA_TYPES: Final = MappingProxyType(
    {
        ".html": "text/html",
        ".json": "application/json",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".csv": "text/csv",
    }
)
# A report brings its own styles and pictures along, and runs nothing.
_CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class ReportPath(Schema):
    """A trend report by id."""

    report: str = Field(description="Report id, or `latest` for the site's newest.")


class ReportFilePath(ReportPath):
    """One file of a trend report."""

    name: str = Field(description="One of the report's `files`, such as `report.html`.")


class ReportList(Listing[ReportView]):
    """A page of trend reports."""


@api.post("/trend-reports", responses={"202": accepted_job(), **problems(400, 413, 415)})
def report(body: TrendRequest, header: Promise) -> Response:
    """Make a trend report now."""
    return accept(header, request.get_json(), lambda: _resolve(body))


@api.get("/trend-reports", responses={"200": ReportList})
def list_reports(query: ListQuery) -> Response:
    """List the site's trend reports, newest first."""
    with runtime().records.reading() as tx:
        page = reports.page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.get("/trend-reports/<report>", responses={"200": ReportView})
def get_report(path: ReportPath) -> Response:
    """Read what a trend report says in short; `latest` is the newest one."""
    with runtime().records.reading() as tx:
        place = reports.get(tx, auth.site_id(), path.report)
    return answers.document(place.report)


@api.get(
    "/trend-reports/<report>/files/<path:name>",
    responses={"200": binary(*_MEDIA_TYPES.values()), "304": not_modified()},
)
def get_report_file(path: ReportFilePath) -> Response:
    """Read one file of a trend report: report.json, report.html or a plot."""
    with runtime().records.reading() as tx:
        place = reports.get(tx, auth.site_id(), path.report)
    key = place.artifacts.get(path.name)
    if key is None:
        raise NotFoundError(
            f"Report {place.report.id} has no file {path.name!r}.", files=list(place.report.files)
        )
    store = runtime().store
    data = answers.from_store(lambda: store.read(key), f"report {place.report.id}")
    suffix = PurePosixPath(path.name).suffix
    media_type = _MEDIA_TYPES.get(suffix, "application/octet-stream")
    response = (answers.changing if path.report == _NEWEST else answers.known)(
        data, media_type=media_type
    )
    response.headers["Content-Security-Policy"] = _CONTENT_POLICY
    return response


def _resolve(asked: TrendRequest) -> TrendSpec:
    with runtime().records.reading() as tx:
        catalog_id = None
        if asked.catalog is not None:
            catalog_id = catalogs.get(tx, auth.site_id(), asked.catalog).id
        dated = catalogs.count_dated(tx, auth.site_id(), catalog_id)
        if catalog_id is None:
            dated += round(feeds.counted(tx, auth.site_id()))
    if dated == 0:
        raise TooLittleDataError(
            "None of the garments has a date, so nothing can be said about trends. Add garments "
            "with a `date`, in the manifest or in `fields`, or counts to a feed.",
            dated=dated,
        )
    return TrendSpec(
        catalog_id=catalog_id, options=asked.options, only_if_changed=asked.only_if_changed
    )

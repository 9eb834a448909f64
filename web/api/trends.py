"""Trend reports: asking for one, and reading it."""

from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from flask import Response, request
from pydantic import Field

from shared.errors import (
    ConflictError,
    LibraryMissingError,
    NotFoundError,
    ToileError,
    TooLittleDataError,
)
from shared.records import catalogs, feeds, garments, models, reports
from shared.records.reports import ReportPlace
from shared.schemas.base import Schema
from shared.schemas.boards import MoodboardRequest
from shared.schemas.jobs import MoodboardSpec, TrendSpec
from shared.schemas.keys import Scope
from shared.schemas.listing import Listing
from shared.schemas.record import TrackRecord
from shared.schemas.reports import ReportView, TrendRequest
from shared.schemas.trends import Difference
from shared.schemas.variants import SignedQuery
from web import answers, asking, auth
from web.accept import Promise, accept
from web.api.noun import ListQuery, accepted_job, binary, not_modified, noun, problems
from web.runtime import runtime

api: Final = noun(
    "trends", "Where fashion is going, as the site's dated garments tell.", scope=Scope.TRAIN
)

_NEWEST: Final = "latest"
_DIFFERENCE: Final = "difference.json"
_RECORD: Final = "record.json"
_MOODBOARD: Final = "moodboard."
_PARQUET: Final = frozenset({"series.parquet", "forecast.parquet"})
_MEDIA_TYPES: Final = MappingProxyType(
    {
        ".html": "text/html",
        ".json": "application/json",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".csv": "text/csv",
        ".parquet": "application/vnd.apache.parquet",
        ".npz": "application/octet-stream",
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


@api.get("/trend-reports/<report>", responses={"200": ReportView, "304": not_modified()})
def get_report(path: ReportPath) -> Response:
    """Read what a trend report says in short; `latest` is the newest one.

    Its ETag changes when there is another newest report, or when its moodboards come.
    """
    return answers.told_now(_place(path).report)


@api.get(
    "/trend-reports/<report>/difference",
    responses={"200": Difference, "304": not_modified()},
)
def get_report_difference(path: ReportPath) -> Response:
    """Read what is new against the previous report over the same garments."""
    return _file(path, _DIFFERENCE)


@api.get(
    "/trend-reports/<report>/record",
    responses={"200": TrackRecord, "304": not_modified()},
)
def get_report_record(path: ReportPath) -> Response:
    """Read what earlier reports said of the periods that are over, and what happened."""
    return _file(path, _RECORD)


@api.get(
    "/trend-reports/<report>/files/<path:name>",
    responses={"200": binary(*_MEDIA_TYPES.values()), "304": not_modified(), **problems(403, 501)},
)
def get_report_file(path: ReportFilePath, query: SignedQuery) -> Response:  # noqa: ARG001 - read before
    """Read one file of a trend report: report.json, report.html, a plot, or a table.

    `series` and `forecast` are there as `.csv`, and as `.parquet` where the worker that made the
    report has the extra `parquet`.
    """
    return _file(path, path.name)


@api.post(
    "/trend-reports/<report>/moodboard",
    responses={"202": accepted_job(), **problems(400, 409, 413, 415)},
)
def moodboard(path: ReportPath, body: MoodboardRequest, header: Promise) -> Response:
    """Draw a report's moodboards, and next season's rack, now; they replace those it has."""
    return accept(header, request.get_json(), lambda: _boards_of(path, body))


def _boards_of(path: ReportPath, asked: MoodboardRequest) -> MoodboardSpec:
    site_id = auth.site_id()
    with runtime().records.reading() as tx:
        place = reports.get(tx, site_id, path.report)
        if asked.release is not None:
            models.release(tx, asked.release, site_id=site_id)
        elif not models.releases_page(tx, site_id, limit=1).items:
            raise ConflictError(
                "The site has no release that could draw moodboards. Train a model first: "
                "POST /v1/training-jobs."
            )
    return MoodboardSpec(
        report_id=place.report.id,
        release_id=asked.release,
        count=asked.count,
        rack=asked.rack,
        seed=asking.fresh_seed() if asked.seed is None else asked.seed,
    )


def _place(path: ReportPath) -> ReportPlace:
    with runtime().records.reading() as tx:
        return reports.get(tx, auth.site_id(), path.report)


def _file(path: ReportPath, name: str) -> Response:
    place = _place(path)
    key = place.artifacts.get(name)
    if key is None:
        raise _missing(place, name)
    store = runtime().store
    data = answers.from_store(lambda: store.read(key), f"report {place.report.id}")
    media_type = _MEDIA_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
    may_change = path.report == _NEWEST or name.startswith(_MOODBOARD)
    response = (answers.changing if may_change else answers.known)(data, media_type=media_type)
    response.headers["Content-Security-Policy"] = _CONTENT_POLICY
    return response


def _missing(place: ReportPlace, name: str) -> ToileError:
    report = place.report
    if name in _PARQUET:
        return LibraryMissingError(
            f"Report {report.id} has no {name}: the worker that made it lacks the library that "
            f"writes Parquet. Install the extra `parquet` there and make a new report, or read "
            f"{PurePosixPath(name).stem}.csv, which holds the same.",
            extra="parquet",
        )
    if name in {_DIFFERENCE, _RECORD}:
        what = "nothing to differ from" if name == _DIFFERENCE else "no record"
        return NotFoundError(
            f"Report {report.id} is the first over its garments, or was made before forecasts "
            f"were kept, so there is {what}. The next report over them has both.",
            id=report.id,
        )
    return NotFoundError(f"Report {report.id} has no file {name!r}.", files=list(report.files))


def _resolve(asked: TrendRequest) -> TrendSpec:
    with runtime().records.reading() as tx:
        catalog_id = None
        if asked.catalog is not None:
            catalog_id = catalogs.get(tx, auth.site_id(), asked.catalog).id
        dated = garments.count_dated(tx, auth.site_id(), catalog_id)
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

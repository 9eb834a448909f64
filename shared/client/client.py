"""The verbs of the API as methods: schemas go in and come out."""

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx

from shared.client.events import MEDIA_TYPE, Event, parse
from shared.client.failures import ApiError, UnreachableError
from shared.client.http import Http, Part, Request
from shared.client.webhooks import Webhooks
from shared.errors import ConflictError
from shared.schemas.alerts import Alert, AlertRequest, FiredAlert
from shared.schemas.base import Schema
from shared.schemas.boards import MoodboardRequest
from shared.schemas.catalogs import Catalog, GarmentFields
from shared.schemas.designs import (
    Design,
    DesignBatch,
    DesignRequest,
    MixRequest,
    VariationRequest,
    WalkRequest,
)
from shared.schemas.feeds import Feed, FeedBatch, FeedRequest
from shared.schemas.figures import Comparison
from shared.schemas.health import Readiness
from shared.schemas.jobs import Job, JobBatch, JobState, Progress
from shared.schemas.links import Link, LinkBatch, LinkRequest
from shared.schemas.listing import Listing
from shared.schemas.models import Model, Release, TrainingRequest
from shared.schemas.provenance import Provenance
from shared.schemas.reports import ReportView, TrendRequest
from shared.schemas.shoppers import (
    Erasure,
    PreferenceBatch,
    PreferenceRequest,
    Recommendations,
    Recorded,
    TasteView,
)
from shared.schemas.trends import Difference, TrackRecord
from shared.schemas.usage import Usage
from shared.schemas.variants import PictureFormat, Variant

Answer = TypeVar("Answer", bound=Schema)

_POLL_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 1.0  # how old the progress that is shown may get
_SILENCE_SECONDS: Final = 40.0
_MARGIN_SECONDS: Final = 30.0  # how much later than asked a long poll may be answered
_UPLOAD_SECONDS: Final = 600.0
_PAGE: Final = 200


class NotFinishedError(ConflictError):
    """A job was not over when the time to wait for it was."""

    reason = "not_finished"
    retryable = True


class Client:
    """A site's way to its Toile.

    Every request that changes something carries an idempotency key, so that it is sent again
    without harm when a connection breaks.

    Args:
        url: the server's address, such as ``http://127.0.0.1:8000``.
        key: an API key of the site.
        transport: what carries the requests, where not the network; for tests.
        options: see `Http`.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        **options: Any,
    ) -> None:
        self._http = Http(url, key, transport=transport, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def readiness(self) -> Readiness:
        """Return what the server can do just now; needs no key."""
        return self._get("/readyz", Readiness)

    def catalogs(self) -> list[Catalog]:
        """Return all catalogs, newest first."""
        return list(self._every("/v1/catalogs", Catalog))

    def catalog(self, reference: str) -> Catalog:
        """Return a catalog by its id or name."""
        return self._get(f"/v1/catalogs/{_part(reference)}", Catalog)

    def create_catalog(self, name: str, *, image_size: int | None = None) -> Catalog:
        """Make an empty catalog, or return the one of that name."""
        body = {"name": name, "image_size": image_size}
        try:
            return self._post("/v1/catalogs", Catalog, json_body=body)
        except ApiError as error:
            if error.reason != ConflictError.reason:
                raise
            return self.catalog(name)

    def add_archive(self, catalog: str, archive: Path) -> Job:
        """Upload a zip or tar of garments; the job takes it in."""
        return self._upload(catalog, Part("archive", archive, archive.name), {})

    def add_image(self, catalog: str, image: Path, fields: GarmentFields | None = None) -> Job:
        """Upload one garment's picture with what is known of it."""
        form = {} if fields is None else {"fields": json.dumps(_body(fields))}
        return self._upload(catalog, Part("image", image, image.name), form)

    def add_path(self, catalog: str, path: str) -> Job:
        """Take in what lies on the server, below one of its TOILE_IMPORT_ROOTS."""
        return self._post(f"/v1/catalogs/{_part(catalog)}/garments", Job, json_body={"path": path})

    def feeds(self) -> list[Feed]:
        """Return all feeds, newest first."""
        return list(self._every("/v1/feeds", Feed))

    def feed(self, reference: str) -> Feed:
        """Return a feed by its id or name."""
        return self._get(f"/v1/feeds/{_part(reference)}", Feed)

    def create_feed(self, request: FeedRequest) -> Feed:
        """Make an empty feed, or return the one of that name."""
        try:
            return self._post("/v1/feeds", Feed, json_body=_body(request))
        except ApiError as error:
            if error.reason != ConflictError.reason:
                raise
            return self.feed(request.name)

    def delete_feed(self, reference: str) -> None:
        """Delete a feed with all that it brought."""
        self._http.send(Request("DELETE", f"/v1/feeds/{_part(reference)}"))

    def batches(self, feed: str) -> list[FeedBatch]:
        """Return a feed's batches, newest first."""
        return list(self._every(f"/v1/feeds/{_part(feed)}/batches", FeedBatch))

    def add_counts(self, feed: str, counts: Path, *, revises: bool = False) -> Job:
        """Upload counts, as CSV or JSON lines; revising, they replace what was said before."""
        form = {"revises": "true"} if revises else {}
        return self._send_file(_batches(feed), Part("counts", counts, counts.name), form)

    def add_images(self, feed: str, archive: Path) -> Job:
        """Upload a zip or tar of dated images with a manifest."""
        return self._send_file(_batches(feed), Part("archive", archive, archive.name), {})

    def train(self, request: TrainingRequest) -> Job:
        """Train a model on a catalog."""
        return self._post("/v1/training-jobs", Job, json_body=_body(request))

    def design(self, request: DesignRequest) -> Job:
        """Make designs."""
        return self._post("/v1/design-jobs", Job, json_body=_body(request))

    def design_all(self, requests: Sequence[DesignRequest]) -> list[Job]:
        """Ask for up to a thousand times designs: all are taken, or none."""
        body = _body(DesignBatch(requests=tuple(requests)))
        return list(self._post("/v1/design-jobs/batch", JobBatch, json_body=body).jobs)

    def vary(self, design_id: str, request: VariationRequest | None = None) -> Job:
        """Make designs around one."""
        path = f"/v1/designs/{_part(design_id)}/variations"
        return self._post(path, Job, json_body=_body(request or VariationRequest()))

    def mix(self, request: MixRequest) -> Job:
        """Make designs between two."""
        return self._post("/v1/designs/mix", Job, json_body=_body(request))

    def walk(self, request: WalkRequest) -> Job:
        """Make an animation from one design to another."""
        return self._post("/v1/designs/walk", Job, json_body=_body(request))

    def trend_report(self, request: TrendRequest | None = None) -> Job:
        """Make a trend report."""
        return self._post("/v1/trend-reports", Job, json_body=_body(request or TrendRequest()))

    def jobs(
        self, *, kind: str | None = None, state: str | None = None, limit: int = 20
    ) -> list[Job]:
        """Return the newest jobs."""
        query = {"kind": kind, "state": state}
        found: list[Job] = []
        for job in self._every("/v1/jobs", Job, query=query, page=min(limit, _PAGE)):
            found.append(job)
            if len(found) >= limit:
                break
        return found

    def job(self, job_id: str, *, wait: float = 0) -> Job:
        """Return a job; with `wait`, once it is over or after so many seconds."""
        query = {"wait": f"{wait:g}"} if wait else {}
        path = f"/v1/jobs/{_part(job_id)}"
        return self._read(Request("GET", path, query=query, seconds=wait + _MARGIN_SECONDS), Job)

    def events(self, job_id: str, *, patience: float = _SILENCE_SECONDS) -> Iterator[Event]:
        """Yield what happens to a job, as it happens, up to its end.

        A stream that breaks is taken up where it was.

        Args:
            job_id: the job.
            patience: seconds of silence after which the server counts as gone; it says something
                every 15.

        Raises:
            ApiError: the server refuses: it has no room, or is too old to know of events.
            UnreachableError: the stream broke, and nothing new came before it broke again.
        """
        last = ""
        while True:
            before = last
            try:
                for event in self._events(job_id, last, patience):
                    last = event.id
                    yield event
                    if event.name == "end":
                        return
            except UnreachableError:
                if last == before:
                    raise
            else:
                if last == before:
                    return  # nothing is told, or somebody in between answers
                time.sleep(_WATCH_SECONDS)  # a server that stops ends its streams

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[Job], None] | None = None,
    ) -> Job:
        """Return a job once it is over, however it ended.

        Args:
            job_id: the job.
            timeout: seconds after which to give up; None waits for ever.
            on_progress: called with the job about once a second, and once when it is over.

        Raises:
            NotFinishedError: the time is over and the job is not.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if on_progress is not None:
            followed = self._followed(job_id, deadline, on_progress)
            if followed is not None:
                return followed
        turn = _POLL_SECONDS if on_progress is None else _WATCH_SECONDS
        while True:
            left = turn if deadline is None else deadline - time.monotonic()
            asked = time.monotonic()
            job = self.job(job_id, wait=max(0.0, min(turn, left)))
            if on_progress is not None:
                on_progress(job)
            if job.state.is_final:
                return job
            if deadline is not None and time.monotonic() >= deadline:
                raise NotFinishedError(
                    f"{job.kind} job {job.id} is {job.state} after {timeout:g} s; it goes on. "
                    f"`toile jobs wait {job.id}` waits for it.",
                    job=job.id,
                )
            if time.monotonic() - asked < _WATCH_SECONDS / 2:
                time.sleep(_WATCH_SECONDS / 2)  # a busy server answers at once

    def cancel(self, job_id: str) -> Job:
        """Cancel a job, or ask its worker to stop."""
        return self._post(f"/v1/jobs/{_part(job_id)}/cancel", Job)

    def retry(self, job_id: str) -> Job:
        """Make a new job of one that failed or was cancelled."""
        return self._post(f"/v1/jobs/{_part(job_id)}/retry", Job)

    def preview(self, job_id: str) -> bytes | None:
        """Return the newest sample grid of a running training, PNG, or None before the first."""
        try:
            return self.read(f"/v1/jobs/{_part(job_id)}/preview")
        except ApiError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def models(self) -> list[Model]:
        """Return all models, newest first."""
        return list(self._every("/v1/models", Model))

    def model(self, reference: str) -> Model:
        """Return a model by its id or name."""
        return self._get(f"/v1/models/{_part(reference)}", Model)

    def release(self, release_id: str) -> Release:
        """Return a release."""
        return self._get(f"/v1/releases/{_part(release_id)}", Release)

    def compare(self, first: str, second: str, *, figure: str | None = None) -> Comparison:
        """Return the figures of two releases side by side, or one of them by its key."""
        query = {"first": first, "second": second, "figure": figure}
        return self._read(Request("GET", "/v1/releases/compare", query=query), Comparison)

    def designs(self, job_id: str) -> list[Design]:
        """Return the designs of a job, in their order."""
        found = self._every("/v1/designs", Design, query={"job": job_id})
        return sorted(found, key=lambda design: design.position)

    def provenance(self, picture: Path) -> Provenance:
        """Return what the server can prove of a PNG, WebP, JPEG or AVIF file: is it a design?

        Raises:
            ApiError: the file cannot be read as a picture, or is too large.
        """
        part = Part("image", picture, picture.name)
        request = Request("POST", "/v1/provenance", file=part, seconds=_UPLOAD_SECONDS)
        return self._read(request, Provenance)

    def usage(self, *, first: date | None = None, last: date | None = None) -> Usage:
        """Return what the site used, by day; unset, of the last 30 days."""
        query = {"from": first, "to": last}
        told = {name: day.isoformat() for name, day in query.items() if day is not None}
        return self._read(Request("GET", "/v1/usage", query=told), Usage)

    def links(
        self,
        paths: Sequence[str],
        *,
        variant: Variant | None = None,
        picture_format: PictureFormat | None = None,
        expires_in: int | None = None,
    ) -> tuple[Link, ...]:
        """Return addresses that a page can read without a key, in the order of their paths."""
        asked = LinkRequest(
            paths=tuple(paths), variant=variant, format=picture_format, expires_in=expires_in
        )
        body = asked.model_dump(mode="json", exclude_none=True)
        return self._post("/v1/links", LinkBatch, json_body=body).links

    def report(self, report_id: str = "latest") -> ReportView:
        """Return a trend report, the newest where none is named."""
        return self._get(f"/v1/trend-reports/{_part(report_id)}", ReportView)

    def reports(self) -> list[ReportView]:
        """Return all trend reports, newest first."""
        return list(self._every("/v1/trend-reports", ReportView))

    def difference(self, report_id: str = "latest") -> Difference | None:
        """Return what a report says that the one before it did not; None in the first."""
        return self._perhaps(f"/v1/trend-reports/{_part(report_id)}/difference", Difference)

    def track_record(self, report_id: str = "latest") -> TrackRecord | None:
        """Return what earlier reports said, and what happened; None in the first report."""
        return self._perhaps(f"/v1/trend-reports/{_part(report_id)}/record", TrackRecord)

    def moodboards(self, report_id: str = "latest", request: MoodboardRequest | None = None) -> Job:
        """Draw a report's moodboards, and next season's rack."""
        path = f"/v1/trend-reports/{_part(report_id)}/moodboard"
        return self._post(path, Job, json_body=_body(request or MoodboardRequest()))

    def add_alert(self, request: AlertRequest) -> Alert:
        """Ask to be told once when a value begins to rise or fall."""
        return self._post("/v1/trend-alerts", Alert, json_body=_body(request))

    def alerts(self) -> list[Alert]:
        """Return all alerts, newest first, stopped ones too."""
        return list(self._every("/v1/trend-alerts", Alert))

    def fired_alerts(self, alert_id: str | None = None) -> list[FiredAlert]:
        """Return what fired, newest first: of one alert, or of all."""
        return list(self._every("/v1/trend-alerts/fired", FiredAlert, query={"alert": alert_id}))

    def stop_alert(self, alert_id: str) -> Alert:
        """Let an alert fire no more."""
        return self._read(Request("DELETE", f"/v1/trend-alerts/{_part(alert_id)}"), Alert)

    @property
    def webhooks(self) -> Webhooks:
        """The site's webhooks."""
        return Webhooks(self._http)

    def save_report_file(self, report_id: str, name: str, target: Path) -> Path:
        """Write one of a report's `files`, such as ``series.csv``, to a file."""
        return self.download(f"/v1/trend-reports/{_part(report_id)}/files/{quote(name)}", target)

    def prefer(self, ref: str, said: Sequence[PreferenceRequest]) -> Recorded:
        """Record what a shopper said, up to 500 preferences, all or none; again does no harm."""
        body = _body(PreferenceBatch(preferences=tuple(said)))
        return self._post(f"{_shopper(ref)}/preferences", Recorded, json_body=body)

    def taste(self, ref: str, *, catalog: str | None = None) -> TasteView:
        """Return what is believed of a shopper, about a catalog or the one indexed last."""
        request = Request("GET", f"{_shopper(ref)}/taste", query={"catalog": catalog})
        return self._read(request, TasteView)

    def recommendations(
        self,
        ref: str,
        *,
        catalog: str | None = None,
        count: int = 10,
        relevance: float | None = None,
    ) -> Recommendations:
        """Return garments for a shopper, the best first."""
        query = {"catalog": catalog, "count": count, "relevance": relevance}
        request = Request("GET", f"{_shopper(ref)}/recommendations", query=query)
        return self._read(request, Recommendations)

    def erase(self, ref: str) -> Erasure:
        """Forget a shopper for good; returns the receipt."""
        return self._read(Request("DELETE", _shopper(ref)), Erasure)

    def read(self, url: str) -> bytes:
        """Return the bytes at one of the server's addresses, such as a design's `image_url`."""
        return self._http.send(Request("GET", url)).content

    def download(self, url: str, target: Path) -> Path:
        """Write the bytes at one of the server's addresses to a file, whole or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        try:
            with self._http.stream(Request("GET", url)) as response, partial.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
            shutil.move(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def _events(self, job_id: str, last: str, patience: float) -> Iterator[Event]:
        headers = {"Accept": MEDIA_TYPE, **({"Last-Event-ID": last} if last else {})}
        path = f"/v1/jobs/{_part(job_id)}/events"
        with self._http.once(Request("GET", path, headers=headers, seconds=patience)) as answer:
            yield from parse(answer.iter_lines())

    def _followed(
        self, job_id: str, deadline: float | None, on_progress: Callable[[Job], None]
    ) -> Job | None:
        """Return a job once it is over, by its events; None where polls must do."""
        left = math.inf if deadline is None else deadline - time.monotonic()
        now: Job | None = None
        told_at = -math.inf
        try:
            for event in self.events(job_id, patience=max(0.1, min(_SILENCE_SECONDS, left))):
                if isinstance(event.told, Job):
                    now, told_at = event.told, -math.inf
                elif isinstance(event.told, Progress) and now is not None:
                    now = now.model_copy(update={"progress": event.told})
                if now is not None and time.monotonic() - told_at >= _WATCH_SECONDS / 2:
                    told_at = time.monotonic()
                    on_progress(now)
                if now is not None and now.state.is_final:
                    return now
                if deadline is not None and time.monotonic() >= deadline:
                    return None
        except (ApiError, UnreachableError):
            return None
        return None

    def _upload(self, catalog: str, part: Part, form: dict[str, str]) -> Job:
        return self._send_file(f"/v1/catalogs/{_part(catalog)}/garments", part, form)

    def _send_file(self, path: str, part: Part, form: dict[str, str]) -> Job:
        request = Request("POST", path, form=form, file=part, seconds=_UPLOAD_SECONDS)
        return self._read(request, Job)

    def _post(
        self, path: str, schema: type[Answer], *, json_body: Mapping[str, Any] | None = None
    ) -> Answer:
        return self._read(Request("POST", path, json=json_body), schema)

    def _get(self, path: str, schema: type[Answer]) -> Answer:
        return self._read(Request("GET", path), schema)

    def _perhaps(self, path: str, schema: type[Answer]) -> Answer | None:
        try:
            return self._get(path, schema)
        except ApiError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def _every(
        self,
        path: str,
        schema: type[Answer],
        *,
        query: Mapping[str, Any] | None = None,
        page: int = _PAGE,
    ) -> Iterator[Answer]:
        cursor: str | None = None
        while True:
            asked = {**(query or {}), "limit": page, "cursor": cursor}
            found = self._read(Request("GET", path, query=asked), Listing[Any])
            for item in found.items:
                yield schema.model_validate(item, extra="ignore")
            cursor = found.next_cursor
            if cursor is None:
                return

    def _read(self, request: Request, schema: type[Answer]) -> Answer:
        # A newer server may say more than this client knows.
        return schema.model_validate_json(self._http.send(request).content, extra="ignore")


def ended_well(job: Job) -> Job:
    """Return the job if it succeeded.

    Raises:
        ApiError: it failed or was cancelled.
    """
    if job.state is JobState.SUCCEEDED:
        return job
    reason = job.error.reason if job.error else (job.reason or job.state.value)
    message = job.error.message if job.error else f"it was {job.state}"
    raise ApiError(
        httpx.codes.CONFLICT,
        reason,
        f"The {job.kind} job {job.id} ended as {job.state}: {message}",
        details=job.error.details if job.error else {},
    )


def _body(schema: Schema) -> dict[str, Any]:
    return schema.model_dump(mode="json", exclude_none=True)


def _batches(feed: str) -> str:
    return f"/v1/feeds/{_part(feed)}/batches"


def _shopper(ref: str) -> str:
    return f"/v1/shoppers/{_part(ref)}"


def _part(reference: str) -> str:
    return quote(reference, safe="")

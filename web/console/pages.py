"""The first page, and the door to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response, redirect, render_template, request, url_for
from markupsafe import Markup, escape
from werkzeug.wrappers import Response as AnyResponse

from shared.clock import utc_now
from shared.console import (
    LINK_SECONDS,
    SESSION_SECONDS,
    read_console_token,
    session_token,
)
from shared.errors import ForbiddenError, NotFoundError, UnauthorizedError
from shared.jobs.view import view
from shared.queue.once import first_use
from shared.records import (
    Transaction,
    alerts,
    catalogs,
    designs,
    jobs,
    models,
    reports,
    sites,
    webhooks,
)
from shared.schemas.designs import Design
from shared.schemas.jobs import Job, JobKind, JobState
from shared.schemas.keys import ApiKey, Scope
from shared.schemas.models import Model, Release
from shared.schemas.problems import MEDIA_TYPE, Problem
from shared.schemas.reports import Failing, ReportView
from shared.schemas.webhooks import Webhook
from web import auth
from web.console import training as plot
from web.console import trends, words
from web.problems import KINDS
from web.runtime import runtime

blueprint: Final = Blueprint(
    "console",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)

_JOBS: Final = 12
_MODELS: Final = 6
_DESIGNS: Final = 36
_CATALOGS: Final = 200
_FIRED: Final = 200
CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Shown:
    """Everything that the first page shows."""

    site: str
    counts: dict[JobState, int]
    garments: int
    catalogs: dict[str, str]
    jobs: list[Job]
    models: list[tuple[Model, Release | None]]
    designs: list[Design]
    report: ReportView | None
    troubled: list[Webhook]

    @property
    def is_moving(self) -> bool:
        """Whether the page is worth loading again soon."""
        return bool(self.counts.get(JobState.QUEUED, 0) + self.counts.get(JobState.RUNNING, 0))

    @property
    def plots(self) -> list[str]:
        """The names of the report's plots."""
        files = () if self.report is None else self.report.files
        return [name for name in files if name.endswith(".png")]


@blueprint.get("/")
def home() -> AnyResponse:
    """Show what the site has and what is under way."""
    key = auth.session_key()
    if key is None:
        return redirect(url_for("console.login"))
    with runtime().records.reading() as tx:
        shown = _collect(tx, key.site_id)
    return page("home.html", shown=shown, now=utc_now(), words=words, State=JobState)


@blueprint.get("/trainings/<job_id>")
def training(job_id: str) -> AnyResponse:
    """Show one training: how far it is, its samples and its metric, and what was asked."""
    key = auth.session_key()
    if key is None:
        return redirect(url_for("console.login"))
    with runtime().records.reading() as tx:
        row = jobs.get(tx, job_id, site_id=key.site_id)
        if row.kind is not JobKind.TRAINING:
            raise NotFoundError(f"Job {job_id} is no training; it trains nothing.", id=job_id)
        site = sites.get(tx, key.site_id).name
        release = _made(tx, row.result)
        known = catalogs.page(tx, key.site_id, limit=_CATALOGS).items
    job = view(row, runtime().board)
    names = {catalog.id: catalog.name for catalog in known}
    return page(
        "training.html",
        job=job,
        site=site,
        release=release,
        catalog=names.get(str(row.spec.get("catalog_id"))),
        grid_url=_grid_url(job, release),
        curve=plot.curve_of(job.progress),
        asked=plot.asked_of(row.spec),
        plot=plot,
        words=words,
    )


@blueprint.get("/reports/<report_id>")
def report(report_id: str) -> AnyResponse:
    """Show one trend report: its headline, what is new, its record, its moodboards and files."""
    key = auth.session_key()
    if key is None:
        return redirect(url_for("console.login"))
    with runtime().records.reading() as tx:
        place = reports.get(tx, key.site_id, report_id)
        failing = _failing(tx, key.site_id, place.report)
        site = sites.get(tx, key.site_id).name
        fired = [
            one
            for one in alerts.fired_page(tx, key.site_id, limit=_FIRED).items
            if one.report_id == place.report.id
        ]
    return page(
        "report.html",
        shown=trends.shown(runtime().store, place, fired),
        failing=failing,
        site=site,
        now=utc_now(),
        verdict=trends.verdict,
        words=words,
    )


@blueprint.get("/login")
def login() -> AnyResponse:
    """Show the door, or let in whoever comes by a signed link."""
    token = request.args.get("token")
    if token is None:
        return page("login.html", problem=None)
    if auth.session_key() is not None:
        return redirect(url_for("console.home"))
    try:
        return _let_in(_key_of_link(token))
    except UnauthorizedError as error:
        return page("login.html", problem=error.message, status=401)


@blueprint.post("/login")
def log_in() -> AnyResponse:
    """Let in whoever brings an API key."""
    _refuse_strangers()
    key = runtime().keys.by_secret(request.form.get("key", "").strip())
    if key is None or Scope.READ not in key.scopes:
        told = "This API key is not known." if key is None else "This API key may not read."
        return page("login.html", problem=told, status=401)
    return _let_in(key)


@blueprint.post("/logout")
def log_out() -> AnyResponse:
    """Forget the session."""
    _refuse_strangers()
    response = redirect(url_for("console.login"))
    response.delete_cookie(auth.COOKIE, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


@blueprint.after_app_request
def explain(response: Response) -> Response:
    """Show a person who browses, and calls no API, a problem as a page."""
    if response.mimetype != MEDIA_TYPE or request.path.startswith("/v1/"):
        return response
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) != "text/html":
        return response
    problem = Problem.model_validate_json(response.get_data())
    shown = page("problem.html", problem=problem, kind=KINDS[problem.reason], told=told)
    response.set_data(shown.get_data())
    response.mimetype = "text/html"
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    return response


def told(text: str | None) -> Markup:
    """Return a text as HTML: escaped, with `code` set as code."""
    plain, *rest = (text or "").replace("<br/>", " ").split("`")
    parts = [escape(plain)]
    for place, part in enumerate(rest):
        parts.append(Markup("<code>{}</code>").format(part) if place % 2 == 0 else escape(part))
    return Markup("").join(parts)


def page(template: str, *, status: int = 200, **context: object) -> Response:
    """Answer with a page."""
    response = Response(render_template(template, **context), status=status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    return response


def _collect(tx: Transaction, site_id: str) -> Shown:
    known = catalogs.page(tx, site_id, limit=_CATALOGS).items
    board = runtime().board
    newest = reports.page(tx, site_id, limit=1).items
    return Shown(
        site=sites.get(tx, site_id).name,
        counts=jobs.count_by_state(tx, site_id),
        garments=sum(catalog.garments for catalog in known),
        catalogs={catalog.id: catalog.name for catalog in known},
        jobs=[view(job, board) for job in jobs.page(tx, site_id, limit=_JOBS).items],
        models=[
            (model, _newest(tx, model)) for model in models.page(tx, site_id, limit=_MODELS).items
        ],
        designs=list(designs.page(tx, site_id, limit=_DESIGNS).items),
        report=newest[0] if newest else None,
        troubled=webhooks.troubled(tx, site_id),
    )


def _failing(tx: Transaction, site_id: str, report: ReportView) -> Failing | None:
    """Return whether later reports fail; of a report that has been followed by another, None."""
    newest = reports.newest(tx, site_id, report.catalog_id)
    if newest is None or newest.id != report.id:
        return None
    return reports.failing(tx, site_id, report.catalog_id)


def _made(tx: Transaction, result: Mapping[str, Any] | None) -> Release | None:
    release_id = (result or {}).get("release_id")
    return None if release_id is None else models.release(tx, str(release_id)).release


def _grid_url(job: Job, release: Release | None) -> str | None:
    if release is not None:
        return release.grid_url
    return job.progress.preview_url if job.progress else None


def _newest(tx: Transaction, model: Model) -> Release | None:
    if model.newest_release_id is None:
        return None
    return models.release(tx, model.newest_release_id).release


def _key_of_link(token: str) -> ApiKey:
    here = runtime()
    key = here.keys.by_id(read_console_token(here.settings, token))
    if key is None:
        raise UnauthorizedError("The key that this link was made with was revoked.")
    if not first_use(here.redis, token, seconds=LINK_SECONDS):
        raise UnauthorizedError(
            "This link was used already. Make a new one with `toile console`, or log in with an "
            "API key."
        )
    return key


def _let_in(key: ApiKey) -> AnyResponse:
    response = redirect(url_for("console.home"))
    response.set_cookie(
        auth.COOKIE,
        session_token(runtime().settings, key.id),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return response


def _refuse_strangers() -> None:
    """Refuse forms that another site's page sends on a visitor's behalf."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise ForbiddenError("This form was sent by another site's page. Open Toile's own.")

"""The web application, put together."""

import logging
import time
from importlib.metadata import version
from typing import Any, Final

from flask import Flask, Response, g, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from shared.artifacts import ArtifactStore
from shared.queue.sender import Sender
from shared.queue.status import StatusBoard
from shared.records import Records
from shared.schemas.problems import Problem
from shared.settings import Settings
from web import bodies, cors, documents, errors, limiting, room
from web.answers import SECURE
from web.api import (
    alerts,
    catalogs,
    designs,
    events,
    feeds,
    garments,
    health,
    jobs,
    keys,
    links,
    metrics,
    models,
    provenance,
    shoppers,
    training,
    trends,
    usage,
    webhooks,
)
from web.api.noun import SECURITY
from web.console import pages, reference, styles
from web.observing import ROUTE, Observed, shown
from web.polls import Polls
from web.runtime import EXTENSION, open_runtime
from web.shop import pages as shop

LOG: Final = logging.getLogger(__name__)

_ABOUT: Final = (
    "Learns garments from a shop's catalog, designs new ones, and reports where fashion is going. "
    "Whatever takes time is a job: POST answers 202 with its address, GET "
    "/v1/jobs/{job}?wait=30 waits for its end. Every error is a problem document (RFC 9457)."
)

_SCHEMES: Final[dict[str, Any]] = {
    SECURITY: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "toile_...",
        "description": "An API key; `toile key create` makes one.",
    },
    "publishable_key": {
        "type": "apiKey",
        "in": "header",
        "name": cors.KEY_HEADER,
        "description": "In a browser: `toile_pub_...`, which names the site and the "
        "origins of its pages.",
    },
    "session_token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "toile_session_...",
        "description": "In a browser, beside the publishable key: what the site's server "
        "got for one shopper from POST /v1/shoppers/{ref}/sessions.",
    },
}
_NOUNS: Final = (
    catalogs,
    garments,
    training,
    jobs,
    events,
    models,
    designs,
    shoppers,
    provenance,
    feeds,
    trends,
    alerts,
    links,
    usage,
    health,
    keys,
    webhooks,
)


class Application(OpenAPI):
    """Flask with flask-openapi3, reading uploads and JSON our way."""

    request_class = bodies.UploadRequest
    json_provider_class = bodies.StrictJson


def create_app(
    settings: Settings,
    *,
    records: Records | None = None,
    store: ArtifactStore | None = None,
    sender: Sender | None = None,
    board: StatusBoard | None = None,
) -> Application:
    """Return the web application.

    Args:
        settings: everything that an operator can set.
        records: the database; opened by the settings where None, as are the next three.
        store: the artifact store.
        sender: sends messages to workers.
        board: progress of running jobs.
    """
    app = Application(
        "web",
        info=Info(title="Toile", version=version("toile"), description=_ABOUT),
        security_schemes=_SCHEMES,
        validation_error_model=Problem,
        validation_error_callback=errors.respond_invalid,
        doc_ui=False,
        static_folder=None,
    )
    runtime = open_runtime(settings, records=records, store=store, sender=sender, board=board)
    app.extensions[EXTENSION] = runtime
    errors.register(app)
    _add_hooks(app)
    for noun in _NOUNS:
        app.register_api(noun.api)
    app.register_blueprint(metrics.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(styles.blueprint)
    app.register_blueprint(reference.blueprint)
    app.register_blueprint(shop.blueprint)
    app.extensions[reference.DOCUMENT] = documents.describe(app)
    polls = Polls(app.wsgi_app, runtime)
    app.wsgi_app = Observed(polls, settings, runtime.requests)  # type: ignore[assignment]  # as Flask says
    return app


def _add_hooks(app: Flask) -> None:
    app.before_request(_begin)
    app.before_request(cors.preflight)
    app.before_request(bodies.limit)
    app.before_request(limiting.guard)
    app.before_request(room.require)
    app.after_request(_finish)
    app.after_request(limiting.tell)


def _begin() -> None:
    g.began = time.monotonic()


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = errors.request_id()
    cors.add_headers(response)
    for name, value in SECURE.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    rule = None if request.url_rule is None else request.url_rule.rule
    if rule is not None:
        request.environ[ROUTE] = f"{rule}?wait" if "wait" in request.args else rule
    taken = 1000 * (time.monotonic() - g.began)
    LOG.info(
        "%s %s %d %.0f ms",
        request.method,
        shown(rule, request.view_args or {}),
        response.status_code,
        taken,
        extra={"route": rule, "status": response.status_code, "ms": round(taken, 1)},
    )
    return response

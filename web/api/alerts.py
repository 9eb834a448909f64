"""Alerts: being told once when a value begins to rise or fall."""

from typing import Final

from flask import Response, request
from pydantic import Field

from shared.errors import InvalidInputError
from shared.records import Transaction, alerts, catalogs
from shared.schemas.alerts import Alert, AlertRequest, FiredAlert
from shared.schemas.base import Schema
from shared.schemas.keys import Scope
from shared.schemas.listing import Listing
from shared.schemas.problems import Fault
from web import answers, auth
from web.accept import Promise
from web.api.noun import ListQuery, noun, problems
from web.idempotency import Done, once
from web.runtime import runtime

api: Final = noun(
    "alerts", "Being told once when a value begins to rise or fall.", scope=Scope.TRAIN
)


class AlertPath(Schema):
    """An alert by id."""

    alert: str = Field(description="Alert id.")


class FiredQuery(ListQuery):
    """Which fired alerts to list."""

    alert: str | None = Field(None, description="Only what this alert fired.")


class AlertList(Listing[Alert]):
    """A page of alerts."""


class FiredAlertList(Listing[FiredAlert]):
    """A page of what fired."""


@api.post("/trend-alerts", responses={"201": Alert, **problems(400, 413, 415)})
def add_alert(body: AlertRequest, header: Promise) -> Response:
    """Ask to be told once when a value becomes significantly rising or falling.

    It fires with the first report in which that is so, and again only after it ended and began
    anew. What rises or falls already is in the newest report, and fires nothing.
    """
    if body.value is not None and body.attribute is None:
        message = "A `value` says little without its `attribute`; name both."
        fault = Fault(location=("attribute",), message="expected beside `value`")
        raise InvalidInputError(message, errors=[fault])

    def effect(tx: Transaction) -> Done:
        catalog_id = None
        if body.catalog is not None:
            catalog_id = catalogs.get(tx, auth.site_id(), body.catalog).id
        made = alerts.create(
            tx,
            auth.site_id(),
            catalog_id=catalog_id,
            attribute=body.attribute,
            value=body.value,
            segment=body.segment,
            kinds=body.kinds,
        )
        return Done(answers.created(made, made.url))

    return once(header, request.get_json(), effect)


@api.get("/trend-alerts", responses={"200": AlertList})
def list_alerts(query: ListQuery) -> Response:
    """List the site's alerts, newest first; stopped ones too."""
    with runtime().records.reading() as tx:
        page = alerts.page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.get("/trend-alerts/fired", responses={"200": FiredAlertList})
def list_fired(query: FiredQuery) -> Response:
    """List what fired, newest first, and whether it has ended since."""
    with runtime().records.reading() as tx:
        page = alerts.fired_page(
            tx, auth.site_id(), alert_id=query.alert, cursor=query.cursor, limit=query.limit
        )
    return answers.listing(page)


@api.get("/trend-alerts/<alert>", responses={"200": Alert})
def get_alert(path: AlertPath) -> Response:
    """Read an alert."""
    with runtime().records.reading() as tx:
        return answers.document(alerts.get(tx, auth.site_id(), path.alert))


@api.delete("/trend-alerts/<alert>", responses={"200": Alert})
def stop_alert(path: AlertPath) -> Response:
    """Let an alert fire no more; what it fired stays listed."""
    with runtime().records.transaction() as tx:
        return answers.document(alerts.stop(tx, auth.site_id(), path.alert))

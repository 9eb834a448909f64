"""Webhooks: addresses of the site that are told of events."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from flask import Response
from pydantic import Field

from shared.errors import ConflictError
from shared.records import Transaction, deliveries, webhooks
from shared.schemas.base import Schema
from shared.schemas.keys import Scope
from shared.schemas.listing import Listing
from shared.schemas.webhooks import (
    Delivery,
    DeliveryDetail,
    DeliveryState,
    DisabledReason,
    EventType,
    NewWebhook,
    Replayed,
    ReplayRequest,
    SecretRotation,
    Webhook,
    WebhookChange,
    WebhookRequest,
    WebhookTested,
)
from shared.webhooks.addresses import check, networks_of, system_resolve
from shared.webhooks.signing import new_salts, secret_of
from web import answers, auth
from web.accept import Promise
from web.api.noun import ListQuery, noun, problems
from web.idempotency import Done, once
from web.runtime import runtime

api: Final = noun(
    "webhooks", "Being told of events, signed, at an address of the site.", scope=Scope.ADMIN
)

_LOOK_UP_SECONDS: Final = 5.0
_HOUR: Final = 3600


class WebhookPath(Schema):
    """A webhook by id."""

    webhook: str = Field(description="Webhook id.")


class DeliveryPath(Schema):
    """A delivery by id."""

    delivery: str = Field(description="Delivery id.")


class DeliveryQuery(ListQuery):
    """Which deliveries to list."""

    state: DeliveryState | None = Field(None, description="Only those that stand so.")


class WebhookList(Listing[Webhook]):
    """A page of webhooks."""


class DeliveryList(Listing[Delivery]):
    """A page of deliveries."""


@api.post("/webhooks", responses={"201": NewWebhook, **problems(400, 409, 413, 415)})
def add_webhook(body: WebhookRequest, header: Promise) -> Response:
    """Add an address to be told of events.

    The answer holds the secret that signs them, which is shown only here and after a rotation: a
    repeated request with the same Idempotency-Key adds no second one, and is told which it added.
    """
    _check(body.address)
    salts = new_salts(runtime().settings)

    def effect(tx: Transaction) -> Done:
        made = webhooks.create(
            tx,
            auth.site_id(),
            address=body.address,
            events=body.events,
            description=body.description,
            salts=salts,
        )
        shown = NewWebhook(**made.model_dump(), secret=secret_of(runtime().settings, salts))
        return Done(answers.created(shown, made.url), kept={"webhook": made.id})

    return once(header, body.model_dump(mode="json"), effect, again=_not_again)


@api.get("/webhooks", responses={"200": WebhookList})
def list_webhooks(query: ListQuery) -> Response:
    """List the site's webhooks, newest first."""
    with runtime().records.reading() as tx:
        page = webhooks.page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.get("/webhooks/<webhook>", responses={"200": Webhook})
def get_webhook(path: WebhookPath) -> Response:
    """Read a webhook: what it wants, and whether it fails or was disabled."""
    with runtime().records.reading() as tx:
        return answers.document(webhooks.get(tx, auth.site_id(), path.webhook))


@api.patch("/webhooks/<webhook>", responses={"200": Webhook, **problems(400, 413, 415)})
def change_webhook(path: WebhookPath, body: WebhookChange) -> Response:
    """Change a webhook, rest it, or take it up again.

    One that is disabled is told of nothing, and what was on its way to it has failed; once it is
    enabled, that can be replayed.
    """
    with runtime().records.reading() as tx:
        webhooks.get(tx, auth.site_id(), path.webhook)
    if body.address is not None:
        _check(body.address)
    with runtime().records.transaction() as tx:
        changed = webhooks.change(
            tx,
            auth.site_id(),
            path.webhook,
            address=body.address,
            description=body.description,
            events=body.events,
            keep_events="events" not in body.model_fields_set,
        )
        if body.enabled is True:
            changed = webhooks.enable(tx, auth.site_id(), path.webhook)
        elif body.enabled is False:
            rested = webhooks.disable(tx, path.webhook, DisabledReason.CALLER)
            changed = rested or changed
    return answers.document(changed)


@api.delete("/webhooks/<webhook>", responses={"204": {"description": "It is gone."}})
def remove_webhook(path: WebhookPath) -> Response:
    """Remove a webhook with its log; nothing more is sent to it."""
    with runtime().records.transaction() as tx:
        webhooks.remove(tx, auth.site_id(), path.webhook)
    return Response(status=HTTPStatus.NO_CONTENT)


@api.post(
    "/webhooks/<webhook>/rotate", responses={"200": NewWebhook, **problems(400, 409, 413, 415)}
)
def rotate_secret(path: WebhookPath, body: SecretRotation, header: Promise) -> Response:
    """Make a new secret.

    For `overlap_hours` both sign, so that the receiver can change over without a gap.
    """
    salts = new_salts(runtime().settings)

    def effect(tx: Transaction) -> Done:
        changed = webhooks.rotate(
            tx,
            auth.site_id(),
            path.webhook,
            salts=salts,
            overlap_seconds=body.overlap_hours * _HOUR,
        )
        shown = NewWebhook(**changed.model_dump(), secret=secret_of(runtime().settings, salts))
        return Done(answers.document(shown), kept={"webhook": changed.id})

    return once(header, body.model_dump(mode="json"), effect, again=_not_again)


@api.post("/webhooks/<webhook>/test", responses={"202": DeliveryDetail, **problems(409)})
def test_webhook(path: WebhookPath, header: Promise) -> Response:
    """Send a `webhook.test` event to this webhook alone; its delivery tells how that went."""

    def effect(tx: Transaction) -> Done:
        webhook = webhooks.get(tx, auth.site_id(), path.webhook)
        deliveries.refuse_disabled(webhook)
        told = WebhookTested(
            id=webhook.id, message="It works if you can read and verify this.", url=webhook.url
        )
        sent = webhooks.tell_one(tx, webhook, auth.site_id(), EventType.WEBHOOK_TEST, told)
        delivery = deliveries.get(tx, auth.site_id(), sent)
        return Done(answers.document(delivery, HTTPStatus.ACCEPTED))

    return once(header, {}, effect)


@api.get("/webhooks/<webhook>/deliveries", responses={"200": DeliveryList})
def list_deliveries(path: WebhookPath, query: DeliveryQuery) -> Response:
    """List what was sent to a webhook, newest first, with how it went; kept for 30 days."""
    with runtime().records.reading() as tx:
        webhook = webhooks.get(tx, auth.site_id(), path.webhook)
        page = deliveries.page(
            tx, webhook, state=query.state, cursor=query.cursor, limit=query.limit
        )
    return answers.listing(page)


@api.post("/webhooks/<webhook>/replay", responses={"202": Replayed, **problems(400, 409, 413, 415)})
def replay_deliveries(path: WebhookPath, body: ReplayRequest, header: Promise) -> Response:
    """Send again what did not get through since a time, such as after an outage."""

    def effect(tx: Transaction) -> Done:
        count = deliveries.replay_since(
            tx, auth.site_id(), path.webhook, since=body.since, states=body.states
        )
        return Done(answers.document(Replayed(deliveries=count), HTTPStatus.ACCEPTED))

    return once(header, body.model_dump(mode="json"), effect)


@api.get("/webhooks/deliveries/<delivery>", responses={"200": DeliveryDetail})
def get_delivery(path: DeliveryPath) -> Response:
    """Read a delivery: what is sent, and each try with its answer."""
    with runtime().records.reading() as tx:
        return answers.document(deliveries.get(tx, auth.site_id(), path.delivery))


@api.post("/webhooks/deliveries/<delivery>/replay", responses={"202": Delivery, **problems(409)})
def replay_delivery(path: DeliveryPath, header: Promise) -> Response:
    """Send an event again under its own id, whatever became of it; it is tried anew for a day."""

    def effect(tx: Transaction) -> Done:
        again = deliveries.replay(tx, auth.site_id(), path.delivery)
        return Done(answers.document(again, HTTPStatus.ACCEPTED))

    return once(header, {}, effect)


def _not_again(kept: Mapping[str, Any]) -> Response:
    raise ConflictError(
        f"This request was done before, for the webhook {kept['webhook']}. Its secret was in the "
        "first answer and is shown nowhere else. If that answer was lost, rotate the secret with a "
        "new Idempotency-Key.",
        webhook=kept["webhook"],
    )


def _check(address: str) -> None:
    networks = networks_of(runtime().settings.webhook_networks)
    check(address, networks, resolve=system_resolve, seconds=_LOOK_UP_SECONDS)

"""The verbs of webhooks as methods."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

from shared.client.http import Http, Request
from shared.schemas.base import Schema
from shared.schemas.listing import Listing
from shared.schemas.webhooks import (
    Delivery,
    DeliveryDetail,
    DeliveryState,
    NewWebhook,
    Replayed,
    Webhook,
    WebhookRequest,
)

Answer = TypeVar("Answer", bound=Schema)

_PAGE: Final = 200


class Webhooks:
    """A site's webhooks; `Client.webhooks` makes one."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def add(self, request: WebhookRequest) -> NewWebhook:
        """Add a webhook; the answer holds its secret, which is not shown again."""
        return self._ask("POST", "/v1/webhooks", NewWebhook, _body(request))

    def every(self) -> list[Webhook]:
        """Return all webhooks, newest first."""
        return list(self._list("/v1/webhooks", Webhook))

    def get(self, webhook_id: str) -> Webhook:
        """Return a webhook."""
        return self._ask("GET", _place(webhook_id), Webhook)

    def change(self, webhook_id: str, **changes: Any) -> Webhook:
        """Change the address, events, description or whether it is enabled."""
        return self._ask("PATCH", _place(webhook_id), Webhook, changes)

    def remove(self, webhook_id: str) -> None:
        """Remove a webhook with its log."""
        self._http.send(Request("DELETE", _place(webhook_id)))

    def rotate(self, webhook_id: str, *, overlap_hours: float = 24) -> NewWebhook:
        """Make a new secret; for a while the old one signs too."""
        body = {"overlap_hours": overlap_hours}
        return self._ask("POST", f"{_place(webhook_id)}/rotate", NewWebhook, body)

    def test(self, webhook_id: str) -> DeliveryDetail:
        """Send a test event."""
        return self._ask("POST", f"{_place(webhook_id)}/test", DeliveryDetail)

    def deliveries(
        self, webhook_id: str, *, state: DeliveryState | None = None, most: int | None = None
    ) -> list[Delivery]:
        """Return what was sent to a webhook, newest first."""
        query = {"state": None if state is None else state.value}
        found: list[Delivery] = []
        for one in self._list(f"{_place(webhook_id)}/deliveries", Delivery, query):
            if most is not None and len(found) >= most:
                break
            found.append(one)
        return found

    def delivery(self, delivery_id: str) -> DeliveryDetail:
        """Return a delivery with all tries."""
        return self._ask("GET", f"/v1/webhooks/deliveries/{_part(delivery_id)}", DeliveryDetail)

    def replay(self, delivery_id: str) -> Delivery:
        """Send an event again, under its own id."""
        place = f"/v1/webhooks/deliveries/{_part(delivery_id)}/replay"
        return self._ask("POST", place, Delivery)

    def replay_since(self, webhook_id: str, since: datetime) -> int:
        """Send again what failed since a time; returns how many."""
        body = {"since": since.isoformat()}
        return self._ask("POST", f"{_place(webhook_id)}/replay", Replayed, body).deliveries

    def _list(
        self, path: str, schema: type[Answer], query: Mapping[str, Any] | None = None
    ) -> Iterator[Answer]:
        cursor: str | None = None
        while True:
            asked = {**(query or {}), "limit": _PAGE, "cursor": cursor}
            answer = self._http.send(Request("GET", path, query=asked))
            found = Listing[Any].model_validate_json(answer.content)
            for item in found.items:
                yield schema.model_validate(item, extra="ignore")
            cursor = found.next_cursor
            if cursor is None:
                return

    def _ask(
        self, method: str, path: str, schema: type[Answer], body: Mapping[str, Any] | None = None
    ) -> Answer:
        answer = self._http.send(Request(method, path, json=body))
        # A newer server may say more than this client knows.
        return schema.model_validate_json(answer.content, extra="ignore")


def _body(schema: Schema) -> dict[str, Any]:
    return schema.model_dump(mode="json", exclude_none=True)


def _place(webhook_id: str) -> str:
    return f"/v1/webhooks/{_part(webhook_id)}"


def _part(reference: str) -> str:
    return quote(reference, safe="")

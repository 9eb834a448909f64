"""Webhooks over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import text

from shared.artifacts import ArtifactStore
from shared.jobs import lifecycle
from shared.queue.presence import Presence
from shared.records import Records, deliveries
from shared.records.deliveries import Tried
from shared.records.tables import WebhookRow
from shared.schemas.webhooks import DeliveryAttempt, DeliveryState, DisabledReason, EventType
from shared.settings import Settings
from shared.webhooks.schedule import at_once
from tests.fixtures.shop import OFFER, Shop, design_spec, running
from web.app import Application, create_app
from web.outgoing import DATA, EVENTS, example
from web.runtime import EXTENSION

ADDRESS = "http://127.0.0.1:9999/hooks"


@pytest.fixture
def app(
    settings: Settings, records: Records, store: ArtifactStore, redis: Redis
) -> Iterator[Application]:
    """The front of a server whose operator allows webhooks to this machine."""
    Presence(redis, seconds=600).announce("generate@test", OFFER)
    changes = {"webhook_networks": ("127.0.0.0/8",)}
    made = create_app(settings.model_copy(update=changes), records=records, store=store)
    yield made
    made.extensions[EXTENSION].close()


def add(client: FlaskClient, **asked: Any) -> dict[str, Any]:
    answer = client.post("/v1/webhooks", json={"address": ADDRESS, **asked})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"] == made["url"]
    return made


def settle(records: Records, *, status: int, disable: DisabledReason | None = None) -> None:
    """Let all that is due be tried, with one answer."""
    from datetime import timedelta

    lease = timedelta(seconds=30)
    with records.transaction() as tx:
        taken = deliveries.claim(tx, room=16, lease=lease, at_once=at_once)
        for one in taken:
            attempt = DeliveryAttempt(
                number=one.attempts, at=tx.now, seconds=0.2, status=status, error=None,
                answer="<b>no</b>",
            )  # fmt: skip
            state = DeliveryState.DELIVERED if status < 300 else DeliveryState.FAILED
            deliveries.settle(tx, one, Tried(attempt=attempt, state=state, disable=disable))


def test_a_webhook_is_added_listed_changed_and_removed(client: FlaskClient) -> None:
    made = add(client, events=["job.succeeded", "job.failed"], description="the shop")
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert client.get(made["url"]).get_json() == made
    assert client.get("/v1/webhooks").get_json()["items"] == [made]
    assert (made["disabled"], made["failing_since"], made["failures"]) == (None, None, 0)
    changed = client.patch(made["url"], json={"description": "other"}).get_json()
    assert (changed["description"], changed["events"]) == ("other", made["events"])
    changed = client.patch(made["url"], json={"events": None, "address": ADDRESS + "2"}).get_json()
    assert (changed["events"], changed["address"]) == (None, ADDRESS + "2")
    answer = client.delete(made["url"])
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(made["url"]).status_code == 404


def test_the_secret_stands_nowhere_but_in_the_first_answer(
    client: FlaskClient, records: Records
) -> None:
    made = add(client)
    raw = made["secret"].removeprefix("whsec_")
    for place in (made["url"], "/v1/webhooks", f"{made['url']}/deliveries"):
        assert raw not in client.get(place).text
    with records.reading() as tx:
        row = tx.session.get_one(WebhookRow, made["id"])
        kept = tx.session.execute(text("SELECT * FROM webhooks")).all()
    assert raw not in str(kept)
    assert row.salt not in str(made)


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1/", "https://169.254.169.254/latest/meta-data", "https://localhost./",
        "https://2130706433/", "ftp://shop.example/", "https://u:p@shop.example/", "",
        "https://nothing.invalid/", "https://shop.example/\r\nX: 1", "http://[::1]/",
    ],
)  # fmt: skip
def test_an_address_that_webhooks_may_not_go_to_is_refused(
    client: FlaskClient, address: str
) -> None:
    answer = client.post("/v1/webhooks", json={"address": address})
    if address == "https://localhost./":  # the operator of this server allows it
        assert answer.status_code == 201
        return
    assert answer.status_code == 422
    assert answer.get_json()["reason"] == "invalid_input"
    assert client.get("/v1/webhooks").get_json()["items"] == []


def test_nor_can_it_be_changed_to_one(client: FlaskClient) -> None:
    made = add(client)
    for address in ("https://169.254.169.254/", "http://192.168.1.1/"):
        assert client.patch(made["url"], json={"address": address}).status_code == 422
    assert client.get(made["url"]).get_json()["address"] == ADDRESS


@pytest.mark.parametrize(
    "asked",
    [
        {"events": []}, {"events": ["job.exploded"]}, {"description": "x" * 201}, {"secret": "own"},
        {"address": "https://shop.example/" + "x" * 2048}, {"address": None}, {"events": "all"},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(client: FlaskClient, asked: dict[str, Any]) -> None:
    answer = client.post("/v1/webhooks", json={"address": ADDRESS, **asked})
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


def test_a_rotation_gives_a_new_secret_and_says_how_long_the_old_one_signs(
    client: FlaskClient,
) -> None:
    made = add(client)
    rotated = client.post(f"{made['url']}/rotate", json={"overlap_hours": 2}).get_json()
    assert rotated["secret"] != made["secret"]
    left = datetime.fromisoformat(rotated["old_secret_until"]) - datetime.fromisoformat(
        rotated["secret_made_at"]
    )
    assert left.total_seconds() == 7200
    at_once_ = client.post(f"{made['url']}/rotate", json={"overlap_hours": 0}).get_json()
    assert at_once_["old_secret_until"] is None
    assert client.post(f"{made['url']}/rotate", json={"overlap_hours": 200}).status_code == 422


def test_a_test_is_sent_to_one_webhook_alone_whatever_it_wants(
    client: FlaskClient, redis: Redis
) -> None:
    made, other = add(client, events=["job.failed"]), add(client)
    answer = client.post(f"{made['url']}/test")
    assert answer.status_code == 202
    sent = answer.get_json()
    assert (sent["type"], sent["state"], sent["payload"]["data"]["id"]) == (
        "webhook.test",
        "pending",
        made["id"],
    )
    assert redis.llen("chores") == 1  # a worker was told at once
    assert client.get(sent["url"]).get_json() == sent
    assert client.get(f"{other['url']}/deliveries").get_json()["items"] == []


def test_the_log_tells_each_try_and_what_failed_can_be_sent_again(
    client: FlaskClient, records: Records
) -> None:
    made = add(client)
    first = client.post(f"{made['url']}/test").get_json()
    settle(records, status=500)
    second = client.post(f"{made['url']}/test").get_json()
    settle(records, status=200)
    place = f"{made['url']}/deliveries"
    found = client.get(place).get_json()["items"]
    assert [one["id"] for one in found] == [second["id"], first["id"]]
    (failed,) = client.get(f"{place}?state=failed").get_json()["items"]
    assert failed["id"] == first["id"]
    assert failed["last_attempt"]["status"] == 500
    assert failed["last_attempt"]["answer"] == "<b>no</b>"
    page = client.get(f"{place}?limit=1").get_json()
    rest = client.get(f"{place}?limit=1&cursor={page['next_cursor']}").get_json()
    assert [one["id"] for one in page["items"] + rest["items"]] == [second["id"], first["id"]]
    answer = client.post(f"{first['url']}/replay")
    assert answer.status_code == 202
    assert answer.get_json()["state"] == "pending"
    assert answer.get_json()["event_id"] == first["event_id"]
    since = {"since": first["created_at"], "states": ["failed", "delivered"]}
    answer = client.post(f"{made['url']}/replay", json=since)
    assert (answer.status_code, answer.get_json()) == (202, {"deliveries": 1})
    naive = {"since": "2026-01-01T00:00:00"}
    assert client.post(f"{made['url']}/replay", json=naive).status_code == 422


def test_one_that_was_disabled_says_why_and_is_taken_up_again(
    client: FlaskClient, records: Records
) -> None:
    made = add(client)
    sent = client.post(f"{made['url']}/test").get_json()
    settle(records, status=410, disable=DisabledReason.GONE)
    found = client.get(made["url"]).get_json()
    assert found["disabled"]["reason"] == "gone"
    assert "410" in found["disabled"]["message"]
    for place in (f"{made['url']}/test", f"{sent['url']}/replay"):
        answer = client.post(place)
        assert (answer.status_code, answer.get_json()["reason"]) == (409, "conflict")
    assert client.patch(made["url"], json={"enabled": True}).get_json()["disabled"] is None
    assert client.post(f"{sent['url']}/replay").status_code == 202
    rested = client.patch(made["url"], json={"enabled": False}).get_json()
    assert rested["disabled"]["reason"] == "caller"


def test_the_console_says_what_is_wrong_with_webhooks(
    app: Application, client: FlaskClient, records: Records, settings: Settings, shop: Shop
) -> None:
    from shared.console import session_token
    from web.auth import COOKIE

    made = add(client)
    browser = app.test_client()
    browser.set_cookie(COOKIE, session_token(settings, shop.key_id))
    assert ADDRESS not in browser.get("/").text
    client.post(f"{made['url']}/test")
    settle(records, status=410, disable=DisabledReason.GONE)
    shown = browser.get("/").text
    assert ADDRESS in shown
    assert "It answered 410 Gone" in shown


def test_a_cancel_over_http_is_told(client: FlaskClient, records: Records, shop: Shop) -> None:
    made = add(client, events=["job.cancelled"])
    job = client.post("/v1/trend-reports", json={}).get_json()
    assert client.post(f"{job['url']}/cancel").status_code == 200
    (one,) = client.get(f"{made['url']}/deliveries").get_json()["items"]
    assert (one["type"], one["subject"]) == ("job.cancelled", job["id"])
    with records.transaction() as tx:
        held = running(tx, shop, design_spec(shop))
        lifecycle.finish_all(tx, [(held, {})])
    assert len(client.get(f"{made['url']}/deliveries").get_json()["items"]) == 1


def test_webhooks_of_two_sites_know_nothing_of_each_other(
    client: FlaskClient, rival: FlaskClient
) -> None:
    made, theirs = add(client), add(rival)
    assert made["secret"] != theirs["secret"]
    rival.post("/v1/trend-reports", json={})
    sent = client.post(f"{made['url']}/test").get_json()
    for place in (made["url"], f"{made['url']}/deliveries", sent["url"]):
        assert rival.get(place).status_code == 404
    assert rival.patch(made["url"], json={"enabled": False}).status_code == 404
    assert rival.post(f"{sent['url']}/replay").status_code == 404
    assert rival.delete(made["url"]).status_code == 404
    assert rival.get("/v1/webhooks").get_json()["items"][0]["id"] == theirs["id"]


def test_the_document_describes_each_event_with_an_example_that_fits(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    told = document["webhooks"]
    assert set(told) == {one.value for one in EventType} == {one.value for one in DATA}
    schemas = {one.__name__: one for one in EVENTS}
    for name, operations in told.items():
        content = operations["post"]["requestBody"]["content"]["application/json"]
        schema = schemas[content["schema"]["$ref"].rsplit("/", 1)[-1]]
        assert content["example"] == example(EventType(name))
        schema.model_validate(content["example"])
        headers = {one["name"] for one in operations["post"]["parameters"]}
        assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}


def test_times_are_told_with_their_zone(client: FlaskClient) -> None:
    made = add(client)
    assert datetime.fromisoformat(made["created_at"]).tzinfo == UTC

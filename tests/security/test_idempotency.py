"""One effect and one answer for a request, however often and by however many it is sent."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from shared.jobs import lifecycle
from shared.jobs.submit import enqueue
from shared.records import Records, catalogs, jobs, promises
from shared.schemas.jobs import JobState
from shared.settings import Settings
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop, design_spec
from web.app import Application, create_app
from web.runtime import EXTENSION

KEY = {"Idempotency-Key": "order-7"}
REPLAYED = "Idempotency-Replayed"
PURE = {"/v1/links", "/v1/provenance"}
"""POSTs without any effect: sent again, they only look again."""


def bodies(shop: Shop) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What to send to routes that make something, and what is not the same."""
    like = {"kind": "like", "item": shop.garment_ids[0]}
    return {
        "/v1/catalogs": ({"name": "a"}, {"name": "b"}),
        "/v1/feeds": ({"name": "a"}, {"name": "b"}),
        "/v1/trend-alerts": ({}, {"catalog": "summer"}),
        "/v1/shoppers/c-7/preferences": (like, {**like, "kind": "dislike"}),
        "/v1/shoppers/c-7/sessions": ({}, {"expires_in": 90}),
        "/v1/design-jobs": ({"model": "default"}, {"model": "default", "count": 2}),
        "/v1/design-jobs/batch": (
            {"requests": [{"model": "default"}] * 3},
            {"requests": [{"model": "default"}] * 2},
        ),
        "/v1/training-jobs": ({"catalog": "summer"}, {"catalog": "summer", "seed": 1}),
        "/v1/trend-reports": ({}, {"catalog": "summer"}),
        f"/v1/designs/{shop.design_ids[0]}/variations": ({}, {"count": 2}),
    }


def rows(records: Records) -> dict[str, int]:
    tables = ("catalogs", "feeds", "trend_alerts", "preferences", "shoppers", "jobs", "api_keys")
    with records.engine.connect() as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608
            for name in tables
        }


def test_every_post_takes_a_key(nobody: FlaskClient) -> None:
    paths = nobody.get("/openapi.json").get_json()["paths"]
    without = {
        path
        for path, methods in paths.items()
        if "post" in methods
        and "Idempotency-Key" not in [one["name"] for one in methods["post"].get("parameters", ())]
    }
    assert without == PURE


def test_the_first_answer_is_given_again_and_another_body_or_path_is_refused(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    for place, (path, (body, other)) in enumerate(bodies(shop).items()):
        headers = {"Idempotency-Key": f"k{place}"}
        first = client.post(path, json=body, headers=headers)
        assert first.status_code in {201, 202}, (path, first.get_json())
        assert REPLAYED not in first.headers
        before = rows(records)
        again = client.post(path, json=body, headers=headers)
        assert again.status_code == first.status_code, path
        assert again.get_data() == first.get_data(), path
        assert again.headers.get("Location") == first.headers.get("Location")
        assert again.content_type == first.content_type
        assert again.headers[REPLAYED] == "true"
        assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
        for elsewhere, said in ((path, other), ("/v1/trend-reports", {"only_if_changed": False})):
            mismatch = client.post(elsewhere, json=said, headers=headers)
            assert mismatch.status_code == 422, (path, mismatch.get_json())
            assert mismatch.get_json()["reason"] == "idempotency_mismatch"
        assert rows(records) == before, path


def test_an_answer_is_the_first_one_after_the_job_went_on(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    first = client.post("/v1/design-jobs", json={"model": "default"}, headers=KEY)
    with records.transaction() as tx:
        lifecycle.request_cancel(tx, first.get_json()["id"], site_id=shop.site_id)
    again = client.post("/v1/design-jobs", json={"model": "default"}, headers=KEY)
    assert again.get_data() == first.get_data()
    assert client.get(first.get_json()["url"]).get_json()["state"] == "cancelled"


def test_a_cancel_is_answered_as_it_was(client: FlaskClient, records: Records, shop: Shop) -> None:
    with records.transaction() as tx:
        queued = enqueue(tx, shop.site_id, design_spec(shop))
    path = f"/v1/jobs/{queued.id}/cancel"
    first, again = (client.post(path, headers=KEY) for _ in range(2))
    assert (first.status_code, again.get_data()) == (200, first.get_data())
    assert again.headers[REPLAYED] == "true"


@pytest.mark.parametrize(
    ("path", "body", "table"),
    [
        ("/v1/catalogs", {"name": "at once"}, "catalogs"),
        ("/v1/shoppers/c-7/preferences", None, "preferences"),
        ("/v1/design-jobs", {"model": "default"}, "jobs"),
        ("/v1/keys", {"name": "at once"}, "api_keys"),
    ],
)
def test_many_at_once_have_one_effect(
    app: Application,
    records: Records,
    shop: Shop,
    path: str,
    body: dict[str, Any] | None,
    table: str,
) -> None:
    before, count = rows(records)[table], 6
    together = threading.Barrier(count)
    like = {"kind": "like", "item": shop.garment_ids[0]}
    said = like if body is None else body

    def send(_number: int) -> Any:
        caller = client_of(app, shop.secret)
        together.wait(30)
        return caller.post(path, json=said, headers=KEY)

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(send, range(count)))
    assert rows(records)[table] == before + 1
    good = {one.get_data() for one in answers if one.status_code in {201, 202}}
    assert len(good) == 1
    # A key's secret is in the first answer alone; all else is answered alike.
    refused = [one.status_code for one in answers if one.status_code not in {201, 202}]
    assert refused == ([409] * (count - 1) if table == "api_keys" else [])


def test_answers_outlive_the_process(
    records: Records, settings: Settings, shop: Shop, client: FlaskClient
) -> None:
    first = client.post("/v1/catalogs", json={"name": "kept"}, headers=KEY)
    records.close()
    again_app = create_app(settings)
    try:
        again = client_of(again_app, shop.secret).post(
            "/v1/catalogs", json={"name": "kept"}, headers=KEY
        )
    finally:
        again_app.extensions[EXTENSION].close()
    assert (again.status_code, again.get_data()) == (201, first.get_data())
    assert again.headers[REPLAYED] == "true"


@pytest.mark.parametrize("place", ["effect", "answer"])
def test_who_dies_between_effect_and_answer_leaves_neither(
    client: FlaskClient, records: Records, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise RuntimeError(place)

    before = rows(records)
    with monkeypatch.context() as broken:
        broken.setattr(*((promises, "answer") if place == "answer" else (catalogs, "create")), die)
        lost = client.post("/v1/catalogs", json={"name": "a"}, headers=KEY)
    assert lost.status_code == 500
    assert rows(records) == before
    again = client.post("/v1/catalogs", json={"name": "a"}, headers=KEY)
    assert again.status_code == 201
    assert REPLAYED not in again.headers


def test_a_refusal_is_not_kept_for_nothing_was_done(client: FlaskClient) -> None:
    assert client.post("/v1/catalogs", json={"name": "summer"}, headers=KEY).status_code == 409
    assert client.post("/v1/catalogs", json={"name": ""}, headers=KEY).status_code == 422
    assert client.post("/v1/catalogs", json={"name": "new"}, headers=KEY).status_code == 201


def _age(records: Records, by: timedelta) -> None:
    with records.transaction() as tx:
        found = promises._KEYS
        tx.session.execute(found.update().values(created_at=tx.now - by))


@pytest.mark.parametrize(
    ("age", "same"), [(timedelta(hours=23), True), (timedelta(hours=24, seconds=1), False)]
)
def test_a_key_stands_for_its_request_for_a_day(
    client: FlaskClient, records: Records, age: timedelta, *, same: bool
) -> None:
    for path, body in (("/v1/design-jobs", {"model": "default"}), ("/v1/trend-alerts", {})):
        headers = {"Idempotency-Key": path}
        first = client.post(path, json=body, headers=headers).get_json()["id"]
        _age(records, age)
        again = client.post(path, json=body, headers=headers)
        assert (again.get_json()["id"] == first) is same
        assert (REPLAYED in again.headers) is same


def test_a_shoppers_answers_go_when_they_do(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    like = {"kind": "like", "item": shop.garment_ids[0]}
    client.post("/v1/shoppers/c-7/preferences", json=like, headers=KEY)
    client.post("/v1/shoppers/c-7/sessions", json={}, headers={"Idempotency-Key": "s"})
    receipt = client.delete("/v1/shoppers/c-7").get_json()
    assert receipt["removed"]["idempotency_keys"] == 2
    with records.reading() as tx:
        assert promises.find(tx, shop.site_id, ["order-7", "s"]) == {}


def test_a_joined_job_is_told_as_it_is(client: FlaskClient, records: Records) -> None:
    body = {"model": "default", "seed": 5}
    first = client.post("/v1/design-jobs", json=body).get_json()["id"]
    joined = client.post("/v1/design-jobs", json=body, headers=KEY)
    assert joined.get_json()["id"] == first
    with records.transaction() as tx:
        jobs.change(tx, first, states=[JobState.QUEUED], values={"state": JobState.RUNNING})
    again = client.post("/v1/design-jobs", json=body, headers=KEY).get_json()
    assert (again["id"], again["state"]) == (first, "running")

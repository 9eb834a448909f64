"""Asking for trainings, designs and reports."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from shared.artifacts import ArtifactStore
from shared.queue.names import Queue
from shared.records import Records
from shared.schemas.models import MINIMUM_GARMENTS
from tests.fixtures.front import client_of
from tests.fixtures.shop import Shop, add_catalog, add_release, fill_shop
from web.app import Application


def refused(answer: Any, *location: str | int) -> dict[str, Any]:
    assert answer.status_code == 422, answer.text
    problem: dict[str, Any] = answer.get_json()
    assert [one["location"] for one in problem["errors"]] == [list(location)]
    return problem


def test_a_training_needs_no_more_than_a_catalog(client: FlaskClient, shop: Shop) -> None:
    answer = client.post("/v1/training-jobs", json={"catalog": "summer"})
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{answer.get_json()['id']}"
    spec = answer.get_json()["spec"]
    assert spec["catalog_id"] == shop.catalog_id
    assert (spec["catalog_version"], spec["size"], spec["model"]) == (1, 32, "default")
    assert (spec["attributes"], spec["colours"]) == (["category"], True)
    assert (spec["preset"], spec["width"], spec["balance"]) == ("auto", "auto", None)
    assert (spec["early_stop"], spec["heldout"], spec["from_release"]) == (None, 0.1, None)


def test_a_job_that_was_taken_is_sent(client: FlaskClient, redis: Redis) -> None:
    job = client.post("/v1/training-jobs", json={"catalog": "summer"}).get_json()
    assert job["id"] in str(redis.lrange(Queue.TRAIN.value, 0, -1))
    client.post("/v1/design-jobs", json={"model": "default"})
    client.post("/v1/design-jobs", json={"model": "default"})
    assert redis.llen(Queue.GENERATE.value) == 1


@pytest.mark.parametrize(
    ("size", "status"), [(16, 202), (32, 202), (30, 202), (33, 422), (12, 422)]
)
def test_a_training_is_not_larger_than_its_catalogs_pictures(
    client: FlaskClient, size: int, status: int
) -> None:
    answer = client.post("/v1/training-jobs", json={"catalog": "summer", "size": size})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("preset", "stylegan"), ("width", "xl"), ("balance", 1.5), ("balance", -0.1),
        ("early_stop", 1), ("heldout", 0.5), ("heldout", 0.01), ("size", 257),
    ],
)  # fmt: skip
def test_a_setting_of_the_engine_out_of_its_range_is_refused_where_it_stands(
    client: FlaskClient, field: str, value: Any
) -> None:
    refused(client.post("/v1/training-jobs", json={"catalog": "summer", field: value}), field)


def test_the_settings_of_the_engine_are_kept_in_the_spec(client: FlaskClient) -> None:
    asked = {
        "preset": "vae", "width": "l", "balance": 0.5, "early_stop": 6, "heldout": 0.2, "size": 29,
    }  # fmt: skip
    answer = client.post("/v1/training-jobs", json={"catalog": "summer", **asked})
    assert answer.status_code == 202, answer.text
    assert asked.items() <= answer.get_json()["spec"].items()


def test_a_training_goes_on_from_a_release_with_its_size_and_labels(
    client: FlaskClient, shop: Shop
) -> None:
    body = {"catalog": "summer", "from_release": shop.release_id}
    spec = client.post("/v1/training-jobs", json=body).get_json()["spec"]
    assert (spec["from_release"], spec["size"]) == (shop.release_id, 32)
    assert (spec["attributes"], spec["colours"]) == (["category", "colour"], False)
    refused(client.post("/v1/training-jobs", json={**body, "size": 16}), "size")


@pytest.mark.parametrize("named", ["rel_never", "default"])
def test_a_release_that_is_not_there_is_no_start(client: FlaskClient, named: str) -> None:
    body = {"catalog": "summer", "from_release": named}
    assert client.post("/v1/training-jobs", json=body).status_code == 404


def test_an_unknown_label_to_train_on_is_told_the_known_ones(client: FlaskClient) -> None:
    body = {"catalog": "summer", "attributes": ["colour", "CATEGORY"]}
    problem = refused(client.post("/v1/training-jobs", json=body), "attributes", 1)
    assert problem["details"] == {"allowed": ["category", "colour"], "close": ["category"]}
    assert "'category'" in problem["detail"]


def test_a_version_that_is_not_there_is_refused(client: FlaskClient) -> None:
    for version in (2, 10**20):
        body = {"catalog": "summer", "catalog_version": version}
        refused(client.post("/v1/training-jobs", json=body), "catalog_version")


def test_an_empty_catalog_is_too_small_to_train_on(client: FlaskClient) -> None:
    client.post("/v1/catalogs", json={"name": "empty"})
    answer = client.post("/v1/training-jobs", json={"catalog": "empty"})
    assert (answer.status_code, answer.get_json()["reason"]) == (422, "catalog_too_small")
    assert f"at least {MINIMUM_GARMENTS}" in answer.get_json()["detail"]


def test_a_catalog_too_small_to_train_on_is_told_the_least_number(
    app: Application, records: Records, store: ArtifactStore
) -> None:
    shop = fill_shop(records, store, "small", garments=MINIMUM_GARMENTS - 1)
    answer = client_of(app, shop.secret).post("/v1/training-jobs", json={"catalog": "summer"})
    assert (answer.status_code, answer.get_json()["reason"]) == (422, "catalog_too_small")
    assert answer.get_json()["details"] == {
        "garments": MINIMUM_GARMENTS - 1,
        "least": MINIMUM_GARMENTS,
    }


def test_a_label_with_too_few_garments_is_not_trained_on(
    client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop
) -> None:
    with records.transaction() as tx:
        add_catalog(tx, store, shop, name="thin", garments=32)
    answer = client.post("/v1/training-jobs", json={"catalog": "thin", "attributes": []})
    assert (answer.status_code, answer.get_json()["spec"]["attributes"]) == (202, [])


def test_designs_are_asked_for_by_release_or_by_model(client: FlaskClient, shop: Shop) -> None:
    for named in ({"release": shop.release_id}, {"model": "default"}, {"model": shop.model_id}):
        answer = client.post("/v1/design-jobs", json=named)
        assert answer.status_code == 202
        spec = answer.get_json()["spec"]
        assert (spec["release_id"], spec["size"], spec["count"]) == (shop.release_id, 32, 1)


@pytest.mark.parametrize("named", [{}, {"model": "default", "release": "rel_x"}])
def test_either_a_release_or_a_model_is_named(client: FlaskClient, named: dict[str, str]) -> None:
    refused(client.post("/v1/design-jobs", json=named), "release")


@pytest.mark.parametrize("named", [{"model": "never"}, {"release": "rel_never"}])
def test_what_was_never_trained_designs_nothing(client: FlaskClient, named: dict[str, str]) -> None:
    assert client.post("/v1/design-jobs", json=named).status_code == 404


def test_a_seed_is_drawn_when_none_is_given(client: FlaskClient) -> None:
    answers = [client.post("/v1/design-jobs", json={"model": "default"}) for _ in range(3)]
    assert len({answer.get_json()["spec"]["seed"] for answer in answers}) == 3
    given = client.post("/v1/design-jobs", json={"model": "default", "seed": 0})
    assert given.get_json()["spec"]["seed"] == 0


def test_an_unknown_attribute_is_told_the_known_ones(client: FlaskClient) -> None:
    body = {"model": "default", "condition": {"color": "red"}}
    problem = refused(client.post("/v1/design-jobs", json=body), "condition", "color")
    assert problem["details"]["close"] == ["colour"]
    assert "Did you mean 'colour'?" in problem["detail"]


def test_an_unknown_value_is_told_the_known_ones(client: FlaskClient) -> None:
    body = {"model": "default", "condition": {"category": "Dres"}}
    problem = refused(client.post("/v1/design-jobs", json=body), "condition", "category")
    assert problem["details"]["allowed"] == ["coat", "dress", "shirt", "trousers"]
    assert problem["details"]["close"] == ["dress"]


@pytest.mark.parametrize(
    ("code", "family"), [("#1c2748", "navy"), ("#E02020", "red"), ("#3060d0", "navy")]
)
def test_a_colour_code_becomes_the_nearest_colour_that_the_release_knows(
    client: FlaskClient, code: str, family: str
) -> None:
    answer = client.post(
        "/v1/design-jobs", json={"model": "default", "condition": {"colour": code}}
    )
    assert answer.get_json()["spec"]["condition"] == {"colour": family}


@pytest.mark.parametrize("value", ["#1c2748", "#E02020", "navy", "olive"])
def test_a_release_with_colours_takes_any_colour_as_it_was_given(
    client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop, value: str
) -> None:
    with records.transaction() as tx:
        add_release(tx, store, shop, model="colourful", colours=True)
    condition = {"category": "dress", "colour": value, "second_colour": "white"}
    answer = client.post("/v1/design-jobs", json={"model": "colourful", "condition": condition})
    assert answer.get_json()["spec"]["condition"] == condition
    assert client.get(f"/v1/releases/{shop.release_id}").get_json()["colours"] is True


@pytest.mark.parametrize("value", ["#12", "#gggggg", "nvy", "rgb(1,2,3)"])
def test_what_is_no_colour_is_refused_with_the_families(
    client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop, value: str
) -> None:
    with records.transaction() as tx:
        add_release(tx, store, shop, model="colourful", colours=True)
    body = {"model": "colourful", "condition": {"second_colour": value}}
    problem = refused(client.post("/v1/design-jobs", json=body), "condition", "second_colour")
    assert "navy" in problem["details"]["allowed"]


def test_a_release_without_colours_knows_no_second_one(client: FlaskClient) -> None:
    body = {"model": "default", "condition": {"second_colour": "navy"}}
    refused(client.post("/v1/design-jobs", json=body), "condition", "second_colour")


@pytest.mark.parametrize("code", ["#12", "#gggggg", "#"])
def test_a_colour_code_that_is_none_is_refused(client: FlaskClient, code: str) -> None:
    answer = client.post(
        "/v1/design-jobs", json={"model": "default", "condition": {"colour": code}}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(("size", "status"), [(16, 202), (31, 202), (33, 422), (256, 422)])
def test_a_size_that_the_model_cannot_make_is_refused(
    client: FlaskClient, size: int, status: int
) -> None:
    answer = client.post("/v1/design-jobs", json={"model": "default", "size": size})
    assert answer.status_code == status
    if status == 422:
        assert answer.get_json()["details"] == {"largest": 32}


def test_a_report_is_made_on_all_or_on_one_catalog(client: FlaskClient, shop: Shop) -> None:
    assert client.post("/v1/trend-reports", json={}).get_json()["spec"]["catalog_id"] is None
    body = {"catalog": "summer", "only_if_changed": True, "options": {"period": "month"}}
    spec = client.post("/v1/trend-reports", json=body).get_json()["spec"]
    assert (spec["catalog_id"], spec["only_if_changed"]) == (shop.catalog_id, True)
    assert spec["options"]["period"] == "month"


def test_a_report_without_dated_garments_is_refused(rival: FlaskClient) -> None:
    answer = rival.post("/v1/trend-reports", json={})
    assert (answer.status_code, answer.get_json()["reason"]) == (422, "too_little_data")


@pytest.mark.parametrize(
    ("place", "body", "other"),
    [
        ("/v1/design-jobs", {"model": "default"}, {"model": "default", "count": 2}),
        ("/v1/training-jobs", {"catalog": "summer"}, {"catalog": "summer", "seed": 1}),
        ("/v1/trend-reports", {}, {"only_if_changed": True}),
    ],
)
def test_the_same_request_with_the_same_key_is_one_job(
    client: FlaskClient, place: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": "order-77"}
    first, second = (client.post(place, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.get_json() == second.get_json()
    third = client.post(place, json=other, headers=headers)
    assert (third.status_code, third.get_json()["reason"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_an_idempotency_key_that_cannot_be_kept_is_refused(client: FlaskClient, key: str) -> None:
    answer = client.post(
        "/v1/design-jobs", json={"model": "default"}, headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["location"] == ["Idempotency-Key"]

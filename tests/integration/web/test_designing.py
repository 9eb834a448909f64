"""Asking for designs on terms, many at once, and for designs made from designs."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import update

from shared.artifacts import ArtifactStore
from shared.queue.names import Queue
from shared.queue.pace import Pace, Paces
from shared.queue.presence import Presence
from shared.records import Records, jobs, shoppers
from shared.records.tables import DesignRow, ReleaseRow
from shared.settings import Settings
from tests.fixtures import seen
from tests.fixtures.shop import OFFER, Shop
from web.app import Application
from web.runtime import EXTENSION, Runtime

ONE: dict[str, Any] = {"model": "default", "condition": {"category": "dress"}}


def posted(client: FlaskClient, place: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = client.post(place, json=body, headers=headers)
    assert answer.status_code == 202, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def test_the_terms_of_a_job_are_kept_and_told(client: FlaskClient) -> None:
    asked = {**ONE, "priority": "interactive", "expires_in": 30}
    job = posted(client, "/v1/design-jobs", asked)
    again = client.get(f"/v1/jobs/{job['id']}").get_json()
    assert again["priority"] == "interactive"
    assert again["expires_at"] > again["created_at"]


def test_the_same_request_with_a_seed_is_answered_by_the_job_that_is_under_way(
    client: FlaskClient,
) -> None:
    first = posted(client, "/v1/design-jobs", {**ONE, "seed": 4})
    assert posted(client, "/v1/design-jobs", {**ONE, "seed": 4})["id"] == first["id"]
    assert posted(client, "/v1/design-jobs", {**ONE, "seed": 5})["id"] != first["id"]
    fresh = posted(client, "/v1/design-jobs", {**ONE, "seed": 4, "fresh": True})
    assert fresh["id"] != first["id"]


def test_a_request_without_a_seed_is_always_a_new_job(client: FlaskClient) -> None:
    ids = {posted(client, "/v1/design-jobs", ONE)["id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_cancelled_job_answers_no_request(client: FlaskClient) -> None:
    first = posted(client, "/v1/design-jobs", {**ONE, "seed": 4})
    client.post(f"/v1/jobs/{first['id']}/cancel", json={})
    assert posted(client, "/v1/design-jobs", {**ONE, "seed": 4})["id"] != first["id"]


def test_many_are_taken_at_once_in_their_order_with_one_message(
    client: FlaskClient, records: Records, redis: Redis
) -> None:
    requests = [{**ONE, "seed": seed, "count": 2} for seed in range(300)]
    made = posted(client, "/v1/design-jobs/batch", {"requests": requests})["jobs"]
    assert [job["spec"]["seed"] for job in made] == list(range(300))
    with records.reading() as tx:
        assert {jobs.get(tx, job["id"]).state for job in made} == {"queued"}
    assert redis.llen("generate") == 1


def test_one_bad_request_among_many_is_named_and_none_is_taken(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    with records.reading() as tx:
        before = jobs.count_by_state(tx, shop.site_id)
    requests = [ONE, {**ONE, "condition": {"category": "boat"}}]
    answer = client.post("/v1/design-jobs/batch", json={"requests": requests})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["location"][:2] == ["requests", 1]
    with records.reading() as tx:
        assert jobs.count_by_state(tx, shop.site_id) == before


def test_a_key_stands_for_all_jobs_of_a_batch(client: FlaskClient) -> None:
    body = {"requests": [ONE, ONE, ONE]}
    first = posted(client, "/v1/design-jobs/batch", body, **{"Idempotency-Key": "order-7"})
    again = posted(client, "/v1/design-jobs/batch", body, **{"Idempotency-Key": "order-7"})
    assert [job["id"] for job in again["jobs"]] == [job["id"] for job in first["jobs"]]
    other = client.post(
        "/v1/design-jobs/batch", json={"requests": [ONE]}, headers={"Idempotency-Key": "order-7"}
    )
    assert other.status_code == 422


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_of_none_or_too_many_is_refused(client: FlaskClient, count: int) -> None:
    answer = client.post("/v1/design-jobs/batch", json={"requests": [{"model": "default"}] * count})
    assert answer.status_code == 422


def test_variations_carry_the_designs_latent_and_what_shall_be_otherwise(
    client: FlaskClient, shop: Shop
) -> None:
    design = client.get(f"/v1/designs/{shop.design_ids[0]}").get_json()
    asked = {"count": 3, "strength": 0.3, "condition": {"category": "coat"}}
    job = posted(client, f"/v1/designs/{design['id']}/variations", asked)
    way = job["spec"]["way"]
    assert (way["type"], way["of"], way["strength"]) == ("variation", design["id"], 0.3)
    assert way["latent"] == [{"seed": design["seed"], "weight": 1.0}]
    assert job["spec"]["condition"] == {**design["condition"], "category": "coat"}
    assert job["spec"]["count"] == 3


def test_a_mix_lies_between_two_designs_and_is_the_same_each_time(
    client: FlaskClient, shop: Shop
) -> None:
    asked = {"first": shop.design_ids[0], "second": shop.design_ids[1], "share": 0.25}
    job = posted(client, "/v1/designs/mix", asked)
    assert job["spec"]["way"]["of"] == [asked["first"], asked["second"]]
    assert posted(client, "/v1/designs/mix", asked)["id"] == job["id"]


def test_a_walk_is_one_animation(client: FlaskClient, shop: Shop) -> None:
    asked = {"first": shop.design_ids[0], "second": shop.design_ids[1], "frames": 12}
    spec = posted(client, "/v1/designs/walk", asked)["spec"]
    assert (spec["way"]["frames"], spec["format"], spec["count"]) == (12, "webp", 1)


def test_a_design_that_is_not_there_has_no_variations(client: FlaskClient) -> None:
    answer = client.post("/v1/designs/des_000000000000000000000000/variations", json={})
    assert answer.status_code == 404


def test_a_queued_job_tells_what_it_waits_for(client: FlaskClient, redis: Redis) -> None:
    posted(client, "/v1/design-jobs", {**ONE, "count": 20})
    job = posted(client, "/v1/design-jobs", {**ONE, "count": 4})
    wait = client.get(f"/v1/jobs/{job['id']}").get_json()["wait"]
    assert wait["images_ahead"] >= 20
    assert wait["eta_seconds"] is None
    Paces(redis).note(job["spec"]["release_id"], Pace(seconds=2.0, images=8, at=0))
    told = client.get(f"/v1/jobs/{job['id']}").get_json()["wait"]
    assert told["eta_seconds"] == 2.0 * -(-(told["images_ahead"] + 4) // 8)


def test_an_urgent_job_waits_for_no_bulk(client: FlaskClient) -> None:
    posted(client, "/v1/design-jobs", {**ONE, "count": 20, "priority": "bulk"})
    job = posted(client, "/v1/design-jobs", {**ONE, "priority": "interactive"})
    assert client.get(f"/v1/jobs/{job['id']}").get_json()["wait"]["images_ahead"] == 0


def test_without_any_worker_designs_are_refused_with_when_to_ask_again(
    client: FlaskClient, redis: Redis
) -> None:
    redis.delete("toile:worker:generate@test")
    answer = client.post("/v1/design-jobs", json=ONE)
    problem = answer.get_json()
    assert (answer.status_code, problem["reason"]) == (503, "no_worker")
    assert int(answer.headers["Retry-After"]) == problem["details"]["retry_after"] > 0


@pytest.mark.parametrize(
    ("setting", "status", "reason"),
    [("queue_limit", 503, "queue_full"), ("site_queue_limit", 429, "quota_exceeded")],
)
def test_what_is_beyond_a_limit_is_refused_with_when_to_ask_again(
    app: Application,
    client: FlaskClient,
    settings: Settings,
    setting: str,
    status: int,
    reason: str,
) -> None:
    here = app.extensions[EXTENSION]
    assert isinstance(here, Runtime)
    tight = settings.model_copy(update={setting: 3})
    here.admission._settings = here.limits._settings = tight
    assert client.post("/v1/design-jobs/batch", json={"requests": [ONE] * 2}).status_code == 202
    answer = client.post("/v1/design-jobs/batch", json={"requests": [ONE] * 2})
    assert (answer.status_code, answer.get_json()["reason"]) == (status, reason)
    assert "Retry-After" in answer.headers


def needing(records: Records, release_id: str, **needs: int) -> None:
    with records.transaction() as tx:
        row = tx.session.get(ReleaseRow, release_id)
        assert row is not None
        row.card = {**row.card, "needs": {"format": 2, "memory": 1, **needs}}


def test_a_release_that_a_worker_can_serve_is_let_through(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    needing(records, shop.release_id, format=2, memory=OFFER.memory)
    posted(client, "/v1/design-jobs", ONE)


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ({"format": 3}, "has format 3, and the workers that are there read 1 and 2"),
        ({"memory": OFFER.memory + 1}, "TOILE_MODELS_MEMORY"),
    ],
)
def test_a_release_that_no_worker_can_serve_is_refused_with_the_reason_and_when_to_ask_again(
    client: FlaskClient, records: Records, shop: Shop, needs: dict[str, int], told: str
) -> None:
    needing(records, shop.release_id, **needs)
    variation = {"strength": 0.5}
    for place, body in (
        ("/v1/design-jobs", ONE),
        ("/v1/design-jobs/batch", {"requests": [ONE]}),
        (f"/v1/designs/{shop.design_ids[0]}/variations", variation),
    ):
        answer = client.post(place, json=body)
        assert (answer.status_code, answer.get_json()["reason"]) == (503, "no_worker"), place
        assert told in answer.get_json()["detail"]
        assert answer.headers["Retry-After"] == "30"


def test_one_worker_that_can_is_enough(
    client: FlaskClient, records: Records, shop: Shop, redis: Redis
) -> None:
    needing(records, shop.release_id, format=3)
    newer = OFFER.model_copy(update={"formats": (2, 3)})
    Presence(redis, seconds=600).announce("generate@new", newer)
    posted(client, "/v1/design-jobs", ONE)


def test_what_speaks_as_no_worker_does_counts_as_none(redis: Redis) -> None:
    redis.set("toile:worker:odd", "[1")
    assert list(Presence(redis, seconds=600).serving(Queue.GENERATE)) == []


def test_designs_for_a_shopper_need_an_index_and_say_what_to_do(client: FlaskClient) -> None:
    answer = client.post("/v1/design-jobs", json={**ONE, "shopper": "c-7"})
    assert answer.status_code == 409
    assert "Train a model" in answer.get_json()["detail"]


def test_designs_for_a_shopper_are_theirs_and_never_an_earlier_answer(
    client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop
) -> None:
    with records.transaction() as tx:
        seen.add_index(tx, store, shop)
    asked = {**ONE, "shopper": "c-7", "seed": 3, "count": 2}
    first = posted(client, "/v1/design-jobs", asked)
    assert posted(client, "/v1/design-jobs", asked)["id"] != first["id"]
    way = first["spec"]["way"]
    assert (way["type"], way["candidates"]) == ("shopper", 64)
    with records.reading() as tx:
        shopper = shoppers.get(tx, shop.site_id, "c-7")
        row = jobs.get(tx, first["id"])
    assert (way["shopper_id"], row.shopper_id, row.units) == (shopper.id, shopper.id, 64)


def test_candidates_without_a_shopper_are_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/design-jobs", json={**ONE, "candidates": 9})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["location"][-1] == "candidates"


def test_what_is_made_from_a_shoppers_design_is_theirs(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    first, second, third = shop.design_ids[:3]
    with records.transaction() as tx:
        anna, ben = (shoppers.ensure(tx, shop.site_id, ref).id for ref in ("anna", "ben"))
        for design_id, owner in ((first, anna), (second, ben)):
            tx.session.execute(
                update(DesignRow).where(DesignRow.id == design_id).values(shopper_id=owner)
            )
    varied = posted(client, f"/v1/designs/{first}/variations", {})
    mixed = posted(client, "/v1/designs/mix", {"first": third, "second": first})
    with records.reading() as tx:
        owners = {jobs.get(tx, job["id"]).shopper_id for job in (varied, mixed)}
    assert owners == {anna}
    answer = client.post("/v1/designs/mix", json={"first": first, "second": second})
    assert answer.status_code == 422
    listed = client.get("/v1/designs?shopper=anna").get_json()["items"]
    assert [one["id"] for one in listed] == [first]
    assert client.get("/v1/designs?shopper=nobody").status_code == 404

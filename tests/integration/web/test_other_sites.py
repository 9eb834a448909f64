"""One site never sees another's things: they are not found, as if they were not there."""

import re

import pytest
from flask.testing import FlaskClient
from redis import Redis

from shared.artifacts import ArtifactStore, keys
from shared.queue.status import StatusBoard
from shared.records import Records, jobs, webhooks
from shared.records.webhooks import Salts
from tests.fixtures.seen import add_index, see
from tests.fixtures.shop import Shop, design_spec, grid, running
from web.app import Application

REF = "c-7"

# A shopper's reference is each site's own: the same one names another shopper, made when it is
# first spoken of, and recommendations need none. tests/integration/web/test_shoppers.py and
# test_tastes.py look that nothing of the other site's is in them.
OWN_WORDS = {
    "POST /v1/shoppers/<ref>/preferences",
    "GET /v1/shoppers/<ref>/recommendations",
    "POST /v1/shoppers/<ref>/sessions",
}


# What a route must be told before it looks for the thing.
BODIES = {"POST /v1/webhooks/<webhook>/replay": {"since": "2026-01-01T00:00:00Z"}}


def places(shop: Shop) -> dict[str, str]:
    """Every address with an id in it, by the route that serves it."""
    job = shop.jobs["training"]
    shopper = f"/v1/shoppers/{REF}"
    return {
        "GET /v1/shoppers/<ref>": shopper,
        "GET /v1/shoppers/<ref>/preferences": f"{shopper}/preferences",
        "POST /v1/shoppers/<ref>/preferences": f"{shopper}/preferences",
        "GET /v1/shoppers/<ref>/taste": f"{shopper}/taste",
        "GET /v1/shoppers/<ref>/recommendations": f"{shopper}/recommendations",
        "DELETE /v1/shoppers/<ref>/preferences/<preference>": f"{shopper}/preferences/pref_1",
        "DELETE /v1/shoppers/<ref>": shopper,
        "GET /v1/erasures/<erasure>": f"/v1/erasures/{shop.erasure_id}",
        "GET /v1/garments/<garment>/similar": f"/v1/garments/{shop.garment_ids[0]}/similar",
        "POST /v1/designs/<design>/variations": f"/v1/designs/{shop.design_ids[0]}/variations",
        "GET /v1/designs/<design>/similar": f"/v1/designs/{shop.design_ids[0]}/similar",
        "GET /v1/feeds/<feed>": f"/v1/feeds/{shop.feed_id}",
        "DELETE /v1/feeds/<feed>": f"/v1/feeds/{shop.feed_id}",
        "GET /v1/feeds/<feed>/batches": f"/v1/feeds/{shop.feed_id}/batches",
        "POST /v1/feeds/<feed>/batches": f"/v1/feeds/{shop.feed_id}/batches",
        "GET /v1/catalogs/<catalog>": f"/v1/catalogs/{shop.catalog_id}",
        "GET /v1/catalogs/<catalog>/styles": f"/v1/catalogs/{shop.catalog_id}/styles",
        "GET /v1/catalogs/<catalog>/garments": f"/v1/catalogs/{shop.catalog_id}/garments",
        "POST /v1/catalogs/<catalog>/garments": f"/v1/catalogs/{shop.catalog_id}/garments",
        "GET /v1/garments/<garment>": f"/v1/garments/{shop.garment_ids[0]}",
        "GET /v1/garments/<garment>/image": f"/v1/garments/{shop.garment_ids[0]}/image",
        "GET /v1/jobs/<job>": f"/v1/jobs/{job}?wait=5",
        "GET /v1/jobs/<job>/attempts": f"/v1/jobs/{job}/attempts",
        "GET /v1/jobs/<job>/preview": f"/v1/jobs/{job}/preview",
        "GET /v1/jobs/<job>/events": f"/v1/jobs/{job}/events",
        "POST /v1/jobs/<job>/cancel": f"/v1/jobs/{job}/cancel",
        "POST /v1/jobs/<job>/retry": f"/v1/jobs/{job}/retry",
        "GET /v1/models/<model>": f"/v1/models/{shop.model_id}",
        "GET /v1/models/<model>/releases": f"/v1/models/{shop.model_id}/releases",
        "GET /v1/releases/<release>": f"/v1/releases/{shop.release_id}",
        "GET /v1/releases/<release>/grid": f"/v1/releases/{shop.release_id}/grid",
        "GET /v1/releases/<release>/card": f"/v1/releases/{shop.release_id}/card",
        "GET /v1/designs/<design>": f"/v1/designs/{shop.design_ids[0]}",
        "GET /v1/designs/<design>/image": f"/v1/designs/{shop.design_ids[0]}/image",
        "GET /v1/trend-reports/<report>": f"/v1/trend-reports/{shop.report_id}",
        "GET /v1/trend-reports/<report>/files/<path:name>": (
            f"/v1/trend-reports/{shop.report_id}/files/report.json"
        ),
        "GET /v1/trend-reports/<report>/difference": (
            f"/v1/trend-reports/{shop.report_id}/difference"
        ),
        "POST /v1/trend-reports/<report>/moodboard": (
            f"/v1/trend-reports/{shop.report_id}/moodboard"
        ),
        "GET /v1/trend-alerts/<alert>": f"/v1/trend-alerts/{shop.alert_id}",
        "DELETE /v1/trend-alerts/<alert>": f"/v1/trend-alerts/{shop.alert_id}",
        "GET /v1/keys/<key>": f"/v1/keys/{shop.key_id}",
        "DELETE /v1/keys/<key>": f"/v1/keys/{shop.key_id}",
        "POST /v1/keys/<key>/rotate": f"/v1/keys/{shop.key_id}/rotate",
        "POST /v1/shoppers/<ref>/sessions": f"{shopper}/sessions",
        "GET /v1/trend-reports/<report>/record": f"/v1/trend-reports/{shop.report_id}/record",
        **{
            f"{method} /v1/webhooks/<webhook>{rest}": f"/v1/webhooks/{shop.webhook_id}{rest}"
            for method, rest in (
                ("GET", ""),
                ("PATCH", ""),
                ("DELETE", ""),
                ("POST", "/rotate"),
                ("POST", "/test"),
                ("GET", "/deliveries"),
                ("POST", "/replay"),
            )
        },
        "GET /v1/webhooks/deliveries/<delivery>": f"/v1/webhooks/deliveries/{shop.delivery_id}",
        "POST /v1/webhooks/deliveries/<delivery>/replay": (
            f"/v1/webhooks/deliveries/{shop.delivery_id}/replay"
        ),
    }


def routes(app: Application) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}
    }


@pytest.fixture(autouse=True)
def known(shop: Shop, client: FlaskClient, records: Records, store: ArtifactStore) -> None:
    """The site has an index, a shopper, and the receipt of another one."""
    with records.transaction() as tx:
        add_index(tx, store, shop)
        see(tx, shop.design_ids[0], category="dress", colour="red")
    for ref in ("gone", REF):
        like = {"kind": "like", "item": shop.garment_ids[0]}
        assert client.post(f"/v1/shoppers/{ref}/preferences", json=like).status_code == 201
    shop.alert_id = client.post("/v1/trend-alerts", json={}).get_json()["id"]
    with records.transaction() as tx:
        made = webhooks.create(
            tx, shop.site_id, address="https://shop.example/", events=None, description="",
            salts=Salts(salt="5a" * 32, key_mark="k"),
        )  # fmt: skip
    shop.webhook_id = made.id
    shop.delivery_id = client.post(f"{made.url}/test").get_json()["id"]
    shop.erasure_id = client.delete("/v1/shoppers/gone").get_json()["id"]


def test_every_route_with_an_id_is_tried(app: Application, shop: Shop) -> None:
    assert {route for route in routes(app) if "<" in route} == set(places(shop))


def test_every_route_needs_a_key(app: Application, nobody: FlaskClient) -> None:
    for route in routes(app):
        method, rule = route.split(" ")
        answer = nobody.open(re.sub(r"<[^>]+>", "x", rule), method=method)
        assert answer.status_code == 401, route


def test_another_sites_things_are_not_found(rival: FlaskClient, shop: Shop) -> None:
    for route, place in places(shop).items():
        if route in OWN_WORDS:
            continue
        method = route.split(" ")[0]
        body = BODIES.get(route, {}) if method in {"POST", "PATCH"} else None
        answer = rival.open(place, method=method, json=body)
        assert answer.status_code == 404, route
        assert answer.get_json()["reason"] == "not_found"


def test_another_sites_things_are_there_for_their_owner(
    client: FlaskClient, shop: Shop, store: ArtifactStore
) -> None:
    store.put(keys.preview(shop.jobs["training"], 1), grid(columns=1, rows=1))
    for route, place in places(shop).items():
        if route.startswith("GET"):
            assert client.get(place).status_code == 200, route


@pytest.mark.parametrize(
    "place",
    [
        "catalogs",
        "jobs",
        "models",
        "designs",
        "trend-reports",
        "jobs?state=succeeded",
        "shoppers",
        "erasures",
        "feeds",
        "webhooks",
    ],
)
def test_lists_hold_nothing_of_another_site(
    rival: FlaskClient, client: FlaskClient, place: str
) -> None:
    assert client.get(f"/v1/{place}").get_json()["items"]
    assert rival.get(f"/v1/{place}").get_json()["items"] == []


def test_designs_of_another_sites_job_or_release_are_not_listed(
    rival: FlaskClient, shop: Shop
) -> None:
    for query in (f"job={shop.jobs['design']}", f"release={shop.release_id}"):
        assert rival.get(f"/v1/designs?{query}").get_json()["items"] == []


def test_another_sites_release_is_compared_with_nothing(
    rival: FlaskClient, client: FlaskClient, shop: Shop
) -> None:
    place = f"/v1/releases/compare?first={shop.release_id}&second={shop.release_id}"
    assert client.get(place).status_code == 200
    assert rival.get(place).status_code == 404


def test_nothing_can_be_asked_with_another_sites_things(rival: FlaskClient, shop: Shop) -> None:
    assert rival.post("/v1/catalogs", json={"name": "own"}).status_code == 201
    for place, body in (
        ("training-jobs", {"catalog": shop.catalog_id}),
        ("training-jobs", {"catalog": "own", "from_release": shop.release_id}),
        ("design-jobs", {"release": shop.release_id}),
        ("design-jobs", {"model": shop.model_id}),
        ("trend-reports", {"catalog": shop.catalog_id}),
    ):
        assert rival.post(f"/v1/{place}", json=body).status_code == 404, place


def test_a_rival_cannot_stop_a_running_job(
    rival: FlaskClient, records: Records, shop: Shop, redis: Redis
) -> None:
    with records.transaction() as tx:
        job = running(tx, shop, design_spec(shop))
    assert rival.post(f"/v1/jobs/{job.id}/cancel").status_code == 404
    assert StatusBoard(redis).read(job.id, fence=job.fence) is None
    with records.reading() as tx:
        assert jobs.get(tx, job.id).cancel_requested_at is None


def test_two_sites_may_use_the_same_names_and_idempotency_keys(
    client: FlaskClient, rival: FlaskClient, shop: Shop
) -> None:
    assert rival.post("/v1/catalogs", json={"name": "summer"}).status_code == 201
    assert client.get("/v1/catalogs/summer").get_json()["id"] == shop.catalog_id
    headers = {"Idempotency-Key": "1"}
    assert client.post("/v1/trend-reports", json={}, headers=headers).status_code == 202
    assert rival.post("/v1/trend-reports", json={}, headers=headers).status_code == 422


def test_a_cursor_of_another_sites_list_tells_nothing(rival: FlaskClient, shop: Shop) -> None:
    answer = rival.get(f"/v1/designs?cursor={shop.design_ids[0]}")
    assert answer.status_code in {200, 422}
    if answer.status_code == 200:
        assert answer.get_json()["items"] == []

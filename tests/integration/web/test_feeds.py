"""Feeds: made, listed, filled and deleted."""

from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared.artifacts import ArtifactStore, keys
from shared.jobs import lifecycle
from shared.records import Records, Transaction, catalogs, feeds, indexes, jobs, reports
from shared.schemas.jobs import JobState, TrendSpec
from shared.schemas.trends import TrendOptions
from tests.fixtures.shop import Shop, finished, running

COUNTS = b"date,category,count\n2026-03-02,dress,5\n"


def send(client: FlaskClient, feed: str = "street", **parts: Any) -> TestResponse:
    headers = parts.pop("headers", {})
    return client.post(
        f"/v1/feeds/{feed}/batches",
        data=parts,
        headers=headers,
        content_type="multipart/form-data",
    )


def an_index(tx: Transaction, shop: Shop, catalog: str) -> None:
    values = {
        "catalog_id": catalog, "catalog_version": 1, "encoder": "e", "garments": 1,
        "artifact": "indexes/idx_1/",
    }  # fmt: skip
    indexes.publish(tx, shop.site_id, index_id="idx_1", values=values)


def counts(name: str = "march.csv", data: bytes = COUNTS) -> tuple[BytesIO, str]:
    return BytesIO(data), name


def test_a_feed_is_made_and_read_by_id_and_by_name(client: FlaskClient) -> None:
    body = {"name": "Vogue", "segment": "FR", "weight": 2}
    made = client.post("/v1/feeds", json=body)
    assert made.status_code == 201
    assert made.headers["Location"] == made.get_json()["url"]
    feed = made.get_json()
    assert (feed["source"], feed["segment"], feed["weight"]) == ("vogue", "fr", 2)
    assert client.get(feed["url"]).get_json() == client.get("/v1/feeds/Vogue").get_json() == feed
    assert client.post("/v1/feeds", json=body).status_code == 409


def test_a_feeds_catalog_is_none_of_the_sites_own(client: FlaskClient, shop: Shop) -> None:
    catalog = client.get(f"/v1/feeds/{shop.feed_id}").get_json()["catalog_id"]
    listed = [one["id"] for one in client.get("/v1/catalogs").get_json()["items"]]
    assert listed == [shop.catalog_id]
    assert client.get(f"/v1/catalogs/{catalog}").get_json()["purpose"] == "feed"
    train = {"catalog": catalog, "budget": {"minutes": 1}}
    assert client.post("/v1/training-jobs", json=train).status_code == 409
    asked = client.get(f"/v1/shoppers/c-1/recommendations?catalog={catalog}")
    assert asked.status_code == 409
    added = client.post(
        f"/v1/catalogs/{catalog}/garments",
        data={"archive": (BytesIO(b"PK"), "a.zip")},
        content_type="multipart/form-data",
    )
    assert (added.status_code, added.get_json()["details"]["feed"]) == (409, shop.feed_id)


def test_a_batch_becomes_a_job_that_names_its_bytes(
    client: FlaskClient, store: ArtifactStore, shop: Shop
) -> None:
    answer = send(client, counts=counts(), revises="true")
    assert answer.status_code == 202
    spec = answer.get_json()["spec"]
    assert (spec["feed_id"], spec["holds"], spec["revises"]) == (shop.feed_id, "counts", True)
    assert store.read(spec["source"]["artifact"]) == COUNTS
    images = send(client, archive=(BytesIO(b"PK\x03\x04"), "a.zip")).get_json()["spec"]
    assert (images["holds"], images["revises"]) == ("images", False)


def test_the_same_batch_with_the_same_key_makes_one_job(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "march"}
    first, second = (send(client, counts=counts(), headers=headers) for _ in range(2))
    assert first.get_json()["id"] == second.get_json()["id"]
    other = send(client, counts=counts(), revises="true", headers=headers)
    assert other.status_code == 422
    assert other.get_json()["reason"] == "idempotency_mismatch"


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"image": (b"x", "a.png")},
        {"counts": (b"x", "a.xlsx")},
        {"counts": (b"", "a.csv")},
        {"counts": (b"x", "a.csv"), "archive": (b"x", "a.zip")},
        {"counts": (b"x", "a.csv"), "revises": "yes"},
        {"archive": (b"x", "a.zip"), "revises": "true"},
        {"counts": (b"x", "a.csv"), "fields": "{}"},
    ],
    ids=str,
)
def test_a_batch_that_does_not_fit_is_refused_and_leaves_nothing(
    client: FlaskClient, store: ArtifactStore, parts: dict[str, Any]
) -> None:
    sent: dict[str, Any] = {
        name: (BytesIO(part[0]), part[1]) if isinstance(part, tuple) else part
        for name, part in parts.items()
    }
    answer = send(client, **sent)
    assert answer.status_code == 422, answer.text
    assert list(store.keys("uploads")) == []


def test_a_batch_must_be_multipart_and_not_too_large(client: FlaskClient) -> None:
    assert client.post("/v1/feeds/street/batches", data=COUNTS).status_code == 415
    large = send(client, counts=counts(data=bytes(250_000)))
    assert large.status_code == 413


def test_a_deleted_feed_leaves_nothing(
    client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop
) -> None:
    catalog = client.get("/v1/feeds/street").get_json()["catalog_id"]
    with records.transaction() as tx:
        an_index(tx, shop, catalog)
    places = [
        keys.feed_columns(shop.feed_id, "col_1"),
        keys.shard(catalog, "shard_1"),
        keys.index_file("idx_1", "garments.npz"),
    ]
    for place in places:
        store.put(place, b"x")
    assert client.delete("/v1/feeds/street").status_code == 204
    assert client.get("/v1/feeds/street").status_code == 404
    assert client.get(f"/v1/catalogs/{catalog}").status_code == 404
    assert not any(store.exists(place) for place in places)
    assert client.delete("/v1/feeds/street").status_code == 404


def test_counts_alone_are_enough_to_ask_for_a_report(rival: FlaskClient, records: Records) -> None:
    assert rival.post("/v1/trend-reports", json={}).status_code == 422
    feed = rival.post("/v1/feeds", json={"name": "vogue"}).get_json()
    values = {
        "kind": "counts", "revises": False, "rows": 1, "observations": 60.0, "first": None,
        "last": None, "artifact": "feeds/x", "mark": "m", "job_id": "job_x",
    }  # fmt: skip
    with records.transaction() as tx:
        feeds.add_batch(tx, feed["id"], values)
    assert rival.post("/v1/trend-reports", json={}).status_code == 202
    (batch,) = rival.get("/v1/feeds/vogue/batches").get_json()["items"]
    assert (batch["number"], batch["observations"]) == (1, 60)
    assert "artifact" not in batch
    assert rival.get("/v1/feeds/vogue").get_json()["batches"] == 1


def test_the_last_good_report_says_since_when_later_ones_fail(
    client: FlaskClient, records: Records, shop: Shop
) -> None:
    assert client.get("/v1/trend-reports/latest").get_json()["failing"] is None
    spec = TrendSpec(catalog_id=shop.catalog_id, options=TrendOptions())
    with records.transaction() as tx:
        report = reports.get(tx, shop.site_id, "latest").report
        about = spec.model_copy(update={"catalog_id": report.catalog_id})
        failed = []
        for reason in ("internal", "too_little_data"):
            error: dict[str, Any] = {
                "reason": reason,
                "message": f"because of {reason}",
                "details": {},
            }
            held = running(tx, shop, about)
            failed.append(lifecycle.finish(tx, held, JobState.FAILED, error=error))
    latest = client.get("/v1/trend-reports/latest").get_json()
    assert latest["id"] == report.id
    assert latest["failing"]["attempts"] == 2
    assert latest["failing"]["reason"] in {"internal", "too_little_data"}
    assert client.get("/v1/trend-reports").get_json()["items"][0]["failing"] is not None
    assert client.get(f"/v1/trend-reports/{report.id}").get_json()["failing"] is None
    with records.transaction() as tx:
        finished(tx, shop, about)
        assert jobs.get(tx, failed[0].id).state is JobState.FAILED
    assert client.get("/v1/trend-reports/latest").get_json()["failing"] is None


def test_the_values_of_a_feed_are_no_values_of_the_shop(records: Records, shop: Shop) -> None:
    with records.transaction() as tx:
        feed = feeds.get(tx, shop.site_id, "street")
        before = catalogs.values_of(tx, shop.site_id, "colour")
        row = {"attributes": {"colour": "ultraviolet"}}
        garment: dict[str, Any] = {
            "id": "gar_x", "shard_id": "shard_x", "shard_index": 0, "name": "x", "sha256": "x",
            "perceptual_hash": 0, "colour_measured": False, "palette": [], "date": None,
            "weight": 1.0, "segment": None, "source": None, "account": None,
            "near_duplicate_of": None, **row,
        }  # fmt: skip
        shard = {"id": "shard_x", "position": 0, "count": 1, "artifact": "x", "sha256": "x"}
        catalogs.publish_version(
            tx, feed.catalog_id, job_id="job_x", after_version=0, shape=(16, 3),
            shards=[shard], garments=[garment],
        )  # fmt: skip
        assert catalogs.values_of(tx, shop.site_id, "colour") == before


def test_what_a_feed_shows_is_never_recommended_from(records: Records, shop: Shop) -> None:
    with records.transaction() as tx:
        feed = feeds.get(tx, shop.site_id, "street")
        before = indexes.of_site(tx, shop.site_id)
        an_index(tx, shop, feed.catalog_id)
        assert indexes.of_site(tx, shop.site_id) == before
        assert indexes.newest(tx, shop.site_id, feed.catalog_id) is not None

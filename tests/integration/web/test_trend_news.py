"""Alerts, moodboards and the trend dial over HTTP."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from shared import ids
from shared.artifacts import ArtifactStore, keys
from shared.records import Records, alerts, forecasts
from shared.schemas.alerts import Standing
from tests.fixtures.seen import add_index
from tests.fixtures.shop import Shop


def issue(records: Records, store: ArtifactStore, shop: Shop, *, catalog: str | None) -> None:
    """Say that the shop's report issued forecasts."""
    artifact = store.put(keys.report_file(str(shop.report_id), "issued.npz"), b"numbers")
    with records.transaction() as tx:
        forecasts.publish(
            tx,
            {
                "report_id": shop.report_id, "site_id": shop.site_id, "catalog_id": catalog,
                "period": "month", "origin": tx.now.date(), "artifact": artifact.key,
                "sha256": artifact.sha256,
            },
        )  # fmt: skip


def test_an_alert_is_added_listed_fired_and_stopped(
    client: FlaskClient, shop: Shop, records: Records
) -> None:
    asked = {"attribute": "colour", "value": "green", "kinds": ["rising"]}
    answer = client.post("/v1/trend-alerts", json=asked)
    assert answer.status_code == 201
    alert = answer.get_json()
    assert answer.headers["Location"] == alert["url"]
    assert client.get(alert["url"]).get_json() == alert
    assert client.get("/v1/trend-alerts").get_json()["items"] == [alert]
    assert client.get("/v1/trend-alerts/fired").get_json()["items"] == []
    standing = Standing(
        attribute="colour", value="green", segment=None, kind="rising", was="stable", change=0.4,
        q_value=0.01, garments=60,
    )  # fmt: skip
    with records.transaction() as tx:
        alerts.settle(tx, shop.site_id, None, str(shop.report_id), [standing])
    (fired,) = client.get(f"/v1/trend-alerts/fired?alert={alert['id']}").get_json()["items"]
    assert (fired["value"], fired["kind"], fired["ended_at"]) == ("green", "rising", None)
    assert client.get(fired["report_url"]).status_code == 200
    stopped = client.delete(alert["url"]).get_json()
    assert stopped["stopped_at"] is not None
    assert client.get("/v1/trend-alerts/fired").get_json()["items"] == [fired]


@pytest.mark.parametrize(
    "asked",
    [
        {"value": "green"},
        {"kinds": []},
        {"kinds": ["flash"]},
        {"attribute": ""},
        {"colour": "green"},
    ],
)
def test_an_alert_that_cannot_be_is_refused(client: FlaskClient, asked: dict[str, Any]) -> None:
    answer = client.post("/v1/trend-alerts", json=asked)
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


def test_an_alert_of_a_catalog_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    assert client.post("/v1/trend-alerts", json={"catalog": "nowhere"}).status_code == 404


def test_moodboards_are_asked_for_on_any_release_or_the_newest_that_serves(
    client: FlaskClient, shop: Shop
) -> None:
    answer = client.post("/v1/trend-reports/latest/moodboard", json={"seed": 7})
    assert answer.status_code == 202
    job = answer.get_json()
    assert (job["kind"], job["spec"]["report_id"]) == ("moodboard", shop.report_id)
    assert (job["spec"]["release_id"], job["spec"]["seed"]) == (None, 7)
    named = {"release": shop.release_id, "count": 4, "rack": 0}
    spec = client.post("/v1/trend-reports/latest/moodboard", json=named).get_json()["spec"]
    assert (spec["release_id"], spec["count"], spec["rack"]) == (shop.release_id, 4, 0)
    unknown = {"release": ids.new_id(ids.RELEASE)}
    assert client.post("/v1/trend-reports/latest/moodboard", json=unknown).status_code == 404
    too_many = {"count": 33}
    assert client.post("/v1/trend-reports/latest/moodboard", json=too_many).status_code == 422


def test_a_site_without_a_report_has_no_moodboards(rival: FlaskClient) -> None:
    assert rival.post("/v1/trend-reports/latest/moodboard", json={}).status_code == 404


def test_designs_that_lean_name_the_report_that_they_lean_on(
    client: FlaskClient, shop: Shop, records: Records, store: ArtifactStore
) -> None:
    asked = {"release": shop.release_id, "trend": 0.5, "seed": 3}
    without = client.post("/v1/design-jobs", json=asked)
    assert without.status_code == 409  # the catalog has no index
    with records.transaction() as tx:
        add_index(tx, store, shop)
    answer = client.post("/v1/design-jobs", json=asked)
    assert answer.status_code == 409
    assert "POST /v1/trend-reports" in answer.get_json()["detail"]
    issue(records, store, shop, catalog=None)
    spec = client.post("/v1/design-jobs", json=asked).get_json()["spec"]
    assert spec["trend"] == {"strength": 0.5, "report_id": shop.report_id}
    plain = client.post("/v1/design-jobs", json={**asked, "trend": 0}).get_json()["spec"]
    assert plain["trend"] is None
    for wrong in (1.5, -0.1, "much"):
        assert client.post("/v1/design-jobs", json={**asked, "trend": wrong}).status_code == 422
    shopper = {**asked, "shopper": "c-1"}
    spec = client.post("/v1/design-jobs", json=shopper).get_json()["spec"]
    assert (spec["way"]["type"], spec["trend"]["strength"]) == ("shopper", 0.5)

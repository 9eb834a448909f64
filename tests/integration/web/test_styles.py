"""Styles of a catalog and derived labels of a garment, over HTTP and on the page."""

import pytest
from flask.testing import FlaskClient

from shared.artifacts import ArtifactStore
from shared.records import Records
from shared.records.derivations import Derivation
from tests.fixtures.derived import add_derivation
from tests.fixtures.shop import Shop


@pytest.fixture
def derivation(records: Records, store: ArtifactStore, shop: Shop) -> Derivation:
    with records.transaction() as tx:
        return add_derivation(tx, store, shop)


def test_styles_are_listed_with_garments_that_can_be_fetched(
    client: FlaskClient, shop: Shop, derivation: Derivation
) -> None:
    told = client.get("/v1/catalogs/summer/styles").get_json()
    assert (told["catalog_id"], told["catalog_version"], told["reason"]) == (
        shop.catalog_id, 1, None,
    )  # fmt: skip
    assert {one["name"] for one in told["styles"]} == {"style 3", "style 7"}
    (seven,) = (one for one in told["styles"] if one["number"] == 7)
    assert seven["kept"] == 0.97
    assert seven["traits"]["colour"]["value"] == "red"
    assert [one["garment_id"] for one in seven["typical"]] == shop.garment_ids[1::2][:4]
    for garment in seven["typical"]:
        assert client.get(garment["image_url"]).status_code == 200
    assert told["retired"] == [5]
    assert told["attributes"]["pattern"]["measured"] == 16
    assert told["derived_at"].startswith(derivation.created_at.date().isoformat())


def test_styles_that_did_not_change_are_not_sent_again(
    client: FlaskClient, derivation: Derivation
) -> None:
    assert derivation.card.styles
    first = client.get("/v1/catalogs/summer/styles")
    again = client.get(
        "/v1/catalogs/summer/styles", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304


def test_before_the_first_derivation_the_reason_is_told(client: FlaskClient, shop: Shop) -> None:
    told = client.get(f"/v1/catalogs/{shop.catalog_id}/styles").get_json()
    assert told["styles"] == []
    assert told["catalog_version"] is None
    assert "looked at the catalog yet" in told["reason"]


def test_a_garment_shows_what_nobody_gave(
    client: FlaskClient, shop: Shop, derivation: Derivation
) -> None:
    assert derivation.card.garments == len(shop.garment_ids)
    first, second = (
        client.get(f"/v1/garments/{name}").get_json()["derived"] for name in shop.garment_ids[:2]
    )
    assert first == {
        "style": {"value": "style 3", "origin": "style", "confidence": 0.75},
        "pattern": {"value": "striped", "origin": "measured", "confidence": None},
    }
    assert second == {
        "style": {"value": "style 7", "origin": "style", "confidence": 0.75},
        "season": {"value": "summer", "origin": "predicted", "confidence": 0.95},
    }


def test_a_garment_that_came_since_has_none(
    client: FlaskClient, records: Records, store: ArtifactStore, shop: Shop
) -> None:
    with records.transaction() as tx:
        add_derivation(tx, store, shop, garment_ids=shop.garment_ids[:-1])
    last = client.get(f"/v1/garments/{shop.garment_ids[-1]}").get_json()
    assert last["derived"] == {}


def test_a_lost_file_is_said_to_be_lost(
    client: FlaskClient, store: ArtifactStore, shop: Shop, derivation: Derivation
) -> None:
    store.delete(derivation.artifact)
    answer = client.get(f"/v1/garments/{shop.garment_ids[0]}")
    assert answer.status_code == 404
    assert derivation.id in answer.get_json()["detail"]


def test_the_page_shows_styles_by_their_garments(
    nobody: FlaskClient, shop: Shop, derivation: Derivation
) -> None:
    assert nobody.get(f"/catalogs/{shop.catalog_id}").headers["Location"] == "/login"
    assert nobody.post("/login", data={"key": shop.secret}).status_code == 302
    assert f"/catalogs/{shop.catalog_id}" in nobody.get("/").text
    text = nobody.get(f"/catalogs/{shop.catalog_id}").text
    assert "style 7" in text
    assert "mostly red" in text
    assert text.count("<img") == sum(len(style.typical) for style in derivation.card.styles)


def test_the_page_says_why_there_are_no_styles(nobody: FlaskClient, shop: Shop) -> None:
    assert nobody.post("/login", data={"key": shop.secret}).status_code == 302
    assert "No styles: no worker has looked" in nobody.get(f"/catalogs/{shop.catalog_id}").text

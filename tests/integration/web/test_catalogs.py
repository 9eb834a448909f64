"""Catalogs and the garments in them."""

from io import BytesIO

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from shared.artifacts import ArtifactStore
from tests.fixtures.shop import Shop, draw


def test_a_catalog_is_made_and_found_by_id_and_by_name(client: FlaskClient) -> None:
    made = client.post("/v1/catalogs", json={"name": "winter", "image_size": 64})
    assert made.status_code == 201
    assert made.headers["Location"] == made.get_json()["url"]
    for reference in (made.get_json()["id"], "winter"):
        assert client.get(f"/v1/catalogs/{reference}").get_json() == made.get_json()


def test_a_second_catalog_of_the_same_name_is_a_conflict(client: FlaskClient) -> None:
    assert client.post("/v1/catalogs", json={"name": "summer"}).status_code == 409


def test_catalogs_are_listed_newest_first_page_by_page(client: FlaskClient) -> None:
    for name in ("one", "two"):
        client.post("/v1/catalogs", json={"name": name})
    first = client.get("/v1/catalogs?limit=2").get_json()
    second = client.get(f"/v1/catalogs?limit=2&cursor={first['next_cursor']}").get_json()
    names = [one["name"] for one in first["items"] + second["items"]]
    assert names == ["two", "one", "summer"]
    assert second["next_cursor"] is None


def test_garments_are_filtered_by_any_number_of_attributes(client: FlaskClient) -> None:
    place = "/v1/catalogs/summer/garments?limit=200"
    assert len(client.get(place).get_json()["items"]) == 48
    found = client.get(f"{place}&attribute=category:dress&attribute=colour:red").get_json()["items"]
    assert found
    assert all(one["attributes"] == {"category": "dress", "colour": "red"} for one in found)
    assert client.get(f"{place}&attribute=category:hat").get_json()["items"] == []


@pytest.mark.parametrize("filters", ["dress", ":dress", "category:", "a:b&attribute=a:c"])
def test_a_filter_that_cannot_be_read_is_refused(client: FlaskClient, filters: str) -> None:
    answer = client.get(f"/v1/catalogs/summer/garments?attribute={filters}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["location"] == ["attribute"]


@pytest.mark.parametrize("name", ['a"b', "a.b", "a'b", "$[0]", "a\\b", "é"])
def test_a_filter_may_name_an_attribute_with_any_characters(client: FlaskClient, name: str) -> None:
    answer = client.get("/v1/catalogs/summer/garments", query_string={"attribute": f"{name}:x"})
    assert answer.status_code == 200, answer.text


def test_a_garments_picture_is_cut_out_of_its_shard(client: FlaskClient, shop: Shop) -> None:
    place = client.get(f"/v1/garments/{shop.garment_ids[5]}").get_json()
    answer = client.get(place["image_url"])
    assert answer.content_type == "image/png"
    pixels = np.asarray(Image.open(BytesIO(answer.data)))
    expected = draw(place["attributes"]["category"], place["attributes"]["colour"], seed=5)
    assert np.array_equal(pixels, expected)


def test_pictures_are_kept_for_ever_and_not_sent_twice(client: FlaskClient, shop: Shop) -> None:
    for place in (
        f"/v1/garments/{shop.garment_ids[0]}/image",
        f"/v1/designs/{shop.design_ids[0]}/image",
        f"/v1/releases/{shop.release_id}/grid",
    ):
        first = client.get(place)
        assert first.status_code == 200
        assert first.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert first.headers["X-Content-Type-Options"] == "nosniff"
        tag = first.headers["ETag"]
        assert not tag.startswith("W/")
        again = client.get(place, headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == tag
        other = client.get(place, headers={"If-None-Match": '"another"'})
        assert other.status_code == 200


def test_a_picture_whose_bytes_are_gone_is_not_found(
    client: FlaskClient, shop: Shop, store: ArtifactStore
) -> None:
    for key in list(store.keys("catalogs")):
        store.delete(key)
    answer = client.get(f"/v1/garments/{shop.garment_ids[0]}/image")
    assert answer.status_code == 404
    assert "artifact store" in answer.get_json()["detail"]

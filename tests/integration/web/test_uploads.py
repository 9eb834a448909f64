"""Adding garments: uploads and server-side folders."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared.artifacts import ArtifactStore
from shared.settings import Settings
from tests.fixtures.shop import Shop, draw, png

PLACE = "/v1/catalogs/summer/garments"


def upload(client: FlaskClient, **parts: Any) -> TestResponse:
    headers = parts.pop("headers", {})
    return client.post(PLACE, data=parts, headers=headers, content_type="multipart/form-data")


def kept(store: ArtifactStore) -> list[str]:
    return list(store.keys("uploads"))


def test_an_archive_becomes_a_job_that_names_its_bytes(
    client: FlaskClient, store: ArtifactStore, shop: Shop
) -> None:
    data = b"PK\x03\x04" + bytes(150_000)
    answer = upload(client, archive=(BytesIO(data), "../../Summer 2026.zip"))
    assert answer.status_code == 202
    assert answer.headers["Location"] == answer.get_json()["url"]
    spec = answer.get_json()["spec"]
    assert spec["catalog_id"] == shop.catalog_id
    assert spec["source"]["name"] == "Summer 2026.zip"
    assert store.read(spec["source"]["artifact"]) == data


def test_one_picture_comes_with_its_fields(client: FlaskClient) -> None:
    fields = {"attributes": {"category": "dress"}, "date": "2026-03-01", "weight": 2}
    picture = png(draw("dress", "red", seed=1))
    answer = upload(client, image=(BytesIO(picture), "a.png"), fields=json.dumps(fields))
    assert answer.status_code == 202
    found = answer.get_json()["spec"]["source"]["fields"]
    assert (found["attributes"], found["date"]) == ({"category": "dress"}, "2026-03-01")


def test_the_front_does_not_look_inside_a_picture(client: FlaskClient) -> None:
    assert upload(client, image=(BytesIO(b"no picture"), "a.png")).status_code == 202


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"picture": (b"x", "a.png")},
        {"archive": (b"x", "a.zip"), "image": (b"x", "a.png")},
        {"archive": "a text"},
        {"archive": (b"x", "a.zip"), "catalog": "summer"},
        {"archive": (b"x", "a.zip"), "fields": "{}"},
        {"image": (b"x", "a.png"), "fields": "{"},
        {"image": (b"x", "a.png"), "fields": '{"price": 3}'},
        {"image": (b"x", "a.png"), "fields": '{"segment": "\\u0000"}'},
        {"archive": (b"", "a.zip")},
    ],
    ids=str,
)
def test_an_upload_that_does_not_fit_is_refused_and_leaves_nothing(
    client: FlaskClient, store: ArtifactStore, parts: dict[str, Any]
) -> None:
    sent = {
        name: (BytesIO(part[0]), part[1]) if isinstance(part, tuple) else part
        for name, part in parts.items()
    }
    answer = upload(client, **sent)
    assert answer.status_code == 422, answer.text
    assert answer.get_json()["reason"] == "invalid_input"
    assert kept(store) == []


@pytest.mark.parametrize("size", [200_001, 400_000])
def test_a_file_larger_than_the_limit_is_refused_and_leaves_nothing(
    client: FlaskClient, store: ArtifactStore, settings: Settings, size: int
) -> None:
    answer = upload(client, archive=(BytesIO(bytes(size)), "a.zip"))
    assert answer.status_code == 413
    assert answer.get_json()["reason"] == "too_large"
    assert kept(store) == []
    assert list((settings.home / "incoming").glob("*")) == []


def test_an_upload_of_another_type_is_refused(client: FlaskClient) -> None:
    answer = client.post(PLACE, data=b"PK", content_type="application/zip")
    assert answer.status_code == 415


def test_an_upload_to_no_catalog_is_refused_before_it_is_read(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/catalogs/nowhere/garments", data={"archive": (BytesIO(b"x"), "a.zip")}
    )
    assert answer.status_code == 404


def test_the_same_upload_with_the_same_key_is_one_job_and_one_file(
    client: FlaskClient, store: ArtifactStore
) -> None:
    headers = {"Idempotency-Key": "upload-1"}
    first, second = (
        upload(client, archive=(BytesIO(b"PK"), "a.zip"), headers=headers) for _ in range(2)
    )
    assert first.get_json()["id"] == second.get_json()["id"]
    assert kept(store) == [first.get_json()["spec"]["source"]["artifact"]]
    other = upload(client, archive=(BytesIO(b"PK2"), "a.zip"), headers=headers)
    assert (other.status_code, other.get_json()["reason"]) == (422, "idempotency_mismatch")
    assert len(kept(store)) == 1


def test_a_folder_below_a_root_is_taken(client: FlaskClient, pictures: Path) -> None:
    (pictures / "2026").mkdir()
    answer = client.post(PLACE, json={"path": f"{pictures}/x/../2026"})
    assert answer.status_code == 202
    assert answer.get_json()["spec"]["source"] == {"type": "path", "path": str(pictures / "2026")}


def test_a_path_outside_the_roots_is_forbidden_whether_or_not_it_is_there(
    client: FlaskClient, pictures: Path
) -> None:
    (pictures / "way-out").symlink_to("/etc")
    ways = ["/etc", "/nowhere", f"{pictures}/..", f"{pictures}/way-out/ssl", f"{pictures}-2"]
    for path in ways:
        answer = client.post(PLACE, json={"path": path})
        assert answer.status_code == 403, path
        assert answer.get_json()["reason"] == "forbidden"
        assert "TOILE_IMPORT_ROOTS" in answer.get_json()["detail"]


@pytest.mark.parametrize("path", ["pictures", "", "~/pictures"])
def test_a_path_that_is_not_absolute_is_refused(client: FlaskClient, path: str) -> None:
    assert client.post(PLACE, json={"path": path}).status_code == 422


def test_a_folder_that_is_not_there_is_refused(client: FlaskClient, pictures: Path) -> None:
    answer = client.post(PLACE, json={"path": f"{pictures}/2031"})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["location"] == ["path"]

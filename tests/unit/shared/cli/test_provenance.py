"""`toile provenance`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.api import AT, FakeApi, problem
from tests.fixtures.toile import Toile

DESIGN = {
    "id": "des_1",
    "job_id": "job_1",
    "release_id": "rel_1",
    "position": 0,
    "seed": 7,
    "condition": {"category": "coat"},
    "size": 32,
    "format": "png",
    "sha256": "0" * 64,
    "created_at": AT,
    "url": "/v1/designs/des_1",
    "image_url": "/v1/designs/des_1/image",
}
MANIFEST = {"state": "valid", "signer": "ours", "common_name": "Toile", "issuer": "shop"}


def answer(**changes: Any) -> tuple[int, dict[str, Any]]:
    said = {"sha256": "1" * 64, "evidence": "none", "worth": "Nothing links it.", "searched": 40}
    return 200, {**said, "manifest": {"state": "absent"}, **changes}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "coat.png"
    path.write_bytes(b"the picture")
    return path


def test_a_picture_is_sent_and_the_answer_told_in_words(
    toile: Toile, api: FakeApi, picture: Path
) -> None:
    similar = {"same_pixels": False, "distance": 3, "difference": 1.5}
    worth = "The file looks like a design."
    api["POST /v1/provenance"] = answer(
        evidence="similar", worth=worth, design=DESIGN, manifest=MANIFEST, **similar
    )
    ran = toile("provenance", picture)
    assert ran.code == 0, ran.err
    assert b'name="image"; filename="coat.png"' in api.sent[0].body
    for words in (worth, "des_1", "rel_1", "3 of 64 bits", "1.5 of 255", "signed by this server"):
        assert words in ran.out


def test_a_picture_from_elsewhere_is_no_failure(toile: Toile, api: FakeApi, picture: Path) -> None:
    api["POST /v1/provenance"] = answer()
    ran = toile("provenance", picture)
    assert ran.code == 0
    assert "Nothing links it." in ran.out
    assert "designs compared  40" in ran.out


def test_scripts_get_the_servers_document(toile: Toile, api: FakeApi, picture: Path) -> None:
    api["POST /v1/provenance"] = answer(evidence="exact", design=DESIGN, same_pixels=True)
    found = json.loads(toile("provenance", picture, "--json").out)
    assert (found["evidence"], found["design"]["seed"]) == ("exact", 7)


def test_a_file_that_is_not_there_is_misuse(toile: Toile, api: FakeApi) -> None:
    assert toile("provenance", "/nowhere/coat.png").code == 2
    assert api.sent == []


def test_a_file_that_the_server_cannot_read_says_why(
    toile: Toile, api: FakeApi, picture: Path
) -> None:
    said = "The picture cannot be read: it is no picture."
    api["POST /v1/provenance"] = (422, problem(422, "unreadable_source", said))
    ran = toile("provenance", picture)
    assert ran.code == 1
    assert said in ran.err

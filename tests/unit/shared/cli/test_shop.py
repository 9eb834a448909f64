"""The commands that speak to the server."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.api import AT, FakeApi, in_turn, job_document, listing, problem
from tests.fixtures.toile import Toile

CATALOG = {
    "id": "cat_1",
    "name": "summer",
    "version": 1,
    "garments": 1200,
    "image_size": 32,
    "channels": 3,
    "attributes": {"category": {"dress": 3, "coat": 4}},
    "created_at": AT,
    "updated_at": AT,
    "url": "/v1/catalogs/cat_1",
}
INGESTED = {
    "catalog_id": "cat_1",
    "version": 1,
    "added": 1200,
    "merged": 2,
    "near_duplicates": 3,
    "rejected": 1,
    "rejections": [{"name": "broken.png", "reason": "it cannot be read"}],
    "remarks": [{"name": "late.png", "reason": "its date cannot be read"}],
    "seconds": 1.5,
}
TRAINED = {
    "release_id": "rel_1",
    "release_number": 1,
    "model_id": "model_1",
    "model": "summer",
    "url": "/v1/releases/rel_1",
    "grid_url": "/v1/releases/rel_1/grid",
    "card_url": "/v1/releases/rel_1/card",
}


def design(position: int) -> dict[str, Any]:
    return {
        "id": f"des_{position}",
        "job_id": "job_1",
        "release_id": "rel_1",
        "position": position,
        "seed": 7 + position,
        "condition": {"category": "dress"},
        "size": 32,
        "format": "png",
        "sha256": "0" * 64,
        "created_at": AT,
        "url": f"/v1/designs/des_{position}",
        "image_url": f"/v1/designs/des_{position}/image",
    }


@pytest.fixture
def ingesting(api: FakeApi) -> FakeApi:
    api["POST /v1/catalogs"] = (201, CATALOG)
    api["POST /v1/catalogs/cat_1/garments"] = (202, job_document("ingest"))
    api["GET /v1/jobs/job_1"] = in_turn(
        (200, job_document("ingest", "running", progress={"fraction": 0.4})),
        (200, job_document("ingest", "succeeded", result=INGESTED)),
    )
    return api


def test_an_archive_becomes_a_catalog_named_after_it(
    toile: Toile, ingesting: FakeApi, tmp_path: Path
) -> None:
    archive = tmp_path / "summer.tar.gz"
    archive.write_bytes(b"content")
    ran = toile("catalog", "add", archive)
    assert ran.code == 0, ran.err
    assert ingesting.bodies("POST /v1/catalogs")[0]["name"] == "summer"
    assert "1,200 added, 2 exact copies merged" in ran.out
    assert "broken.png: it cannot be read" in ran.out
    assert "late.png: its date cannot be read" in ran.out
    assert "40%" in ran.err


def test_a_folder_is_packed_and_uploaded(toile: Toile, ingesting: FakeApi, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "dress").mkdir(parents=True)
    (folder / "dress" / "one.png").write_bytes(b"png")
    (folder / ".DS_Store").write_bytes(b"")
    done = json.loads(toile("catalog", "add", folder, "--name", "summer", "--json").out)
    assert done["result"]["added"] == 1200
    upload = next(one for one in ingesting.sent if one.path.endswith("/garments"))
    body = upload.body.split(b"\r\n\r\n", 1)[1]
    with tarfile.open(fileobj=io.BytesIO(body)) as packed:
        assert packed.getnames() == ["dress/one.png"]


def test_a_picture_is_added_with_its_labels(
    toile: Toile, ingesting: FakeApi, tmp_path: Path
) -> None:
    picture = tmp_path / "one.jpg"
    picture.write_bytes(b"jpg")
    command = ("catalog", "add", picture, "--attribute", "category=dress", "--no-wait")
    assert toile(*command, "--date", "2026-03-01").out.startswith("job_1 is queued")
    upload = next(one for one in ingesting.sent if one.path.endswith("/garments"))
    assert b'name="image"; filename="one.jpg"' in upload.body
    assert b'"category": "dress"' in upload.body
    assert toile(*command, "--date", "yesterday").code == 2


def test_a_path_of_the_server_is_not_looked_for_here(toile: Toile, ingesting: FakeApi) -> None:
    assert toile("catalog", "add", "/data/summer", "--on-server").code == 0
    assert ingesting.bodies("POST /v1/catalogs/cat_1/garments") == [{"path": "/data/summer"}]


def test_a_path_with_nothing_is_misuse_and_makes_no_catalog(toile: Toile, api: FakeApi) -> None:
    ran = toile("catalog", "add", "/nothing/here.zip")
    assert ran.code == 2
    assert api.sent == []


def test_catalogs_are_a_plain_table(toile: Toile, api: FakeApi) -> None:
    api["GET /v1/catalogs"] = listing(CATALOG)
    heading, row = toile("catalog", "list").out.splitlines()
    assert heading.split() == ["NAME", "ID", "GARMENTS", "VERSION", "SIZE", "ATTRIBUTES"]
    assert row.split()[:3] == ["summer", "cat_1", "1,200"]


def test_training_waits_shows_progress_and_saves_the_grid(
    toile: Toile, api: FakeApi, tmp_path: Path
) -> None:
    api["POST /v1/training-jobs"] = (202, job_document())
    progress = {"fraction": 0.25, "images_seen": 4096, "images_per_second": 200, "eta_seconds": 90}
    api["GET /v1/jobs/job_1"] = in_turn(
        (200, job_document(state="running", progress=progress)),
        (200, job_document(state="succeeded", result=TRAINED)),
    )
    api["GET /v1/releases/rel_1/grid"] = (200, b"png")
    grid = tmp_path / "grid.png"
    ran = toile("train", "summer", "--images", "9000", "--attributes", "category, colour",
                "--model", "summer", "--grid", grid)  # fmt: skip
    assert ran.code == 0, ran.err
    (asked,) = api.bodies("POST /v1/training-jobs")
    assert asked["budget"] == {"images": 9000}
    assert asked["attributes"] == ["category", "colour"]
    assert "25% 4,096 images, 200/s, 1:30 to go" in ran.err
    assert "summer has release 1: rel_1" in ran.out
    assert grid.read_bytes() == b"png"


def test_the_engines_settings_go_to_the_server_as_they_are_named(
    toile: Toile, api: FakeApi
) -> None:
    api["POST /v1/training-jobs"] = (202, job_document())
    ran = toile("train", "summer", "--no-wait", "--preset", "dcgan", "--width", "m",
                "--balance", "0.5", "--early-stop", "6", "--heldout", "0.2", "--size", "30",
                "--from-release", "rel_1")  # fmt: skip
    assert ran.code == 0, ran.err
    (asked,) = api.bodies("POST /v1/training-jobs")
    expected = {
        "preset": "dcgan", "width": "m", "balance": 0.5, "early_stop": 6, "heldout": 0.2,
        "size": 30, "from_release": "rel_1",
    }  # fmt: skip
    assert expected.items() <= asked.items()
    assert toile("train", "summer", "--preset", "stylegan").code == 2
    assert toile("train", "summer", "--early-stop", "1").code == 2


def test_a_training_takes_minutes_or_images_not_both(toile: Toile, api: FakeApi) -> None:
    assert toile("train", "summer", "--minutes", "1", "--images", "9000").code == 2
    assert toile("train", "summer", "--minutes", "0").code == 2
    assert api.sent == []


def test_a_training_need_not_be_waited_for(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/training-jobs"] = (202, job_document())
    assert json.loads(toile("train", "summer", "--no-wait", "--json").out)["id"] == "job_1"
    assert api.bodies("POST /v1/training-jobs")[0]["budget"] == {"minutes": 10.0}


def test_designs_are_saved_under_their_job_and_place(
    toile: Toile, api: FakeApi, tmp_path: Path
) -> None:
    api["POST /v1/design-jobs"] = (202, job_document("design"))
    api["GET /v1/jobs/job_1"] = (200, job_document("design", "succeeded"))
    api["GET /v1/designs"] = listing(design(1), design(0))
    for position in (0, 1):
        api[f"GET /v1/designs/des_{position}/image"] = (200, f"picture {position}".encode())
    ran = toile("design", "summer", "--count", "2", "--condition", "category=dress",
                "--out", tmp_path, "--json")  # fmt: skip
    made = json.loads(ran.out)
    assert [one["seed"] for one in made] == [7, 8]
    assert (tmp_path / "job_1-01.png").read_bytes() == b"picture 1"
    assert made[1]["file"] == str(tmp_path / "job_1-01.png")
    (asked,) = api.bodies("POST /v1/design-jobs")
    assert asked["model"] == "summer"
    assert asked["condition"] == {"category": "dress"}


def test_a_release_is_told_from_a_model_by_its_id(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/design-jobs"] = (202, job_document("design"))
    toile("design", "rel_4t9x", "--no-wait")
    assert api.bodies("POST /v1/design-jobs")[0]["release"] == "rel_4t9x"


@pytest.mark.parametrize(
    ("words", "route", "said"),
    [
        (
            ["vary", "des_1", "--strength", "0.2", "--condition", "colour=red"],
            "POST /v1/designs/des_1/variations",
            {"strength": 0.2, "condition": {"colour": "red"}, "count": 4},
        ),
        (
            ["mix", "des_1", "des_2", "--share", "0.25"],
            "POST /v1/designs/mix",
            {"first": "des_1", "second": "des_2", "share": 0.25},
        ),
        (
            ["walk", "des_1", "des_2", "--frames", "9"],
            "POST /v1/designs/walk",
            {"first": "des_1", "second": "des_2", "frames": 9, "format": "webp"},
        ),
        (
            ["design", "summer", "--priority", "bulk", "--expires-in", "60"],
            "POST /v1/design-jobs",
            {"model": "summer", "priority": "bulk", "expires_in": 60.0},
        ),
    ],
)
def test_designs_are_asked_for_from_designs_and_on_terms(
    toile: Toile, api: FakeApi, words: list[str], route: str, said: dict[str, Any]
) -> None:
    api[route] = (202, job_document("design"))
    assert toile(*words, "--no-wait").code == 0
    (asked,) = api.bodies(route)
    assert said.items() <= asked.items()


def test_what_the_server_refuses_of_a_design_is_told(toile: Toile, api: FakeApi) -> None:
    detail = "The release knows no category 'hat'. It knows: dress, coat."
    api["POST /v1/design-jobs"] = (422, problem(422, "invalid_input", detail))
    ran = toile("design", "summer", "--condition", "category=hat")
    assert (ran.code, ran.err) == (1, f"Error: {detail}\n")
    assert toile("design", "summer", "--condition", "hat").code == 2


def test_jobs_alone_lists_the_newest(toile: Toile, api: FakeApi) -> None:
    api["GET /v1/jobs"] = listing(job_document(state="failed", reason="diverged"))
    heading, row = toile("jobs").out.splitlines()
    assert heading.split() == ["ID", "KIND", "STATE", "NOTE", "TRIES", "MADE"]
    assert row.split()[:4] == ["job_1", "training", "failed", "diverged"]


def test_a_job_is_shown_with_its_error(toile: Toile, api: FakeApi) -> None:
    error = {"reason": "diverged", "message": "The losses are no longer finite.", "details": {}}
    failed = job_document(state="failed", reason="diverged", error=error)
    api["GET /v1/jobs/job_1"] = (200, failed)
    shown = toile("jobs", "show", "job_1")
    assert shown.code == 0
    assert "The losses are no longer finite." in shown.out
    waited = toile("jobs", "wait", "job_1")
    assert waited.code == 1
    assert "The losses are no longer finite." in waited.err


def test_waiting_for_a_job_has_a_limit(toile: Toile, api: FakeApi) -> None:
    api["GET /v1/jobs/job_1"] = (200, job_document(state="running"))
    ran = toile("jobs", "wait", "job_1", "--timeout", "0.1")
    assert ran.code == 1
    assert "it goes on" in ran.err


def test_a_job_is_cancelled_and_retried(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/jobs/job_1/cancel"] = (200, job_document(state="running", cancel_requested=True))
    api["POST /v1/jobs/job_1/retry"] = (202, job_document(id="job_2"))
    assert "asked to stop" in toile("jobs", "cancel", "job_1").out
    assert "job_2 is queued" in toile("jobs", "retry", "job_1").out


def test_a_trend_report_shows_its_headline_and_saves_its_page(
    toile: Toile, api: FakeApi, tmp_path: Path
) -> None:
    trend = {"attribute": "category", "value": "dress", "change": 0.42}
    summary = {"garments": 900, "first": "2024-01-01", "last": "2026-01-01", "period": "month"}
    report = {
        "id": "rep_1",
        "job_id": "job_1",
        "catalog_id": None,
        "data_fingerprint": "x",
        "summary": {**summary, "rising": [trend], "declining": []},
        "files": ["report.html"],
        "created_at": AT,
        "url": "/v1/trend-reports/rep_1",
        "page_url": "/v1/trend-reports/rep_1/files/report.html",
    }
    api["POST /v1/trend-reports"] = (202, job_document("trend_report"))
    succeeded = job_document("trend_report", "succeeded", result={"report_id": "rep_1"})
    api["GET /v1/jobs/job_1"] = (200, succeeded)
    api["GET /v1/trend-reports/rep_1"] = (200, report)
    api["GET /v1/trend-reports/rep_1/files/report.html"] = (200, b"<html>")
    page = tmp_path / "report.html"
    ran = toile("trends", "--catalog", "summer", "--open-out", page)
    assert ran.code == 0, ran.err
    assert page.read_bytes() == b"<html>"
    assert "900 garments, 2024-01-01 to 2026-01-01, by month" in ran.out
    assert "rising  category   dress  +42%" in ran.out
    assert api.bodies("POST /v1/trend-reports")[0]["catalog"] == "summer"

"""`toile feed`: counts and images of others, from the command line."""

from pathlib import Path

import pytest

from tests.fixtures.api import AT, FakeApi, in_turn, job_document, listing, problem
from tests.fixtures.toile import Toile

FEED = {
    "id": "feed_1",
    "name": "street",
    "source": "instagram",
    "segment": None,
    "weight": 1.0,
    "catalog_id": "cat_9",
    "batches": 1,
    "observations": 1200.0,
    "first": "2026-03-02",
    "last": "2026-03-30",
    "created_at": AT,
    "updated_at": AT,
    "url": "/v1/feeds/feed_1",
}
ADDED = {
    "feed_id": "feed_1",
    "batch": 2,
    "kind": "counts",
    "rows": 40,
    "observations": 1234.0,
    "merged": 0,
    "rejected": 1,
    "rejections": [{"name": "march.csv line 3", "reason": "the day 'never' is unknown"}],
    "remarks": [],
    "seconds": 0.2,
}
BATCH = {
    "feed_id": "feed_1",
    "number": 1,
    "kind": "counts",
    "revises": True,
    "rows": 40,
    "observations": 1200.0,
    "first": "2026-03-02",
    "last": "2026-03-30",
    "catalog_version": None,
    "job_id": "job_1",
    "created_at": AT,
}


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "march.csv"
    path.write_text("date,category,count\n2026-03-02,dress,5\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def answers(api: FakeApi) -> None:
    api["GET /v1/feeds/street"] = (200, FEED)
    api["POST /v1/feeds/feed_1/batches"] = (202, job_document("feed"))
    api["GET /v1/jobs/job_1"] = in_turn(
        (200, job_document("feed", "succeeded", attempts=1, result=ADDED))
    )


def test_a_feed_is_made_with_where_it_comes_from(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/feeds"] = (201, FEED)
    ran = toile("feed", "create", "street", "--source", "instagram", "--weight", "2")
    assert ran.code == 0, ran.err
    (body,) = api.bodies("POST /v1/feeds")
    assert (body["name"], body["source"], body["weight"]) == ("street", "instagram", 2)
    assert "toile feed add street" in ran.out


def test_counts_are_sent_and_what_was_not_taken_is_shown(
    toile: Toile, api: FakeApi, counts: Path
) -> None:
    ran = toile("feed", "add", "street", counts, "--revises")
    assert ran.code == 0, ran.err
    assert "40 rows for 1,234 observations added as batch 2" in ran.out
    assert "march.csv line 3: the day 'never' is unknown" in ran.out
    (sent,) = (one for one in api.sent if one.method == "POST")
    assert b'name="counts"; filename="march.csv"' in sent.body
    assert b'name="revises"' in sent.body
    assert b"2026-03-02,dress,5" in sent.body


def test_a_folder_of_pictures_is_packed_and_sent_as_an_archive(
    toile: Toile, api: FakeApi, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"x")
    ran = toile("feed", "add", "street", folder, "--no-wait")
    assert ran.code == 0, ran.err
    (sent,) = (one for one in api.sent if one.method == "POST")
    assert b'name="archive"' in sent.body


def test_pictures_cannot_revise(toile: Toile, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"PK")
    ran = toile("feed", "add", "street", archive, "--revises")
    assert ran.code == 2
    assert "--revises is for counts" in ran.err


def test_feeds_and_their_batches_are_listed(toile: Toile, api: FakeApi) -> None:
    api["GET /v1/feeds"] = listing(FEED)
    api["GET /v1/feeds/street/batches"] = listing(BATCH)
    listed, shown = toile("feed", "list"), toile("feed", "show", "street")
    assert "instagram" in listed.out
    assert "1,200" in listed.out
    assert "yes" in shown.out
    assert '"number": 1' in toile("feed", "show", "street", "--json").out


def test_a_feed_is_deleted_once_that_is_confirmed(toile: Toile, api: FakeApi) -> None:
    api["DELETE /v1/feeds/street"] = (204, {})
    assert toile("feed", "delete", "street", "--yes").code == 0
    assert toile("feed", "delete", "stroll", "--yes").code == 1


def test_a_feed_that_is_there_already_is_taken(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/feeds"] = (409, problem(409, "conflict", "There is a feed of that name."))
    assert "feed_1" in toile("feed", "create", "street").out

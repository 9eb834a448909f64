"""A disk that is full refuses work, damages nothing, and takes work again when there is room."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.artifacts.local import LocalArtifacts
from shared.errors import DiskFullError
from shared.records import Records, jobs, migrate, sites
from shared.schemas.jobs import JobState
from shared.settings import Settings
from tests.fixtures.disks import filled, small_disk
from tests.fixtures.rows import an_ingest_job
from tests.fixtures.shop import open_shop
from web.app import create_app
from web.runtime import EXTENSION
from worker.attempt import Attempt, Outcome, Publish, run
from worker.runtime import open_runtime


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", mebibytes=6) as folder:
        yield folder


@pytest.fixture
def own(settings: Settings, disk: Path) -> Settings:
    changes = {"home": disk / "var", "disk_floor": 2**20, "max_attempts": 1}
    return settings.model_copy(update=changes)


@pytest.fixture
def records(own: Settings) -> Iterator[Records]:
    opened = Records(own.database)
    migrate.upgrade(opened)
    yield opened
    opened.close()


def test_a_database_whose_disk_is_full_says_so_stays_sound_and_goes_on(
    records: Records, disk: Path
) -> None:
    def fill() -> None:
        with records.transaction() as tx:
            for number in range(2_000):
                sites.create(tx, f"{number} {'x' * 1_000}")

    with records.transaction() as tx:
        sites.create(tx, "before")
    with filled(disk, leaving=2**18), pytest.raises(DiskFullError, match="make room"):
        fill()
    with records.reading() as tx:
        assert [one.name for one in sites.every(tx)] == ["before"]
        assert tx.session.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    with records.transaction() as tx:
        sites.create(tx, "after")


def test_an_artifact_for_which_there_is_no_room_leaves_nothing_behind(disk: Path) -> None:
    store = LocalArtifacts(disk / "artifacts")
    store.put("designs/first", b"x" * 2**20)
    with pytest.raises(DiskFullError):
        store.put("designs/second", BytesIO(b"x" * 2**23))
    assert [path.name for path in disk.rglob("*") if path.is_file()] == ["first"]
    store.put("designs/third", b"x" * 2**20)


@pytest.mark.usefixtures("redis")
def test_the_front_refuses_work_while_the_disk_is_nearly_full_and_answers_polls(
    own: Settings, records: Records, disk: Path
) -> None:
    shop = open_shop(records, "shop")
    job = an_ingest_job(records, shop.site_id)
    app = create_app(own, records=records)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {shop.secret}"
    with filled(disk, leaving=2**19):
        refused = client.post("/v1/catalogs", json={"name": "winter"})
        assert (refused.status_code, refused.get_json()["reason"]) == (507, "disk_full")
        assert refused.get_json()["retryable"]
        upload = {"archive": (BytesIO(b"x" * 2**18), "a.zip")}
        assert client.post("/v1/catalogs/summer/garments", data=upload).status_code == 507
        assert client.get(f"/v1/jobs/{job.id}").get_json()["state"] == "queued"
        assert client.post(f"/v1/jobs/{job.id}/cancel").get_json()["state"] == "cancelled"
    assert client.post("/v1/catalogs", json={"name": "winter"}).status_code == 201
    app.extensions[EXTENSION].close()


def _stores(attempt: Attempt) -> Publish:
    """Do a job that stores half a MiB."""
    attempt.runtime.store.put(f"reports/{attempt.job.id}/report.html", b"x" * 2**19)
    return lambda _tx: Outcome({})


@pytest.mark.usefixtures("redis")
def test_a_job_that_finds_the_disk_full_fails_with_that_reason_and_the_next_one_succeeds(
    own: Settings, records: Records, disk: Path
) -> None:
    runtime = open_runtime(own)
    shop = open_shop(records, "shop")
    first = an_ingest_job(records, shop.site_id)
    with filled(disk, leaving=2**19):
        run(runtime, first.id, _stores)
    second = an_ingest_job(records, shop.site_id, catalog="winter")
    run(runtime, second.id, _stores)
    with records.reading() as tx:
        ended = [jobs.get(tx, one.id) for one in (first, second)]
    assert [one.state for one in ended] == [JobState.FAILED, JobState.SUCCEEDED]
    assert ended[0].reason == DiskFullError.reason
    runtime.records.close()

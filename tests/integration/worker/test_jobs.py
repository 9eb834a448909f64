"""Each kind of job, run in this process: rows and files in, rows and files out."""

import hashlib
import json
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.artifacts import keys
from shared.demo.drawn import write_archive
from shared.jobs.submit import enqueue
from shared.records import catalogs, designs, forecasts, garments, jobs, models, reports
from shared.schemas.catalogs import CatalogRequest, GarmentFields
from shared.schemas.jobs import (
    Budget,
    DesignSpec,
    IngestSpec,
    JobKind,
    JobRecord,
    JobState,
    PathSource,
    Spec,
    TrainingSpec,
    TrendSpec,
    UploadSource,
)
from shared.schemas.models import MINIMUM_GARMENTS
from shared.schemas.trends import TrendOptions
from tests.fixtures.rows import a_site
from worker import attempt
from worker.jobs.datasets import load_dataset
from worker.jobs.designs import drain
from worker.jobs.ingest import ingest_garments
from worker.jobs.reports import make_report, schedule_reports
from worker.jobs.training import train
from worker.runtime import DRAINING, Runtime

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "garments.zip"
    write_archive(path, count=240, seed=1, end=date(2026, 6, 30))
    return path


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture
def catalog_id(runtime: Runtime, site: str) -> str:
    with runtime.records.transaction() as tx:
        return catalogs.create(tx, site, CatalogRequest(name="drawn")).id


@pytest.fixture
def filled(runtime: Runtime, site: str, catalog_id: str, archive: Path) -> str:
    done = do(runtime, site, upload(runtime, catalog_id, archive))
    assert done.state is JobState.SUCCEEDED, done.error
    return catalog_id


def upload(runtime: Runtime, catalog_id: str, path: Path, **fields: Any) -> IngestSpec:
    key = keys.upload(f"upl_{path.stem}")
    runtime.store.put(key, path)
    said = GarmentFields.model_validate(fields) if fields else None
    source = UploadSource(artifact=key, name=path.name, fields=said)
    return IngestSpec(catalog_id=catalog_id, source=source)


def do(runtime: Runtime, site: str, spec: Spec) -> JobRecord:
    """Run a job as its task would, and return its row."""
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, spec)
    match spec.kind:
        case JobKind.INGEST:
            attempt.run(runtime, job.id, ingest_garments)
        case JobKind.TRAINING:
            attempt.run(runtime, job.id, train)
        case JobKind.TREND_REPORT:
            attempt.run(runtime, job.id, make_report)
        case JobKind.DESIGN:
            drain(runtime, spec.release_id)
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def training(catalog_id: str, **changes: Any) -> TrainingSpec:
    base: dict[str, Any] = {
        "catalog_id": catalog_id,
        "catalog_version": 1,
        "model": "drawn",
        "size": 16,
        "budget": Budget(images=64),
        "seed": 1,
        "attributes": ("category", "colour"),
    }
    return TrainingSpec.model_validate({**base, **changes})


def test_an_archive_becomes_a_version_with_garments_labels_and_colours(
    runtime: Runtime, site: str, filled: str
) -> None:
    with runtime.records.reading() as tx:
        catalog = catalogs.get(tx, site, filled)
        page = garments.page(tx, filled, limit=200)
        shards = catalogs.shards_up_to(tx, filled, 1)
    assert (catalog.version, catalog.image_size, catalog.channels) == (1, 32, 3)
    assert catalog.garments == sum(shard.count for shard in shards)
    garment = page.items[0]
    assert {"category", "colour", "pattern"} <= garment.attributes.keys()
    assert garment.palette
    assert garment.date is not None
    pixels = np.load(runtime.store.fetch(shards[0].artifact, runtime.settings.cache_folder))
    assert pixels.shape == (shards[0].count, 32, 32, 3)


def test_a_catalog_keeps_the_size_that_its_owner_named(
    runtime: Runtime, site: str, archive: Path
) -> None:
    with runtime.records.transaction() as tx:
        made = catalogs.create(tx, site, CatalogRequest(name="small", image_size=16))
    do(runtime, site, upload(runtime, made.id, archive))
    with runtime.records.reading() as tx:
        catalog = catalogs.get(tx, site, made.id)
    assert (catalog.image_size, catalog.channels) == (16, 3)


def test_the_upload_is_removed_once_it_was_taken_in(runtime: Runtime, filled: str) -> None:
    assert filled
    assert list(runtime.store.keys("uploads/")) == []


def test_sending_the_same_archive_again_adds_nothing(
    runtime: Runtime, site: str, filled: str, archive: Path
) -> None:
    done = do(runtime, site, upload(runtime, filled, archive))
    assert done.result is not None
    assert done.result["added"] == 0
    assert done.result["merged"] >= 230
    assert done.result["version"] == 1


def test_one_picture_is_added_with_what_is_said_of_it(
    runtime: Runtime, site: str, filled: str, tmp_path: Path
) -> None:
    picture = tmp_path / "kimono.png"
    noise = np.random.default_rng(5).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(picture)
    spec = upload(
        runtime, filled, picture, attributes={"category": "kimono"}, date="2026-05-01", weight=2
    )
    done = do(runtime, site, spec)
    assert done.result is not None
    assert (done.result["added"], done.result["version"]) == (1, 2)
    with runtime.records.reading() as tx:
        found = garments.page(tx, filled, attributes={"category": "kimono"}).items
    assert [(one.name, one.weight, one.date) for one in found] == [
        ("kimono.png", 2.0, date(2026, 5, 1))
    ]


def test_a_corrupt_archive_ends_the_job_with_its_reason_and_adds_nothing(
    runtime: Runtime, site: str, catalog_id: str, archive: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(archive.read_bytes()[:5000])
    done = do(runtime, site, upload(runtime, catalog_id, broken))
    assert (done.state, done.reason) == (JobState.FAILED, "unreadable_source")
    assert done.error is not None
    assert "broken.zip" in done.error["message"]
    with runtime.records.reading() as tx:
        assert catalogs.get(tx, site, catalog_id).version == 0


def test_a_folder_outside_the_import_roots_is_not_read(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    spec = IngestSpec(catalog_id=catalog_id, source=PathSource(path=str(tmp_path)))
    done = do(runtime, site, spec)
    assert done.reason == "forbidden"
    assert done.error is not None
    assert "TOILE_IMPORT_ROOTS" in done.error["message"]


def test_a_training_ends_with_a_release_that_designs(
    runtime: Runtime, site: str, filled: str
) -> None:
    done = do(runtime, site, training(filled))
    assert done.state is JobState.SUCCEEDED, done.error
    assert done.result is not None
    release_id = done.result["release_id"]
    with runtime.records.reading() as tx:
        release = models.release(tx, release_id, site_id=site).release
    assert (release.number, release.size, release.channels) == (1, 16, 3)
    assert release.vocabulary.keys() == {"category", "colour"}
    assert runtime.store.exists(keys.release_file(release_id, "grid.png"))
    page = runtime.store.read(keys.release_file(release_id, "card.html")).decode()
    assert "version 1 of the catalog drawn" in page
    assert release.card["origin"]["release"] == release_id
    assert release.card["spec"]["size"] == 16
    assert list(runtime.store.keys(keys.checkpoints(done.id))) == []

    category = release.vocabulary["category"][0]
    spec = DesignSpec(
        release_id=release_id,
        count=3,
        condition={"category": category},
        seed=5,
        size=16,
        format="webp",
    )
    designed = do(runtime, site, spec)
    assert designed.state is JobState.SUCCEEDED, designed.error
    with runtime.records.reading() as tx:
        made = designs.of_job(tx, designed.id)
        place = designs.get(tx, site, made[0].id)
    assert [one.seed for one in made] == [5, 6, 7]
    assert place.length is not None
    data = runtime.store.read_range(place.artifact, place.start, place.length)
    picture = Image.open(BytesIO(data))
    assert (picture.format, picture.size) == ("WEBP", (16, 16))
    assert made[0].colours

    bad = spec.model_copy(update={"condition": {"category": "boat"}})
    assert do(runtime, site, bad).reason == "invalid_input"


def test_a_colour_catalog_is_read_with_its_measured_colours(
    runtime: Runtime, site: str, filled: str
) -> None:
    assert site
    spec = training(filled, attributes=("category",), colours=True)
    read = load_dataset(runtime, spec)
    assert read.colours is not None
    assert read.colours.shape == (read.n, 2, 3)
    main, second = read.colours[:, 0], read.colours[:, 1]
    assert np.isfinite(main).all()
    assert ((main[:, 0] >= 0) & (main[:, 0] <= 100)).all()
    known = np.isfinite(second).all(axis=1)
    assert 0 < known.sum() < read.n
    assert load_dataset(runtime, training(filled)).colours is None


def test_a_training_that_is_drained_goes_on_from_its_checkpoint(
    runtime: Runtime, site: str, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = training(filled, preset="mlp", budget=Budget(images=20 * 256))
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, spec)
    drain_after(monkeypatch, steps=6)
    attempt.run(runtime, job.id, train)
    with runtime.records.reading() as tx:
        back = jobs.get(tx, job.id)
    assert (back.state, back.reason) == (JobState.QUEUED, "drained")
    kept = [key for key in runtime.store.keys(keys.checkpoints(job.id)) if "manifest" in key]
    step = json.loads(runtime.store.read(kept[0]))["step"]
    assert step > 0

    monkeypatch.undo()
    DRAINING.clear()
    attempt.run(runtime, job.id, train)
    with runtime.records.reading() as tx:
        done = jobs.get(tx, job.id)
        card = models.page(tx, site).items
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2), done.error
    assert len(card) == 1


def drain_after(monkeypatch: pytest.MonkeyPatch, *, steps: int) -> None:
    """Make the worker drain once so many steps were made."""
    asked = attempt.Attempt.should_stop
    calls = iter(range(10**6))

    def should_stop(held: attempt.Attempt) -> bool:
        if next(calls) == steps:
            DRAINING.set()
        return asked(held)

    monkeypatch.setattr(attempt.Attempt, "should_stop", should_stop)


def test_a_catalog_too_small_to_train_on_says_the_least_number(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    small = tmp_path / "small.zip"
    write_archive(small, count=10, seed=2, end=date(2026, 6, 30))
    do(runtime, site, upload(runtime, catalog_id, small))
    done = do(runtime, site, training(catalog_id))
    assert done.reason == "catalog_too_small"
    assert done.error is not None
    assert f"at least {MINIMUM_GARMENTS}" in done.error["message"]


def test_a_report_is_made_once_while_nothing_changes(
    runtime: Runtime, site: str, filled: str
) -> None:
    spec = TrendSpec(catalog_id=filled, options=TrendOptions(), only_if_changed=True)
    first = do(runtime, site, spec)
    assert first.state is JobState.SUCCEEDED, first.error
    assert first.result is not None
    with runtime.records.reading() as tx:
        place = reports.get(tx, site, first.result["report_id"])
    assert {"report.json", "report.html"} <= place.artifacts.keys()
    assert any(name.startswith("plots/") for name in place.artifacts)
    second = do(runtime, site, spec)
    assert second.reason == "unchanged"
    assert second.result is not None
    assert second.result["report_id"] == first.result["report_id"]


def test_what_a_report_issues_is_kept_and_the_next_one_tells_what_is_new(
    runtime: Runtime, site: str, filled: str
) -> None:
    spec = TrendSpec(catalog_id=filled, options=TrendOptions())
    first = do(runtime, site, spec).result or {}
    with runtime.records.reading() as tx:
        issued = forecasts.of_report(tx, first["report_id"])
        alone = reports.get(tx, site, first["report_id"])
    assert issued is not None
    kept = runtime.store.read(issued.artifact)
    assert hashlib.sha256(kept).hexdigest() == issued.sha256
    assert not {"record.json", "difference.json"} & alone.artifacts.keys()
    second = do(runtime, site, spec).result or {}
    with runtime.records.reading() as tx:
        place = reports.get(tx, site, second["report_id"])
        assert forecasts.of_report(tx, first["report_id"]) == issued
    news = json.loads(runtime.store.read(place.artifacts["difference.json"]))
    assert (news["against"], news["new_rises"], news["ended"]) == (first["report_id"], [], [])
    record = json.loads(runtime.store.read(place.artifacts["record.json"]))
    assert record["total"]["forecasts"] == 0
    assert runtime.store.read(issued.artifact) == kept
    other = do(runtime, site, TrendSpec(options=TrendOptions())).result or {}
    with runtime.records.reading() as tx:
        wider = reports.get(tx, site, other["report_id"])
    assert "difference.json" not in wider.artifacts


def test_a_lost_forecast_costs_no_report(runtime: Runtime, site: str, filled: str) -> None:
    spec = TrendSpec(catalog_id=filled, options=TrendOptions())
    first = do(runtime, site, spec).result or {}
    with runtime.records.reading() as tx:
        issued = forecasts.of_report(tx, first["report_id"])
    assert issued is not None
    runtime.store.delete(issued.artifact)
    done = do(runtime, site, spec)
    assert done.state is JobState.SUCCEEDED, done.error


def test_garments_without_dates_give_a_clear_refusal(
    runtime: Runtime, site: str, catalog_id: str
) -> None:
    done = do(runtime, site, TrendSpec(catalog_id=catalog_id, options=TrendOptions()))
    assert (done.state, done.reason) == (JobState.FAILED, "too_little_data")


def test_two_beats_queue_one_report_a_period(runtime: Runtime, site: str, filled: str) -> None:
    assert filled
    assert schedule_reports(runtime) == 1
    assert schedule_reports(runtime) == 0
    with runtime.records.reading() as tx:
        found = jobs.page(tx, site, kind=JobKind.TREND_REPORT).items
    periodic = [job for job in found if not str(job.period).startswith("after")]
    assert len(periodic) == 1


def test_a_near_copy_of_an_earlier_garment_is_flagged_with_its_id(
    runtime: Runtime, site: str, filled: str, tmp_path: Path
) -> None:
    with runtime.records.reading() as tx:
        first = garments.page(tx, filled).items[0]
        place = garments.get(tx, site, first.id)
    shard = np.load(runtime.store.fetch(place.artifact, runtime.settings.cache_folder))
    pixels = shard[place.shard_index].copy()
    pixels[0, 0] ^= 1  # one pixel, by one step: another hash of the bytes, the same picture
    copy = tmp_path / "copy.png"
    Image.fromarray(pixels).save(copy)
    done = do(runtime, site, upload(runtime, filled, copy, attributes={"category": "copy"}))
    assert done.result is not None
    assert (done.result["added"], done.result["near_duplicates"]) == (1, 1)
    with runtime.records.reading() as tx:
        found = garments.page(tx, filled, attributes={"category": "copy"}).items
    assert found[0].near_duplicate_of == first.id


def test_dated_garments_bring_a_fresh_report_of_the_site(
    runtime: Runtime, site: str, filled: str
) -> None:
    assert filled
    with runtime.records.reading() as tx:
        found = jobs.page(tx, site, kind=JobKind.TREND_REPORT).items
    assert [(job.state, job.sent_at is not None) for job in found] == [(JobState.QUEUED, True)]
    attempt.run(runtime, found[0].id, make_report)
    with runtime.records.reading() as tx:
        assert jobs.get(tx, found[0].id).state is JobState.SUCCEEDED
        assert reports.get(tx, site, "latest").report.catalog_id is None

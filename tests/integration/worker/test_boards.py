"""Moodboards and the trend dial, from rows to rows: a real index, a generator that dyes squares."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from shared.artifacts import keys
from shared.demo.drawn import write_archive
from shared.jobs.submit import enqueue
from shared.provenance.opened import look
from shared.records import (
    Records,
    catalogs,
    designs,
    forecasts,
    garments,
    jobs,
    models,
    reports,
)
from shared.schemas.boards import MoodboardSet
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.designs import TrendLean
from shared.schemas.jobs import (
    Budget,
    DesignSpec,
    IngestSpec,
    JobKind,
    JobRecord,
    JobState,
    MoodboardSpec,
    TrainingSpec,
    TrendSpec,
    UploadSource,
)
from shared.schemas.trends import TrendOptions
from shared.settings import Settings
from tests.fixtures.homes import copied_home, new_home
from tests.fixtures.rows import a_site
from tests.integration.worker.test_personal import Tailor
from worker import attempt
from worker.jobs.board_wishes import wanted_boards
from worker.jobs.designs import drain
from worker.jobs.eyes import open_sight
from worker.jobs.generators import Generators, Loaded
from worker.jobs.indexing import index_catalog
from worker.jobs.ingest import ingest_garments
from worker.jobs.moodboards import make_moodboards, read_report
from worker.jobs.reports import make_report
from worker.runtime import Runtime

pytestmark = pytest.mark.timeout(600)

END = date(2026, 6, 30)


@dataclass(frozen=True)
class Stocked:
    """A home with a catalog, its index, a release of it, and a report; made once."""

    home: Path
    site: str
    catalog: str
    release: str
    report: JobRecord


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Stocked:
    home = tmp_path_factory.mktemp("stocked")
    with new_home(home, valkey_url) as runtime:
        site = a_site(runtime.records)
        catalog = a_catalog(runtime, site, tmp_path_factory.mktemp("drawn"))
        release = a_release(runtime, site, catalog)
        report = a_report(runtime, site, catalog)
    return Stocked(home, site, catalog, release, report)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_seconds": 60})


@pytest.fixture
def records(settings: Settings, stocked: Stocked, tmp_path: Path) -> Iterator[Records]:
    with copied_home(stocked.home, tmp_path, settings) as opened:
        yield opened


def a_catalog(runtime: Runtime, site: str, folder: Path) -> str:
    archive = folder / "garments.zip"
    write_archive(archive, count=1500, seed=1, end=END)
    with runtime.records.transaction() as tx:
        catalog_id = catalogs.create(tx, site, CatalogRequest(name="drawn", image_size=16)).id
    runtime.store.put(keys.upload("upl_1"), archive)
    source = UploadSource(artifact=keys.upload("upl_1"), name=archive.name)
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, IngestSpec(catalog_id=catalog_id, source=source))
    attempt.run(runtime, job.id, ingest_garments)
    return catalog_id


def a_release(runtime: Runtime, site: str, catalog: str) -> str:
    """Return a release, whose files are not there, of a catalog that has an index."""
    spec = TrainingSpec(
        catalog_id=catalog, catalog_version=1, model="m", size=16, seed=0,
        budget=Budget(images=64), attributes=("category", "pattern"),
    )  # fmt: skip
    built = index_catalog(runtime, spec, {}, steps=20)
    index_id = built.store(runtime.store)
    with runtime.records.transaction() as tx:
        known = catalogs.get(tx, site, catalog).attributes
        values = {
            "job_id": "job_none", "catalog_id": catalog, "catalog_version": 1, "size": 32,
            "channels": 3, "card": {"slots": 2}, "artifact": "releases/none/", "sha256": "0" * 64,
            "vocabulary": {name: sorted(known[name]) for name in ("category", "pattern")},
        }  # fmt: skip
        built.publish(tx, site, index_id)
        return models.publish(tx, site, model="m", release_id="rel_boards", values=values).id


def generators(runtime: Runtime, release: str) -> Generators:
    sight = open_sight(runtime, release)
    assert sight is not None
    tailor = Tailor(sight.gallery.items.vocabulary)
    return Generators(lambda _runtime, _release: Loaded(tailor, sight))


def a_report(runtime: Runtime, site: str, catalog: str) -> JobRecord:
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, TrendSpec(catalog_id=catalog, options=TrendOptions()))
    attempt.run(runtime, job.id, make_report)
    with runtime.records.reading() as tx:
        done = jobs.get(tx, job.id)
    assert done.state is JobState.SUCCEEDED, done.error
    return done


def boards_of(runtime: Runtime, job: JobRecord, release: str) -> JobRecord:
    made_by = generators(runtime, release)
    attempt.run(runtime, job.id, lambda tried: make_moodboards(tried, made_by))
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def test_a_report_brings_its_moodboards_as_a_job_of_its_own(
    runtime: Runtime, stocked: Stocked
) -> None:
    site, release = stocked.site, stocked.release
    report_id = (stocked.report.result or {})["report_id"]
    with runtime.records.reading() as tx:
        (waiting,) = jobs.page(tx, site, kind=JobKind.MOODBOARD).items
        before = reports.get(tx, site, report_id).report
    assert waiting.state is JobState.QUEUED
    assert waiting.sent_at is not None
    assert before.moodboards.job_id == waiting.id
    assert before.moodboards.boards is None
    done = boards_of(runtime, waiting, release)
    assert done.state is JobState.SUCCEEDED, done.error
    with runtime.records.reading() as tx:
        place = reports.get(tx, site, report_id)
        made = designs.of_job(tx, done.id)
    shown = place.report.moodboards
    assert shown.boards
    assert shown.page_url == f"/v1/trend-reports/{report_id}/files/moodboard.html"
    boards = MoodboardSet.model_validate(
        json.loads(runtime.store.read(place.artifacts["moodboard.json"]))
    )
    assert len(boards.boards) == shown.boards
    told = json.loads(runtime.store.read(place.artifacts["report.json"]))
    rising = {one["value"] for one in told["series"] if one["kind"] == "rising"}
    known = {one.id for one in made}
    assert sum(len(one.designs) for one in boards.boards) == 8 * len(boards.boards)
    for board in boards.boards:
        assert board.value in rising
        assert set(board.designs) <= known
        assert len(board.on_sale) == 6
        distances = [one.distance for one in board.on_sale]
        assert distances == sorted(distances)
        with runtime.records.reading() as tx:
            for garment_id in board.evidence:
                garment = garments.get(tx, site, garment_id).garment
                assert board.condition.items() <= garment.attributes.items()
    assert boards.next_season is not None
    assert boards.this_season is not None
    assert len(boards.next_season.pieces) == 24
    shared = {one.design for one in boards.next_season.pieces} & {
        one.design for one in boards.this_season.pieces
    }
    assert shared
    page = runtime.store.read(place.artifacts["moodboard.html"]).decode()
    assert page.count("data:image/png;base64,") > 8 * len(boards.boards)


def test_the_designs_of_a_board_carry_their_mark_and_come_again_with_the_seed(
    runtime: Runtime, stocked: Stocked
) -> None:
    site, release = stocked.site, stocked.release
    report_id = (stocked.report.result or {})["report_id"]
    spec = MoodboardSpec(report_id=report_id, release_id=release, count=2, rack=0, seed=5)
    hashes = []
    for _ in range(2):
        with runtime.records.transaction() as tx:
            job = enqueue(tx, site, spec)
        done = boards_of(runtime, job, release)
        assert done.state is JobState.SUCCEEDED, done.error
        with runtime.records.reading() as tx:
            made = [designs.get(tx, site, one.id) for one in designs.of_job(tx, done.id)]
        hashes.append([one.design.sha256 for one in made])
    assert hashes[0] == hashes[1]
    first = made[0]
    data = runtime.store.read_range(first.artifact, first.start, first.length or 0)
    mark = look(data).mark
    assert mark is not None
    assert (mark.release_id, mark.seed) == (release, first.design.seed)


def test_a_site_without_a_release_is_told_why_there_are_no_moodboards(
    runtime: Runtime, stocked: Stocked
) -> None:
    report_id = (stocked.report.result or {})["report_id"]
    report = read_report(runtime, stocked.site, report_id)
    other = a_site(runtime.records, "other")
    wish = wanted_boards(runtime, other, None, report, report_id)
    assert wish.spec is None
    with runtime.records.transaction() as tx:
        told = wish.enqueue(tx)
        assert jobs.page(tx, other, kind=JobKind.MOODBOARD).items == []
    assert "no release yet" in told["why"]
    silent = replace(
        runtime, settings=runtime.settings.model_copy(update={"trend_moodboards": False})
    )
    assert "is off" in wanted_boards(silent, stocked.site, None, report, report_id).why


def test_designs_lean_on_the_report_that_the_request_named(
    runtime: Runtime, stocked: Stocked
) -> None:
    site, release = stocked.site, stocked.release
    report_id = (stocked.report.result or {})["report_id"]

    def designed(**changes: Any) -> JobRecord:
        base = {
            "release_id": release, "count": 32, "condition": {}, "seed": 4, "size": 32,
            "format": "png", "trend": TrendLean(strength=1, report_id=report_id),
        }  # fmt: skip
        with runtime.records.transaction() as tx:
            job = enqueue(tx, site, DesignSpec.model_validate({**base, **changes}))
        drain(runtime, release, generators(runtime, release))
        with runtime.records.reading() as tx:
            return jobs.get(tx, job.id)

    done = designed()
    assert done.state is JobState.SUCCEEDED, done.error
    told = (done.result or {})["trend"]
    assert told["report_id"] == report_id
    assert told["moving"] > 0
    assert told["growth"] > told["growth_without"]
    again = (designed().result or {})["designs"]
    assert [one["condition"] for one in again] == [
        one["condition"] for one in (done.result or {})["designs"]
    ]
    assert "trend" not in (designed(trend=None).result or {})
    with runtime.records.reading() as tx:
        issued = forecasts.of_report(tx, report_id)
    assert issued is not None
    runtime.store.delete(issued.artifact)
    lost = designed(seed=9)
    assert (lost.state, lost.reason) == (JobState.FAILED, "conflict")

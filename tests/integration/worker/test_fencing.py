"""A worker whose fence is stale writes nothing that anybody sees, whatever kind of job it had.

Each work runs to its end, loses its job just before it publishes, and publishes all the same. Then
not one row may have changed, and nothing in the store that was there before.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from shared.artifacts import Artifact, ArtifactStore, keys
from shared.artifacts.local import LocalArtifacts
from shared.demo.drawn import write_archive
from shared.jobs import lifecycle
from shared.jobs.submit import enqueue
from shared.records import catalogs, feeds
from shared.records import jobs as rows_of_jobs
from shared.records.tables import Base
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.feeds import BatchKind, FeedRequest
from shared.schemas.jobs import (
    Budget,
    FeedSpec,
    IngestSpec,
    JobRecord,
    Progress,
    Spec,
    TrainingSpec,
    TrendSpec,
    UploadSource,
)
from shared.schemas.trends import TrendOptions
from tests.fixtures.painter import Painter
from tests.fixtures.rows import a_design_job, a_release, a_site
from worker import attempt
from worker.attempt import Attempt, Publish, Work
from worker.gan.checkpoint import pack
from worker.jobs.designs import drain
from worker.jobs.feeds import add_batch
from worker.jobs.generators import Generators, Loaded
from worker.jobs.indexing import Built
from worker.jobs.ingest import ingest_garments
from worker.jobs.reports import make_report
from worker.jobs.training import _publication
from worker.runtime import Runtime

Rows = dict[str, list[tuple[Any, ...]]]


class Watched(LocalArtifacts):
    """A store that says what was written over."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.overwritten: list[str] = []

    def put(self, key: str, source: bytes | Path | BinaryIO) -> Artifact:
        if self.exists(key):
            self.overwritten.append(key)
        return super().put(key, source)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "garments.zip"
    write_archive(path, count=120, seed=3, end=date(2026, 6, 30))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "watched")


@pytest.fixture
def runtime(runtime: Runtime, store: Watched) -> Runtime:
    return replace(runtime, store=store)


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture
def catalog(runtime: Runtime, site: str) -> str:
    with runtime.records.transaction() as tx:
        return catalogs.create(tx, site, CatalogRequest(name="drawn")).id


def rows(runtime: Runtime) -> Rows:
    with runtime.records.reading() as tx:
        return {
            table.name: sorted(tuple(map(repr, row)) for row in tx.session.execute(select(table)))
            for table in Base.metadata.sorted_tables
        }


def bytes_of(store: ArtifactStore) -> dict[str, str]:
    return {key: hashlib.sha256(store.read(key)).hexdigest() for key in store.keys("")}


def lose(runtime: Runtime, job: JobRecord) -> None:
    """Let upkeep believe that the worker is dead."""
    with runtime.records.transaction() as tx:
        lifecycle.put_back(tx, job, reason="lost_worker", delay=timedelta(hours=1))


def uploaded(store: ArtifactStore, data: bytes | Path, name: str) -> UploadSource:
    store.put(keys.upload(f"upl_{name}"), data)
    return UploadSource(artifact=keys.upload(f"upl_{name}"), name=name)


def queued(runtime: Runtime, site: str, spec: Spec) -> JobRecord:
    with runtime.records.transaction() as tx:
        return enqueue(tx, site, spec)


def run_late(runtime: Runtime, job: JobRecord, work: Work) -> tuple[Rows, Rows]:
    """Run a job whose lease is lost before it publishes; returns the rows before and after that."""
    before: list[Rows] = []

    def late(held: Attempt) -> Publish:
        publish = work(held)
        lose(runtime, held.job)
        before.append(rows(runtime))
        held.report(Progress(fraction=1, message="a ghost"))
        return publish

    attempt.run(runtime, job.id, late)
    assert before, "it failed before it could publish"
    return before[0], rows(runtime)


def filled(runtime: Runtime, site: str, catalog: str, archive: Path) -> None:
    source = uploaded(runtime.store, archive, "garments.zip")
    attempt.run(
        runtime,
        queued(runtime, site, IngestSpec(catalog_id=catalog, source=source)).id,
        ingest_garments,
    )


def an_ingest(runtime: Runtime, _site: str, catalog: str, archive: Path) -> tuple[Spec, Work]:
    source = uploaded(runtime.store, archive, "garments.zip")
    return IngestSpec(catalog_id=catalog, source=source), ingest_garments


def counts(runtime: Runtime, site: str, _catalog: str, _archive: Path) -> tuple[Spec, Work]:
    with runtime.records.transaction() as tx:
        feed = feeds.create(tx, site, FeedRequest(name="street")).id
    lines = "date,category,count\n2026-06-01,dress,7\n2026-06-02,skirt,3\n"
    source = uploaded(runtime.store, lines.encode(), "counts.csv")
    return FeedSpec(feed_id=feed, holds=BatchKind.COUNTS, source=source), add_batch


def pictures(runtime: Runtime, site: str, _catalog: str, archive: Path) -> tuple[Spec, Work]:
    with runtime.records.transaction() as tx:
        feed = feeds.create(tx, site, FeedRequest(name="street")).id
    source = uploaded(runtime.store, archive, "pictures.zip")
    return FeedSpec(feed_id=feed, holds=BatchKind.IMAGES, source=source), add_batch


def a_report(runtime: Runtime, site: str, catalog: str, archive: Path) -> tuple[Spec, Work]:
    filled(runtime, site, catalog, archive)
    return TrendSpec(catalog_id=catalog, options=TrendOptions()), make_report


def a_training(runtime: Runtime, site: str, catalog: str, archive: Path) -> tuple[Spec, Work]:
    """All of a training but the engine's part, which writes checkpoints and nothing else."""
    filled(runtime, site, catalog, archive)
    spec = TrainingSpec(
        catalog_id=catalog, catalog_version=1, model="drawn", size=16, seed=1,
        budget=Budget(images=64), attributes=("category",),
    )  # fmt: skip
    grid = BytesIO()
    Image.new("RGB", (64, 32)).save(grid, "PNG")
    config = {"slots": 0, "format": 2, "size": 16, "channels": 3, "vocabulary": {}, "preset": "mlp"}
    made = {
        "generator.npz": pack({"000": np.zeros((3, 4), np.float32)}),
        "generator.json": json.dumps(config).encode(),
        "card.json": json.dumps({"steps": 5}).encode(),
        "grid.png": grid.getvalue(),
    }
    index = Built("e1", catalog, 1, garments=120, files={"garments.npz": b"as it was seen"})
    return spec, lambda held: _publication(held, spec, made, index)


KINDS = [an_ingest, counts, pictures, a_report, a_training]


@pytest.mark.parametrize("make", KINDS, ids=lambda one: one.__name__)
def test_who_publishes_late_changes_no_row_and_overwrites_nothing(
    runtime: Runtime,
    site: str,
    catalog: str,
    archive: Path,
    store: Watched,
    make: Callable[[Runtime, str, str, Path], tuple[Spec, Work]],
) -> None:
    spec, work = make(runtime, site, catalog, archive)
    job = queued(runtime, site, spec)
    kept, store.overwritten = bytes_of(store), []
    before, after = run_late(runtime, job, work)
    assert after == before
    now = bytes_of(store)
    assert {key: now.get(key) for key in kept} == kept
    told = repr(after)
    assert not [key for key in now if key not in kept and key in told], "a row names a ghost's file"
    assert runtime.board.read(job.id, fence=2) is None


def test_a_late_batch_of_designs_publishes_only_what_is_still_held(
    runtime: Runtime, site: str, store: Watched
) -> None:
    release = a_release(runtime.records, site).id
    jobs = [a_design_job(runtime.records, site, release, seed=seed) for seed in range(3)]
    before: list[Rows] = []

    class Late(Painter):
        def before_pass(self, seeds: Sequence[int]) -> None:
            del seeds
            for job in jobs:
                with runtime.records.reading() as tx:
                    held = rows_of_jobs.get(tx, job.id)
                lose(runtime, held)
            before.append(rows(runtime))

    drain(runtime, release, Generators(lambda _runtime, _release: Loaded(Late())))
    assert before
    after = rows(runtime)
    assert {**after, "shares": []} == {**before[0], "shares": []}
    assert not list(store.keys("designs/")), "packs that no row names are taken away again"

"""A training that dies goes on from its last checkpoint, and comes to the same, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from shared.artifacts import keys
from shared.demo.drawn import write_archive
from shared.jobs.submit import enqueue
from shared.records import catalogs, jobs, models
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.jobs import (
    Budget,
    IngestSpec,
    JobRecord,
    JobState,
    TrainingSpec,
    UploadSource,
)
from tests.fixtures.plain_training import leave_out_measuring
from tests.fixtures.rows import a_site
from worker import attempt
from worker.gan.run import Run
from worker.jobs.ingest import ingest_garments
from worker.jobs.training import train
from worker.jobs.upkeep import recover_abandoned
from worker.runtime import Runtime

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[3]

# A worker's process that dies by itself, for a kill from outside cannot be aimed at a step.
MORTAL = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from shared.artifacts.local import LocalArtifacts
from shared.settings import load_settings
from tests.fixtures.plain_training import leave_out_measuring
from worker import attempt
from worker.gan.run import Run
from worker.jobs.training import train
from worker.runtime import open_runtime

job_id, artifacts, saves, dies = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
advance = Run.advance

def mortal(run):
    advance(run)
    if run.step == dies:
        os.kill(os.getpid(), signal.SIGKILL)

Run.advance = mortal
Run.save_due = lambda run: run.step == saves
leave_out_measuring()
runtime = replace(open_runtime(load_settings()), store=LocalArtifacts(artifacts))
attempt.run(runtime, job_id, train)
"""


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture
def catalog_id(runtime: Runtime, site: str, tmp_path: Path) -> str:
    archive = tmp_path / "garments.zip"
    write_archive(archive, count=80, seed=1, end=date(2026, 6, 30))
    runtime.store.put(keys.upload("upl_1"), archive)
    with runtime.records.transaction() as tx:
        made = catalogs.create(tx, site, CatalogRequest(name="drawn"))
        source = UploadSource(artifact=keys.upload("upl_1"), name="garments.zip")
        job = enqueue(tx, site, IngestSpec(catalog_id=made.id, source=source))
    attempt.run(runtime, job.id, ingest_garments)
    return made.id


def a_training(runtime: Runtime, site: str, catalog_id: str, model: str) -> JobRecord:
    spec = TrainingSpec(
        catalog_id=catalog_id, catalog_version=1, model=model, size=16, seed=7,
        budget=Budget(images=6 * 32), attributes=("category",),
    )  # fmt: skip
    with runtime.records.transaction() as tx:
        return enqueue(tx, site, spec)


def weights(runtime: Runtime, site: str, job: JobRecord) -> bytes:
    with runtime.records.reading() as tx:
        done = jobs.get(tx, job.id)
        assert done.state is JobState.SUCCEEDED, done.error
        place = models.release(tx, str((done.result or {})["release_id"]), site_id=site)
    return runtime.store.read(f"{place.artifact}generator.npz")


def test_six_steps_equal_three_a_kill_and_three_more(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    advance = Run.advance

    def counted(run: Run) -> None:
        advance(run)
        made.append(run.step)

    monkeypatch.setattr(Run, "advance", counted)
    # Readings are made by the clock, and the best one's weights are published.
    leave_out_measuring(monkeypatch.setattr)
    straight = a_training(runtime, site, catalog_id, "straight")
    attempt.run(runtime, straight.id, train)
    last = made[-1]
    assert last >= 4, "there is something to lose"
    saves, dies = last // 2, last - 1

    killed = a_training(runtime, site, catalog_id, "killed")
    settings = runtime.settings
    assert settings.redis_url is not None
    asked = [killed.id, str(tmp_path / "artifacts"), str(saves), str(dies)]
    died = subprocess.run(
        [sys.executable, "-c", MORTAL, *asked],
        cwd=ROOT,
        env={
            "PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path),
            "TF_CPP_MIN_LOG_LEVEL": "3", "TOILE_HOME": str(settings.home),
            "TOILE_REDIS_URL": settings.redis_url.get_secret_value(),
            "TOILE_LEASE_SECONDS": "2", "TOILE_HEARTBEAT_SECONDS": "0.2",
        },
        check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL
    with runtime.records.reading() as tx:
        assert jobs.get(tx, killed.id).state is JobState.RUNNING, "nobody could say goodbye"

    deadline = time.monotonic() + 10
    while not recover_abandoned(runtime):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    made.clear()
    time.sleep(0.1)  # the pause before another try
    attempt.run(runtime, killed.id, train)
    assert made == list(range(saves + 1, last + 1)), "it goes on from the checkpoint"
    assert weights(runtime, site, killed) == weights(runtime, site, straight)
    with runtime.records.reading() as tx:
        tries = jobs.attempts_at(tx, killed.id)
    assert [one.outcome for one in tries] == ["lost_worker", "succeeded"]

"""Work that does not listen: its job ends all the same, and it writes nothing more."""

import time

import pytest

from shared.jobs import lifecycle
from shared.records import Transaction, catalogs, jobs
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.jobs import JobRecord, JobState
from tests.fixtures.rows import a_site, an_ingest_job
from worker import attempt
from worker.attempt import Attempt, Outcome, Publish
from worker.insisting import Insisting
from worker.runtime import DRAINING, Runtime


@pytest.fixture
def job(runtime: Runtime) -> JobRecord:
    return an_ingest_job(runtime.records, a_site(runtime.records))


def row(runtime: Runtime, job: JobRecord) -> JobRecord:
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def once_over(runtime: Runtime, job: JobRecord, *, left: JobState) -> float:
    """Return the seconds until a job has left a state, asking nobody else."""
    began = time.monotonic()
    while row(runtime, job).state is left:
        assert time.monotonic() - began < 15
        time.sleep(0.02)
    return time.monotonic() - began


def ghost(held: Attempt) -> Publish:
    """Return what would publish a catalog, as work that heard nothing."""

    def publish(tx: Transaction) -> Outcome:
        catalogs.create(tx, held.job.site_id, CatalogRequest(name="ghost"))
        return Outcome({})

    return publish


def names(runtime: Runtime, job: JobRecord) -> list[str]:
    with runtime.records.reading() as tx:
        return [one.name for one in catalogs.page(tx, job.site_id).items]


def test_a_cancel_takes_effect_within_two_seconds_though_the_work_is_deaf(
    runtime: Runtime, job: JobRecord
) -> None:
    took: list[float] = []

    def deaf(held: Attempt) -> Publish:
        with runtime.records.transaction() as tx:
            lifecycle.request_cancel(tx, job.id, site_id=job.site_id)
        took.append(once_over(runtime, job, left=JobState.RUNNING))
        assert held.should_stop()
        return ghost(held)

    attempt.run(runtime, job.id, deaf)
    assert (row(runtime, job).state, row(runtime, job).attempts) == (JobState.CANCELLED, 1)
    assert took[0] < 2.0
    assert "ghost" not in names(runtime, job)


def test_a_job_is_given_back_by_a_worker_that_drains_though_the_work_is_deaf(
    runtime: Runtime, job: JobRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "DRAIN_SECONDS", 0.3)

    def deaf(held: Attempt) -> Publish:
        DRAINING.set()
        once_over(runtime, job, left=JobState.RUNNING)
        return ghost(held)

    attempt.run(runtime, job.id, deaf)
    back = row(runtime, job)
    assert (back.state, back.reason) == (JobState.QUEUED, "drained")
    assert back.sent_at is not None
    assert "ghost" not in names(runtime, job)


def test_nothing_is_insisted_on_without_a_reason_or_once_the_block_is_over() -> None:
    done: list[str] = []
    with Insisting(
        (0.0, lambda: False, lambda: done.append("no reason")),
        (30.0, lambda: True, lambda: done.append("too soon")),
    ):
        time.sleep(0.3)
    time.sleep(0.2)
    assert done == []


def test_a_reason_that_goes_away_begins_anew() -> None:
    done: list[float] = []
    began = time.monotonic()
    with Insisting(
        (
            0.5,
            lambda: not 0.3 < time.monotonic() - began < 0.5,
            lambda: done.append(time.monotonic() - began),
        )
    ):
        time.sleep(1.5)
    assert len(done) == 1
    assert done[0] >= 0.95

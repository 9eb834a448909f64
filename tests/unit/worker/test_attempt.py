import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.errors import CatalogTooSmallError, StoreUnavailableError
from shared.jobs import lifecycle
from shared.records import Transaction, catalogs, jobs, sites
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.jobs import IngestSpec, JobRecord, JobState, Progress
from tests.fixtures.rows import a_site, an_ingest_job
from worker import attempt
from worker.attempt import Attempt, Outcome, Publish
from worker.runtime import DRAINING, Runtime


@pytest.fixture
def job(runtime: Runtime) -> JobRecord:
    return an_ingest_job(runtime.records, a_site(runtime.records))


def row(runtime: Runtime, job: JobRecord) -> JobRecord:
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def raising(error: Exception) -> Callable[[Attempt], Publish]:
    def work(_attempt: Attempt) -> Publish:
        raise error

    return work


def until_stopped(held: Attempt) -> Publish:
    """Work that goes on until it is told to stop, or ten seconds are over."""
    deadline = time.monotonic() + 10
    while not held.should_stop():
        assert time.monotonic() < deadline, "it was never told to stop"
        time.sleep(0.01)
    held.raise_if_stopped()
    raise AssertionError("it was told to stop, but for no reason")


def test_what_the_work_publishes_and_the_end_are_one_transaction(
    runtime: Runtime, job: JobRecord
) -> None:
    def work(held: Attempt) -> Publish:
        def publish(tx: Transaction) -> Outcome:
            catalogs.create(tx, held.job.site_id, CatalogRequest(name="made"))
            return Outcome({"made": 1})

        return publish

    attempt.run(runtime, job.id, work)
    ended = row(runtime, job)
    assert (ended.state, ended.result) == (JobState.SUCCEEDED, {"made": 1})
    with runtime.records.reading() as tx:
        assert catalogs.get(tx, job.site_id, "made").version == 0


def test_what_is_published_under_a_lost_lease_is_taken_back(
    runtime: Runtime, job: JobRecord
) -> None:
    def work(held: Attempt) -> Publish:
        with runtime.records.transaction() as tx:
            lifecycle.put_back(tx, held.job, reason="lost_worker", delay=timedelta(hours=1))

        def publish(tx: Transaction) -> Outcome:
            catalogs.create(tx, held.job.site_id, CatalogRequest(name="ghost"))
            return Outcome({})

        return publish

    attempt.run(runtime, job.id, work)
    assert row(runtime, job).state is JobState.QUEUED
    with runtime.records.reading() as tx:
        assert "ghost" not in [one.name for one in catalogs.page(tx, job.site_id).items]


def test_a_duplicate_message_does_nothing(runtime: Runtime, job: JobRecord) -> None:
    calls = []

    def work(held: Attempt) -> Publish:
        calls.append(held.job.id)
        return lambda _tx: Outcome({})

    attempt.run(runtime, job.id, work)
    attempt.run(runtime, job.id, work)
    assert calls == [job.id]


def test_a_known_error_ends_the_job_with_its_reason_and_message(
    runtime: Runtime, job: JobRecord
) -> None:
    attempt.run(runtime, job.id, raising(CatalogTooSmallError("Only 3 garments.", garments=3)))
    ended = row(runtime, job)
    assert (ended.state, ended.reason) == (JobState.FAILED, "catalog_too_small")
    assert ended.error == {
        "reason": "catalog_too_small",
        "message": "Only 3 garments.",
        "details": {"garments": 3},
    }


def test_an_unknown_error_ends_the_job_too(runtime: Runtime, job: JobRecord) -> None:
    attempt.run(runtime, job.id, raising(ZeroDivisionError("by zero")))
    ended = row(runtime, job)
    assert (ended.state, ended.reason) == (JobState.FAILED, "internal")
    assert ended.error is not None
    assert "ZeroDivisionError" in ended.error["message"]


def test_too_little_memory_is_said_so(runtime: Runtime, job: JobRecord) -> None:
    attempt.run(runtime, job.id, raising(MemoryError()))
    assert row(runtime, job).reason == "out_of_memory"


def test_a_passing_error_is_tried_again_until_the_attempts_are_over(
    runtime: Runtime, job: JobRecord
) -> None:
    states = []
    for _ in range(runtime.settings.max_attempts):
        attempt.run(runtime, job.id, raising(StoreUnavailableError("The store sleeps.")))
        states.append(row(runtime, job).state)
        time.sleep(0.05)
    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    with runtime.records.reading() as tx:
        assert [one.outcome for one in jobs.attempts_at(tx, job.id)] == [
            "retrying",
            "retrying",
            "store_unavailable",
        ]


def test_a_spec_that_cannot_be_parsed_ends_as_failed_not_as_running(
    runtime: Runtime, job: JobRecord
) -> None:
    def work(held: Attempt) -> Publish:
        IngestSpec.model_validate({**held.job.spec, "catalog_id": None})
        raise AssertionError("a bad spec was parsed")

    attempt.run(runtime, job.id, work)
    assert row(runtime, job).state is JobState.FAILED


def test_a_cancel_stops_running_work(runtime: Runtime, job: JobRecord) -> None:
    def work(held: Attempt) -> Publish:
        with runtime.records.transaction() as tx:
            lifecycle.request_cancel(tx, job.id, site_id=job.site_id)
        return until_stopped(held)

    attempt.run(runtime, job.id, work)
    ended = row(runtime, job)
    assert (ended.state, ended.reason) == (JobState.CANCELLED, "cancelled_by_caller")


def test_a_draining_worker_puts_its_job_back(runtime: Runtime, job: JobRecord) -> None:
    def work(held: Attempt) -> Publish:
        DRAINING.set()
        return until_stopped(held)

    attempt.run(runtime, job.id, work)
    back = row(runtime, job)
    assert (back.state, back.reason) == (JobState.QUEUED, "drained")
    assert back.sent_at is not None


def test_a_drain_does_not_use_an_attempt_up(runtime: Runtime, job: JobRecord) -> None:
    def work(held: Attempt) -> Publish:
        DRAINING.set()
        return until_stopped(held)

    for number in range(runtime.settings.max_attempts + 1):
        DRAINING.clear()
        attempt.run(runtime, job.id, work)
        back = row(runtime, job)
        assert (back.state, back.attempts, back.tries) == (JobState.QUEUED, number + 1, 0)
    DRAINING.clear()
    attempt.run(runtime, job.id, lambda _held: lambda _tx: Outcome({}))
    assert row(runtime, job).state is JobState.SUCCEEDED


def test_what_was_to_be_cancelled_is_not_published_even_when_it_is_done(
    runtime: Runtime, job: JobRecord
) -> None:
    def work(held: Attempt) -> Publish:
        def publish(tx: Transaction) -> Outcome:
            catalogs.create(tx, held.job.site_id, CatalogRequest(name="ghost"))
            return Outcome({})

        with runtime.records.transaction() as tx:
            lifecycle.request_cancel(tx, job.id, site_id=job.site_id)
        return publish

    attempt.run(runtime, job.id, work)
    ended = row(runtime, job)
    assert (ended.state, ended.reason) == (JobState.CANCELLED, "cancelled_by_caller")
    with runtime.records.reading() as tx:
        assert "ghost" not in [one.name for one in catalogs.page(tx, job.site_id).items]


def test_a_job_that_is_put_back_after_a_cancel_ends_at_once(
    runtime: Runtime, job: JobRecord
) -> None:
    def work(_held: Attempt) -> Publish:
        with runtime.records.transaction() as tx:
            lifecycle.request_cancel(tx, job.id, site_id=job.site_id)
        raise StoreUnavailableError("The store sleeps.")

    attempt.run(runtime, job.id, work)
    assert row(runtime, job).state is JobState.CANCELLED


def test_a_worker_that_lost_its_lease_stops_and_writes_nothing(
    runtime: Runtime, job: JobRecord
) -> None:
    def work(held: Attempt) -> Publish:
        with runtime.records.transaction() as tx:
            back = lifecycle.put_back(tx, held.job, reason="lost_worker", delay=timedelta(0))
            taken = lifecycle.claim(
                tx, back.id, worker="two", lease=timedelta(seconds=60), max_attempts=3
            )
        assert taken is not None
        return until_stopped(held)

    attempt.run(runtime, job.id, work)
    now = row(runtime, job)
    assert (now.state, now.owner) == (JobState.RUNNING, "two")


def test_the_heartbeat_holds_work_that_takes_longer_than_its_lease(
    runtime: Runtime, job: JobRecord
) -> None:
    def work(held: Attempt) -> Publish:
        deadline = time.monotonic() + 1.5 * runtime.settings.lease_seconds
        while time.monotonic() < deadline:
            held.raise_if_stopped()
            time.sleep(0.05)
        return lambda _tx: Outcome({})

    attempt.run(runtime, job.id, work)
    ended = row(runtime, job)
    assert (ended.state, ended.attempts) == (JobState.SUCCEEDED, 1)


def test_progress_is_shown_while_it_runs_and_forgotten_after(
    runtime: Runtime, job: JobRecord
) -> None:
    seen: list[Progress | None] = []

    def work(held: Attempt) -> Publish:
        held.report(Progress(fraction=0.5, message="half-way"))
        seen.append(runtime.board.read(job.id, fence=held.job.fence))
        seen.append(runtime.board.read(job.id, fence=held.job.fence + 1))
        return lambda _tx: Outcome({})

    attempt.run(runtime, job.id, work)
    assert seen == [Progress(fraction=0.5, message="half-way"), None]
    assert runtime.board.read(job.id, fence=1) is None


def test_tidying_up_happens_only_after_success(runtime: Runtime) -> None:
    site_id = a_site(runtime.records)
    tidied = []
    for name, state in (("good", JobState.SUCCEEDED), ("bad", JobState.FAILED)):
        job = an_ingest_job(runtime.records, site_id, catalog=name)

        def work(held: Attempt, name: str = name) -> Publish:
            held.after_success(lambda: tidied.append(name))

            def publish(_tx: Transaction) -> Outcome:
                if name == "bad":
                    raise CatalogTooSmallError("Only 3 garments.")
                return Outcome({})

            return publish

        attempt.run(runtime, job.id, work)
        assert row(runtime, job).state is state
    assert tidied == ["good"]
    with runtime.records.reading() as tx:
        assert sites.get(tx, site_id).name == "shop"

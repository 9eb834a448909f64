from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL

from shared.errors import ConflictError, NotFoundError
from shared.jobs import lifecycle
from shared.jobs.ends import LeaseLostError, backoff
from shared.records import Records, jobs, migrate, sites
from shared.records import waiting as waiting_designs
from shared.schemas.jobs import JobRecord, JobState, Reason
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_design_job, a_release, a_site, an_ingest_job

pytestmark = ON_BOTH

LEASE = timedelta(seconds=60)


class Clock:
    """A time that moves only when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(tmp_path: Path, clock: Clock, database: URL | None) -> Iterator[Records]:
    on_disk = URL.create("sqlite", database=str(tmp_path / "t.sqlite3"))
    opened = Records(database or on_disk, clock=clock)
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def site(records: Records) -> str:
    return a_site(records)


@pytest.fixture
def job(records: Records, site: str) -> JobRecord:
    return an_ingest_job(records, site)


def claim(records: Records, job: JobRecord, worker: str = "one") -> JobRecord | None:
    with records.transaction() as tx:
        return lifecycle.claim(tx, job.id, worker=worker, lease=LEASE, max_attempts=3)


def claimed(records: Records, job: JobRecord, worker: str = "one") -> JobRecord:
    held = claim(records, job, worker)
    assert held is not None
    return held


def finish(records: Records, held: JobRecord, state: JobState = JobState.SUCCEEDED) -> JobRecord:
    with records.transaction() as tx:
        return lifecycle.finish(tx, held, state, result={"n": 1})


def read(records: Records, job: JobRecord) -> JobRecord:
    with records.reading() as tx:
        return jobs.get(tx, job.id)


def test_a_queued_job_is_claimed_once(records: Records, job: JobRecord) -> None:
    held = claimed(records, job)
    assert (held.state, held.owner, held.attempts, held.fence) == (JobState.RUNNING, "one", 1, 1)
    assert claim(records, job, "two") is None


def test_a_job_whose_lease_ran_out_goes_to_the_next_worker(
    records: Records, job: JobRecord, clock: Clock
) -> None:
    stale = claimed(records, job)
    clock.pass_by(61)
    held = claimed(records, job, "two")
    assert (held.attempts, held.fence) == (2, 2)
    with pytest.raises(LeaseLostError):
        finish(records, stale)
    assert read(records, job).owner == "two"


def test_a_heartbeat_keeps_the_lease(records: Records, job: JobRecord, clock: Clock) -> None:
    held = claimed(records, job)
    clock.pass_by(50)
    with records.transaction() as tx:
        assert lifecycle.still_held(tx, [held], lease=LEASE) == {held.id: False}
    clock.pass_by(50)
    assert claim(records, job, "two") is None


def test_a_stale_fence_is_told_that_it_holds_nothing(
    records: Records, job: JobRecord, clock: Clock
) -> None:
    stale = claimed(records, job)
    clock.pass_by(61)
    claimed(records, job, "two")
    with records.transaction() as tx:
        assert lifecycle.still_held(tx, [stale], lease=LEASE) == {}
        assert lifecycle.still_held(tx, [stale], lease=None) == {}


def test_a_job_ends_once(records: Records, job: JobRecord) -> None:
    held = claimed(records, job)
    ended = finish(records, held)
    assert ended.state is JobState.SUCCEEDED
    assert ended.result == {"n": 1}
    with pytest.raises(LeaseLostError):
        finish(records, held, JobState.FAILED)
    assert read(records, job).state is JobState.SUCCEEDED


def test_a_job_put_back_waits_for_its_pause(records: Records, job: JobRecord, clock: Clock) -> None:
    held = claimed(records, job)
    with records.transaction() as tx:
        back = lifecycle.put_back(
            tx, held, reason=Reason.RETRYING, delay=timedelta(seconds=30), message="the store slept"
        )
    assert (back.state, back.sent_at, back.owner) == (JobState.QUEUED, None, None)
    assert claim(records, job) is None
    clock.pass_by(31)
    assert claimed(records, job).attempts == 2
    with records.reading() as tx:
        first, second = jobs.attempts_at(tx, job.id)
    assert (first.outcome, first.message) == ("retrying", "the store slept")
    assert second.ended_at is None


def test_a_job_that_had_all_its_attempts_is_not_claimed_again(
    records: Records, job: JobRecord, clock: Clock
) -> None:
    for _ in range(3):
        claimed(records, job)
        clock.pass_by(61)
    assert claim(records, job) is None
    assert read(records, job).attempts == 3


def test_a_cancelled_queued_job_is_never_started(
    records: Records, job: JobRecord, site: str
) -> None:
    with records.transaction() as tx:
        ended = lifecycle.request_cancel(tx, job.id, site_id=site)
    assert (ended.state, ended.reason) == (JobState.CANCELLED, "cancelled_by_caller")
    assert claim(records, job) is None


def test_cancelling_a_running_job_only_asks(records: Records, job: JobRecord, site: str) -> None:
    held = claimed(records, job)
    with records.transaction() as tx:
        asked = lifecycle.request_cancel(tx, job.id, site_id=site)
    assert asked.state is JobState.RUNNING
    with records.transaction() as tx:
        assert lifecycle.still_held(tx, [held], lease=None) == {held.id: True}


def test_cancelling_twice_is_the_same_as_once(records: Records, job: JobRecord, site: str) -> None:
    with records.transaction() as tx:
        first = lifecycle.request_cancel(tx, job.id, site_id=site)
        assert lifecycle.request_cancel(tx, job.id, site_id=site) == first


def test_what_has_succeeded_cannot_be_cancelled(
    records: Records, job: JobRecord, site: str
) -> None:
    finish(records, claimed(records, job))
    with records.transaction() as tx, pytest.raises(ConflictError, match="has succeeded already"):
        lifecycle.request_cancel(tx, job.id, site_id=site)


def test_another_sites_job_cannot_be_cancelled_or_even_seen(
    records: Records, job: JobRecord
) -> None:
    other = a_site(records, "other")
    with records.transaction() as tx, pytest.raises(NotFoundError):
        lifecycle.request_cancel(tx, job.id, site_id=other)
    assert read(records, job).state is JobState.QUEUED


def test_designs_are_claimed_oldest_first_up_to_the_image_limit(
    records: Records, site: str, clock: Clock
) -> None:
    release = a_release(records, site)
    waiting = []
    for count in (4, 4, 4):
        waiting.append(a_design_job(records, site, release.id, count=count))
        clock.pass_by(1)
    with records.transaction() as tx:
        taken = lifecycle.claim_designs(
            tx, release.id, worker="one", lease=LEASE, max_attempts=3, most_images=9
        )
        assert waiting_designs.groups(tx, release.id)
    assert [one.id for one in taken] == [one.id for one in waiting[:2]]


def test_sites_that_share_a_release_share_its_batches_by_their_weights(
    records: Records, site: str
) -> None:
    release = a_release(records, site)
    other = a_site(records, "other")
    with records.transaction() as tx:
        sites.set_weight(tx, "other", 3)
    for _ in range(40):
        a_design_job(records, site, release.id)
        a_design_job(records, other, release.id)
    with records.transaction() as tx:
        taken = lifecycle.claim_designs(
            tx, release.id, worker="one", lease=LEASE, max_attempts=3, most_images=32
        )
    by_site = Counter(job.site_id for job in taken)
    assert by_site == {site: 8, other: 24}


def test_what_was_not_taken_of_a_batch_is_owed_in_the_next(records: Records, site: str) -> None:
    release = a_release(records, site)
    other = a_site(records, "other")
    for _ in range(60):
        a_design_job(records, site, release.id)
    for _ in range(3):
        a_design_job(records, other, release.id, count=20)
    served: Counter[str] = Counter()
    for _ in range(4):
        with records.transaction() as tx:
            taken = lifecycle.claim_designs(
                tx, release.id, worker="one", lease=LEASE, max_attempts=3, most_images=24
            )
        for job in taken:
            served[job.site_id] += job.units
    assert served[other] >= 40


def test_a_design_job_larger_than_the_limit_is_still_taken(records: Records, site: str) -> None:
    release = a_release(records, site)
    a_design_job(records, site, release.id, count=64)
    with records.transaction() as tx:
        taken = lifecycle.claim_designs(
            tx, release.id, worker="one", lease=LEASE, max_attempts=3, most_images=9
        )
    assert len(taken) == 1


def test_a_pause_doubles_and_is_bounded() -> None:
    first = timedelta(seconds=2)
    assert [backoff(n, first).total_seconds() for n in (1, 2, 3)] == [2, 4, 8]
    assert backoff(60, first) == timedelta(minutes=10)

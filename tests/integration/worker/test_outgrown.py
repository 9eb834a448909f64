"""What becomes of the jobs of a child that took too much memory, over real rows."""

from collections.abc import Mapping, Sequence

import pytest

from shared.jobs import lifecycle
from shared.records import jobs
from shared.schemas.jobs import JobRecord, JobState
from tests.fixtures.painter import Painter
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_design_job, a_release, a_site, an_ingest_job
from worker import outgrown
from worker.jobs.designs import drain
from worker.jobs.generators import Generators, Loaded
from worker.memory import Cause, Death
from worker.runtime import Runtime

pytestmark = ON_BOTH

CERTAIN = Death(1, used=900 * 2**20, limit=700 * 2**20, cause=Cause.LIMIT)
KERNEL = Death(1, used=900 * 2**20, limit=9_000 * 2**20, cause=Cause.KERNEL)


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture
def release(runtime: Runtime, site: str) -> str:
    return a_release(runtime.records, site).id


def now(runtime: Runtime, job: JobRecord) -> JobRecord:
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def claim(runtime: Runtime, job: JobRecord) -> JobRecord:
    with runtime.records.transaction() as tx:
        taken = lifecycle.claim(
            tx, job.id, worker=runtime.worker, lease=runtime.lease, max_attempts=3
        )
    assert taken is not None
    return taken


def settle(runtime: Runtime, death: Death) -> list[JobRecord]:
    return outgrown.settle(
        runtime.records, runtime.sender, runtime.worker, death, settings=runtime.settings
    )


def test_a_job_alone_that_took_more_than_its_limit_ends_with_both_numbers(
    runtime: Runtime, site: str
) -> None:
    job = claim(runtime, an_ingest_job(runtime.records, site))
    settle(runtime, CERTAIN)
    ended = now(runtime, job)
    assert (ended.state, ended.reason) == (JobState.FAILED, "out_of_memory")
    assert ended.error is not None
    assert ended.error["details"] == {"used_bytes": 900 * 2**20, "limit_bytes": 700 * 2**20}
    assert "TOILE_WORKER_MEMORY" in ended.error["message"]


def test_a_job_that_the_kernel_killed_is_tried_once_more_and_then_ends(
    runtime: Runtime, site: str
) -> None:
    job = claim(runtime, an_ingest_job(runtime.records, site))
    settle(runtime, KERNEL)
    assert now(runtime, job).state is JobState.QUEUED
    claim(runtime, job)
    settle(runtime, KERNEL)
    ended = now(runtime, job)
    assert (ended.state, ended.reason, ended.attempts) == (JobState.FAILED, "out_of_memory", 2)


def test_a_batch_is_put_back_whole_with_what_happened(
    runtime: Runtime, site: str, release: str
) -> None:
    batch = [a_design_job(runtime.records, site, release, seed=seed) for seed in range(3)]
    for job in batch:
        claim(runtime, job)
    settle(runtime, CERTAIN)
    for job in batch:
        assert now(runtime, job).state is JobState.QUEUED
        with runtime.records.reading() as tx:
            (tried,) = jobs.attempts_at(tx, job.id)
        assert tried.outcome == "out_of_memory"
        assert "2 jobs more" in str(tried.message)


def test_a_cancelled_job_ends_as_cancelled_and_one_that_another_took_is_left_alone(
    runtime: Runtime, site: str
) -> None:
    unwanted = claim(runtime, an_ingest_job(runtime.records, site, catalog="a"))
    taken = claim(runtime, an_ingest_job(runtime.records, site, catalog="b"))
    with runtime.records.transaction() as tx:
        lifecycle.request_cancel(tx, unwanted.id, site_id=site)
        jobs.change(tx, taken.id, states=[JobState.RUNNING], values={"owner": "other:2"})
    settle(runtime, CERTAIN)
    assert now(runtime, unwanted).state is JobState.CANCELLED
    assert now(runtime, taken).state is JobState.RUNNING


def test_a_job_whose_process_died_of_something_else_goes_back_before_its_lease_is_over(
    runtime: Runtime, site: str
) -> None:
    job = claim(runtime, an_ingest_job(runtime.records, site))
    settle(runtime, Death(1, used=0, limit=1, cause=Cause.OTHER))
    back = now(runtime, job)
    assert (back.state, back.reason) == (JobState.QUEUED, "lost_worker")
    assert back.not_before is not None, "after the pause before another try"
    with runtime.records.transaction() as tx:
        jobs.change(
            tx, job.id, states=[JobState.QUEUED], values={"attempts": 2, "not_before": None}
        )
    last = claim(runtime, job)
    settle(runtime, Death(1, used=0, limit=1, cause=Cause.OTHER))
    assert now(runtime, last).state is JobState.RUNNING, "upkeep ends it, with its history"


class Greedy(Painter):
    """Has memory for all but one picture, wherever that stands; says so after the pass."""

    def __init__(self, guilty: int) -> None:
        super().__init__()
        self.guilty = guilty
        self.seen: list[tuple[int, ...]] = []

    def before_pass(self, seeds: Sequence[int]) -> None:
        self.seen.append(tuple(seeds))

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        if self.guilty in seeds:
            raise MemoryError
        return super().complete(seeds, conditions)


def test_members_of_a_batch_that_had_too_little_memory_are_made_alone(
    runtime: Runtime, site: str, release: str
) -> None:
    batch = [a_design_job(runtime.records, site, release, seed=seed) for seed in range(4)]
    painter = Greedy(guilty=2)
    drain(runtime, release, Generators(lambda _runtime, _release: Loaded(painter)))
    states = [now(runtime, job).state for job in batch]
    fine, failed = JobState.SUCCEEDED, JobState.FAILED
    assert states == [fine, fine, failed, fine]
    assert now(runtime, batch[2]).reason == "out_of_memory"
    assert painter.seen[0] == (0, 1, 2, 3)
    assert sorted(painter.seen[1:]) == [(0,), (1,), (2,), (3,)]
    assert {now(runtime, job).attempts for job in batch} == {2}


def test_while_suspects_wait_others_are_not_put_beside_them(
    runtime: Runtime, site: str, release: str
) -> None:
    batch = [a_design_job(runtime.records, site, release, seed=seed) for seed in (0, 1)]
    for job in batch:
        claim(runtime, job)
    settle(runtime, CERTAIN)
    late = [a_design_job(runtime.records, site, release, seed=seed) for seed in (5, 6, 7)]
    painter = Greedy(guilty=1)
    drain(runtime, release, Generators(lambda _runtime, _release: Loaded(painter)))
    assert (0,) in painter.seen
    assert (1,) in painter.seen
    assert (5, 6, 7) in painter.seen
    assert {now(runtime, job).attempts for job in late} == {1}

"""A disk that is full while a worker writes something of its own, not an artifact."""

import errno

import pytest

from shared.jobs import lifecycle
from shared.records import jobs
from tests.fixtures.rows import a_site, an_ingest_job
from worker.attempt import end_badly
from worker.runtime import Runtime


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_job_that_met_a_full_disk_is_tried_again(runtime: Runtime, code: int) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    with runtime.records.transaction() as tx:
        held = lifecycle.claim(tx, job.id, worker="t:1", lease=runtime.lease, max_attempts=3)
    assert held is not None
    end_badly(runtime, held, OSError(code, "no room", "/cache/dataset"))
    with runtime.records.reading() as tx:
        told = jobs.get(tx, job.id)
        (attempt,) = jobs.attempts_at(tx, job.id)
    assert (told.state, told.reason) == ("queued", "retrying")
    assert "/cache/dataset" in str(attempt.message)

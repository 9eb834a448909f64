"""Processes that hang, and ones that only look as if they did."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.records import jobs
from shared.schemas.jobs import AttemptView, JobRecord, JobState
from tests.fixtures.rows import a_site, an_ingest_job
from tests.fixtures.stack import ROOT
from worker.heartbeat import STALLED
from worker.jobs.upkeep import recover_abandoned
from worker.runtime import Runtime


@pytest.fixture
def job(runtime: Runtime) -> JobRecord:
    return an_ingest_job(runtime.records, a_site(runtime.records))


def run(
    runtime: Runtime, job: JobRecord, way: str, *, limit: int = 2
) -> subprocess.CompletedProcess[str]:
    """Let a process of its own try the job, with a limit and a lease of some seconds."""
    assert runtime.settings.redis_url is not None
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "TOILE_HOME": str(runtime.settings.home),
        "TOILE_REDIS_URL": runtime.settings.redis_url.get_secret_value(),
        "TOILE_STALL_SECONDS": str(limit),
        "TOILE_LEASE_SECONDS": str(limit),
        "TOILE_HEARTBEAT_SECONDS": "0.3",
        "TOILE_MAX_ATTEMPTS": str(runtime.settings.max_attempts),
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.fixtures.hanging", job.id, way],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def row(runtime: Runtime, job: JobRecord) -> tuple[JobRecord, list[AttemptView]]:
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id), jobs.attempts_at(tx, job.id)


def test_a_process_that_hangs_says_where_gives_its_job_back_and_ends(
    runtime: Runtime, job: JobRecord
) -> None:
    ended = run(runtime, job, "for_ever")
    assert ended.returncode == STALLED, ended.stderr
    assert "Nothing has moved for 2 seconds (TOILE_STALL_SECONDS)" in ended.stderr
    assert "in for_ever" in ended.stderr
    back, (attempt,) = row(runtime, job)
    assert (back.state, back.reason, back.tries) == (JobState.QUEUED, "stalled", 1)
    assert attempt.outcome == "stalled"
    assert "Nothing moved for 2 seconds on" in str(attempt.message)


def test_native_code_that_never_lets_go_of_the_interpreter_is_ended_too(
    runtime: Runtime, job: JobRecord
) -> None:
    ended = run(runtime, job, "holding_the_interpreter")
    assert ended.returncode == 1, ended.stderr
    assert "in holding_the_interpreter" in ended.stderr
    assert recover_abandoned(runtime) == 1, "nobody renewed its lease"
    back, (attempt,) = row(runtime, job)
    assert (back.state, back.reason, attempt.outcome) == (
        JobState.QUEUED, "lost_worker", "lost_worker",
    )  # fmt: skip


def test_who_hangs_with_the_databases_lock_in_hand_gives_it_back_by_ending(
    runtime: Runtime, job: JobRecord
) -> None:
    ended = run(runtime, job, "in_the_middle_of_a_write")
    assert ended.returncode != 0
    assert "in in_the_middle_of_a_write" in ended.stderr
    time.sleep(0.1)
    assert recover_abandoned(runtime) == 1


def test_a_long_step_keeps_its_lease_even_while_it_keeps_the_interpreter(
    runtime: Runtime, job: JobRecord
) -> None:
    ended = run(runtime, job, "long_but_well", limit=5)
    assert ended.returncode == 0, ended.stderr
    done, _ = row(runtime, job)
    assert (done.state, done.attempts, done.result) == (JobState.SUCCEEDED, 1, {"fence": 1})

import time
from dataclasses import replace
from datetime import timedelta

from redis import Redis
from sqlalchemy import update

from shared.jobs import lifecycle
from shared.queue.names import Queue
from shared.queue.sender import hint_key
from shared.records import jobs
from shared.records.tables import JobRow
from shared.schemas.jobs import JobRecord, JobState
from tests.fixtures.rows import a_design_job, a_release, a_site, an_ingest_job
from worker.jobs.upkeep import keep_up, recover_abandoned, send_waiting
from worker.runtime import Runtime

SHORT = timedelta(milliseconds=1)


def abandon(runtime: Runtime, job: JobRecord) -> None:
    with runtime.records.transaction() as tx:
        held = lifecycle.claim(tx, job.id, worker="dead", lease=SHORT, max_attempts=99)
    assert held is not None
    time.sleep(0.01)


def row(runtime: Runtime, job: JobRecord) -> JobRecord:
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def test_a_job_that_was_never_sent_is_sent(runtime: Runtime, redis: Redis) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    assert send_waiting(runtime) == 1
    assert row(runtime, job).sent_at is not None
    assert redis.llen(Queue.CHORES) == 1


def test_a_job_whose_message_is_on_its_way_is_not_sent_again(
    runtime: Runtime, redis: Redis
) -> None:
    an_ingest_job(runtime.records, a_site(runtime.records))
    keep_up(runtime)
    keep_up(runtime)
    assert redis.llen(Queue.CHORES) == 1


def settle(runtime: Runtime) -> None:
    """Let all messages be as old as one that must have arrived."""
    with runtime.records.transaction() as tx:
        old = tx.now - timedelta(seconds=10)
        tx.session.execute(update(JobRow).values(sent_at=old, created_at=old))


def test_when_redis_has_forgotten_all_queued_jobs_are_sent_again(
    runtime: Runtime, redis: Redis
) -> None:
    site_id = a_site(runtime.records)
    for number in range(5):
        an_ingest_job(runtime.records, site_id, catalog=str(number))
    keep_up(runtime)
    settle(runtime)
    keep_up(runtime)
    assert redis.llen(Queue.CHORES) == 5
    redis.flushall()
    keep_up(runtime)
    assert redis.llen(Queue.CHORES) == 5


def test_a_hint_that_died_with_its_worker_is_given_again(runtime: Runtime, redis: Redis) -> None:
    site_id = a_site(runtime.records)
    release = a_release(runtime.records, site_id)
    job = a_design_job(runtime.records, site_id, release.id)
    runtime.sender.send_job(job)
    redis.delete(Queue.GENERATE)  # a worker took the message, and died with it
    assert redis.exists(hint_key(release.id))
    settle(runtime)
    keep_up(runtime)
    assert redis.llen(Queue.GENERATE) == 1
    keep_up(runtime)
    assert redis.llen(Queue.GENERATE) == 1


def test_with_redis_away_upkeep_still_recovers_what_was_abandoned(runtime: Runtime) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    abandon(runtime, job)
    away = Redis.from_url("redis://127.0.0.1:1/0")
    keep_up(replace(runtime, redis=away))
    assert row(runtime, job).state is JobState.QUEUED


def test_an_abandoned_job_goes_back_with_its_reason(runtime: Runtime) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    abandon(runtime, job)
    assert recover_abandoned(runtime) == 1
    back = row(runtime, job)
    assert (back.state, back.reason, back.fence) == (JobState.QUEUED, "lost_worker", 2)
    with runtime.records.reading() as tx:
        assert "dead was not heard of" in str(jobs.attempts_at(tx, job.id)[0].message)


def test_a_job_that_kills_its_workers_fails_and_tells_of_each(runtime: Runtime) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    for _ in range(runtime.settings.max_attempts):
        abandon(runtime, job)
        recover_abandoned(runtime)
        time.sleep(0.05)
    ended = row(runtime, job)
    assert (ended.state, ended.reason) == (JobState.FAILED, "attempts_exhausted")
    assert ended.error is not None
    assert len(ended.error["details"]["attempts"]) == runtime.settings.max_attempts


def test_an_abandoned_job_that_was_to_be_cancelled_is_cancelled(runtime: Runtime) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    abandon(runtime, job)
    with runtime.records.transaction() as tx:
        lifecycle.request_cancel(tx, job.id, site_id=job.site_id)
    recover_abandoned(runtime)
    assert row(runtime, job).state is JobState.CANCELLED


def test_a_job_whose_lease_holds_is_left_alone(runtime: Runtime) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    with runtime.records.transaction() as tx:
        lifecycle.claim(tx, job.id, worker="one", lease=timedelta(minutes=1), max_attempts=3)
    assert recover_abandoned(runtime) == 0
    assert row(runtime, job).state is JobState.RUNNING

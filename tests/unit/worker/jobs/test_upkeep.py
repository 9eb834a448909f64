import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

from redis import Redis
from sqlalchemy import update

from shared.jobs import lifecycle, recovery
from shared.queue.names import Queue
from shared.queue.sender import hint_key
from shared.records import jobs
from shared.records.tables import JobRow
from shared.schemas.jobs import JobRecord, JobState
from tests.fixtures.postgres import ON_BOTH
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
    told = "lost_worker on dead: dead was not heard of until its lease ran out."
    assert ended.error["details"]["attempts"] == [f"{n}: {told}" for n in (1, 2, 3)]


def test_what_each_attempt_said_is_told_whatever_ended_it(runtime: Runtime) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    for message in ("the store slept", "nothing moved"):
        with runtime.records.transaction() as tx:
            held = lifecycle.claim(tx, job.id, worker="w", lease=SHORT, max_attempts=3)
            assert held is not None
            if message == "the store slept":
                lifecycle.put_back(tx, held, reason="retrying", delay=timedelta(0), message=message)
            else:
                recovery.stall(tx, held, message, max_attempts=3, first_delay=timedelta(0))
    abandon(runtime, job)
    recover_abandoned(runtime)
    error = row(runtime, job).error
    assert error is not None
    assert error["details"]["attempts"] == [
        "1: retrying on w: the store slept",
        "2: stalled on w: nothing moved",
        "3: lost_worker on dead: dead was not heard of until its lease ran out.",
    ]


def test_a_job_whose_workers_keep_dying_waits_longer_each_time(runtime: Runtime) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    patient = replace(
        runtime, settings=runtime.settings.model_copy(update={"retry_delay_seconds": 100.0})
    )
    pauses = []
    for _ in range(2):
        with runtime.records.transaction() as tx:
            tx.session.execute(update(JobRow).values(not_before=None))
        abandon(runtime, job)
        recover_abandoned(patient)
        due = row(runtime, job).not_before
        with runtime.records.reading() as tx:
            assert due is not None
            pauses.append((due - tx.now).total_seconds())
    assert [round(pause, -1) for pause in pauses] == [100, 200]


def test_a_job_is_sent_when_its_pause_is_over_and_not_before(
    runtime: Runtime, redis: Redis
) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    with runtime.records.transaction() as tx:
        held = lifecycle.claim(tx, job.id, worker="w", lease=SHORT, max_attempts=3)
        assert held is not None
        lifecycle.put_back(tx, held, reason="retrying", delay=timedelta(seconds=0.3))
    keep_up(runtime)
    assert redis.llen(Queue.CHORES) == 0
    time.sleep(0.4)
    keep_up(runtime)
    assert redis.llen(Queue.CHORES) == 1


def test_a_job_that_a_lowered_limit_leaves_without_an_attempt_is_ended(runtime: Runtime) -> None:
    job = an_ingest_job(runtime.records, a_site(runtime.records))
    abandon(runtime, job)
    recover_abandoned(runtime)
    strict = replace(runtime, settings=runtime.settings.model_copy(update={"max_attempts": 1}))
    keep_up(strict)
    ended = row(runtime, job)
    assert (ended.state, ended.reason) == (JobState.FAILED, "attempts_exhausted")


def test_redis_that_forgot_all_is_filled_at_once_however_new_its_messages_were(
    runtime: Runtime, redis: Redis
) -> None:
    site_id = a_site(runtime.records)
    for number in range(3):
        an_ingest_job(runtime.records, site_id, catalog=str(number))
    release = a_release(runtime.records, site_id)
    a_design_job(runtime.records, site_id, release.id)
    keep_up(runtime)
    redis.flushall()
    keep_up(runtime)
    assert (redis.llen(Queue.CHORES), redis.llen(Queue.GENERATE)) == (4, 1)
    keep_up(runtime)
    assert (redis.llen(Queue.CHORES), redis.llen(Queue.GENERATE)) == (4, 1)


@ON_BOTH
def test_two_upkeeps_at_once_recover_each_job_once(runtime: Runtime) -> None:
    site_id = a_site(runtime.records)
    lost = [an_ingest_job(runtime.records, site_id, catalog=str(n)) for n in range(24)]
    for job in lost:
        abandon(runtime, job)
    together = Barrier(2)

    def upkeep() -> int:
        together.wait()
        return recover_abandoned(runtime)

    with ThreadPoolExecutor(2) as threads:
        found = [threads.submit(upkeep) for _ in range(2)]
        assert sum(one.result() for one in found) == len(lost)
    for job in lost:
        back = row(runtime, job)
        assert (back.state, back.attempts, back.fence) == (JobState.QUEUED, 1, 2)
        with runtime.records.reading() as tx:
            (attempt,) = jobs.attempts_at(tx, job.id)
        assert attempt.outcome == "lost_worker"


@ON_BOTH
def test_a_heartbeat_that_was_late_and_an_upkeep_do_not_both_win(runtime: Runtime) -> None:
    """Whoever is first has the job; the other learns of it."""
    site_id = a_site(runtime.records)
    for number in range(10):
        job = an_ingest_job(runtime.records, site_id, catalog=str(number))
        with runtime.records.transaction() as tx:
            held = lifecycle.claim(tx, job.id, worker="late", lease=SHORT, max_attempts=3)
        assert held is not None
        time.sleep(0.005)
        together = Barrier(2)

        def renew(held: JobRecord = held, together: Barrier = together) -> bool:
            together.wait()
            with runtime.records.transaction() as tx:
                return held.id in lifecycle.still_held(tx, [held], lease=timedelta(hours=1))

        def upkeep(together: Barrier = together) -> int:
            together.wait()
            return recover_abandoned(runtime)

        with ThreadPoolExecutor(2) as threads:
            renewed, recovered = threads.submit(renew), threads.submit(upkeep)
            assert renewed.result() != bool(recovered.result())
        assert row(runtime, job).state is (
            JobState.RUNNING if renewed.result() else JobState.QUEUED
        )


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

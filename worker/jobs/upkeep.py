"""Upkeep: finding work that was lost, and putting it back on its way. Two at once do no harm."""

import logging
from datetime import timedelta
from typing import Final

from redis.exceptions import RedisError

from shared.jobs import lifecycle
from shared.jobs.submit import send
from shared.records import Transaction, jobs
from shared.schemas.jobs import JobError, JobRecord, JobState, Reason
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

_MOST: Final = 1_000
# A message that a busy queue still holds must not be doubled often, yet a lost one must not wait
# long. Losing all of Redis is noticed at once, by its epoch; this is for single messages.
_RESEND_AFTER: Final = timedelta(minutes=5)
_EPOCH_KEY: Final = "toile:epoch"


def keep_up(runtime: Runtime) -> None:
    """Do all of upkeep once: abandoned jobs first, then messages."""
    put_back = recover_abandoned(runtime)
    sent = send_waiting(runtime)
    if put_back or sent:
        LOG.info("Put back or ended %d abandoned jobs; sent %d messages", put_back, sent)


def recover_abandoned(runtime: Runtime) -> int:
    """Put back, or end, the jobs whose worker has not been heard of; returns how many."""
    with runtime.records.transaction() as tx:
        lost = jobs.abandoned(tx, most=_MOST)
        for job in lost:
            _recover(tx, runtime, job)
    return len(lost)


def send_waiting(runtime: Runtime) -> int:
    """Send the messages of queued jobs that have none on its way; returns how many jobs."""
    forgotten = _redis_forgot(runtime)
    with runtime.records.reading() as tx:
        before = tx.now if forgotten else tx.now - _RESEND_AFTER
        waiting = jobs.unsent(tx, sent_before=before, most=_MOST)
    send(
        runtime.records,
        runtime.sender,
        [job.model_copy(update={"sent_at": None}) for job in waiting],
    )
    return len(waiting)


def _redis_forgot(runtime: Runtime) -> bool:
    """Return whether Redis lost its memory since the last look; if so, mark it anew."""
    try:
        return bool(runtime.redis.set(_EPOCH_KEY, 1, nx=True))
    except RedisError:
        return False


def _recover(tx: Transaction, runtime: Runtime, job: JobRecord) -> None:
    if job.cancel_requested_at is not None:
        lifecycle.give_up(
            tx, job, JobState.CANCELLED, reason=Reason.CANCELLED_BY_CALLER, error=None
        )
    elif job.attempts >= runtime.settings.max_attempts:
        lifecycle.give_up(
            tx,
            job,
            JobState.FAILED,
            reason=Reason.ATTEMPTS_EXHAUSTED,
            error=_exhausted(tx, job).model_dump(mode="json"),
        )
    else:
        first = timedelta(seconds=runtime.settings.retry_delay_seconds)
        delay = lifecycle.backoff(job.attempts, first)
        message = f"{job.owner} was not heard of until its lease ran out."
        lifecycle.put_back(tx, job, reason=Reason.LOST_WORKER, delay=delay, message=message)


def _exhausted(tx: Transaction, job: JobRecord) -> JobError:
    history = [
        f"{one.number}: {one.outcome or Reason.LOST_WORKER} on {one.worker}"
        for one in jobs.attempts_at(tx, job.id)
    ]
    return JobError(
        reason=Reason.ATTEMPTS_EXHAUSTED,
        message=f"All {job.attempts} attempts at this job ended without a result. Look at the "
        "workers' logs for what happened to them, then retry the job.",
        details={"attempts": history},
    )

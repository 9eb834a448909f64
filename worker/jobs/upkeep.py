"""Upkeep: finding work that was lost, and putting it back on its way. Two at once do no harm."""

import logging
from datetime import timedelta
from typing import Final

from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError
from shared.jobs import lifecycle
from shared.jobs.submit import send
from shared.metrics import JOBS, Tally
from shared.queue.names import QUEUE_OF, TASK_OF, Queue
from shared.records import Transaction, jobs, waiting
from shared.schemas.jobs import JobError, JobKind, JobRecord, JobState, Reason
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

_MOST: Final = 1_000
# A message younger than this may still be on its way into the queue.
_SETTLED: Final = timedelta(seconds=5)
# Under a load that never ends, a queue always holds enough messages; look at the oldest anyway.
_LONG: Final = timedelta(minutes=5)

# Designs are hinted at by release, below; the moodboards that share their queue go one by one.
_KINDS: Final = {
    queue: [
        kind
        for kind, task in TASK_OF.items()
        if QUEUE_OF[task] is queue and kind is not JobKind.DESIGN
    ]
    for queue in (Queue.TRAIN, Queue.CHORES, Queue.GENERATE)
}


def keep_up(runtime: Runtime) -> None:
    """Do all of upkeep once: abandoned jobs first, then messages."""
    put_back = recover_abandoned(runtime)
    with runtime.records.transaction() as tx:
        expired = lifecycle.expire(tx, most=_MOST)
    _count_expired(runtime, expired)
    sent = send_waiting(runtime)
    if put_back or expired or sent:
        LOG.info(
            "Put back or ended %d abandoned jobs and %d expired ones; sent %d messages again",
            put_back, expired, sent,
        )  # fmt: skip


def _count_expired(runtime: Runtime, number: int) -> None:
    if number:
        tally = Tally()
        tally.add(JOBS, number, JobKind.DESIGN, JobState.FAILED, Reason.EXPIRED)
        runtime.counters.send(tally)


def recover_abandoned(runtime: Runtime) -> int:
    """Put back, or end, the jobs whose worker has not been heard of; returns how many."""
    with runtime.records.transaction() as tx:
        lost = jobs.abandoned(tx, most=_MOST)
        after = [_recover(tx, runtime, job) for job in lost]
    for job in after:
        if job is not None and job.state.is_final:
            runtime.end([job], job.state, job.reason)
        elif job is not None:
            runtime.put_back(job, Reason.LOST_WORKER)
    return len(lost)


def send_waiting(runtime: Runtime) -> int:
    """Send the messages that are missing; returns for how many jobs and releases.

    A message dies with a worker that is killed at the wrong moment, and with Redis' memory. So a
    queue that holds fewer messages than there are queued jobs for it has lost some; then all that
    are not quite new are sent again, and the duplicates among them find nothing to claim.
    """
    try:
        return sum(_send_jobs(runtime, queue) for queue in _KINDS) + _send_hints(runtime)
    except (RedisError, QueueUnavailableError) as error:
        LOG.warning("Redis is away; what waits is sent when it is back: %s", error)
        return 0


def _send_jobs(runtime: Runtime, queue: Queue) -> int:
    with runtime.records.reading() as tx:
        queued = jobs.waiting(tx, _KINDS[queue], most=_MOST)
        settled, long = tx.now - _SETTLED, tx.now - _LONG
    is_short = runtime.redis.llen(queue) < sum(job.sent_at is not None for job in queued)
    missing = [
        job.model_copy(update={"sent_at": None})
        for job in queued
        if job.sent_at is None or job.sent_at < (settled if is_short else long)
    ]
    send(runtime.records, runtime.sender, missing)
    return len(missing)


def _send_hints(runtime: Runtime) -> int:
    """Hint at releases with waiting designs, if the queue has fewer messages than releases."""
    with runtime.records.reading() as tx:
        groups = waiting.groups(tx)
        settled, long = tx.now - _SETTLED, tx.now - _LONG
    releases = waiting.release_ids(groups)
    is_short = runtime.redis.llen(Queue.GENERATE) < len(releases)
    limit = settled if is_short else long
    missing = waiting.release_ids([group for group in groups if group.since < limit])
    for release_id in missing:
        runtime.sender.hint_release(release_id, again=True)
    return len(missing)


def _recover(tx: Transaction, runtime: Runtime, job: JobRecord) -> JobRecord | None:
    """Put a job back or end it; None where somebody holds it after all."""
    if job.cancel_requested_at is not None:
        return lifecycle.give_up(
            tx, job, JobState.CANCELLED, reason=Reason.CANCELLED_BY_CALLER, error=None
        )
    if job.attempts >= runtime.settings.max_attempts:
        return lifecycle.give_up(
            tx,
            job,
            JobState.FAILED,
            reason=Reason.ATTEMPTS_EXHAUSTED,
            error=_exhausted(tx, job).model_dump(mode="json"),
        )
    first = timedelta(seconds=runtime.settings.retry_delay_seconds)
    delay = lifecycle.backoff(job.attempts, first)
    message = f"{job.owner} was not heard of until its lease ran out."
    return lifecycle.put_back(tx, job, reason=Reason.LOST_WORKER, delay=delay, message=message)


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

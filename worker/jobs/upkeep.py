"""Upkeep: finding work that was lost, and putting it back on its way. Two at once do no harm."""

import logging
from datetime import timedelta
from typing import Final

from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError
from shared.jobs import lifecycle, recovery
from shared.jobs.submit import send
from shared.metrics import JOBS, Tally
from shared.queue.names import QUEUE_OF, TASK_OF, Queue
from shared.queue.rounds import Rounds
from shared.records import Transaction, jobs, waiting
from shared.schemas.jobs import JobKind, JobRecord, JobState, Reason
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

_MOST: Final = 1_000
_AT_ONCE: Final = 50
"""Jobs that one transaction recovers: others must not wait long to write."""
# A message younger than this may still be on its way into the queue.
_SETTLED: Final = timedelta(seconds=5)
RESEND_SECONDS: Final = 300
"""Under a load that never ends, a queue always holds enough messages; those of jobs that have
waited longer are sent again anyway."""
_LONG: Final = timedelta(seconds=RESEND_SECONDS)

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
    recovered = recover_abandoned(runtime)
    ended = end_hopeless(runtime)
    sent = send_waiting(runtime)
    if recovered or ended or sent:
        LOG.info(
            "Put back or ended %d abandoned jobs, ended %d that nobody could start in time or that "
            "had no attempt left; sent %d messages again",
            recovered, ended, sent,
        )  # fmt: skip


def _count_expired(runtime: Runtime, number: int) -> None:
    if number:
        tally = Tally()
        tally.add(JOBS, number, JobKind.DESIGN, JobState.FAILED, Reason.EXPIRED)
        runtime.counters.send(tally)


def recover_abandoned(runtime: Runtime) -> int:
    """Put back, or end, the jobs whose worker has not been heard of; returns how many."""
    recovered, found = 0, _AT_ONCE
    while found == _AT_ONCE and recovered < _MOST:
        with runtime.records.transaction() as tx:
            lost = jobs.abandoned(tx, most=_AT_ONCE)
            taken = [_recovered(tx, runtime, job) for job in lost]
        found, after = len(lost), [job for job in taken if job is not None]
        for job in after:
            runtime.put_back(job, Reason.LOST_WORKER)
        recovered += len(after)
    return recovered


def _recovered(tx: Transaction, runtime: Runtime, job: JobRecord) -> JobRecord | None:
    return recovery.recover(
        tx, job, max_attempts=runtime.settings.max_attempts, first_delay=runtime.first_delay
    )


def end_hopeless(runtime: Runtime) -> int:
    """End queued jobs that nobody will start: too late, or without an attempt left."""
    limit = runtime.settings.max_attempts
    with runtime.records.transaction() as tx:
        expired = lifecycle.expire(tx, most=_MOST)
        worn_out = recovery.wear_out(tx, max_attempts=limit, most=_MOST)
    _count_expired(runtime, expired)
    return expired + worn_out


def send_waiting(runtime: Runtime) -> int:
    """Send the messages that are missing; returns for how many jobs and releases.

    A message dies with a worker that is killed at the wrong moment, and with Redis' memory. So a
    queue that holds fewer messages than there are queued jobs for it has lost some; then all that
    are not quite new are sent again, and the duplicates among them find nothing to claim. Where
    Redis does not remember the last round, it has lost all, and all are sent at once.
    """
    rounds = Rounds(runtime.redis)
    try:
        forgot = not rounds.has_mark()
        if forgot:
            LOG.warning("Redis has no memory of upkeep: all that waits is sent again")
        sent = sum(_send_jobs(runtime, queue, forgot=forgot) for queue in _KINDS)
        sent += _send_hints(runtime, forgot=forgot)
    except (RedisError, QueueUnavailableError) as error:
        LOG.warning("Redis is away; what waits is sent when it is back: %s", error)
        return 0
    rounds.note()
    return sent


def _send_jobs(runtime: Runtime, queue: Queue, *, forgot: bool) -> int:
    with runtime.records.reading() as tx:
        queued = jobs.waiting(tx, _KINDS[queue], most=_MOST)
        settled, long = tx.now - _SETTLED, tx.now - _LONG
    is_short = runtime.redis.llen(queue) < sum(job.sent_at is not None for job in queued)
    missing = [
        job.model_copy(update={"sent_at": None})
        for job in queued
        if forgot or job.sent_at is None or job.sent_at < (settled if is_short else long)
    ]
    send(runtime.records, runtime.sender, missing)
    return len(missing)


def _send_hints(runtime: Runtime, *, forgot: bool) -> int:
    """Hint at releases with waiting designs, if the queue has fewer messages than releases."""
    with runtime.records.reading() as tx:
        groups = waiting.groups(tx)
        settled, long = tx.now - _SETTLED, tx.now - _LONG
    releases = waiting.release_ids(groups)
    is_short = runtime.redis.llen(Queue.GENERATE) < len(releases)
    limit = settled if is_short else long
    missing = waiting.release_ids([group for group in groups if forgot or group.since < limit])
    for release_id in missing:
        runtime.sender.hint_release(release_id, again=True)
    return len(missing)

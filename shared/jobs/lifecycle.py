"""The life of a job as a table, and the only functions that move one along it.

| from    | to        | function          | who                                             |
|---------|-----------|-------------------|-------------------------------------------------|
| -       | queued    | `submit`          | web; beat for periodic reports                  |
| queued  | running   | `claim`           | a worker; also takes a running one, lease over  |
| running | running   | `still_held`      | the worker that holds the fence                 |
| running | queued    | `put_back`        | the holder; upkeep when the lease ran out       |
| running | succeeded, failed, cancelled | `finish` | the holder of the fence, once         |
| running | failed, cancelled | `give_up` | upkeep: the lease ran out, no attempt is left   |
| queued  | cancelled | `request_cancel`  | web                                             |
| queued  | failed    | `give_up`         | upkeep                                          |

Every move is one compare-and-set on the row: two who try the same move cannot both succeed, and
a worker whose fence is stale moves nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.errors import ConflictError
from shared.records import Transaction, jobs
from shared.schemas.jobs import JobRecord, JobState, Reason

QUEUED, RUNNING = JobState.QUEUED, JobState.RUNNING
SUCCEEDED, FAILED, CANCELLED = JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED

MOVES: Final[Mapping[JobState, frozenset[JobState]]] = {
    QUEUED: frozenset({RUNNING, CANCELLED, FAILED}),
    RUNNING: frozenset({RUNNING, QUEUED, SUCCEEDED, FAILED, CANCELLED}),
    SUCCEEDED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}

LONGEST_DELAY: Final = timedelta(minutes=10)


class LeaseLostError(ConflictError):
    """Another worker holds the job now, or it is over: stop, and write nothing."""

    reason = "lease_lost"


def claim(
    tx: Transaction, job_id: str, *, worker: str, lease: timedelta, max_attempts: int
) -> JobRecord | None:
    """Take a job for a worker, or return None: a duplicate message finds nothing to claim."""
    return jobs.take_one(tx, job_id, worker=worker, lease=lease, max_attempts=max_attempts)


def claim_designs(
    tx: Transaction,
    release_id: str,
    *,
    worker: str,
    lease: timedelta,
    max_attempts: int,
    most_images: int,
) -> list[JobRecord]:
    """Take all that has accumulated for a release, oldest first, up to `most_images` images."""
    return jobs.take_designs(
        tx,
        release_id,
        worker=worker,
        lease=lease,
        max_attempts=max_attempts,
        most_images=most_images,
    )


def still_held(tx: Transaction, job: JobRecord, *, lease: timedelta | None) -> JobRecord | None:
    """Return the row of a job that is still held under its fence, or None where it is not.

    Args:
        tx: the open transaction.
        job: the job as it was claimed.
        lease: how much longer to hold it; None only looks.
    """
    if lease is not None:
        return _move(tx, job, RUNNING, {"lease_expires_at": tx.now + lease})
    now = jobs.get(tx, job.id)
    return now if now.state is RUNNING and now.fence == job.fence else None


def finish(
    tx: Transaction,
    job: JobRecord,
    state: JobState,
    *,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> JobRecord:
    """End a job. What it produced is written in the same transaction, so both or neither exist.

    Raises:
        LeaseLostError: the fence is stale.
    """
    ended = _move(
        tx,
        job,
        state,
        {
            "result": None if result is None else dict(result),
            "error": None if error is None else dict(error),
            "reason": reason,
            "finished_at": tx.now,
            "lease_expires_at": None,
        },
    )
    held = _held(ended, job)
    message = None if error is None else str(error.get("message"))
    jobs.close_attempt(tx, held, outcome=reason or state, message=message)
    return held


def put_back(
    tx: Transaction, job: JobRecord, *, reason: str, delay: timedelta, message: str | None = None
) -> JobRecord:
    """Return a running job to the queue, to be sent again after `delay`.

    The fence grows, so that the worker that held it can write nothing more.

    Raises:
        LeaseLostError: the fence is stale.
    """
    values = {
        "reason": reason,
        "owner": None,
        "lease_expires_at": None,
        "not_before": tx.now + min(delay, LONGEST_DELAY),
        "sent_at": None,
        "fence": job.fence + 1,
    }
    back = _held(_move(tx, job, QUEUED, values), job)
    jobs.close_attempt(tx, back, outcome=reason, message=message)
    return back


def give_up(
    tx: Transaction,
    job: JobRecord,
    state: JobState,
    *,
    reason: str,
    error: Mapping[str, Any] | None,
) -> JobRecord | None:
    """End a job that nobody holds; None where somebody does after all."""
    ended = _move(
        tx,
        job,
        state,
        {
            "reason": reason,
            "error": None if error is None else dict(error),
            "finished_at": tx.now,
            "lease_expires_at": None,
            "fence": job.fence + 1,
        },
    )
    if ended is not None:
        jobs.close_attempt(tx, ended, outcome=reason, message=None)
    return ended


def request_cancel(tx: Transaction, job_id: str, *, site_id: str) -> JobRecord:
    """Cancel a queued job, or ask the worker of a running one to stop; again changes nothing.

    Raises:
        NotFoundError: there is no such job of this site.
        ConflictError: the job ended otherwise.
    """
    job = jobs.get(tx, job_id, site_id=site_id)
    now = tx.now
    values = {
        "state": CANCELLED,
        "reason": Reason.CANCELLED_BY_CALLER,
        "cancel_requested_at": now,
        "finished_at": now,
    }
    changed = jobs.change(tx, job_id, states=[QUEUED], values=values)
    if changed is None and job.cancel_requested_at is None:
        changed = jobs.change(tx, job_id, states=[RUNNING], values={"cancel_requested_at": now})
    latest = changed or jobs.get(tx, job_id, site_id=site_id)
    if latest.state in {SUCCEEDED, FAILED}:
        raise ConflictError(
            f"Job {job_id} has {latest.state} already, so it cannot be cancelled.",
            state=latest.state,
        )
    return latest


def backoff(attempts: int, first: timedelta) -> timedelta:
    """Return the pause before the next try: doubled with each, at most ten minutes."""
    doublings = min(max(attempts - 1, 0), 16)  # more would overflow, and the limit is near
    return min(first * (1 << doublings), LONGEST_DELAY)


def _move(
    tx: Transaction, job: JobRecord, state: JobState, values: Mapping[str, Any]
) -> JobRecord | None:
    sources = [source for source, targets in MOVES.items() if state in targets]
    allowed = [source for source in sources if source is job.state]
    return jobs.change(
        tx, job.id, states=allowed, values={"state": state, **values}, fence=job.fence
    )


def _held(changed: JobRecord | None, job: JobRecord) -> JobRecord:
    if changed is None:
        raise LeaseLostError(
            f"Job {job.id} is no longer held under fence {job.fence}. Another worker has it, or "
            "it is over; stop, and write nothing.",
            id=job.id,
        )
    return changed

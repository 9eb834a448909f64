"""The life of a job as a table, and the only functions that move one along it.

| from    | to        | function          | who                                             |
|---------|-----------|-------------------|-------------------------------------------------|
| -       | queued    | `submit`          | web; beat for periodic reports                  |
| queued  | running   | `claim`           | a worker; also takes a running one, lease over  |
| running | running   | `still_held`      | the worker that holds the fence                 |
| running | queued    | `put_back`        | the holder; upkeep when the lease ran out       |
| running | succeeded, failed, cancelled | `finish`, `finish_all` | the holder of the fence, once |
| running | failed, cancelled | `give_up` | upkeep: the lease ran out, no attempt is left   |
| queued  | cancelled | `request_cancel`  | web                                             |
| queued  | failed    | `give_up`         | upkeep; `expire` when its time is over          |

Every move is one compare-and-set on the row: two who try the same move cannot both succeed, and
a worker whose fence is stale moves nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from shared.errors import ConflictError
from shared.jobs import fairness
from shared.records import Transaction, jobs, usage, waiting
from shared.schemas.jobs import JobError, JobRecord, JobState, Reason

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
    groups: Sequence[waiting.Group] | None = None,
) -> list[JobRecord]:
    """Take what has accumulated for a release, up to `most_images` images.

    The most urgent priority fills the batch first; within one, sites share it by their weights.
    The choice is made under the transaction's locks, and taken in one statement.

    Args:
        tx: the open transaction.
        release_id: the release.
        worker: who takes them.
        lease: how long they are held without a heartbeat.
        max_attempts: jobs that have had so many are left alone.
        most_images: room in the batch.
        groups: who waits, where this transaction has asked already; others' releases count not.
    """
    chosen: list[waiting.Waiting] = []
    owed: dict[str, float] = {}
    found = waiting.groups(tx, release_id) if groups is None else groups
    ours = [group for group in found if group.release_id == release_id]
    for priority in sorted({group.priority for group in ours}):
        room = most_images - sum(job.units for job in chosen)
        if room <= 0:
            break
        level = [group for group in ours if group.priority == priority]
        # Those who are owed most come first, so that of very many sites none is always left out.
        level.sort(key=lambda group: (-owed.get(group.site_id, group.deficit), group.since))
        lines = [
            fairness.Line(
                group.site_id,
                group.weight,
                waiting.oldest(tx, group, max_attempts=max_attempts, most=room),
                owed.get(group.site_id, group.deficit),
            )
            for group in level[:room]
        ]
        taken, deficits = fairness.fill(lines, room=room, first=not chosen)
        chosen.extend(taken)
        owed |= deficits
    if not chosen:
        return []
    waiting.owe(tx, release_id, owed)
    wanted = [job.id for job in chosen]
    return jobs.take(tx, wanted, worker=worker, lease=lease, max_attempts=max_attempts)


def expire(tx: Transaction, *, most: int) -> int:
    """End the queued jobs whose `expires_at` has passed; returns how many."""
    ended = 0
    for job_id in waiting.expired(tx, most=most):
        job = jobs.get(tx, job_id)
        message = (
            f"Nobody could start this job before {job.expires_at:%Y-%m-%d %H:%M:%S} UTC, after "
            "which it was not wanted. Ask again with a longer `expires_in`, or add workers."
        )
        error = JobError(reason=Reason.EXPIRED, message=message).model_dump(mode="json")
        ended += give_up(tx, job, FAILED, reason=Reason.EXPIRED, error=error) is not None
    return ended


def still_held(
    tx: Transaction, held: Sequence[JobRecord], *, lease: timedelta | None
) -> dict[str, bool]:
    """Return those of some jobs that are still held under their fences, by id.

    With each, whether its caller asked for it to stop.

    Args:
        tx: the open transaction.
        held: the jobs as they were claimed.
        lease: how much longer to hold them; None only looks.
    """
    if lease is None:
        return jobs.running_under(tx, held)
    return jobs.renew(tx, held, until=tx.now + lease)


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
    usage.ended(tx, held)
    return held


def finish_all(
    tx: Transaction, ended: Sequence[tuple[JobRecord, Mapping[str, Any]]]
) -> frozenset[str]:
    """End the jobs of a batch as succeeded, each with its result, in a few statements.

    Returns:
        The jobs that ended, by id. The others are no longer held: nothing of theirs may be written.
    """
    held = jobs.hold(tx, [job for job, _ in ended])
    done = [(job.id, result) for job, result in ended if job.id in held]
    jobs.end_many(tx, done, state=SUCCEEDED)
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
        usage.ended(tx, ended)
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
    if changed is not None:
        usage.ended(tx, changed)
    if changed is None and job.cancel_requested_at is None:
        changed = jobs.change(tx, job_id, states=[RUNNING], values={"cancel_requested_at": now})
    latest = changed or jobs.get(tx, job_id, site_id=site_id)
    if latest.state in {SUCCEEDED, FAILED}:
        raise ConflictError(
            f"Job {job_id} has {latest.state} already, so it cannot be cancelled.",
            state=latest.state,
        )
    return latest


def withdraw(tx: Transaction, shopper_id: str) -> int:
    """Cancel all that is under way for a shopper; returns how many jobs.

    A worker that makes one of them loses it at once, not when it next looks for a cancel: its fence
    is stale, so that it can publish nothing any more.
    """
    reason = Reason.CANCELLED_BY_CALLER
    open_jobs = jobs.open_of(tx, shopper_id)
    for job in open_jobs:
        give_up(tx, job, CANCELLED, reason=reason, error=None)
    return len(open_jobs)


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

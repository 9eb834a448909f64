"""The only functions that move a job along its life, beside `recovery`; `moves` has the table.

What you can rely on:
- Every move is one compare-and-set on the row, or stands under its lock: of two who try the same
  one, one is refused. A worker whose fence is stale moves nothing.
- A call is refused, or does what was asked. No final state is ever left.
- What has been asked to stop never succeeds.
- Every end of a job passes `ends.over`, in the transaction that ends it.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared.errors import ConflictError
from shared.jobs import fairness, moves
from shared.jobs.ends import cancelled, ending, given_up, held_still, make, over, returned
from shared.jobs.moves import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED
from shared.records import Transaction, holds, jobs, waiting
from shared.schemas.jobs import JobError, JobKind, JobRecord, JobState, Reason


class UnwantedError(ConflictError):
    """The caller asked for the job to stop, so that it cannot succeed any more."""

    reason = "cancelled_by_caller"


def claim(
    tx: Transaction, job_id: str, *, worker: str, lease: timedelta, max_attempts: int
) -> JobRecord | None:
    """Take a job for a worker, or return None: a duplicate message finds nothing to claim."""
    return holds.take_one(tx, job_id, worker=worker, lease=lease, max_attempts=max_attempts)


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
    return holds.take(tx, wanted, worker=worker, lease=lease, max_attempts=max_attempts)


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
        return holds.running_under(tx, held)
    return holds.renew(tx, held, until=tx.now + lease)


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
        UnwantedError: it has succeeded, but the caller has asked for it to stop.
    """
    if state is SUCCEEDED and holds.hold(tx, [job]).get(job.id, False):
        raise UnwantedError(
            f"Job {job.id} was asked to stop before it was done; end it as cancelled.", id=job.id
        )
    values = {"result": None if result is None else dict(result), **ending(tx, reason, error)}
    held = held_still(make(tx, job, moves.FINISH, state, values), job)
    message = None if error is None else str(error.get("message"))
    over(tx, [held], outcome=reason or state, message=message)
    return held


def finish_all(
    tx: Transaction, ended: Sequence[tuple[JobRecord, Mapping[str, Any]]]
) -> frozenset[str]:
    """End the jobs of a batch as succeeded, each with its result, in a few statements.

    Those that were asked to stop meanwhile end as cancelled.

    Returns:
        The jobs that succeeded, by id. Of the others nothing may be written.
    """
    held = holds.hold(tx, [job for job, _ in ended])
    for job, _ in ended:
        if held.get(job.id, False):
            finish(tx, job, CANCELLED, reason=Reason.CANCELLED_BY_CALLER)
    values = {"state": SUCCEEDED, **ending(tx, None)}
    done = [
        job.model_copy(update={**values, "result": result})
        for job, result in ended
        if held.get(job.id) is False
    ]
    if done:
        holds.end_many(tx, [(job.id, job.result or {}) for job in done], state=SUCCEEDED)
        over(tx, done, outcome=SUCCEEDED, message=None)
    return frozenset(job.id for job in done)


def put_back(
    tx: Transaction,
    job: JobRecord,
    *,
    reason: str,
    delay: timedelta,
    message: str | None = None,
    spare: bool = False,
) -> JobRecord:
    """Return a running job to the queue, to be sent again after `delay`.

    The fence grows, so that the worker that held it can write nothing more. A job that was asked to
    stop is cancelled instead: nobody would look at it before it is claimed again.

    Args:
        tx: the open transaction.
        job: as it was claimed.
        reason: why.
        delay: until when it is left alone.
        message: what the attempt says of its end.
        spare: do not count the attempt, for the job is not to blame for its end.

    Raises:
        LeaseLostError: the fence is stale.
    """
    if holds.hold(tx, [job]).get(job.id, False):
        return held_still(cancelled(tx, job, moves.PUT_BACK), job)
    back = returned(tx, job, moves.PUT_BACK, reason, delay, message=message, spare=spare)
    return held_still(back, job)


def request_cancel(tx: Transaction, job_id: str, *, site_id: str) -> JobRecord:
    """Cancel a job that is queued or a design, or ask its worker to stop; again changes nothing.

    Raises:
        NotFoundError: there is no such job of this site.
        ConflictError: the job ended otherwise.
    """
    # Held, or on PostgreSQL it could be put back between two looks, and be found in neither state.
    job = holds.hold_one(tx, job_id, site_id=site_id)
    if job.state in {SUCCEEDED, FAILED}:
        raise ConflictError(
            f"Job {job_id} has {job.state} already, so it cannot be cancelled.", state=job.state
        )
    if job.state is QUEUED or (job.state is RUNNING and job.kind is JobKind.DESIGN):
        # The neighbours of one member of a batch go on; nothing of it can be published any more.
        return held_still(cancelled(tx, job, moves.CANCEL), job)
    if job.state is RUNNING and job.cancel_requested_at is None:
        asked = {"cancel_requested_at": tx.now}
        return held_still(make(tx, job, moves.ASK, RUNNING, asked), job)
    return job


def expire(tx: Transaction, *, most: int) -> int:
    """End the queued jobs whose `expires_at` has passed; returns how many."""
    ended = 0
    for job_id in waiting.expired(tx, most=most):
        job = jobs.get(tx, job_id)
        message = (
            f"Nobody could start this job before {job.expires_at:%Y-%m-%d %H:%M:%S} UTC, after "
            "which it was not wanted. Ask again with a longer `expires_in`, or add workers."
        )
        error = JobError(reason=Reason.EXPIRED, message=message)
        ended += given_up(tx, job, moves.EXPIRE, error) is not None
    return ended


def withdraw(tx: Transaction, shopper_id: str) -> int:
    """Cancel all that is under way for a shopper; returns how many jobs.

    A worker that makes one of them loses it at once, not when it next looks for a cancel: its fence
    is stale, so that it can publish nothing any more. No webhook is told: whoever erases a shopper
    knows, and what would be told is about to be erased.
    """
    open_jobs = jobs.open_of(tx, shopper_id)
    for job in open_jobs:
        cancelled(tx, job, moves.WITHDRAW)
    return len(open_jobs)

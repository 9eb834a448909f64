"""What the moves of a job are made of: the compare-and-set, and what belongs to each end."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from shared.errors import ConflictError
from shared.jobs import moves
from shared.jobs.moves import CANCELLED, FAILED, QUEUED, Move
from shared.records import Transaction, holds, jobs, usage, webhooks
from shared.schemas.jobs import JobError, JobRecord, JobState, Reason

LONGEST_DELAY: Final = timedelta(minutes=10)


class LeaseLostError(ConflictError):
    """Another worker holds the job now, or it is over: stop, and write nothing."""

    reason = "lease_lost"


def backoff(attempts: int, first: timedelta) -> timedelta:
    """Return the pause before the next try: doubled with each, at most ten minutes."""
    doublings = min(max(attempts - 1, 0), 16)  # more would overflow, and the limit is near
    return min(first * (1 << doublings), LONGEST_DELAY)


def cancelled(
    tx: Transaction, job: JobRecord, move: Move, message: str | None = None
) -> JobRecord | None:
    """Cancel a job; None where it no longer stands as it was seen."""
    values = {
        **ending(tx, Reason.CANCELLED_BY_CALLER),
        "cancel_requested_at": job.cancel_requested_at or tx.now,
        "fence": job.fence + 1,
    }
    ended = make(tx, job, move, CANCELLED, values)
    if ended is not None:
        outcome, is_told = Reason.CANCELLED_BY_CALLER, move is not moves.WITHDRAW
        over(tx, [ended], outcome=outcome, message=message, announced=is_told)
    return ended


def given_up(
    tx: Transaction, job: JobRecord, move: Move, error: JobError, message: str | None = None
) -> JobRecord | None:
    """End a job as failed for a reason that is not its worker's; None as for `cancelled`."""
    details = error.model_dump(mode="json")
    values = {**ending(tx, error.reason, details), "fence": job.fence + 1}
    ended = make(tx, job, move, FAILED, values)
    if ended is not None:
        over(tx, [ended], outcome=error.reason, message=message)
    return ended


def returned(
    tx: Transaction,
    job: JobRecord,
    move: Move,
    reason: str,
    delay: timedelta,
    *,
    message: str | None,
    spare: bool = False,
) -> JobRecord | None:
    """Return a job to the queue, to be sent again after a pause; None as for `cancelled`.

    The fence grows, so that the worker that held it can write nothing more.

    Args:
        tx: the open transaction.
        job: as it was claimed.
        move: by which it goes back.
        reason: why, as the job and its attempt say.
        delay: until when it is left alone; ten minutes at most.
        message: what the attempt says of its end.
        spare: do not count the attempt, for the job is not to blame for its end.
    """
    values = {
        "reason": reason,
        "owner": None,
        "lease_expires_at": None,
        "not_before": tx.now + min(delay, LONGEST_DELAY),
        "sent_at": None,
        "fence": job.fence + 1,
        "spared": job.spared + spare,
    }
    back = make(tx, job, move, QUEUED, values)
    if back is not None:
        holds.close_attempts(tx, [job.id], outcome=reason, message=message)
    return back


def ending(
    tx: Transaction, reason: str | None, error: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the columns that every end sets."""
    return {
        "reason": reason,
        "error": None if error is None else dict(error),
        "finished_at": tx.now,
        "lease_expires_at": None,
    }


def over(
    tx: Transaction,
    ended: Sequence[JobRecord],
    *,
    outcome: str,
    message: str | None,
    announced: bool = True,
) -> None:
    """Do what belongs to every end of a job, in its transaction.

    Args:
        tx: the open transaction.
        ended: the jobs that end by it, as they stand now.
        outcome: what their attempts say of it.
        message: and in words.
        announced: whether the site's webhooks are told.
    """
    holds.close_attempts(tx, [job.id for job in ended], outcome=outcome, message=message)
    for job in ended:
        usage.ended(tx, job)
    if announced:
        webhooks.announce_ends(tx, ended)


def make(
    tx: Transaction, job: JobRecord, move: Move, state: JobState, values: Mapping[str, Any]
) -> JobRecord | None:
    """Make a move of the table; None where the job no longer stands as it was seen."""
    return jobs.change(
        tx,
        job.id,
        states=move.sources_of(state, stands=job.state),
        values={"state": state, **values},
        fence=job.fence,
        lapsed=move is moves.RECOVER,
    )


def held_still(changed: JobRecord | None, job: JobRecord) -> JobRecord:
    """Return what a move made of a job.

    Raises:
        LeaseLostError: the move was refused.
    """
    if changed is None:
        raise LeaseLostError(
            f"Job {job.id} is no longer held under fence {job.fence}. Another worker has it, or "
            "it is over; stop, and write nothing.",
            id=job.id,
        )
    return changed

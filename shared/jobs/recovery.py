"""The moves that help a job on: taking it from a dead or stuck worker, or ending it at last."""

from datetime import timedelta

from shared.jobs import moves
from shared.jobs.ends import backoff, cancelled, given_up, held_still, returned
from shared.jobs.moves import Move
from shared.records import Transaction, holds, jobs
from shared.schemas.jobs import AttemptView, JobError, JobRecord, Reason


def recover(
    tx: Transaction, job: JobRecord, *, max_attempts: int, first_delay: timedelta
) -> JobRecord | None:
    """Take a job from a worker that let its lease run out; None where it holds after all.

    It goes back to the queue after a pause that doubles with each attempt, or ends: cancelled where
    its caller asked for that, failed where it has had all its attempts.
    """
    message = f"{job.owner} was not heard of until its lease ran out."
    return _taken_away(
        tx, job, moves.RECOVER, (Reason.LOST_WORKER, message),
        max_attempts=max_attempts, first_delay=first_delay,
    )  # fmt: skip


def stall(
    tx: Transaction, job: JobRecord, message: str, *, max_attempts: int, first_delay: timedelta
) -> JobRecord:
    """Take a job from this very worker, in which nothing moves any more; as `recover`.

    Raises:
        LeaseLostError: the fence is stale.
    """
    taken = _taken_away(
        tx, job, moves.STALL, (Reason.STALLED, message),
        max_attempts=max_attempts, first_delay=first_delay,
    )  # fmt: skip
    return held_still(taken, job)


def wear_out(tx: Transaction, *, max_attempts: int, most: int) -> int:
    """End the queued jobs that have no attempt left, which nobody would claim; returns how many.

    There are such only after the limit was lowered: whoever ends a last attempt ends the job.
    """
    ended = 0
    for job in jobs.worn_out(tx, max_attempts=max_attempts, most=most):
        ended += given_up(tx, job, moves.WEAR_OUT, _exhausted(tx, job)) is not None
    return ended


def _taken_away(
    tx: Transaction,
    job: JobRecord,
    move: Move,
    why: tuple[str, str],
    *,
    max_attempts: int,
    first_delay: timedelta,
) -> JobRecord | None:
    """Put a job back, or end it, for its worker; None where its fence or lease forbids that."""
    reason, message = why
    if holds.hold(tx, [job]).get(job.id, False):
        return cancelled(tx, job, move, message)
    if job.tries >= max_attempts:
        return given_up(tx, job, move, _exhausted(tx, job, reason, message), message)
    delay = backoff(job.tries, first_delay)
    return returned(tx, job, move, reason, delay, message=message)


def _exhausted(
    tx: Transaction, job: JobRecord, reason: str | None = None, message: str | None = None
) -> JobError:
    """Return why a job has no attempt left: what happened at each.

    Args:
        tx: the open transaction.
        job: the job.
        reason: how the last attempt ends, where it is not written yet.
        message: and in words.
    """
    tried = jobs.attempts_at(tx, job.id)
    return JobError(
        reason=Reason.ATTEMPTS_EXHAUSTED,
        message=f"All {job.tries} attempts at this job ended without a result. What happened at "
        "each is in `details`; the workers' logs have more. Mend that, then retry the job.",
        details={"attempts": [_line(one, reason, message) for one in tried]},
    )


def _line(one: AttemptView, reason: str | None, message: str | None) -> str:
    is_open = one.ended_at is None
    outcome, told = (reason, message) if is_open else (one.outcome, one.message)
    return f"{one.number}: {outcome} on {one.worker}" + (f": {told}" if told else "")

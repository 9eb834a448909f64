"""One try at a job: claim, lease, heartbeat, cancel, and turning errors into states.

What you can rely on:
- The work runs only while this worker holds the lease, and learns within a second or two that it
  was cancelled, is draining, or has lost the lease.
- Work must show now and then that it moves, by reporting or by asking whether it must stop; what
  shows nothing for TOILE_STALL_SECONDS counts as hung, and its process is ended (`heartbeat`).
- What the work publishes and the job's end are one transaction: both exist or neither.
- Whatever the work raises ends as a state; a spec that cannot be parsed ends as `failed`.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from shared.errors import OutOfMemoryError, ToileError
from shared.jobs import lifecycle
from shared.jobs.ends import LeaseLostError, backoff
from shared.jobs.lifecycle import UnwantedError
from shared.jobs.submit import send
from shared.logging import job_context
from shared.queue.status import StatusDocument
from shared.records import Transaction
from shared.schemas.jobs import JobError, JobRecord, JobState, Progress, Reason
from worker.heartbeat import Heartbeat
from worker.runtime import DRAINING, Runtime

LOG: Final = logging.getLogger(__name__)


class CancelledError(Exception):
    """The caller asked for the job to stop."""


class DrainedError(Exception):
    """The worker is shutting down; the job goes back to the queue."""


@dataclass(frozen=True)
class Outcome:
    """What a finished piece of work says of itself."""

    result: Mapping[str, Any]
    reason: str | None = None


Publish = Callable[[Transaction], Outcome]


@dataclass(frozen=True)
class Attempt:
    """What a piece of work sees of its try: the job, and the ways to report and to be stopped."""

    runtime: Runtime
    job: JobRecord
    heartbeat: Heartbeat
    on_success: list[Callable[[], None]] = field(default_factory=list)

    def report(self, progress: Progress) -> None:
        """Show how far the work is. It is a courtesy: where Redis is away, nothing happens."""
        self.heartbeat.tick()
        document = StatusDocument(fence=self.job.fence, progress=progress)
        self.runtime.board.write(self.job.id, document)

    def should_stop(self) -> bool:
        """Return whether the work must stop now: cancelled, draining, or no longer its own."""
        self.heartbeat.tick()
        return DRAINING.is_set() or self.heartbeat.is_cancelled(self.job.id) or self.is_another_s

    @property
    def is_another_s(self) -> bool:
        """Whether another worker may hold the job by now, so that nothing may be written."""
        return self.heartbeat.has_lost(self.job.id)

    def raise_if_stopped(self) -> None:
        """Raise the reason for which the work must stop; do nothing where there is none.

        Raises:
            LeaseLostError: another worker holds the job.
            CancelledError: the caller asked for it.
            DrainedError: this worker is shutting down.
        """
        self.heartbeat.tick()
        if self.is_another_s:
            raise LeaseLostError(f"The lease of job {self.job.id} ran out.", id=self.job.id)
        if self.heartbeat.is_cancelled(self.job.id):
            raise CancelledError
        if DRAINING.is_set():
            raise DrainedError

    def after_success(self, action: Callable[[], None]) -> None:
        """Do something once the job has succeeded and that is on disk, such as tidying up."""
        self.on_success.append(action)


Work = Callable[[Attempt], Publish]


def run(runtime: Runtime, job_id: str, work: Work) -> None:
    """Try a job once, from claim to end.

    1. Claim it; a duplicate message finds nothing to claim and that is all.
    2. Run `work` under a heartbeat.
    3. Publish what it made and end the job, in one transaction.

    Args:
        runtime: this process' ways out.
        job_id: the job that a message spoke of.
        work: does the job and returns how to publish it.
    """
    with runtime.records.transaction() as tx:
        job = lifecycle.claim(
            tx,
            job_id,
            worker=runtime.worker,
            lease=runtime.lease,
            max_attempts=runtime.settings.max_attempts,
        )
    if job is None:
        LOG.info("Nothing to claim for %s: done, held by another worker, or not yet due", job_id)
        return
    with job_context(job.id), Heartbeat(runtime, [job]) as heartbeat:
        _try(Attempt(runtime, job, heartbeat), work)


def _try(attempt: Attempt, work: Work) -> None:
    LOG.info("Attempt %d at a %s job", attempt.job.attempts, attempt.job.kind)
    try:
        publish = work(attempt)
        with attempt.runtime.records.transaction() as tx:
            succeed(tx, attempt.job, publish(tx))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must end as a state
        end_badly(attempt.runtime, attempt.job, error)
    else:
        LOG.info("Succeeded")
        for action in attempt.on_success:
            action()
    attempt.runtime.board.clear(attempt.job.id, fence=attempt.job.fence)


def succeed(tx: Transaction, job: JobRecord, outcome: Outcome) -> None:
    """End a job well.

    Raises:
        LeaseLostError: the fence is stale; the transaction must not be committed.
    """
    lifecycle.finish(tx, job, JobState.SUCCEEDED, result=outcome.result, reason=outcome.reason)


def end_badly(runtime: Runtime, job: JobRecord, error: Exception) -> None:
    """Turn what a piece of work raised into the job's state."""
    match error:
        case LeaseLostError():
            LOG.warning("Stopped: %s", error)
        case CancelledError() | UnwantedError():
            _finish(runtime, job, JobState.CANCELLED, Reason.CANCELLED_BY_CALLER, None)
        case DrainedError():
            _drained(runtime, job)
        case ToileError(retryable=True) if job.tries < runtime.settings.max_attempts:
            delay = backoff(job.tries, runtime.first_delay)
            LOG.warning("Will be tried again in %s: %s", delay, error)
            _put_back(runtime, job, Reason.RETRYING, delay, str(error))
        case _:
            _fail(runtime, job, error)


def _fail(runtime: Runtime, job: JobRecord, error: Exception) -> None:
    known = _as_toile_error(error)
    if known is None:
        LOG.error("Failed unexpectedly", exc_info=error)
        details = JobError(
            reason=Reason.INTERNAL,
            message=f"The worker met an error that it does not know ({type(error).__name__}: "
            f"{error}). Its log has the whole of it; the job can be retried.",
        )
    else:
        LOG.warning("Failed: %s", known)
        details = JobError(reason=known.reason, message=known.message, details=known.details)
    _finish(runtime, job, JobState.FAILED, details.reason, details.model_dump(mode="json"))


def _as_toile_error(error: Exception) -> ToileError | None:
    if isinstance(error, ToileError):
        return error
    # TensorFlow's own error is told by its name, so that this module need not load TensorFlow.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return OutOfMemoryError(
            "The worker ran out of memory. Ask for a smaller size or batch, or give it more."
        )
    return None


def _finish(
    runtime: Runtime,
    job: JobRecord,
    state: JobState,
    reason: str,
    error: Mapping[str, Any] | None,
) -> None:
    try:
        with runtime.records.transaction() as tx:
            lifecycle.finish(tx, job, state, reason=reason, error=error)
    except LeaseLostError as lost:
        LOG.warning("Nothing written: %s", lost)


def _drained(runtime: Runtime, job: JobRecord) -> None:
    """Hand a job on at once. It is not to blame, so the attempt does not count."""
    back = _put_back(
        runtime, job, Reason.DRAINED, timedelta(0), "The worker was shut down.", spare=True
    )
    if back is not None:
        send(runtime.records, runtime.sender, [back])


def _put_back(
    runtime: Runtime,
    job: JobRecord,
    reason: str,
    delay: timedelta,
    message: str,
    *,
    spare: bool = False,
) -> JobRecord | None:
    try:
        with runtime.records.transaction() as tx:
            return lifecycle.put_back(
                tx, job, reason=reason, delay=delay, message=message, spare=spare
            )
    except LeaseLostError as lost:
        LOG.warning("Nothing written: %s", lost)
        return None

"""One try at a job: claim, lease, heartbeat, cancel, and turning errors into states.

What you can rely on:
- The work runs only while this worker holds the lease, and learns within a second or two that it
  was cancelled, is draining, or has lost the lease.
- Work must show now and then that it moves, by reporting or by asking whether it must stop; what
  shows nothing for TOILE_STALL_SECONDS counts as hung, and its process is ended (`heartbeat`).
- What the work publishes and the job's end are one transaction: both exist or neither.
- Whatever the work raises ends as a state; a spec that cannot be parsed ends as `failed`.
"""

import errno
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from shared import tracing
from shared.errors import DiskFullError, OutOfMemoryError, ToileError
from shared.jobs import lifecycle
from shared.jobs.ends import LeaseLostError, backoff
from shared.jobs.lifecycle import UnwantedError
from shared.jobs.submit import send
from shared.logging import job_context
from shared.queue.status import StatusDocument
from shared.records import Transaction
from shared.schemas.jobs import JobError, JobRecord, JobState, Preview, Progress, Reason
from worker.heartbeat import Heartbeat
from worker.insisting import CANCEL_SECONDS, DRAIN_SECONDS, Insisting
from worker.patience import until_back
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
        self.runtime.news.progress(self.job.id, progress, fence=self.job.fence)

    def show(self, preview: Preview) -> None:
        """Tell those who watch of a new sample grid; a courtesy as well."""
        self.runtime.news.preview(self.job.id, preview, fence=self.job.fence)

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
    began = time.time()
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
    runtime.news.changed([job.id])
    with (
        tracing.span("attempt", parent=job.traceparent, told=_told(job)),
        context_of(job),
        Heartbeat(runtime, [job]) as heartbeat,
    ):
        here = tracing.current()
        tracing.record("claim", parent=here, began=began, ended=time.time())
        held = Attempt(runtime, job, heartbeat)
        with _insisting(held):
            _try(held, work)


def _insisting(held: Attempt) -> Insisting:
    """Return what ends this try where the work does not do it soon after it was told."""

    def end(error: Exception) -> None:
        LOG.warning("The work does not stop: its job is ended beside it")
        held.heartbeat.lose(held.job.id)
        end_badly(held.runtime, held.job, error)

    cancelled = partial(held.heartbeat.is_cancelled, held.job.id)
    return Insisting(
        (CANCEL_SECONDS, cancelled, partial(end, CancelledError())),
        (DRAIN_SECONDS, DRAINING.is_set, partial(end, DrainedError())),
    )


def context_of(job: JobRecord) -> AbstractContextManager[None]:
    """Return what lets every log line inside belong to a job, and to the request behind it."""
    trace = tracing.trace_of(tracing.current() or job.traceparent)
    return job_context(job.id, site=job.site_id, request=job.request_id, trace=trace)


def _told(job: JobRecord) -> dict[str, str | int]:
    return {
        "toile.job": job.id, "toile.kind": job.kind.value, "toile.site": job.site_id,
        "toile.attempt": job.attempts, "toile.request": job.request_id or "",
    }  # fmt: skip


def _try(attempt: Attempt, work: Work) -> None:
    LOG.info("Attempt %d at a %s job", attempt.job.attempts, attempt.job.kind)
    try:
        with tracing.span("work"):
            publish = work(attempt)
        with tracing.span("publish"):
            outcome = until_back(partial(_publish, attempt, publish))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must end as a state
        end_badly(attempt.runtime, attempt.job, error)
    else:
        LOG.info("Succeeded")
        attempt.runtime.end([attempt.job], JobState.SUCCEEDED, outcome.reason)
        for action in attempt.on_success:
            action()
    attempt.runtime.board.clear(attempt.job.id, fence=attempt.job.fence)


def _publish(attempt: Attempt, publish: Publish) -> Outcome:
    """Publish and end the job, both or neither; it can be tried again."""
    before = len(attempt.on_success)
    try:
        with attempt.runtime.records.transaction() as tx:
            outcome = publish(tx)
            succeed(tx, attempt.job, outcome)
    except BaseException:
        del attempt.on_success[before:]  # what was to be done of rows that are not there
        raise
    return outcome


def succeed(tx: Transaction, job: JobRecord, outcome: Outcome) -> None:
    """End a job well.

    Raises:
        LeaseLostError: the fence is stale; the transaction must not be committed.
    """
    lifecycle.finish(tx, job, JobState.SUCCEEDED, result=outcome.result, reason=outcome.reason)


def end_badly(runtime: Runtime, job: JobRecord, error: Exception) -> None:
    """Turn what a piece of work raised into the job's state."""
    with context_of(job):
        _end_badly(runtime, job, _told_of_the_disk(error))


def _end_badly(runtime: Runtime, job: JobRecord, error: Exception) -> None:
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


def _told_of_the_disk(error: Exception) -> Exception:
    """Return the error that a full disk stands for, whoever met it: it passes, so it is retried."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(
            f"A disk of this worker is full ({error.filename or error.strerror}). Make room; what "
            "waits goes on by itself then."
        )
    return error


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

    def write() -> None:
        with runtime.records.transaction() as tx:
            lifecycle.finish(tx, job, state, reason=reason, error=error)

    try:
        until_back(write)
    except LeaseLostError as lost:
        LOG.warning("Nothing written: %s", lost)
    else:
        runtime.end([job], state, reason)


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

    def write() -> JobRecord:
        with runtime.records.transaction() as tx:
            return lifecycle.put_back(
                tx, job, reason=reason, delay=delay, message=message, spare=spare
            )

    try:
        back = until_back(write)
    except LeaseLostError as lost:
        LOG.warning("Nothing written: %s", lost)
        return None
    runtime.put_back(back, reason)
    return back

"""One try at a job: claim, lease, heartbeat, cancel, and turning errors into states.

What you can rely on:
- The work runs only while this worker holds the lease, and learns within a second or two that it
  was cancelled, is draining, or has lost the lease.
- What the work publishes and the job's end are one transaction: both exist or neither.
- Whatever the work raises ends as a state; a spec that cannot be parsed ends as `failed`.
"""

import errno
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from shared.errors import (
    DatabaseUnavailableError,
    OutOfMemoryError,
    StoreUnavailableError,
    ToileError,
)
from shared.jobs import lifecycle
from shared.jobs.lifecycle import LeaseLostError
from shared.jobs.submit import send
from shared.logging import job_context
from shared.queue.status import StatusDocument
from shared.records import Transaction
from shared.schemas.jobs import JobError, JobRecord, JobState, Progress, Reason
from worker.runtime import DRAINING, Runtime

LOG: Final = logging.getLogger(__name__)

# A cancel must take effect within two seconds, so the flag is read more often than that.
_LOOK_SECONDS: Final = 0.5


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


class Heartbeat:
    """Renews leases from a thread of its own and watches for cancels.

    A stuck step or a long compile does not stop it; the death of the process does. What is held
    may change while it beats: one heartbeat serves a worker that goes from batch to batch.
    """

    def __init__(self, runtime: Runtime, held: Sequence[JobRecord] = ()) -> None:
        self._runtime = runtime
        self._held: dict[str, JobRecord] = {}
        self._lost: set[str] = set()
        self._cancelled: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._renewed_at = time.monotonic()
        self._lock = threading.Lock()
        self.hold(held)

    def hold(self, taken: Sequence[JobRecord]) -> None:
        """Look after more jobs, just claimed."""
        with self._lock:
            if not self._held:
                self._renewed_at = time.monotonic()
            self._held |= {job.id: job for job in taken}
            self._cancelled |= {job.id for job in taken if job.cancel_requested_at is not None}

    def let_go(self, ended: Sequence[JobRecord]) -> None:
        """Look after some jobs no more: they are over, or another's."""
        gone = {job.id for job in ended}
        with self._lock:
            self._held = {key: job for key, job in self._held.items() if key not in gone}
            self._lost -= gone
            self._cancelled -= gone

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def has_lost(self, job_id: str) -> bool:
        """Return whether another worker may hold the job by now."""
        age = time.monotonic() - self._renewed_at
        return job_id in self._lost or age > self._runtime.settings.lease_seconds

    def is_cancelled(self, job_id: str) -> bool:
        """Return whether the caller asked for the job to stop."""
        return job_id in self._cancelled

    def _beat(self) -> None:
        pause = min(_LOOK_SECONDS, self._runtime.settings.heartbeat_seconds)
        next_renewal = time.monotonic() + self._runtime.settings.heartbeat_seconds
        while not self._over.wait(pause):
            renew = time.monotonic() >= next_renewal
            try:
                self._look(renew=renew)
            except DatabaseUnavailableError as error:
                LOG.warning("The heartbeat could not reach the database: %s", error)
            else:
                if renew:
                    next_renewal = time.monotonic() + self._runtime.settings.heartbeat_seconds

    def _look(self, *, renew: bool) -> None:
        started = time.monotonic()
        with self._lock:
            waiting = [job for job in self._held.values() if job.id not in self._lost]
        if not waiting:
            return
        if renew:
            with self._runtime.records.transaction() as tx:
                found = lifecycle.still_held(tx, waiting, lease=self._runtime.lease)
            self._renewed_at = started
        else:
            with self._runtime.records.reading() as tx:
                found = lifecycle.still_held(tx, waiting, lease=None)
        self._note(waiting, found)

    def _note(self, looked_at: Sequence[JobRecord], found: Mapping[str, bool]) -> None:
        """Keep which jobs are another's now, and which were cancelled: id -> whether."""
        with self._lock:
            held = [job.id for job in looked_at if job.id in self._held]
            self._lost |= {job_id for job_id in held if job_id not in found}
            self._cancelled |= {job_id for job_id in held if found.get(job_id)}


@dataclass(frozen=True)
class Attempt:
    """What a piece of work sees of its try: the job, and the ways to report and to be stopped."""

    runtime: Runtime
    job: JobRecord
    heartbeat: Heartbeat
    on_success: list[Callable[[], None]] = field(default_factory=list)

    def report(self, progress: Progress) -> None:
        """Show how far the work is. It is a courtesy: where Redis is away, nothing happens."""
        document = StatusDocument(fence=self.job.fence, progress=progress)
        self.runtime.board.write(self.job.id, document)

    def should_stop(self) -> bool:
        """Return whether the work must stop now: cancelled, draining, or no longer its own."""
        return (
            DRAINING.is_set()
            or self.heartbeat.is_cancelled(self.job.id)
            or self.heartbeat.has_lost(self.job.id)
        )

    def raise_if_stopped(self) -> None:
        """Raise the reason for which the work must stop; do nothing where there is none.

        Raises:
            LeaseLostError: another worker holds the job.
            CancelledError: the caller asked for it.
            DrainedError: this worker is shutting down.
        """
        if self.heartbeat.has_lost(self.job.id):
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
    attempt.runtime.board.clear(attempt.job.id)


def succeed(tx: Transaction, job: JobRecord, outcome: Outcome) -> None:
    """End a job well.

    Raises:
        LeaseLostError: the fence is stale; the transaction must not be committed.
    """
    lifecycle.finish(tx, job, JobState.SUCCEEDED, result=outcome.result, reason=outcome.reason)


def end_badly(runtime: Runtime, job: JobRecord, error: Exception) -> None:
    """Turn what a piece of work raised into the job's state."""
    error = _told_of_the_disk(error)
    match error:
        case LeaseLostError():
            LOG.warning("Stopped: %s", error)
        case CancelledError():
            _finish(runtime, job, JobState.CANCELLED, Reason.CANCELLED_BY_CALLER, None)
        case DrainedError():
            _put_back(runtime, job, Reason.DRAINED, timedelta(0), "The worker was shut down.")
        case ToileError(retryable=True) if job.attempts < runtime.settings.max_attempts:
            first = timedelta(seconds=runtime.settings.retry_delay_seconds)
            delay = lifecycle.backoff(job.attempts, first)
            LOG.warning("Will be tried again in %s: %s", delay, error)
            _put_back(runtime, job, Reason.RETRYING, delay, str(error))
        case _:
            _fail(runtime, job, error)


def _told_of_the_disk(error: Exception) -> Exception:
    """Return the error that a full disk stands for, whoever met it: it passes, so it is retried."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreUnavailableError(
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
    try:
        with runtime.records.transaction() as tx:
            lifecycle.finish(tx, job, state, reason=reason, error=error)
    except LeaseLostError as lost:
        LOG.warning("Nothing written: %s", lost)


def _put_back(
    runtime: Runtime, job: JobRecord, reason: str, delay: timedelta, message: str
) -> None:
    try:
        with runtime.records.transaction() as tx:
            back = lifecycle.put_back(tx, job, reason=reason, delay=delay, message=message)
    except LeaseLostError as lost:
        LOG.warning("Nothing written: %s", lost)
        return
    if not delay:
        send(runtime.records, runtime.sender, [back])

"""Holding jobs: leases renewed from a thread of its own, cancels seen, and a hung process ended.

What you can rely on:
- A step that takes long, or a compile, does not lose the lease, whether it holds the interpreter or
  not, as long as it is shorter than the lease or lets other threads run.
- A process in which nothing moves does: it says where each thread stands, gives its jobs back as
  `stalled`, and ends itself, for a hung thread cannot be stopped in any other way. Whoever keeps it
  (Celery's parent, the supervisor) starts another.
"""

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from shared.errors import DatabaseUnavailableError
from shared.jobs import lifecycle, recovery
from shared.jobs.ends import LeaseLostError
from shared.schemas.jobs import JobRecord
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

STALLED: Final = 70
"""How a process ends in which nothing moved: EX_SOFTWARE of sysexits.h."""

# A cancel must take effect within two seconds, so the flag is read more often than that.
_LOOK_SECONDS: Final = 0.5
# Celery puts objects in the place of sys.stderr that have no descriptor.
_STDERR: Final = 2


class Heartbeat:
    """Renews leases from a thread of its own, and watches for cancels and for a standstill.

    What is held may change while it beats: one heartbeat serves a worker that goes from batch to
    batch.

    Args:
        runtime: this process' ways out.
        held: jobs that were claimed already.
        end: ends this process; it gets the exit code.
    """

    def __init__(
        self,
        runtime: Runtime,
        held: Sequence[JobRecord] = (),
        *,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._runtime = runtime
        self._end = end
        self._held: dict[str, JobRecord] = {}
        self._lost: set[str] = set()
        self._cancelled: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._renewed_at = self._moved_at = time.monotonic()
        self._lock = threading.Lock()
        self.hold(held)

    def hold(self, taken: Sequence[JobRecord]) -> None:
        """Look after more jobs, just claimed."""
        self.tick()
        with self._lock:
            if not self._held:
                self._renewed_at = time.monotonic()
            self._held |= {job.id: job for job in taken}
            self._cancelled |= {job.id for job in taken if job.cancel_requested_at is not None}

    def let_go(self, ended: Sequence[JobRecord]) -> None:
        """Look after some jobs no more: they are over, or another's."""
        self.tick()
        gone = {job.id for job in ended}
        with self._lock:
            self._held = {key: job for key, job in self._held.items() if key not in gone}
            self._lost -= gone
            self._cancelled -= gone

    def tick(self) -> None:
        """Say that the work has moved; cheap enough for each step."""
        self._moved_at = time.monotonic()

    def __enter__(self) -> Self:
        self._guard(self._patience)
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
        faulthandler.cancel_dump_traceback_later()

    def has_lost(self, job_id: str) -> bool:
        """Return whether another worker may hold the job by now."""
        age = time.monotonic() - self._renewed_at
        return job_id in self._lost or age > self._runtime.settings.lease_seconds

    def lose(self, job_id: str) -> None:
        """Take a job for lost from now on: it was ended or put back from beside."""
        with self._lock:
            self._lost.add(job_id)

    def is_cancelled(self, job_id: str) -> bool:
        """Return whether the caller asked for the job to stop."""
        return job_id in self._cancelled

    def _beat(self) -> None:
        pause = min(_LOOK_SECONDS, self._runtime.settings.heartbeat_seconds)
        next_renewal = time.monotonic() + self._runtime.settings.heartbeat_seconds
        awake = time.monotonic()
        while not self._over.wait(pause):
            self._guard(self._patience)
            awake = self._forgive_sleep(awake)
            if self._is_stalled():
                self._give_up()
                return
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

    @property
    def _patience(self) -> float:
        """Seconds without this thread after which the process ends, whatever the interpreter."""
        settings = self._runtime.settings
        return settings.stall_seconds + settings.lease_seconds

    @staticmethod
    def _guard(seconds: float) -> None:
        """Let the process end after some time, unless this is called again before.

        A thread of C does it, which needs no interpreter: native code that never lets go of that
        would stop this thread too, and any other of Python's.
        """
        faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)

    def _forgive_sleep(self, awake: float) -> float:
        """Return the time; what the whole process stood still is no fault of its work.

        A process that was frozen, or suspended with its machine, has lost its lease and finds out.
        """
        now = time.monotonic()
        if now - awake > self._runtime.settings.lease_seconds:
            self._moved_at = now
        return now

    def _is_stalled(self) -> bool:
        still = time.monotonic() - self._moved_at
        return bool(self._held) and still > self._runtime.settings.stall_seconds

    def _give_up(self) -> None:
        """Say where each thread stands, give the jobs back, and end this process."""
        limit = self._runtime.settings.stall_seconds
        LOG.critical(
            "Nothing has moved for %g seconds (TOILE_STALL_SECONDS). This process gives %s back "
            "and ends; where each of its threads stands follows",
            limit,
            ", ".join(self._held),
        )
        faulthandler.dump_traceback(file=_STDERR, all_threads=True)
        # The thread that hangs may hold the very locks that giving back needs. Then the leases run
        # out by themselves, for nobody renews them.
        self._guard(self._runtime.settings.lease_seconds)
        message = (
            f"Nothing moved for {limit:g} seconds on {self._runtime.worker}, which was ended; its "
            "log says where it stood."
        )
        for job in list(self._held.values()):
            self._give_back(job, message)
        self._end(STALLED)

    def _give_back(self, job: JobRecord, message: str) -> None:
        settings = self._runtime.settings
        try:
            with self._runtime.records.transaction() as tx:
                recovery.stall(
                    tx,
                    job,
                    message,
                    max_attempts=settings.max_attempts,
                    first_delay=self._runtime.first_delay,
                )
        except (LeaseLostError, DatabaseUnavailableError) as error:
            LOG.warning("Nothing written: %s", error)

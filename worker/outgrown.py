"""What becomes of the jobs of a child that died, mostly because it took too much memory.

- One that was alone and took more than its limit ends as `out_of_memory`: another try would take
  as much.
- One that was alone and that the kernel killed is tried once more, for another process may have
  been to blame; the second time it ends.
- Of a batch nobody knows who it was: all are put back, and each is made alone
  (`worker.jobs.designs` does that with those whose last try ended so). Then the guilty one ends
  alone.
- Those of a child that died of anything else go back to the queue as upkeep would put them back,
  only sooner; upkeep ends those that have had their last attempt.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any, Final

from shared.errors import OutOfMemoryError
from shared.jobs import lifecycle
from shared.jobs.ends import LeaseLostError, backoff
from shared.jobs.submit import send
from shared.queue.sender import Sender
from shared.records import Records, Transaction, holds
from shared.schemas.jobs import JobError, JobRecord, JobState, Reason
from shared.settings import Settings, load_settings
from worker.memory import Cause, Death

LOG: Final = logging.getLogger(__name__)

OUTCOME: Final = OutOfMemoryError.reason
_BATCH: Final = "The batch took more memory than there is."
_MEND: Final = (
    "Ask for a smaller size or fewer at a time, or give the worker more memory "
    "(TOILE_WORKER_MEMORY, or the machine's own)."
)


def settle(
    records: Records, sender: Sender, owner: str, death: Death, *, settings: Settings
) -> list[JobRecord]:
    """End or put back what a dead child held; returns the jobs as they are now.

    What it no longer held is left alone: a job that upkeep or another worker has taken is theirs.
    """
    settled = []
    with records.transaction() as tx:
        held = holds.held_by(tx, owner)
        again = holds.ended_as(tx, [job.id for job in held], OUTCOME)
        for job in held:
            is_guilty = len(held) == 1 and (death.cause is Cause.LIMIT or job.id in again)
            try:
                now = _settled(
                    tx, job, death, is_guilty=is_guilty, beside=len(held) - 1, settings=settings
                )
            except LeaseLostError as lost:
                LOG.warning("Left alone: %s", lost)
            else:
                settled.append(now)
    at_once = [job for job in settled if job.state is JobState.QUEUED and job.reason == OUTCOME]
    send(records, sender, at_once)
    return settled


def put_back_apart(
    records: Records, sender: Sender, batch: Sequence[JobRecord], *, max_attempts: int
) -> None:
    """Put back the members of a batch for which there was too little memory, to be made alone.

    One that has had its last attempt ends: nobody would take it again.
    """
    back = []
    with records.transaction() as tx:
        for job in batch:
            try:
                if job.tries >= max_attempts:
                    _fail(tx, job, f"{_BATCH} This was the last of {max_attempts} attempts.", {})
                else:
                    back.append(_put_back(tx, job, _BATCH))
            except LeaseLostError as lost:
                LOG.warning("Left alone: %s", lost)
    send(records, sender, back)


def is_suspect(tx: Transaction, batch: Sequence[JobRecord]) -> bool:
    """Return whether one of some jobs may be what took too much memory the last time."""
    tried = [job.id for job in batch if job.attempts > 1]
    return bool(tried) and bool(holds.ended_as(tx, tried, OUTCOME))


def _settled(
    tx: Transaction,
    job: JobRecord,
    death: Death,
    *,
    is_guilty: bool,
    beside: int,
    settings: Settings,
) -> JobRecord:
    is_last = job.tries >= settings.max_attempts
    if job.cancel_requested_at is not None:
        return lifecycle.finish(tx, job, JobState.CANCELLED, reason=Reason.CANCELLED_BY_CALLER)
    if death.cause is Cause.OTHER:
        if is_last:
            return job  # upkeep ends it, with all that happened to it
        first = timedelta(seconds=settings.retry_delay_seconds)
        message = f"The process {job.owner} died while it worked."
        delay = backoff(job.tries, first)
        return lifecycle.put_back(tx, job, reason=Reason.LOST_WORKER, delay=delay, message=message)
    if not (is_guilty or is_last):
        return _put_back(tx, job, _words(death, beside=beside))
    sizes = {"used_bytes": death.used, "limit_bytes": death.limit}
    return _fail(tx, job, f"{_words(death, beside=0)} {_MEND}", sizes)


def _fail(tx: Transaction, job: JobRecord, message: str, details: Mapping[str, Any]) -> JobRecord:
    error = JobError(reason=OUTCOME, message=message, details=dict(details))
    return lifecycle.finish(
        tx, job, JobState.FAILED, reason=OUTCOME, error=error.model_dump(mode="json")
    )


def _put_back(tx: Transaction, job: JobRecord, message: str) -> JobRecord:
    return lifecycle.put_back(tx, job, reason=OUTCOME, delay=timedelta(0), message=message)


def _words(death: Death, *, beside: int) -> str:
    took = f"took {death.used / 2**20:.0f} MiB of memory"
    what = (
        "The worker's process" if not beside else f"The process, with {beside} jobs more in hand,"
    )
    if death.cause is Cause.LIMIT:
        return f"{what} {took} and may take {death.limit / 2**20:.0f} MiB, so it was ended."
    return f"{what} {took} when the system ran out of it and ended the process."


def main(arguments: Sequence[str] | None = None) -> int:
    """Settle the jobs of one owner, as the command line names it."""
    import argparse

    from shared.logging import configure

    parser = argparse.ArgumentParser(prog="python -m worker.outgrown", description=__doc__)
    parser.add_argument("owner")
    parser.add_argument("--used", type=int, required=True)
    parser.add_argument("--limit", type=int, required=True)
    parser.add_argument("--cause", type=Cause, choices=list(Cause), required=True)
    asked = parser.parse_args(arguments)
    settings = load_settings()
    configure(settings)
    pid = int(asked.owner.rpartition(":")[2])
    death = Death(pid, asked.used, asked.limit, asked.cause)
    with closing(Records(settings.database)) as records:
        sender = Sender.from_settings(settings)
        settled = settle(records, sender, asked.owner, death, settings=settings)
    for job in settled:
        LOG.warning("%s %s is %s (%s): its process died", job.kind, job.id, job.state, asked.cause)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

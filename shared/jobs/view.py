"""What a caller sees of a job: the row, with progress from Redis while it runs."""

import math
from typing import Final

from shared.queue.pace import Paces
from shared.queue.status import StatusBoard
from shared.records import Records, waiting
from shared.schemas.designs import Priority
from shared.schemas.jobs import Job, JobError, JobKind, JobRecord, JobState, Wait

_MOST: Final = 1_000


def view(job: JobRecord, board: StatusBoard, *, wait: Wait | None = None) -> Job:
    """Return a job as callers see it. Its state is the row's; only progress is Redis' word.

    Args:
        job: the row.
        board: where progress stands.
        wait: what it waits for, where that was looked up.
    """
    progress = board.read(job.id, fence=job.fence) if job.state is JobState.RUNNING else None
    return Job(
        id=job.id,
        kind=job.kind,
        state=job.state,
        reason=job.reason,
        error=None if job.error is None else JobError.model_validate(job.error),
        spec=job.spec,
        result=job.result,
        progress=progress,
        wait=wait,
        priority=list(Priority)[job.priority] if job.kind is JobKind.DESIGN else None,
        expires_at=job.expires_at,
        attempts=job.attempts,
        cancel_requested=job.cancel_requested_at is not None,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        url=f"/v1/jobs/{job.id}",
    )


def view_now(records: Records, job: JobRecord, board: StatusBoard, paces: Paces) -> Job:
    """Return a job as callers see it now, with what it waits for where it is queued."""
    return view(job, board, wait=wait_of(records, job, paces))


def wait_of(records: Records, job: JobRecord, paces: Paces) -> Wait | None:
    """Return what a queued design job waits for, or None where it does not wait.

    The time is an estimate: batches of the release take as long as the last ones did, one worker
    makes them, and no more urgent job comes.
    """
    if job.state is not JobState.QUEUED or job.kind is not JobKind.DESIGN or not job.release_id:
        return None
    images = waiting.ahead(records, job, most=_MOST)
    pace = paces.of(job.release_id)
    if pace is None:
        return Wait(images_ahead=images)
    a_batch = max(pace.images, 1.0)
    batches = math.ceil((images + job.units) / a_batch)
    return Wait(images_ahead=images, eta_seconds=round(batches * pace.seconds, 3))

"""What a caller sees of a job: the row, with progress from Redis while it runs."""

from shared.queue.status import StatusBoard
from shared.schemas.jobs import Job, JobError, JobRecord, JobState


def view(job: JobRecord, board: StatusBoard) -> Job:
    """Return a job as callers see it. Its state is the row's; only progress is Redis' word."""
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
        attempts=job.attempts,
        cancel_requested=job.cancel_requested_at is not None,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        url=f"/v1/jobs/{job.id}",
    )

"""Spans of the jobs of a batch: each in the trace of its own request, all linked to the batch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared import tracing
from shared.schemas.jobs import JobRecord

_LOST: Final = "Another worker holds the job, or it is over."


@dataclass(frozen=True)
class Pass:
    """When a batch was made and published, in Unix time.

    Attributes:
        trace: `traceparent` of the batch's own span.
        began: when the device began.
        made: when it was done.
        publishing: when its pictures began to be encoded and stored.
        ended: when all was committed.
    """

    trace: str | None
    began: float
    made: float
    publishing: float
    ended: float


def tell(
    jobs: Sequence[JobRecord],
    times: Pass,
    *,
    lease: timedelta,
    published: Collection[str],
    failed: Mapping[str, str],
) -> None:
    """Tell what became of each job of a batch: claimed, made with the others, published.

    Args:
        jobs: as they were claimed.
        times: of the batch.
        lease: for how long they were claimed, which tells when.
        published: those that succeeded, by id.
        failed: why others did not, by id.
    """
    if not tracing.is_on():
        return
    for job in jobs:
        _tell(job, times, lease, "" if job.id in published else failed.get(job.id, _LOST))


def _tell(job: JobRecord, times: Pass, lease: timedelta, error: str) -> None:
    until = job.lease_expires_at
    # By the database's clock, which may be ahead of this host's.
    claimed = times.began if until is None else min((until - lease).timestamp(), times.began)
    told = {
        "toile.job": job.id, "toile.kind": job.kind.value, "toile.site": job.site_id,
        "toile.attempt": job.attempts, "toile.request": job.request_id or "",
        "toile.release": job.release_id or "", "toile.images": job.units,
    }  # fmt: skip
    attempt = tracing.record(
        "attempt", parent=job.traceparent, began=claimed, ended=times.ended, error=error, told=told
    )
    tracing.record("claim", parent=attempt, began=claimed, ended=times.began)
    tracing.record(
        "batch", parent=attempt, began=times.began, ended=times.made, links=[times.trace]
    )
    tracing.record("publish", parent=attempt, began=times.publishing, ended=times.ended)

"""Who holds which jobs, and how the last try at one ended."""

from collections.abc import Sequence

from sqlalchemy import func, select

from shared.records.engine import Transaction
from shared.records.rows import columns_of
from shared.records.tables import AttemptRow, JobRow
from shared.schemas.jobs import JobRecord, JobState


def held_by(tx: Transaction, worker: str) -> list[JobRecord]:
    """Return the running jobs of a worker, oldest first."""
    query = select(JobRow).where(JobRow.state == JobState.RUNNING, JobRow.owner == worker)
    found = tx.session.scalars(query.order_by(JobRow.created_at, JobRow.id))
    return [JobRecord.model_validate(columns_of(row)) for row in found]


def ended_as(tx: Transaction, job_ids: Sequence[str], outcome: str) -> frozenset[str]:
    """Return those of some jobs of which the newest try that is over ended so, by id."""
    newest = (
        select(AttemptRow.job_id, func.max(AttemptRow.number).label("number"))
        .where(AttemptRow.job_id.in_(job_ids), AttemptRow.outcome.is_not(None))
        .group_by(AttemptRow.job_id)
        .subquery()
    )
    query = select(AttemptRow.job_id).join(
        newest, (AttemptRow.job_id == newest.c.job_id) & (AttemptRow.number == newest.c.number)
    )
    return frozenset(tx.session.scalars(query.where(AttemptRow.outcome == outcome)))

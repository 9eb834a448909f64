"""Jobs, their attempts and idempotency keys, as rows; shared.jobs says which moves are allowed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, type_coerce, update

from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import AttemptRow, IdempotencyKeyRow, JobRow, UtcDateTime
from shared.schemas.jobs import AttemptView, JobKind, JobRecord, JobState


def insert(tx: Transaction, job: JobRecord) -> None:
    """Add a job."""
    tx.session.add(JobRow(**job.model_dump(mode="python")))
    tx.session.flush()


def get(tx: Transaction, job_id: str, *, site_id: str | None = None) -> JobRecord:
    """Return a job.

    Raises:
        NotFoundError: there is none of that id, or it is another site's.
    """
    row = tx.session.get(JobRow, job_id, populate_existing=True)
    if row is None or (site_id is not None and row.site_id != site_id):
        raise NotFoundError(f"There is no job {job_id!r}.", id=job_id)
    return _record(row)


def page(
    tx: Transaction,
    site_id: str,
    *,
    kind: JobKind | None = None,
    state: JobState | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Page[JobRecord]:
    """Return a site's jobs, newest first."""
    query = select(JobRow).where(JobRow.site_id == site_id)
    if kind is not None:
        query = query.where(JobRow.kind == kind)
    if state is not None:
        query = query.where(JobRow.state == state)
    order = (JobRow.created_at, JobRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_record)


def count_by_state(tx: Transaction, site_id: str | None = None) -> dict[JobState, int]:
    """Return how many jobs stand in each state."""
    query = select(JobRow.state, func.count()).group_by(JobRow.state)
    if site_id is not None:
        query = query.where(JobRow.site_id == site_id)
    return {JobState(state): number for state, number in tx.session.execute(query)}


def with_period(tx: Transaction, site_id: str, kind: JobKind, period: str) -> JobRecord | None:
    """Return the job that was made for a period, or None."""
    row = tx.session.execute(
        select(JobRow).where(
            JobRow.site_id == site_id, JobRow.kind == kind, JobRow.period == period
        )
    ).scalar_one_or_none()
    return None if row is None else _record(row)


def claimable(tx: Transaction) -> ColumnElement[bool]:
    """Return the condition under which a worker may take a job: queued and due, or abandoned."""
    queued = and_(JobRow.state == JobState.QUEUED, _due(tx))
    return or_(queued, _abandoned(tx))


def take(
    tx: Transaction,
    condition: ColumnElement[bool],
    *,
    worker: str,
    lease: timedelta,
    max_attempts: int,
) -> list[JobRecord]:
    """Move all jobs that fit a condition to running, each under a new fence, in one statement.

    A job that has had all its attempts is left alone: upkeep ends it.
    """
    statement = (
        update(JobRow)
        .where(condition, claimable(tx), JobRow.attempts < max_attempts)
        .values(
            state=JobState.RUNNING,
            reason=None,
            owner=worker,
            attempts=JobRow.attempts + 1,
            fence=JobRow.fence + 1,
            lease_expires_at=tx.now + lease,
            started_at=func.coalesce(JobRow.started_at, tx.now),
        )
        .returning(JobRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    taken = [_record(row) for row in tx.session.execute(statement).scalars()]
    for job in taken:
        _open_attempt(tx, job)
    return sorted(taken, key=lambda job: (job.created_at, job.id))


def take_one(
    tx: Transaction, job_id: str, *, worker: str, lease: timedelta, max_attempts: int
) -> JobRecord | None:
    """Take one job, or return None where it is not to be had (the message was a duplicate)."""
    taken = take(tx, JobRow.id == job_id, worker=worker, lease=lease, max_attempts=max_attempts)
    return taken[0] if taken else None


def take_designs(
    tx: Transaction,
    release_id: str,
    *,
    worker: str,
    lease: timedelta,
    max_attempts: int,
    most_images: int,
) -> list[JobRecord]:
    """Take the oldest waiting design jobs of a release, as many as make `most_images` together.

    The first is taken even if it alone asks for more.
    """
    waiting = (
        select(JobRow.id, JobRow.units)
        .where(
            JobRow.kind == JobKind.DESIGN,
            JobRow.release_id == release_id,
            JobRow.attempts < max_attempts,
            claimable(tx),
        )
        .order_by(JobRow.created_at, JobRow.id)
        .limit(most_images)
        # On PostgreSQL two workers pass by each other's rows; SQLite has one writer at a time
        # and leaves this out by itself.
        .with_for_update(skip_locked=True)
    )
    chosen: list[str] = []
    images = 0
    for job_id, units in tx.session.execute(waiting):
        if chosen and images + units > most_images:
            break
        chosen.append(job_id)
        images += units
    if not chosen:
        return []
    condition = JobRow.id.in_(chosen)
    return take(tx, condition, worker=worker, lease=lease, max_attempts=max_attempts)


def waiting_design(tx: Transaction, release_id: str) -> bool:
    """Return whether a release has design jobs that a worker may take."""
    query = select(JobRow.id).where(
        JobRow.kind == JobKind.DESIGN, JobRow.release_id == release_id, claimable(tx)
    )
    return tx.session.execute(query.limit(1)).first() is not None


def change(
    tx: Transaction,
    job_id: str,
    *,
    states: Iterable[JobState],
    values: Mapping[str, Any],
    fence: int | None = None,
) -> JobRecord | None:
    """Compare and set: change a job if it stands in one of `states` (and under `fence`).

    Returns:
        The job as it is now, or None where it did not fit and nothing was changed.
    """
    conditions = [JobRow.id == job_id, JobRow.state.in_(list(states))]
    if fence is not None:
        conditions.append(JobRow.fence == fence)
    statement = (
        update(JobRow)
        .where(*conditions)
        .values(**values)
        .returning(JobRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    row = tx.session.execute(statement).scalar_one_or_none()
    return None if row is None else _record(row)


def close_attempt(tx: Transaction, job: JobRecord, *, outcome: str, message: str | None) -> None:
    """Write how the newest attempt at a job ended."""
    tx.session.execute(
        update(AttemptRow)
        .where(AttemptRow.job_id == job.id, AttemptRow.ended_at.is_(None))
        .values(ended_at=tx.now, outcome=outcome, message=message)
    )


def attempts_at(tx: Transaction, job_id: str) -> list[AttemptView]:
    """Return all tries at a job, oldest first."""
    rows = tx.session.execute(
        select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.number)
    ).scalars()
    hidden = {"job_id", "fence"}
    return [
        AttemptView(**{name: v for name, v in columns_of(row).items() if name not in hidden})
        for row in rows
    ]


def abandoned(tx: Transaction, *, most: int) -> list[JobRecord]:
    """Return running jobs whose lease has run out, oldest first."""
    query = select(JobRow).where(_abandoned(tx)).order_by(JobRow.lease_expires_at).limit(most)
    return [_record(row) for row in tx.session.execute(query).scalars()]


def waiting(tx: Transaction, kinds: Sequence[JobKind], *, most: int) -> list[JobRecord]:
    """Return queued jobs of some kinds that are due, oldest first."""
    query = (
        select(JobRow)
        .where(JobRow.state == JobState.QUEUED, JobRow.kind.in_(kinds), _due(tx))
        .order_by(JobRow.created_at)
        .limit(most)
    )
    return [_record(row) for row in tx.session.execute(query).scalars()]


def releases_waiting(tx: Transaction, *, most: int) -> list[tuple[str, datetime]]:
    """Return the releases with queued designs that are due, and since when the oldest waits."""
    since = func.min(func.coalesce(JobRow.not_before, JobRow.created_at))
    query = (
        select(JobRow.release_id, type_coerce(since, UtcDateTime))
        .where(JobRow.state == JobState.QUEUED, JobRow.kind == JobKind.DESIGN, _due(tx))
        .group_by(JobRow.release_id)
        .order_by(since)
        .limit(most)
    )
    return [(release, when) for release, when in tx.session.execute(query) if release is not None]


def mark_sent(tx: Transaction, job_ids: Sequence[str]) -> None:
    """Write that the messages of these jobs went out now."""
    tx.session.execute(update(JobRow).where(JobRow.id.in_(job_ids)).values(sent_at=tx.now))


def promised(tx: Transaction, site_id: str, key: str) -> tuple[str, str] | None:
    """Return the job id and body fingerprint that an idempotency key stands for, or None."""
    row = tx.session.get(IdempotencyKeyRow, (site_id, key))
    return None if row is None else (row.job_id, row.fingerprint)


def promise(tx: Transaction, site_id: str, key: str, *, fingerprint: str, job_id: str) -> None:
    """Bind an idempotency key to a job."""
    tx.session.add(
        IdempotencyKeyRow(
            site_id=site_id, key=key, fingerprint=fingerprint, job_id=job_id, created_at=tx.now
        )
    )
    tx.session.flush()


def _due(tx: Transaction) -> ColumnElement[bool]:
    return or_(JobRow.not_before.is_(None), JobRow.not_before <= tx.now)


def _abandoned(tx: Transaction) -> ColumnElement[bool]:
    return and_(JobRow.state == JobState.RUNNING, JobRow.lease_expires_at < tx.now)


def _open_attempt(tx: Transaction, job: JobRecord) -> None:
    close_attempt(tx, job, outcome="lost_worker", message="The lease ran out.")
    tx.session.add(
        AttemptRow(
            job_id=job.id,
            number=job.attempts,
            fence=job.fence,
            worker=job.owner,
            started_at=tx.now,
        )
    )


def _record(row: JobRow) -> JobRecord:
    return JobRecord(**columns_of(row))

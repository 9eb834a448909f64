"""Jobs, their attempts and idempotency keys, as rows; shared.jobs says which moves are allowed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy import insert as into
from sqlalchemy.sql.dml import ReturningUpdate

from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import AttemptRow, Base, IdempotencyKeyRow, JobRow
from shared.schemas.jobs import AttemptView, JobKind, JobRecord, JobState

# Tables, not mapped classes, where a batch is claimed and ended: those cost several times as much.
_JOBS: Final = Base.metadata.tables[JobRow.__tablename__]
_ATTEMPTS: Final = Base.metadata.tables[AttemptRow.__tablename__]
_KEYS: Final = Base.metadata.tables[IdempotencyKeyRow.__tablename__]
_COLUMNS: Final = tuple(_JOBS.columns)


def insert(tx: Transaction, added: Sequence[JobRecord]) -> None:
    """Add jobs."""
    if added:
        tx.session.execute(into(_JOBS), [dict(job) for job in added])


def get(tx: Transaction, job_id: str, *, site_id: str | None = None) -> JobRecord:
    """Return a job.

    Raises:
        NotFoundError: there is none of that id, or it is another site's.
    """
    row = tx.session.execute(_one(), {"job": job_id}).mappings().one_or_none()
    if row is None or (site_id is not None and row["site_id"] != site_id):
        raise NotFoundError(f"There is no job {job_id!r}.", id=job_id)
    return JobRecord(**row)


def ended(tx: Transaction, job_ids: Sequence[str]) -> list[str]:
    """Return those of some jobs that are over, by id."""
    return list(tx.session.scalars(_ended(), {"ids": list(job_ids)}))


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


def take(
    tx: Transaction,
    job_ids: Sequence[str],
    *,
    worker: str,
    lease: timedelta,
    max_attempts: int,
) -> list[JobRecord]:
    """Move those of some jobs that may be taken to running, each under a new fence.

    Those are the queued ones that are due, and those whose worker let its lease run out. A job that
    has had all its attempts is left alone: upkeep ends it.
    """
    told = {
        "ids": list(job_ids), "worker": worker, "now": tx.now, "until": tx.now + lease,
        "most": max_attempts,
    }  # fmt: skip
    # Rows, not objects of the session: a batch takes many at once, and is waited for.
    taken = [JobRecord(**row) for row in tx.session.execute(_taking(), told).mappings()]
    _open_attempts(tx, taken)
    return sorted(taken, key=lambda job: (job.created_at, job.id))


def take_one(
    tx: Transaction, job_id: str, *, worker: str, lease: timedelta, max_attempts: int
) -> JobRecord | None:
    """Take one job, or return None where it is not to be had (the message was a duplicate)."""
    taken = take(tx, [job_id], worker=worker, lease=lease, max_attempts=max_attempts)
    return taken[0] if taken else None


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


def running_under(tx: Transaction, held: Sequence[JobRecord]) -> dict[str, JobRecord]:
    """Return those of some jobs that run under the fences that they were claimed with, by id."""
    query = select(*_COLUMNS).where(_held(held)).with_for_update()
    return {row["id"]: JobRecord(**row) for row in tx.session.execute(query).mappings()}


def renew(tx: Transaction, held: Sequence[JobRecord], *, until: datetime) -> dict[str, JobRecord]:
    """Move the end of the leases of those that still run under their fences; returns them by id."""
    statement = (
        update(JobRow)
        .where(_held(held))
        .values(lease_expires_at=until)
        .returning(*_COLUMNS)
        .execution_options(synchronize_session=False)
    )
    return {row["id"]: JobRecord(**row) for row in tx.session.execute(statement).mappings()}


def hold(tx: Transaction, held: Sequence[JobRecord]) -> frozenset[str]:
    """Return those of some jobs that run under the fences that they were claimed with, by id.

    On PostgreSQL they are locked until the transaction's end; SQLite has one writer anyway.
    """
    marks = [(job.id, job.fence) for job in held]
    return frozenset(tx.session.scalars(_holding(), {"marks": marks}))


def end_many(
    tx: Transaction, ended: Sequence[tuple[str, Mapping[str, Any]]], *, state: JobState
) -> None:
    """End jobs, by id, that this transaction has seen to be held, each with its result."""
    if not ended:
        return
    rows = [
        {"job": job_id, "new_state": state, "new_result": result, "now": tx.now}
        for job_id, result in ended
    ]
    tx.session.execute(_ending(), rows)
    _close_attempts(tx, [job_id for job_id, _ in ended], {"outcome": state, "message": None})


def close_attempt(tx: Transaction, job: JobRecord, *, outcome: str, message: str | None) -> None:
    """Write how the newest attempt at a job ended."""
    _close_attempts(tx, [job.id], {"outcome": outcome, "message": message})


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


def open_of(tx: Transaction, shopper_id: str) -> list[JobRecord]:
    """Return the jobs for a shopper that are not over, and hold them on PostgreSQL."""
    states = [JobState.QUEUED, JobState.RUNNING]
    query = select(JobRow).where(JobRow.shopper_id == shopper_id, JobRow.state.in_(states))
    return [_record(row) for row in tx.session.scalars(query.with_for_update())]


def mark_sent(tx: Transaction, job_ids: Sequence[str]) -> None:
    """Write that the messages of these jobs went out now."""
    tx.session.execute(update(JobRow).where(JobRow.id.in_(job_ids)).values(sent_at=tx.now))


def with_digest(tx: Transaction, site_id: str, digest: str) -> JobRecord | None:
    """Return the newest job of this digest that is under way or succeeded, or None."""
    states = [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
    query = select(JobRow).where(
        JobRow.site_id == site_id,
        JobRow.digest == digest,
        JobRow.state.in_(states),
        JobRow.cancel_requested_at.is_(None),
    )
    row = tx.session.scalars(query.order_by(JobRow.created_at.desc()).limit(1)).first()
    return None if row is None else _record(row)


def lock_digest(tx: Transaction, site_id: str, digest: str) -> None:
    """Let two equal requests at once see each other; SQLite has one writer at a time anyway."""
    if tx.session.get_bind().dialect.name == "postgresql":
        mark = hashlib.blake2b(f"{site_id} {digest}".encode(), digest_size=8).digest()
        number = int.from_bytes(mark, signed=True)
        tx.session.execute(select(func.pg_advisory_xact_lock(number)))


def promised(tx: Transaction, site_id: str, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the job id and body fingerprint that each idempotency key stands for, if any."""
    query = select(
        IdempotencyKeyRow.key, IdempotencyKeyRow.job_id, IdempotencyKeyRow.fingerprint
    ).where(IdempotencyKeyRow.site_id == site_id, IdempotencyKeyRow.key.in_(keys))
    return {key: (job_id, mark) for key, job_id, mark in tx.session.execute(query)}


def promise(tx: Transaction, site_id: str, jobs_of: Mapping[str, str], *, fingerprint: str) -> None:
    """Bind idempotency keys to jobs: key -> job id."""
    rows = [
        {"site_id": site_id, "key": key, "fingerprint": fingerprint, "job_id": job_id,
         "created_at": tx.now}
        for key, job_id in jobs_of.items()
    ]  # fmt: skip
    if rows:
        tx.session.execute(into(_KEYS), rows)


def _held(held: Sequence[JobRecord]) -> ColumnElement[bool]:
    marks = [(job.id, job.fence) for job in held]
    return and_(JobRow.state == JobState.RUNNING, tuple_(JobRow.id, JobRow.fence).in_(marks))


def _due(tx: Transaction) -> ColumnElement[bool]:
    return or_(JobRow.not_before.is_(None), JobRow.not_before <= tx.now)


def _abandoned(tx: Transaction) -> ColumnElement[bool]:
    return and_(JobRow.state == JobState.RUNNING, JobRow.lease_expires_at < tx.now)


@cache
def _ended() -> Select[tuple[str]]:
    over = [state for state in JobState if state.is_final]
    among = _JOBS.c.id.in_(bindparam("ids", expanding=True))
    return select(_JOBS.c.id).where(among, _JOBS.c.state.in_(over))


@cache
def _one() -> Select[Any]:
    return select(*_COLUMNS).where(_JOBS.c.id == bindparam("job"))


@cache  # a statement is built and compiled once; it takes milliseconds, which each batch would wait
def _taking() -> ReturningUpdate[Any]:
    jobs = _JOBS.c
    now: Any = bindparam("now", type_=jobs.created_at.type)
    due = and_(
        jobs.state == JobState.QUEUED, or_(jobs.not_before.is_(None), jobs.not_before <= now)
    )
    left = and_(jobs.state == JobState.RUNNING, jobs.lease_expires_at < now)
    return (
        update(_JOBS)
        .where(
            jobs.id.in_(bindparam("ids", expanding=True)),
            or_(due, left),
            jobs.attempts < bindparam("most"),
        )
        .values(
            state=JobState.RUNNING,
            reason=None,
            owner=bindparam("worker"),
            attempts=jobs.attempts + 1,
            fence=jobs.fence + 1,
            lease_expires_at=bindparam("until"),
            started_at=func.coalesce(jobs.started_at, now),
        )
        .returning(*_COLUMNS)
    )


@cache
def _holding() -> Select[tuple[str]]:
    jobs = _JOBS.c
    marks = tuple_(jobs.id, jobs.fence).in_(bindparam("marks", expanding=True))
    return select(jobs.id).where(jobs.state == JobState.RUNNING, marks).with_for_update()


@cache
def _ending() -> Update:
    return (
        update(_JOBS)
        .where(_JOBS.c.id == bindparam("job"))
        .values(
            state=bindparam("new_state"),
            result=bindparam("new_result"),
            reason=None,
            finished_at=bindparam("now"),
            lease_expires_at=None,
        )
    )


def _open_attempts(tx: Transaction, taken: Sequence[JobRecord]) -> None:
    again = [job.id for job in taken if job.attempts > 1]
    if again:
        lost = {"outcome": "lost_worker", "message": "The lease ran out."}
        _close_attempts(tx, again, lost)
    opened = [
        {"job_id": job.id, "number": job.attempts, "fence": job.fence, "worker": job.owner,
         "started_at": tx.now}
        for job in taken
    ]  # fmt: skip
    if opened:
        tx.session.execute(into(_ATTEMPTS), opened)


def _close_attempts(tx: Transaction, job_ids: Sequence[str], values: Mapping[str, Any]) -> None:
    tx.session.execute(
        update(_ATTEMPTS)
        .where(_ATTEMPTS.c.job_id.in_(job_ids), _ATTEMPTS.c.ended_at.is_(None))
        .values(ended_at=tx.now, **values)
    )


def _record(row: JobRow) -> JobRecord:
    return JobRecord(**columns_of(row))

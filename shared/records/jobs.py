"""Jobs and their attempts, as rows; shared.jobs says which moves are allowed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy import insert as into

from shared.errors import NotFoundError
from shared.records.engine import Glance, Records, Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import AttemptRow, Base, JobRow
from shared.records.told import among, listed
from shared.schemas.jobs import AttemptView, JobKind, JobRecord, JobState

# Tables, not mapped classes, where a batch is claimed and ended: those cost several times as much.
_JOBS: Final = Base.metadata.tables[JobRow.__tablename__]
_COLUMNS: Final = tuple(_JOBS.columns)
_NAMES: Final = tuple(column.name for column in _COLUMNS)


class Standing(NamedTuple):
    """Where a job stands, without what it was asked and made."""

    state: JobState
    fence: int
    is_unwanted: bool


def insert(tx: Transaction, added: Sequence[JobRecord]) -> None:
    """Add jobs."""
    if added:
        tx.session.execute(into(_JOBS), [dict(job) for job in added])


def get(tx: Transaction | Glance, job_id: str, *, site_id: str | None = None) -> JobRecord:
    """Return a job, by one statement.

    Raises:
        NotFoundError: there is none of that id, or it is another site's.
    """
    row = tx.session.execute(_one(), {"job": job_id}).one_or_none()
    return _of_site(row, job_id, site_id)


def find(records: Records, job_id: str, *, site_id: str) -> JobRecord:
    """Return a site's job as `get` does, at a quarter of its price; for status polls.

    Raises:
        NotFoundError: there is none of that id, or it is another site's.
        DatabaseUnavailableError: the database does not answer.
    """
    return _of_site(records.one(_one(), {"job": job_id}), job_id, site_id)


def ended(tx: Transaction | Glance, job_ids: Sequence[str]) -> list[str]:
    """Return those of some jobs that are over, by id."""
    return list(tx.session.scalars(_ended(), {"ids": listed(job_ids)}))


def standing(tx: Transaction | Glance, job_ids: Sequence[str]) -> dict[str, Standing]:
    """Return where some jobs stand, by id; those that are gone are left out."""
    rows = tx.session.execute(_standing(), {"ids": listed(job_ids)}).all()
    return {row[0]: Standing(JobState(row[1]), *row[2:]) for row in rows}


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


def change(
    tx: Transaction,
    job_id: str,
    *,
    states: Iterable[JobState],
    values: Mapping[str, Any],
    fence: int | None = None,
    lapsed: bool = False,
) -> JobRecord | None:
    """Compare and set: change a job if it stands in one of `states` (and under `fence`).

    Args:
        tx: the open transaction.
        job_id: the job.
        states: where it may stand.
        values: its new columns.
        fence: under which it must stand.
        lapsed: leave it alone while a worker's lease on it holds.

    Returns:
        The job as it is now, or None where it did not fit and nothing was changed.
    """
    conditions = [JobRow.id == job_id, JobRow.state.in_(list(states))]
    if fence is not None:
        conditions.append(JobRow.fence == fence)
    if lapsed:
        conditions.append(or_(JobRow.state != JobState.RUNNING, _has_lapsed(tx)))
    statement = (
        update(JobRow)
        .where(*conditions)
        .values(**values)
        .returning(JobRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    row = tx.session.execute(statement).scalar_one_or_none()
    return None if row is None else _record(row)


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
    """Return running jobs whose lease has run out, oldest first, and hold them on PostgreSQL.

    Those that another transaction holds are left out: another upkeep has them, or a worker that was
    late after all.
    """
    query = (
        select(JobRow)
        .where(JobRow.state == JobState.RUNNING, _has_lapsed(tx))
        .order_by(JobRow.lease_expires_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [_record(row) for row in tx.session.execute(query).scalars()]


def worn_out(tx: Transaction, *, max_attempts: int, most: int) -> list[JobRecord]:
    """Return queued jobs that have had all their attempts, and hold them on PostgreSQL."""
    asked = {"most": max_attempts, "limit": most}
    return [_record(row) for row in tx.session.scalars(_worn_out(), asked)]


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


def _due(tx: Transaction) -> ColumnElement[bool]:
    return or_(JobRow.not_before.is_(None), JobRow.not_before <= tx.now)


def _has_lapsed(tx: Transaction) -> ColumnElement[bool]:
    return and_(JobRow.lease_expires_at < tx.now)


@cache
def _worn_out() -> Select[Any]:
    """Say the very words of the partial index: SQLite must see them, not parameters."""
    queued = JobRow.state == literal(JobState.QUEUED.value, literal_execute=True)
    tried = JobRow.attempts > literal(0, literal_execute=True)
    return (
        select(JobRow)
        .where(queued, tried, JobRow.attempts - JobRow.spared >= bindparam("most"))
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
    )


@cache
def _ended() -> Select[tuple[str]]:
    over = [state for state in JobState if state.is_final]
    return select(_JOBS.c.id).where(among(_JOBS.c.id, "ids"), _JOBS.c.state.in_(over))


@cache
def _standing() -> Select[Any]:
    unwanted = _JOBS.c.cancel_requested_at.is_not(None)
    return select(_JOBS.c.id, _JOBS.c.state, _JOBS.c.fence, unwanted).where(
        among(_JOBS.c.id, "ids")
    )


@cache
def _one() -> Select[Any]:
    return select(*_COLUMNS).where(_JOBS.c.id == bindparam("job"))


def _of_site(row: Sequence[Any] | None, job_id: str, site_id: str | None) -> JobRecord:
    job = None if row is None else JobRecord.model_validate(dict(zip(_NAMES, row, strict=True)))
    if job is None or (site_id is not None and job.site_id != site_id):
        raise NotFoundError(f"There is no job {job_id!r}.", id=job_id)
    return job


def _record(row: JobRow) -> JobRecord:
    return JobRecord(**columns_of(row))

"""Holding jobs: claims, leases and ends, of a batch in as few statements as of one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Insert,
    Select,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy import insert as into
from sqlalchemy.sql.dml import ReturningUpdate

from shared.records.engine import Transaction
from shared.records.jobs import get
from shared.records.rows import columns_of
from shared.records.tables import AttemptRow, Base, JobRow
from shared.records.told import among, listed, told
from shared.schemas.jobs import JobRecord, JobState

# Tables, not mapped classes: those cost several times as much.
_JOBS: Final = Base.metadata.tables[JobRow.__tablename__]
_ATTEMPTS: Final = Base.metadata.tables[AttemptRow.__tablename__]
_COLUMNS: Final = tuple(_JOBS.columns)
# What a job that was just taken says of itself, whatever it was before: these are not read back.
_AS_TAKEN: Final[Mapping[str, Any]] = {
    "state": JobState.RUNNING, "reason": None, "error": None, "result": None, "finished_at": None,
}  # fmt: skip
_TOLD_AS_TAKEN: Final = frozenset({*_AS_TAKEN, "owner", "lease_expires_at"})


def hold_one(tx: Transaction, job_id: str, *, site_id: str | None = None) -> JobRecord:
    """Return a job that nobody else changes until the transaction's end.

    Raises:
        NotFoundError: there is none of that id, or it is another site's.
    """
    tx.session.execute(_holding_one(), {"job": job_id})
    return get(tx, job_id, site_id=site_id)


def take(
    tx: Transaction,
    job_ids: Sequence[str],
    *,
    worker: str,
    lease: timedelta,
    max_attempts: int,
) -> list[JobRecord]:
    """Move those of some jobs that may be taken to running, each under a new fence.

    Those are the queued ones that are due and still wanted, and those whose worker let its lease
    run out. A job that has had all its attempts is left alone: upkeep ends it.
    """
    until = tx.now + lease
    asked = {
        "ids": listed(job_ids), "worker": worker, "now": tx.now, "until": until,
        "most": max_attempts,
    }  # fmt: skip
    known = {**_AS_TAKEN, "owner": worker, "lease_expires_at": until}
    # Rows, not objects of the session: a batch takes many at once, and is waited for.
    found = tx.session.execute(_taking(), asked)
    names = tuple(found.keys())
    taken = [
        JobRecord.model_validate({**dict(zip(names, row, strict=True)), **known})
        for row in found.all()
    ]
    _open_attempts(tx, taken)
    return sorted(taken, key=lambda job: (job.created_at, job.id))


def take_one(
    tx: Transaction, job_id: str, *, worker: str, lease: timedelta, max_attempts: int
) -> JobRecord | None:
    """Take one job, or return None where it is not to be had (the message was a duplicate)."""
    taken = take(tx, [job_id], worker=worker, lease=lease, max_attempts=max_attempts)
    return taken[0] if taken else None


def running_under(tx: Transaction, held: Sequence[JobRecord]) -> dict[str, bool]:
    """Return those of some jobs that run under the fences that they were claimed with, by id.

    With each, whether its caller asked for it to stop.
    """
    fences = {job.id: job.fence for job in held}
    rows = tx.session.execute(_running(), {"ids": listed(fences)}).all()
    return {job_id: is_unwanted for job_id, fence, is_unwanted in rows if fences[job_id] == fence}


def renew(tx: Transaction, held: Sequence[JobRecord], *, until: datetime) -> dict[str, bool]:
    """Move the end of the leases of those that still run under their fences.

    Returns:
        As `running_under`.
    """
    ours = hold(tx, held).keys()
    tx.session.execute(_renewing(), {"ids": listed(ours), "until": until})
    return running_under(tx, [job for job in held if job.id in ours])


def hold(tx: Transaction, held: Sequence[JobRecord]) -> dict[str, bool]:
    """Return those of some jobs that run under the fences that they were claimed with, by id.

    With each, whether its caller asked for it to stop: nobody can ask any more until this
    transaction is over. On PostgreSQL they are locked until then, in the order of their ids, so
    that no two who hold the same ones wait for each other; SQLite has one writer anyway.
    """
    fences = {job.id: job.fence for job in held}
    rows = tx.session.execute(_holding(), {"ids": listed(fences)}).all()
    return {job_id: is_unwanted for job_id, fence, is_unwanted in rows if fences[job_id] == fence}


def end_many(
    tx: Transaction, ended: Sequence[tuple[str, Mapping[str, Any]]], *, state: JobState
) -> None:
    """End jobs, by id, that this transaction has seen to be held, each with its result."""
    asked = {"results": dict(ended), "new_state": state, "now": tx.now}
    tx.session.execute(_ending(), asked)


def close_attempts(
    tx: Transaction, job_ids: Sequence[str], *, outcome: str, message: str | None
) -> None:
    """Write how the attempts at some jobs that are still open ended."""
    asked = {"ids": listed(job_ids), "now": tx.now, "how": outcome, "why": message}
    tx.session.execute(_closing(), asked)


@cache
def _holding_one() -> Select[tuple[str]]:
    return select(_JOBS.c.id).where(_JOBS.c.id == bindparam("job")).with_for_update()


@cache  # a statement is built and compiled once; it takes milliseconds, which each batch would wait
def _taking() -> ReturningUpdate[Any]:
    jobs = _JOBS.c
    now: Any = bindparam("now", type_=jobs.created_at.type)
    due = and_(
        jobs.state == JobState.QUEUED,
        or_(jobs.not_before.is_(None), jobs.not_before <= now),
        or_(jobs.expires_at.is_(None), jobs.expires_at > now),
    )
    left = and_(jobs.state == JobState.RUNNING, jobs.lease_expires_at < now)
    return (
        update(_JOBS)
        .where(
            among(jobs.id, "ids"),
            or_(due, left),
            jobs.attempts - jobs.spared < bindparam("most"),
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
        .returning(*(column for column in _COLUMNS if column.name not in _TOLD_AS_TAKEN))
    )


@cache
def _running() -> Select[Any]:
    jobs = _JOBS.c
    return select(jobs.id, jobs.fence, jobs.cancel_requested_at.is_not(None)).where(
        among(jobs.id, "ids"), jobs.state == JobState.RUNNING
    )


@cache
def _renewing() -> Update:
    return update(_JOBS).where(among(_JOBS.c.id, "ids")).values(lease_expires_at=bindparam("until"))


@cache
def _holding() -> Select[Any]:
    jobs = _JOBS.c
    return (
        select(jobs.id, jobs.fence, jobs.cancel_requested_at.is_not(None))
        .where(among(jobs.id, "ids"), jobs.state == JobState.RUNNING)
        .order_by(jobs.id)
        .with_for_update()
    )


@cache
def _ending() -> Update:
    results = told("results")
    return (
        update(_JOBS)
        .where(_JOBS.c.id == results.c.key)
        .values(
            state=bindparam("new_state"),
            result=results.c.value,
            reason=None,
            finished_at=bindparam("now"),
            lease_expires_at=None,
        )
    )


def _open_attempts(tx: Transaction, taken: Sequence[JobRecord]) -> None:
    again = [job.id for job in taken if job.attempts > 1]
    if again:
        lost = {"outcome": "lost_worker", "message": "The lease ran out."}
        close_attempts(tx, again, **lost)
    if taken:
        asked = {"ids": listed(job.id for job in taken), "now": tx.now}
        tx.session.execute(_opening(), asked)


@cache
def _opening() -> Insert:
    """The attempts at jobs that were just taken are told by their rows."""
    jobs, now = _JOBS.c, bindparam("now", type_=_ATTEMPTS.c.started_at.type)
    made = select(jobs.id, jobs.attempts, jobs.fence, jobs.owner, now).where(among(jobs.id, "ids"))
    names = ["job_id", "number", "fence", "worker", "started_at"]
    return into(_ATTEMPTS).from_select(names, made)


@cache
def _closing() -> Update:
    attempts = _ATTEMPTS.c
    return (
        update(_ATTEMPTS)
        .where(among(attempts.job_id, "ids"), attempts.ended_at.is_(None))
        .values(ended_at=bindparam("now"), outcome=bindparam("how"), message=bindparam("why"))
    )


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

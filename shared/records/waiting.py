"""Design jobs that wait: who waits for what, and since when, however many there are.

Every query here walks `ix_jobs_waiting` by seeking, so that its cost grows with the groups that
wait (a release, a priority and a site), not with the jobs in them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Delete,
    Float,
    Insert,
    Select,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.sql.selectable import CTE

from shared.records.engine import Records, Transaction
from shared.records.tables import Base, JobRow, ShareRow, SiteRow
from shared.records.told import among, told
from shared.schemas.base import Schema
from shared.schemas.jobs import JobKind, JobRecord, JobState

_LEAST_WEIGHT: Final = 1e-3

# Tables, not mapped classes: a worker asks before each batch, and mapped ones cost ten times more.
_JOBS: Final = Base.metadata.tables[JobRow.__tablename__]
_SITES: Final = Base.metadata.tables[SiteRow.__tablename__]
_SHARES: Final = Base.metadata.tables[ShareRow.__tablename__]


class Group(Schema):
    """The jobs of one site and priority that wait for one release.

    Attributes:
        since: when the oldest of them was asked for.
        weight: the site's part of a batch that several want.
        deficit: images that the site is still owed by earlier batches of the release.
        served_at: when the site last had a part of one, or None.
    """

    release_id: str
    priority: int
    site_id: str
    since: datetime
    weight: float
    deficit: float
    served_at: datetime | None


class Waiting(NamedTuple):
    """A job that may be taken, and the images that it asks for."""

    id: str
    units: int


def groups(tx: Transaction, release_id: str | None = None) -> list[Group]:
    """Return who waits, by release, priority and site; of one release where it is named."""
    query = _groups(one_release=release_id is not None)
    found = tx.session.execute(query, {} if release_id is None else {"release": release_id})
    return [_group(row) for row in found.mappings().all()]


def oldest(tx: Transaction, group: Group, *, max_attempts: int, most: int) -> list[Waiting]:
    """Return the oldest jobs of a group that may be taken now, and hold them on PostgreSQL.

    There two workers pass by each other's rows; SQLite has one writer at a time.
    """
    asked = {
        "release": group.release_id, "priority": group.priority, "site": group.site_id,
        "attempts": max_attempts, "now": tx.now, "most": most,
    }  # fmt: skip
    return [Waiting(*row) for row in tx.session.execute(_oldest(), asked).all()]


def owe(tx: Transaction, release_id: str, deficits: Mapping[str, float]) -> None:
    """Write what sites are owed after a batch of a release, and that they were served now."""
    asked = {"release": release_id, "sites": dict(deficits), "now": tx.now}
    _one_at_a_time(tx, release_id)
    tx.session.execute(_no_longer_owed(), asked)
    tx.session.execute(_owed(), asked)


def _one_at_a_time(tx: Transaction, release_id: str) -> None:
    """Let two workers that claim of one release write after one another, until their ends.

    Both would find no row of a site's and add it, and the second would lose its batch to the first
    one's key. SQLite has one writer at a time anyway.
    """
    if tx.session.get_bind().dialect.name == "postgresql":
        mark = hashlib.blake2b(f"owed {release_id}".encode(), digest_size=8).digest()
        number = int.from_bytes(mark, signed=True)
        tx.session.execute(select(func.pg_advisory_xact_lock(number)))


def ahead(records: Records, job: JobRecord, *, most: int) -> int:
    """Return how many images are to be made before a queued design job's, at most `most` jobs'.

    Those of its own site and priority that came before it, and all that are more urgent.
    """
    asked = {
        "release": job.release_id, "priority": job.priority, "site": job.site_id,
        "since": job.created_at, "job": job.id, "most": most,
    }  # fmt: skip
    found = records.one(_ahead(), asked)
    return 0 if found is None else int(found[0])


def expired(tx: Transaction, *, most: int) -> list[str]:
    """Return queued jobs that nobody wants any more, by id."""
    return list(tx.session.scalars(_expired(), {"now": tx.now, "most": most}))


def count(tx: Transaction, *, site_id: str | None = None, most: int) -> int:
    """Return how many design jobs wait, counted to `most`."""
    query = select(JobRow.id).where(_is_waiting(JobRow))
    if site_id is not None:
        query = query.where(JobRow.site_id == site_id)
    return tx.session.execute(
        select(func.count()).select_from(query.limit(most).subquery())
    ).scalar_one()


@cache  # a statement is built and compiled once; it takes milliseconds, which each batch would wait
def _groups(*, one_release: bool) -> Select[Any]:
    heads, here = _heads(one_release=one_release), _JOBS.alias()
    share = and_(_SHARES.c.release_id == here.c.release_id, _SHARES.c.site_id == here.c.site_id)
    return (
        select(
            here.c.release_id, here.c.priority, here.c.site_id, here.c.created_at.label("since"),
            _SITES.c.weight, _SHARES.c.deficit, _SHARES.c.served_at,
        )
        .select_from(heads)
        .join(here, here.c.id == heads.c.id)
        .join(_SITES, _SITES.c.id == here.c.site_id)
        .outerjoin(_SHARES, share)
    )  # fmt: skip


@cache
def _oldest() -> Select[Any]:
    jobs = _JOBS.c
    now: Any = bindparam("now", type_=jobs.created_at.type)
    return (
        select(jobs.id, jobs.units)
        .where(
            _is_waiting(jobs),
            jobs.release_id == bindparam("release"),
            jobs.priority == bindparam("priority"),
            jobs.site_id == bindparam("site"),
            jobs.attempts - jobs.spared < bindparam("attempts"),
            or_(jobs.not_before.is_(None), jobs.not_before <= now),
            or_(jobs.expires_at.is_(None), jobs.expires_at > now),
        )
        .order_by(jobs.created_at, jobs.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


@cache
def _ahead() -> Select[Any]:
    jobs = _JOBS.c
    since: Any = bindparam("since", type_=jobs.created_at.type)
    ours = and_(_is_waiting(jobs), jobs.release_id == bindparam("release"))
    same = select(jobs.units).where(
        ours,
        jobs.priority == bindparam("priority"),
        jobs.site_id == bindparam("site"),
        tuple_(jobs.created_at, jobs.id) < tuple_(since, bindparam("job", type_=String)),
    )
    urgent = select(jobs.units).where(ours, jobs.priority < bindparam("priority"))
    same_units, urgent_units = (
        select(func.coalesce(func.sum(one.limit(bindparam("most")).subquery().c.units), 0))
        for one in (same, urgent)
    )
    return select(same_units.scalar_subquery() + urgent_units.scalar_subquery())


@cache
def _no_longer_owed() -> Delete:
    ours = _SHARES.c.release_id == bindparam("release")
    return delete(_SHARES).where(ours, among(_SHARES.c.site_id, "sites"))


@cache
def _owed() -> Insert:
    sites = told("sites")
    owed = cast(cast(sites.c.value, String), Float)  # PostgreSQL makes no number of JSON directly
    now: Any = bindparam("now", type_=_SHARES.c.served_at.type)
    made = select(bindparam("release", type_=String), sites.c.key, owed, now)
    return insert(_SHARES).from_select(["release_id", "site_id", "deficit", "served_at"], made)


@cache
def _expired() -> Select[Any]:
    jobs = _JOBS.c
    now: Any = bindparam("now", type_=jobs.expires_at.type)
    return (
        select(jobs.id)
        .where(_is_queued(jobs), jobs.expires_at.is_not(None), jobs.expires_at <= now)
        .order_by(jobs.expires_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


def _heads(*, one_release: bool) -> CTE:
    """Return the oldest job of each group, each found by one step over the index."""
    here, following = _JOBS.alias(), _JOBS.alias()
    ours, theirs = here.c, following.c
    order = (theirs.release_id, theirs.priority, theirs.site_id, theirs.created_at, theirs.id)
    step = select(theirs.id).where(_is_waiting(theirs)).order_by(*order).limit(1)
    same_release = theirs.release_id == ours.release_id
    same_priority = and_(same_release, theirs.priority == ours.priority)
    # Compared as one row of three, SQLite would use the first column alone, and read all jobs.
    beyond = [
        and_(same_priority, theirs.site_id > ours.site_id),
        and_(same_release, theirs.priority > ours.priority),
    ]
    if one_release:
        step = step.where(theirs.release_id == bindparam("release"))
    else:
        beyond.append(theirs.release_id > ours.release_id)
    after = func.coalesce(*(step.where(one).correlate(here).scalar_subquery() for one in beyond))
    heads = select(step.scalar_subquery().label("id")).cte("heads", recursive=True)
    return heads.union_all(select(after).select_from(heads).join(here, ours.id == heads.c.id))


def _is_waiting(row: Any) -> ColumnElement[bool]:
    """Return the very words of the partial index: SQLite must see them, not parameters."""
    kind = literal(JobKind.DESIGN.value, literal_execute=True)
    return and_(_is_queued(row), row.kind == kind)


def _is_queued(row: Any) -> ColumnElement[bool]:
    return and_(row.state == literal(JobState.QUEUED.value, literal_execute=True))


def _group(row: Mapping[Any, Any]) -> Group:
    weight, deficit = max(row["weight"], _LEAST_WEIGHT), row["deficit"] or 0.0
    return Group(**{**row, "weight": weight, "deficit": deficit})


def release_ids(waiting: Sequence[Group]) -> list[str]:
    """Return the releases that are waited for, each once, in the order of the groups."""
    return list(dict.fromkeys(group.release_id for group in waiting))

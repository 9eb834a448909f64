"""Design jobs that wait: who waits for what, and since when, however many there are.

Every query here walks `ix_jobs_waiting` by seeking, so that its cost grows with the groups that
wait (a release, a priority and a site), not with the jobs in them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, func, literal, or_, select, tuple_
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import CTE

from shared.records.engine import Transaction
from shared.records.tables import JobRow, ShareRow, SiteRow
from shared.schemas.base import Schema
from shared.schemas.jobs import JobKind, JobRecord, JobState

_LEAST_WEIGHT: Final = 1e-3


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


class Waiting(Schema):
    """A job that may be taken, and the images that it asks for."""

    id: str
    units: int


def groups(tx: Transaction, release_id: str | None = None) -> list[Group]:
    """Return who waits, by release, priority and site; of one release where it is named."""
    heads = _heads(release_id)
    here = aliased(JobRow)
    query = (
        select(
            here.release_id, here.priority, here.site_id, here.created_at.label("since"),
            SiteRow.weight, ShareRow.deficit, ShareRow.served_at,
        )
        .select_from(heads)
        .join(here, here.id == heads.c.id)
        .join(SiteRow, SiteRow.id == here.site_id)
        .outerjoin(
            ShareRow,
            and_(ShareRow.release_id == here.release_id, ShareRow.site_id == here.site_id),
        )
    )  # fmt: skip
    return [_group(dict(row)) for row in tx.session.execute(query).mappings()]


def oldest(tx: Transaction, group: Group, *, max_attempts: int, most: int) -> list[Waiting]:
    """Return the oldest jobs of a group that may be taken now, and hold them on PostgreSQL.

    There two workers pass by each other's rows; SQLite has one writer at a time.
    """
    query = (
        select(JobRow.id, JobRow.units)
        .where(
            _is_waiting(JobRow),
            JobRow.release_id == group.release_id,
            JobRow.priority == group.priority,
            JobRow.site_id == group.site_id,
            JobRow.attempts < max_attempts,
            or_(JobRow.not_before.is_(None), JobRow.not_before <= tx.now),
            or_(JobRow.expires_at.is_(None), JobRow.expires_at > tx.now),
        )
        .order_by(JobRow.created_at, JobRow.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [Waiting(id=job_id, units=units) for job_id, units in tx.session.execute(query)]


def owe(tx: Transaction, release_id: str, deficits: Mapping[str, float]) -> None:
    """Write what sites are owed after a batch of a release, and that they were served now."""
    tx.session.execute(
        delete(ShareRow).where(
            ShareRow.release_id == release_id, ShareRow.site_id.in_(list(deficits))
        )
    )
    tx.session.add_all(
        ShareRow(release_id=release_id, site_id=site_id, deficit=deficit, served_at=tx.now)
        for site_id, deficit in deficits.items()
    )
    tx.session.flush()


def ahead(tx: Transaction, job: JobRecord, *, most: int) -> int:
    """Return how many images are to be made before a queued design job's, at most `most` jobs'.

    Those of its own site and priority that came before it, and all that are more urgent.
    """
    same = select(JobRow.units).where(
        _is_waiting(JobRow),
        JobRow.release_id == job.release_id,
        JobRow.priority == job.priority,
        JobRow.site_id == job.site_id,
        tuple_(JobRow.created_at, JobRow.id) < tuple_(literal(job.created_at), literal(job.id)),
    )
    urgent = select(JobRow.units).where(
        _is_waiting(JobRow), JobRow.release_id == job.release_id, JobRow.priority < job.priority
    )
    counted = [select(func.sum(one.limit(most).subquery().c.units)) for one in (same, urgent)]
    return sum(tx.session.execute(one).scalar_one() or 0 for one in counted)


def expired(tx: Transaction, *, most: int) -> list[str]:
    """Return queued jobs that nobody wants any more, by id."""
    query = select(JobRow.id).where(
        _is_queued(JobRow), JobRow.expires_at.is_not(None), JobRow.expires_at <= tx.now
    )
    return list(tx.session.scalars(query.order_by(JobRow.expires_at).limit(most)))


def count(tx: Transaction, *, site_id: str | None = None, most: int) -> int:
    """Return how many design jobs wait, counted to `most`."""
    query = select(JobRow.id).where(_is_waiting(JobRow))
    if site_id is not None:
        query = query.where(JobRow.site_id == site_id)
    return tx.session.execute(
        select(func.count()).select_from(query.limit(most).subquery())
    ).scalar_one()


def _heads(release_id: str | None) -> CTE:
    """Return the oldest job of each group, each found by one step over the index."""
    here, following = aliased(JobRow), aliased(JobRow)
    order = (
        following.release_id, following.priority, following.site_id, following.created_at,
        following.id,
    )  # fmt: skip
    step = select(following.id).where(_is_waiting(following)).order_by(*order).limit(1)
    same_release = following.release_id == here.release_id
    same_priority = and_(same_release, following.priority == here.priority)
    # Compared as one row of three, SQLite would use the first column alone, and read all jobs.
    beyond = [
        and_(same_priority, following.site_id > here.site_id),
        and_(same_release, following.priority > here.priority),
    ]
    if release_id is None:
        beyond.append(following.release_id > here.release_id)
    else:
        step = step.where(following.release_id == release_id)
    after = func.coalesce(*(step.where(one).correlate(here).scalar_subquery() for one in beyond))
    heads = select(step.scalar_subquery().label("id")).cte("heads", recursive=True)
    return heads.union_all(select(after).select_from(heads).join(here, here.id == heads.c.id))


def _is_waiting(row: Any) -> ColumnElement[bool]:
    """Return the very words of the partial index: SQLite must see them, not parameters."""
    kind = literal(JobKind.DESIGN.value, literal_execute=True)
    return and_(_is_queued(row), row.kind == kind)


def _is_queued(row: Any) -> ColumnElement[bool]:
    return and_(row.state == literal(JobState.QUEUED.value, literal_execute=True))


def _group(row: Mapping[str, Any]) -> Group:
    values = {**row, "deficit": row["deficit"] or 0.0}
    return Group(**{**values, "weight": max(row["weight"], _LEAST_WEIGHT)})


def release_ids(waiting: Sequence[Group]) -> list[str]:
    """Return the releases that are waited for, each once, in the order of the groups."""
    return list(dict.fromkeys(group.release_id for group in waiting))

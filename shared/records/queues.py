"""How much waits, of what, and since when: what an operator watches."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, literal, select

from shared.records.engine import Transaction
from shared.records.tables import Base, JobRow, SiteRow
from shared.schemas.base import Schema
from shared.schemas.jobs import JobKind, JobState

_JOBS: Final = Base.metadata.tables[JobRow.__tablename__]
_SITES: Final = Base.metadata.tables[SiteRow.__tablename__]

OTHERS: Final = "(others)"


class Depth(Schema):
    """Jobs of a kind and site that wait.

    Attributes:
        site: the site's name, or `OTHERS`.
        since: when the oldest of them was asked for.
    """

    kind: JobKind
    site: str
    jobs: int
    since: datetime


def depths(tx: Transaction, *, sites: int) -> list[Depth]:
    """Return what waits, by kind and site, the longest queues first.

    Args:
        tx: the open transaction.
        sites: most sites that are named; the rest are told together.
    """
    found: dict[tuple[JobKind, str], Depth] = {}
    for query in (_designs(), _others()):
        for row in tx.session.execute(query).mappings():
            _count(found, Depth(**{**row, "kind": JobKind(row["kind"])}))
    total: dict[str, int] = {}
    for one in found.values():
        total[one.site] = total.get(one.site, 0) + one.jobs
    named = set(sorted(total, key=lambda name: (-total[name], name))[:sites])
    told: dict[tuple[JobKind, str], Depth] = {}
    for one in _named(found.values(), named, _names(tx, named)):
        _count(told, one)
    return sorted(told.values(), key=lambda one: (-one.jobs, one.kind, one.site))


def running(tx: Transaction) -> dict[JobKind, int]:
    """Return how many jobs of each kind are being worked at."""
    return {JobKind(kind): number for kind, number in tx.session.execute(_running())}


def _count(found: dict[tuple[JobKind, str], Depth], more: Depth) -> None:
    before = found.get((more.kind, more.site))
    if before is not None:
        since = min(before.since, more.since)
        more = more.model_copy(update={"jobs": before.jobs + more.jobs, "since": since})
    found[more.kind, more.site] = more


def _named(found: Iterable[Depth], named: set[str], names: Mapping[str, str]) -> Iterable[Depth]:
    for one in found:
        site = names.get(one.site, one.site) if one.site in named else OTHERS
        yield one.model_copy(update={"site": site})


def _names(tx: Transaction, site_ids: set[str]) -> dict[str, str]:
    query = select(_SITES.c.id, _SITES.c.name).where(_SITES.c.id.in_(site_ids))
    return {row.id: row.name for row in tx.session.execute(query)}


@cache
def _designs() -> Select[Any]:
    """Of designs half a million may wait: grouped as their index is sorted, it alone is read."""
    jobs = _JOBS.c
    kind = literal(JobKind.DESIGN.value, literal_execute=True)
    return (
        select(
            jobs.kind, jobs.site_id.label("site"), func.count().label("jobs"),
            func.min(jobs.created_at).label("since"),
        )
        .where(_is(JobState.QUEUED), jobs.kind == kind)
        .group_by(jobs.release_id, jobs.priority, jobs.site_id, jobs.kind)
    )  # fmt: skip


@cache
def _others() -> Select[Any]:
    jobs = _JOBS.c
    kinds = [kind.value for kind in JobKind if kind is not JobKind.DESIGN]
    return (
        select(
            jobs.kind, jobs.site_id.label("site"), func.count().label("jobs"),
            func.min(jobs.created_at).label("since"),
        )
        .where(_is(JobState.QUEUED), jobs.kind.in_(kinds))
        .group_by(jobs.kind, jobs.site_id)
    )  # fmt: skip


@cache
def _running() -> Select[Any]:
    return select(_JOBS.c.kind, func.count()).where(_is(JobState.RUNNING)).group_by(_JOBS.c.kind)


def _is(state: JobState) -> ColumnElement[bool]:
    """Return the very words of the partial indexes: SQLite must see them, not parameters."""
    return _JOBS.c.state == literal(state.value, literal_execute=True)

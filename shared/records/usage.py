"""What sites used, by day: added to in the transactions that end the jobs, so never twice."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, Update, bindparam, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from shared.records.engine import Transaction
from shared.records.tables import (
    AttemptRow,
    Base,
    CatalogRow,
    DesignRow,
    ReleaseRow,
    ShardRow,
    SiteRow,
    UsageRow,
)
from shared.schemas.jobs import JobKind, JobRecord, JobState, Reason
from shared.schemas.usage import MICRO, Amounts, Measure, UsageDay

_USAGE: Final = Base.metadata.tables[UsageRow.__tablename__]


class Used(NamedTuple):
    """That a site used so much of something, in the measure's unit."""

    site_id: str
    measure: Measure
    amount: int


def add(tx: Transaction, used: Iterable[Used]) -> None:
    """Count what was used today, in one go: what is the same site's and measure is put together."""
    sums: dict[tuple[str, Measure], int] = {}
    for one in used:
        key = one.site_id, one.measure
        sums[key] = sums.get(key, 0) + one.amount
    day = tx.now.date()
    # In one order for all, so that no two who add for the same sites wait for each other.
    rows = [_row(site, day, measure, sums[site, measure]) for site, measure in sorted(sums)]
    if rows:
        tx.session.execute(_adding(_dialect(tx), replace=False), rows)


def reserve(tx: Transaction, site_id: str, images: int) -> int:
    """Count images that are asked for today; returns today's sum with them.

    On PostgreSQL the row stays locked to the transaction's end: a second request waits and sees it.
    """
    day = tx.now.date()
    rows = _row(site_id, day, Measure.ASKED, images)
    tx.session.execute(_adding(_dialect(tx), replace=False), [rows])
    return int(tx.session.execute(_amount(), _key(site_id, day, Measure.ASKED)).scalar_one())


def give_back(tx: Transaction, job: JobRecord) -> None:
    """Take off what was reserved for a design job that ended without designs.

    Where nothing is counted, because the site has no such quota, nothing happens.
    """
    if job.kind is JobKind.DESIGN:
        key = _key(job.site_id, job.created_at.date(), Measure.ASKED)
        tx.session.execute(_taking_off(), {**key, "images": job.units})


def end_training(tx: Transaction, job: JobRecord) -> None:
    """Count what a training that just ended took, once for all its attempts.

    Attempts whose worker was lost cost nothing: nobody knows how long they worked.
    """
    if job.kind is not JobKind.TRAINING:
        return
    query = select(AttemptRow.started_at, AttemptRow.ended_at).where(
        AttemptRow.job_id == job.id,
        AttemptRow.outcome != Reason.LOST_WORKER,
        AttemptRow.outcome != Reason.ATTEMPTS_EXHAUSTED,
    )
    took = sum((end - start for start, end in tx.session.execute(query) if end), timedelta())
    if took > timedelta():
        add(tx, [Used(job.site_id, Measure.TRAINING, took // timedelta(microseconds=1))])


def ended(tx: Transaction, job: JobRecord) -> None:
    """Count what the end of a single job costs or gives back."""
    if job.state is not JobState.SUCCEEDED:
        give_back(tx, job)
    end_training(tx, job)


def sum_of(tx: Transaction, site_id: str, measure: Measure, *, since: date) -> int:
    """Return how much a site used of something from a day on."""
    query = select(func.coalesce(func.sum(_USAGE.c.amount), 0)).where(
        _USAGE.c.site_id == site_id, _USAGE.c.measure == measure, _USAGE.c.day >= since
    )
    return int(tx.session.execute(query).scalar_one())


def stored(tx: Transaction, site_id: str) -> int | None:
    """Return the bytes kept for a site as they were last measured, or None where never."""
    query = select(_USAGE.c.amount).where(
        _USAGE.c.site_id == site_id, _USAGE.c.measure == Measure.STORAGE
    )
    return tx.session.execute(query.order_by(_USAGE.c.day.desc()).limit(1)).scalar_one_or_none()


def storage(tx: Transaction, site_id: str) -> int:
    """Return the bytes kept for a site, from its rows: designs, garments' pictures, releases."""
    pixels = ShardRow.count * CatalogRow.image_size * CatalogRow.image_size * CatalogRow.channels
    queries: tuple[Select[Any], ...] = (
        select(func.sum(DesignRow.length)).where(DesignRow.site_id == site_id),
        select(func.sum(pixels))
        .select_from(ShardRow)
        .join(CatalogRow, CatalogRow.id == ShardRow.catalog_id)
        .where(CatalogRow.site_id == site_id),
        # A release's files are arrays as they are held in memory.
        select(func.sum(ReleaseRow.card["needs"]["memory"].as_float())).where(
            ReleaseRow.site_id == site_id
        ),
    )
    return sum(int(tx.session.execute(query).scalar_one() or 0) for query in queries)


def measure_storage(tx: Transaction, site_id: str) -> int:
    """Measure the bytes kept for a site, and write them down as today's."""
    size = storage(tx, site_id)
    write_storage(tx, site_id, size)
    return size


def write_storage(tx: Transaction, site_id: str, size: int) -> None:
    """Write down the bytes kept for a site as today's."""
    row = _row(site_id, tx.now.date(), Measure.STORAGE, size)
    tx.session.execute(_adding(_dialect(tx), replace=True), [row])


def site_ids(tx: Transaction) -> list[str]:
    """Return all sites."""
    return list(tx.session.scalars(select(SiteRow.id).order_by(SiteRow.id)))


def by_day(tx: Transaction, site_id: str, *, first: date, last: date) -> list[UsageDay]:
    """Return what a site used on the days on which it used anything, oldest first."""
    query = (
        select(_USAGE.c.day, _USAGE.c.measure, _USAGE.c.amount)
        .where(_USAGE.c.site_id == site_id, _USAGE.c.day >= first, _USAGE.c.day <= last)
        .order_by(_USAGE.c.day)
    )
    days: dict[date, dict[str, int]] = {}
    for day, measure, amount in tx.session.execute(query):
        days.setdefault(day, {})[measure] = amount
    return [
        UsageDay(day=day, **_amounts(found), storage_bytes=found.get(Measure.STORAGE))
        for day, found in days.items()
    ]


def total_of(days: Iterable[UsageDay]) -> Amounts:
    """Return what was used on some days together."""
    found = list(days)
    return Amounts(
        designs=sum(one.designs for one in found),
        images=sum(one.images for one in found),
        device_seconds=sum(one.device_seconds for one in found),
        training_minutes=sum(one.training_minutes for one in found),
    )


def _amounts(found: Mapping[str, int]) -> dict[str, Any]:
    return {
        "designs": found.get(Measure.DESIGNS, 0),
        "images": found.get(Measure.IMAGES, 0),
        "device_seconds": found.get(Measure.DEVICE, 0) / MICRO,
        "training_minutes": found.get(Measure.TRAINING, 0) / MICRO / 60,
    }


def _dialect(tx: Transaction) -> str:
    return tx.session.get_bind().dialect.name


def _row(site_id: str, day: date, measure: Measure, amount: int) -> dict[str, Any]:
    return {"site_id": site_id, "day": day, "measure": measure.value, "amount": amount}


def _key(site_id: str, day: date, measure: Measure) -> dict[str, Any]:
    return {"of_site": site_id, "on": day, "what": measure.value}


@cache  # a statement is built once: each batch has one
def _adding(dialect: str, *, replace: bool) -> Any:
    into = (postgresql if dialect == "postgresql" else sqlite).insert(_USAGE)
    given = into.excluded.amount
    return into.on_conflict_do_update(
        index_elements=[_USAGE.c.site_id, _USAGE.c.day, _USAGE.c.measure],
        set_={"amount": given if replace else _USAGE.c.amount + given},
    )


@cache
def _amount() -> Select[Any]:
    return select(_USAGE.c.amount).where(*_this())


@cache
def _taking_off() -> Update:
    images: Any = bindparam("images")
    left = _USAGE.c.amount - images
    return update(_USAGE).where(*_this()).values(amount=case((left > 0, left), else_=0))


def _this() -> tuple[Any, ...]:
    return (
        _USAGE.c.site_id == bindparam("of_site"),
        _USAGE.c.day == bindparam("on"),
        _USAGE.c.measure == bindparam("what"),
    )

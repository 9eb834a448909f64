"""What may go by its age: found and removed in small steps, so that nobody waits for it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select
from sqlalchemy.orm import aliased

from shared.records.engine import Transaction
from shared.records.tables import (
    AttemptRow,
    CatalogVersionRow,
    DerivationRow,
    DesignRow,
    FeedBatchRow,
    IdempotencyKeyRow,
    IndexRow,
    JobRow,
    PreferenceRow,
    ReleaseRow,
    ReportRow,
)
from shared.schemas.base import Schema
from shared.schemas.jobs import JobKind, JobState

_OVER: Final = [state for state in JobState if state.is_final]


class Superseded(Schema):
    """An index or derivation in whose place a newer one is used.

    Attributes:
        artifact: its key, or the prefix of its files with a slash at the end.
    """

    kind: str
    id: str
    artifact: str


def designed(tx: Transaction, site_id: str, before: datetime, *, most: int) -> list[str]:
    """Return finished design jobs, by id, the oldest first, of whose designs none is wanted.

    Wanted is what a shopper said something of: their taste stands on it. A variation, mix or walk
    of a design does not need it, for its spec carries the latents.
    """
    query = _ended(site_id, before, most).where(JobRow.kind == JobKind.DESIGN, ~_is_wanted())
    return list(tx.session.scalars(query))


def bare(tx: Transaction, site_id: str, before: datetime, *, most: int) -> list[str]:
    """Return jobs that are over and of which nothing is left but their own rows, by id."""
    left = (
        DesignRow.job_id, ReleaseRow.job_id, ReportRow.job_id, CatalogVersionRow.job_id,
        FeedBatchRow.job_id,
    )  # fmt: skip
    nothing = [~exists().where(column == JobRow.id) for column in left]
    return list(tx.session.scalars(_ended(site_id, before, most).where(*nothing)))


def count_designs(tx: Transaction, job_ids: Collection[str]) -> int:
    """Return how many designs some jobs have."""
    query = select(func.count()).where(DesignRow.job_id.in_(job_ids))
    return tx.session.execute(query).scalar_one()


def remove_jobs(tx: Transaction, job_ids: Sequence[str]) -> list[str]:
    """Remove jobs that are over with all of their rows, and their designs.

    Jobs of which a design has become wanted meanwhile stay.

    Returns:
        The keys of packs that no design points at any more: the caller's to delete.
    """
    going = select(JobRow.id).where(JobRow.id.in_(job_ids), JobRow.state.in_(_OVER), ~_is_wanted())
    gone = list(tx.session.scalars(going.with_for_update()))
    freed = tx.session.scalars(
        delete(DesignRow).where(DesignRow.job_id.in_(gone)).returning(DesignRow.artifact)
    )
    packs = set(freed)
    for table in (IdempotencyKeyRow, AttemptRow):
        tx.session.execute(delete(table).where(table.job_id.in_(gone)))
    tx.session.execute(delete(JobRow).where(JobRow.id.in_(gone)))
    shared = tx.session.scalars(
        select(DesignRow.artifact).where(DesignRow.artifact.in_(packs)).distinct()
    )
    return sorted(packs - set(shared))


def forget_promises(tx: Transaction, before: datetime, *, most: int) -> int:
    """Remove idempotency keys that are older; returns how many."""
    old = (
        select(IdempotencyKeyRow.site_id, IdempotencyKeyRow.key)
        .where(IdempotencyKeyRow.created_at < before)
        .order_by(IdempotencyKeyRow.created_at)
        .limit(most)
    )
    found = tx.session.execute(old).all()
    for site_id in {one.site_id for one in found}:
        names = [one.key for one in found if one.site_id == site_id]
        ours = and_(IdempotencyKeyRow.site_id == site_id, IdempotencyKeyRow.key.in_(names))
        tx.session.execute(delete(IdempotencyKeyRow).where(ours))
    return len(found)


def count_promises(tx: Transaction, before: datetime) -> int:
    """Return how many idempotency keys are older."""
    query = select(func.count()).where(IdempotencyKeyRow.created_at < before)
    return tx.session.execute(query).scalar_one()


def superseded(tx: Transaction, before: datetime, *, most: int) -> list[Superseded]:
    """Return derivations, and then indexes, in whose place a newer one has been for a while.

    The newest of each catalog is what all use; an older one may still be read by who opened it
    before. An index that a derivation was made from stays as long as that does.
    """
    unused = ~exists().where(DerivationRow.index_id == IndexRow.id)
    return [
        *_superseded(tx, DerivationRow, before, most),
        *_superseded(tx, IndexRow, before, most, unused),
    ]


def _superseded(
    tx: Transaction,
    table: type[DerivationRow] | type[IndexRow],
    before: datetime,
    most: int,
    *also: ColumnElement[bool],
) -> list[Superseded]:
    newer = aliased(table)
    is_old = exists().where(
        newer.catalog_id == table.catalog_id,
        newer.created_at < before,
        or_(
            newer.created_at > table.created_at,
            and_(newer.created_at == table.created_at, newer.id > table.id),
        ),
    )
    query = select(table.id, table.artifact).where(is_old, *also).order_by(table.id).limit(most)
    return [
        Superseded(kind=table.__tablename__, id=identifier, artifact=artifact)
        for identifier, artifact in tx.session.execute(query)
    ]


def remove_superseded(tx: Transaction, going: Sequence[Superseded]) -> None:
    """Remove the rows; their artifacts are the caller's to delete."""
    for table in (DerivationRow, IndexRow):
        names = [one.id for one in going if one.kind == table.__tablename__]
        if names:
            tx.session.execute(delete(table).where(table.id.in_(names)))


def _ended(site_id: str, before: datetime, most: int) -> Any:
    return (
        select(JobRow.id)
        .where(JobRow.site_id == site_id, JobRow.state.in_(_OVER), JobRow.finished_at < before)
        .order_by(JobRow.finished_at, JobRow.id)
        .limit(most)
    )


def _is_wanted() -> ColumnElement[bool]:
    """Return whether a shopper said something of one of a job's designs."""
    said = or_(PreferenceRow.item == DesignRow.id, PreferenceRow.over == DesignRow.id)
    return exists().where(DesignRow.job_id == JobRow.id, said)

"""Feeds, and what was added to them."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, or_, select

from shared import ids
from shared.errors import ConflictError, NotFoundError
from shared.records import catalogs
from shared.records.catalogs import Columns
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import FeedBatchRow, FeedRow
from shared.schemas.base import Schema
from shared.schemas.catalogs import CatalogRequest, Purpose
from shared.schemas.feeds import BatchKind, Feed, FeedBatch, FeedRequest


class CountBatch(Schema):
    """A batch of counts as trend reports read it."""

    feed_id: str
    number: int
    revises: bool
    columns: Columns


class ErasedFeed(Schema):
    """A feed that is gone, and the indexes of its pictures, whose files are still there."""

    feed: Feed
    indexes: tuple[str, ...]


def create(tx: Transaction, site_id: str, request: FeedRequest) -> Feed:
    """Make an empty feed, with a catalog of its own for its pictures.

    Raises:
        ConflictError: the site has one of that name.
    """
    if _named(tx, site_id, request.name) is not None:
        raise ConflictError(
            f"There is a feed named {request.name!r} already. Add batches to it, or choose "
            "another name.",
            name=request.name,
        )
    feed_id = ids.new_id(ids.FEED)
    # Named by the feed's id, so that no name is taken from the site's own catalogs.
    catalog = catalogs.create(tx, site_id, CatalogRequest(name=feed_id), purpose=Purpose.FEED)
    row = FeedRow(
        id=feed_id,
        site_id=site_id,
        catalog_id=catalog.id,
        name=request.name,
        source=(request.source or request.name).lower(),
        segment=None if request.segment is None else request.segment.lower(),
        weight=request.weight,
        batches=0,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(row)
    tx.session.flush()
    return _feed(tx, row)


def get(tx: Transaction, site_id: str, reference: str) -> Feed:
    """Return a feed by its id or its name.

    Raises:
        NotFoundError: the site has none of that id or name.
    """
    return _feed(tx, _found(tx, site_id, reference))


def page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[Feed]:
    """Return a site's feeds, newest first."""
    query = select(FeedRow).where(FeedRow.site_id == site_id)
    order = (FeedRow.created_at, FeedRow.id)
    return page_of(
        tx, query, order=order, cursor=cursor, limit=limit, read=lambda row: _feed(tx, row)
    )


def batches_page(
    tx: Transaction, feed_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[FeedBatch]:
    """Return a feed's batches, newest first; a cursor is the job id of one."""
    query = select(FeedBatchRow).where(FeedBatchRow.feed_id == feed_id)
    order = (FeedBatchRow.number, FeedBatchRow.job_id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_batch)


def add_batch(tx: Transaction, feed_id: str, values: Mapping[str, Any]) -> FeedBatch:
    """Add a batch as the feed's next, in the transaction that ends its job.

    Args:
        tx: the open transaction.
        feed_id: the feed.
        values: the columns of the batch but `feed_id`, `number` and `created_at`.

    Raises:
        NotFoundError: the feed was deleted meanwhile.
    """
    row = tx.session.get(FeedRow, feed_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise _unknown(feed_id)
    row.batches += 1
    row.updated_at = tx.now
    batch = FeedBatchRow(feed_id=feed_id, number=row.batches, created_at=tx.now, **values)
    tx.session.add(batch)
    tx.session.flush()
    return _batch(batch)


def count_batches(tx: Transaction, site_id: str) -> list[CountBatch]:
    """Return the batches of counts of all of a site's feeds, each feed's in order."""
    query = (
        select(FeedBatchRow)
        .join(FeedRow, FeedRow.id == FeedBatchRow.feed_id)
        .where(FeedRow.site_id == site_id, FeedBatchRow.artifact.is_not(None))
        .order_by(FeedRow.created_at, FeedRow.id, FeedBatchRow.number)
    )
    return [
        CountBatch(
            feed_id=row.feed_id,
            number=row.number,
            revises=row.revises,
            columns=Columns(artifact=row.artifact or "", mark=row.mark or ""),
        )
        for row in tx.session.scalars(query)
    ]


def counted(tx: Transaction, site_id: str) -> float:
    """Return how many observations the site's feeds have counted."""
    query = (
        select(func.coalesce(func.sum(FeedBatchRow.observations), 0.0))
        .join(FeedRow, FeedRow.id == FeedBatchRow.feed_id)
        .where(FeedRow.site_id == site_id, FeedBatchRow.kind == BatchKind.COUNTS)
    )
    return float(tx.session.execute(query).scalar_one())


def erase(tx: Transaction, site_id: str, reference: str) -> ErasedFeed:
    """Remove a feed with its batches, its catalog and its garments; returns what it was.

    Raises:
        NotFoundError: the site has none of that id or name.
    """
    row = _found(tx, site_id, reference)
    was = _feed(tx, row)
    tx.session.execute(delete(FeedBatchRow).where(FeedBatchRow.feed_id == was.id))
    tx.session.execute(delete(FeedRow).where(FeedRow.id == was.id))
    return ErasedFeed(feed=was, indexes=tuple(catalogs.erase(tx, was.catalog_id)))


def _found(tx: Transaction, site_id: str, reference: str) -> FeedRow:
    row = _named(tx, site_id, reference)
    if row is None:
        raise _unknown(reference)
    return row


def _unknown(reference: str) -> NotFoundError:
    return NotFoundError(f"There is no feed {reference!r}. GET /v1/feeds lists them.", id=reference)


def _named(tx: Transaction, site_id: str, reference: str) -> FeedRow | None:
    return tx.session.execute(
        select(FeedRow).where(
            FeedRow.site_id == site_id,
            or_(FeedRow.id == reference, FeedRow.name == reference),
        )
    ).scalar_one_or_none()


def _feed(tx: Transaction, row: FeedRow) -> Feed:
    query = select(
        func.coalesce(func.sum(FeedBatchRow.observations), 0.0),
        func.min(FeedBatchRow.first),
        func.max(FeedBatchRow.last),
    ).where(FeedBatchRow.feed_id == row.id)
    observations, first, last = tx.session.execute(query).one()
    values = {name: value for name, value in columns_of(row).items() if name != "site_id"}
    return Feed(
        **values,
        observations=float(observations),
        first=_day(first),
        last=_day(last),
        url=f"/v1/feeds/{row.id}",
    )


def _day(value: dt.date | str | None) -> dt.date | None:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


def _batch(row: FeedBatchRow) -> FeedBatch:
    hidden = {"artifact", "mark"}
    return FeedBatch(**{k: v for k, v in columns_of(row).items() if k not in hidden})

"""Erasures: taking all that there is of a shopper, and keeping that it was done."""

import hashlib
import json
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Executable, delete, or_, select

from shared import ids
from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import (
    AttemptRow,
    DeliveryRow,
    DesignRow,
    ErasureRow,
    IdempotencyKeyRow,
    JobRow,
    PreferenceRow,
    ShopperRow,
)
from shared.schemas.shoppers import Erasure, Shopper


def lock(tx: Transaction, shopper_id: str) -> None:
    """Keep a shopper to this transaction: nothing of theirs is added until it ends.

    Raises:
        NotFoundError: there is no such shopper, or no more.
    """
    query = select(ShopperRow.id).where(ShopperRow.id == shopper_id).with_for_update()
    if tx.session.scalars(query).first() is None:
        raise NotFoundError("This shopper was erased already, by another request.")


def artifacts(tx: Transaction, shopper_id: str) -> set[str]:
    """Return the keys of the files that hold a shopper's designs; they hold nobody else's."""
    return set(tx.session.scalars(select(DesignRow.artifact).where(_designed_for(shopper_id))))


def remove(
    tx: Transaction, site_id: str, shopper: Shopper, *, artifacts: Collection[str]
) -> Erasure:
    """Take all rows of a shopper away and leave a receipt that does not name them.

    Args:
        tx: the open transaction, in which the shopper is locked and no job of theirs is open.
        site_id: whose shopper it is.
        shopper: who is to be forgotten.
        artifacts: keys of files that are gone already.
    """
    removed: dict[str, Collection[str]] = {"artifacts": artifacts}
    for kind, statement in _deletions(shopper.id).items():
        gone = tx.session.execute(statement.execution_options(synchronize_session=False))
        removed[kind] = [" ".join(map(str, row)) for row in gone]
    return _receipt(tx, site_id, removed)


def get(tx: Transaction, site_id: str, erasure_id: str) -> Erasure:
    """Return a receipt.

    Raises:
        NotFoundError: the site has none of that id.
    """
    row = tx.session.get(ErasureRow, erasure_id)
    if row is None or row.site_id != site_id:
        raise NotFoundError(f"There is no erasure {erasure_id!r}.", id=erasure_id)
    return _erasure(row)


def page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[Erasure]:
    """Return a site's receipts, newest first."""
    query = select(ErasureRow).where(ErasureRow.site_id == site_id)
    order = (ErasureRow.created_at, ErasureRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_erasure)


def proof_of(removed: Mapping[str, Collection[str]]) -> str:
    """Return the SHA-256, in hex, of the canonical list of what was removed.

    The list is JSON in UTF-8: kind to sorted ids, kinds sorted, kinds of which nothing was there
    included, without spaces, other characters than ASCII as they are.
    """
    told = {kind: sorted(found) for kind, found in removed.items()}
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _deletions(shopper_id: str) -> Mapping[str, Executable]:
    """Return what deletes each kind of row and names it, each before what it refers to."""
    jobs = select(JobRow.id).where(JobRow.shopper_id == shopper_id)
    keys = or_(IdempotencyKeyRow.job_id.in_(jobs), IdempotencyKeyRow.shopper_id == shopper_id)
    attempts = AttemptRow.job_id.in_(jobs)
    return {
        "preferences": delete(PreferenceRow)
        .where(PreferenceRow.shopper_id == shopper_id)
        .returning(PreferenceRow.id),
        "designs": delete(DesignRow).where(_designed_for(shopper_id)).returning(DesignRow.id),
        # With the tries at them, in whose answers the receiver may have named the shopper too.
        "deliveries": delete(DeliveryRow)
        .where(or_(DeliveryRow.shopper_id == shopper_id, DeliveryRow.subject.in_(jobs)))
        .returning(DeliveryRow.id),
        "idempotency_keys": delete(IdempotencyKeyRow).where(keys).returning(IdempotencyKeyRow.key),
        "attempts": delete(AttemptRow)
        .where(attempts)
        .returning(AttemptRow.job_id, AttemptRow.number),
        "jobs": delete(JobRow).where(JobRow.shopper_id == shopper_id).returning(JobRow.id),
        "shoppers": delete(ShopperRow).where(ShopperRow.id == shopper_id).returning(ShopperRow.id),
    }


def _designed_for(shopper_id: str) -> ColumnElement[bool]:
    jobs = select(JobRow.id).where(JobRow.shopper_id == shopper_id)
    return or_(DesignRow.shopper_id == shopper_id, DesignRow.job_id.in_(jobs))


def _receipt(tx: Transaction, site_id: str, removed: Mapping[str, Collection[str]]) -> Erasure:
    row = ErasureRow(
        id=ids.new_id(ids.ERASURE),
        site_id=site_id,
        proof=proof_of(removed),
        removed={kind: len(found) for kind, found in removed.items()},
        created_at=tx.now,
    )
    tx.session.add(row)
    tx.session.flush()
    return _erasure(row)


def _erasure(row: ErasureRow) -> Erasure:
    values = {name: value for name, value in columns_of(row).items() if name != "site_id"}
    return Erasure(**values, url=f"/v1/erasures/{row.id}")

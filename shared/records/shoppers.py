"""Shoppers: a site's end customers, each known only by the site's own reference."""

from typing import Final
from urllib.parse import quote

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from shared import ids
from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import ShopperRow
from shared.schemas.shoppers import Shopper

_HIDDEN: Final = frozenset({"site_id"})


def ensure(tx: Transaction, site_id: str, ref: str) -> Shopper:
    """Return a shopper, made where the site has none of that reference.

    Until the transaction ends the shopper cannot be erased; one that is being erased is waited for,
    and made anew.
    """
    row = _held(tx, site_id, ref) or _made(tx, site_id, ref)
    if row is None:  # another request made it first, and has committed
        row = _held(tx, site_id, ref)
    if row is None:
        raise NotFoundError(
            f"The shopper {ref!r} was erased while this was written. Send it again.", ref=ref
        )
    return _shopper(row)


def get(tx: Transaction, site_id: str, ref: str) -> Shopper:
    """Return a shopper.

    Raises:
        NotFoundError: the site has none of that reference.
    """
    row = tx.session.scalars(_named(site_id, ref)).first()
    if row is None:
        raise NotFoundError(
            f"There is no shopper {ref!r}. Recording a preference makes one.", ref=ref
        )
    return _shopper(row)


def find(tx: Transaction, site_id: str, ref: str) -> Shopper | None:
    """Return a shopper, or None where the site has none of that reference."""
    row = tx.session.scalars(_named(site_id, ref)).first()
    return None if row is None else _shopper(row)


def by_id(tx: Transaction, site_id: str, shopper_id: str) -> Shopper | None:
    """Return a site's shopper by Toile's own id, or None where there is none, or no more."""
    row = tx.session.get(ShopperRow, shopper_id)
    return None if row is None or row.site_id != site_id else _shopper(row)


def hold(tx: Transaction, shopper_id: str) -> None:
    """Keep a shopper from being erased until the transaction ends.

    Raises:
        NotFoundError: there is no such shopper, or no more.
    """
    query = select(ShopperRow.id).where(ShopperRow.id == shopper_id)
    found = tx.session.scalars(query.with_for_update(read=True, key_share=True)).first()
    if found is None:
        raise NotFoundError(f"There is no shopper {shopper_id!r}; maybe it was erased.")


def page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[Shopper]:
    """Return a site's shoppers, newest first."""
    query = select(ShopperRow).where(ShopperRow.site_id == site_id)
    order = (ShopperRow.created_at, ShopperRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_shopper)


def touch(tx: Transaction, shopper_id: str) -> None:
    """Write that something was said now."""
    row = tx.session.get_one(ShopperRow, shopper_id)
    row.updated_at = tx.now
    tx.session.flush()


def _named(site_id: str, ref: str) -> Select[ShopperRow]:
    return select(ShopperRow).where(ShopperRow.site_id == site_id, ShopperRow.ref == ref)


def _held(tx: Transaction, site_id: str, ref: str) -> ShopperRow | None:
    query = _named(site_id, ref).with_for_update(read=True, key_share=True)
    return tx.session.scalars(query).first()


def _made(tx: Transaction, site_id: str, ref: str) -> ShopperRow | None:
    """Add a shopper; None where another request did at the same time."""
    row = ShopperRow(
        id=ids.new_id(ids.SHOPPER), site_id=site_id, ref=ref, created_at=tx.now, updated_at=tx.now
    )
    try:
        with tx.session.begin_nested():
            tx.session.add(row)
    except IntegrityError:
        return None
    return row


def _shopper(row: ShopperRow) -> Shopper:
    values = {name: value for name, value in columns_of(row).items() if name not in _HIDDEN}
    return Shopper(**values, url=f"/v1/shoppers/{quote(row.ref, safe='')}")

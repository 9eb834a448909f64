"""Preferences: what shoppers said, one row each."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import delete, func, insert, select

from shared import ids
from shared.errors import NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import DesignRow, ErasureRow, GarmentRow, PreferenceRow
from shared.schemas.shoppers import Preference, PreferenceKind, PreferenceRequest, Shopper

# Hard wishes as kinds of their own, so that a row needs no column that most rows leave empty.
_HARD: Final = MappingProxyType({PreferenceKind.WANT: "require", PreferenceKind.AVOID: "refuse"})
_WISHES: Final = (*_HARD, *_HARD.values())
_SOFT: Final = MappingProxyType({hard: kind for kind, hard in _HARD.items()})
_TICK: Final = timedelta(microseconds=1)


def record(
    tx: Transaction, site_id: str, shopper: Shopper, said: Sequence[PreferenceRequest]
) -> list[Preference]:
    """Add what a shopper said, in its order.

    Args:
        tx: the open transaction, in which the shopper is held.
        site_id: whose shopper it is.
        shopper: who said it.
        said: with items that `unknown_items` found no fault with.
    """
    rows = []
    for place, one in enumerate(said):
        # Where no time is told, the order tells which of two contradicting words was the last.
        now = tx.now + place * _TICK
        rows.append(
            {
                "id": ids.new_id(ids.PREFERENCE),
                "site_id": site_id,
                "shopper_id": shopper.id,
                "kind": _HARD[one.kind] if one.hard else one.kind.value,
                **one.model_dump(include={"item", "over", "attribute", "value"}),
                "at": one.at or now,
                "created_at": now,
            }
        )
    tx.session.execute(insert(PreferenceRow), rows)
    return [_preference(PreferenceRow(**row)) for row in rows]


def unknown_items(
    tx: Transaction, site_id: str, items: Iterable[str], *, shopper_id: str | None = None
) -> set[str]:
    """Return those ids of which the site has neither a garment nor a design.

    Args:
        tx: the open transaction.
        site_id: whose they must be.
        items: the ids.
        shopper_id: the one shopper whose designs count; None for all of the site's.
    """
    wanted = set(items)
    garments = select(GarmentRow.id).where(GarmentRow.id.in_(wanted), GarmentRow.site_id == site_id)
    designs = select(DesignRow.id).where(DesignRow.id.in_(wanted), DesignRow.site_id == site_id)
    if shopper_id is not None:
        designs = designs.where(DesignRow.shopper_id == shopper_id)
    return wanted - set(tx.session.scalars(garments)) - set(tx.session.scalars(designs))


def page(
    tx: Transaction, shopper_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[Preference]:
    """Return what a shopper said, the newest first."""
    query = select(PreferenceRow).where(PreferenceRow.shopper_id == shopper_id)
    order = (PreferenceRow.at, PreferenceRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_preference)


def signals(tx: Transaction, shopper_id: str, *, most: int) -> list[Preference]:
    """Return the newest `most` likes, dislikes and choices of a shopper, oldest first."""
    query = select(PreferenceRow).where(
        PreferenceRow.shopper_id == shopper_id, PreferenceRow.item.is_not(None)
    )
    ordered = query.order_by(
        PreferenceRow.at.desc(), PreferenceRow.created_at.desc(), PreferenceRow.id.desc()
    )
    return [_preference(row) for row in tx.session.scalars(ordered.limit(most))][::-1]


def wishes(tx: Transaction, shopper_id: str) -> list[Preference]:
    """Return what a shopper wants and avoids, oldest first; of each value only the last word."""
    query = select(PreferenceRow).where(
        PreferenceRow.shopper_id == shopper_id, PreferenceRow.kind.in_(_WISHES)
    )
    ordered = query.order_by(PreferenceRow.at, PreferenceRow.created_at, PreferenceRow.id)
    latest: dict[tuple[str | None, str | None], Preference] = {}
    for row in tx.session.scalars(ordered):
        latest.pop((row.attribute, row.value), None)
        latest[row.attribute, row.value] = _preference(row)
    return list(latest.values())


def talkative(tx: Transaction, site_id: str, *, most: int) -> list[str]:
    """Return the shoppers of a site who said what they like, by id, the newest words first."""
    query = (
        select(PreferenceRow.shopper_id)
        .where(PreferenceRow.site_id == site_id, PreferenceRow.item.is_not(None))
        .group_by(PreferenceRow.shopper_id)
        .order_by(func.max(PreferenceRow.created_at).desc(), PreferenceRow.shopper_id)
        .limit(most)
    )
    return list(tx.session.scalars(query))


def changed_at(tx: Transaction, site_id: str) -> datetime | None:
    """Return when a site's shoppers last said something, or one was erased; None for never."""
    said = select(func.max(PreferenceRow.created_at)).where(PreferenceRow.site_id == site_id)
    erased = select(func.max(ErasureRow.created_at)).where(ErasureRow.site_id == site_id)
    times = [tx.session.execute(one).scalar_one() for one in (said, erased)]
    return max(filter(None, times), default=None)


def remove(tx: Transaction, shopper_id: str, preference_id: str) -> None:
    """Take one preference back.

    Raises:
        NotFoundError: the shopper has none of that id.
    """
    statement = delete(PreferenceRow).where(
        PreferenceRow.id == preference_id, PreferenceRow.shopper_id == shopper_id
    )
    if tx.session.execute(statement.returning(PreferenceRow.id)).first() is None:
        raise NotFoundError(
            f"There is no preference {preference_id!r} of this shopper.", id=preference_id
        )


def _preference(row: PreferenceRow) -> Preference:
    hidden = {"site_id", "shopper_id", "kind"}
    values = {name: value for name, value in columns_of(row).items() if name not in hidden}
    kind = _SOFT.get(row.kind)
    hard = kind is not None
    return Preference(**values, kind=kind or PreferenceKind(row.kind), hard=hard)

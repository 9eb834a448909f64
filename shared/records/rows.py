"""Turning rows into schemas, and lists into pages; the border that rows never cross."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from shared.errors import InvalidInputError
from shared.records.engine import Transaction
from shared.records.tables import Base

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some items, newest first, and where the next ones start (None at the end)."""

    items: Sequence[Item]
    next_cursor: str | None


def columns_of(row: Base) -> dict[str, Any]:
    """Return a row's columns by name."""
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def page_of(
    tx: Transaction,
    query: Select[Row],
    *,
    order: tuple[InstrumentedAttribute[Any], InstrumentedAttribute[str]],
    cursor: str | None,
    limit: int,
    read: Callable[[Row], Item],
) -> Page[Item]:
    """Return one page of a query, newest first.

    Args:
        tx: the open transaction.
        query: the rows to page through.
        order: the time column and the id column; together they name a place in the list.
        cursor: the id of the last item of the page before, or None for the first page.
        limit: most items in a page.
        read: turns a row into what is returned.

    Raises:
        InvalidInputError: the cursor names nothing in this list.
    """
    when, identifier = order
    if cursor is not None:
        place = tx.session.execute(select(when, identifier).where(identifier == cursor)).first()
        if place is None:
            raise InvalidInputError(
                f"The cursor {cursor!r} names nothing in this list. Use the `next_cursor` of the "
                "page before, unchanged, or leave it out to start again.",
                cursor=cursor,
            )
        query = query.where(tuple_(when, identifier) < tuple_(*place))
    ordered = query.order_by(when.desc(), identifier.desc()).limit(limit + 1)
    rows = tx.session.execute(ordered).scalars().all()
    items = [read(row) for row in rows[:limit]]
    last = getattr(rows[limit - 1], identifier.key) if len(rows) > limit else None
    return Page(items, last)

"""Forecasts as reports issued them: rows that are added and read, and never changed."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select

from shared.records.engine import Transaction
from shared.records.rows import columns_of
from shared.records.tables import TrendForecastRow
from shared.schemas.base import Schema


class IssuedPlace(Schema):
    """What a report issued, and where it is kept.

    Attributes:
        period: length of a step: week, month or quarter.
        origin: first day of the first period that was forecast.
        sha256: of the artifact's bytes, in hex: it is what was issued, or it is not read.
    """

    report_id: str
    catalog_id: str | None
    period: str
    origin: date
    artifact: str
    sha256: str
    created_at: datetime


def publish(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Add what a report issued, in the transaction that publishes the report."""
    tx.session.add(TrendForecastRow(**values, created_at=tx.now))
    tx.session.flush()


def newest(tx: Transaction, site_id: str, catalog_id: str | None) -> IssuedPlace | None:
    """Return what the newest report over one catalog (None: over all of the site's) issued."""
    query = (
        select(TrendForecastRow)
        .where(*_scope(site_id, catalog_id))
        .order_by(TrendForecastRow.created_at.desc(), TrendForecastRow.report_id.desc())
        .limit(1)
    )
    row = tx.session.scalars(query).first()
    return None if row is None else _place(row)


def firsts(
    tx: Transaction, site_id: str, catalog_id: str | None, *, period: str, most: int
) -> list[IssuedPlace]:
    """Return what the first report of each origin issued, the newest origin first.

    Args:
        tx: the open transaction.
        site_id: whose.
        catalog_id: over which garments; None: over all of the site's.
        period: only forecasts in steps of this length.
        most: origins to go back.
    """
    place = (TrendForecastRow.created_at, TrendForecastRow.report_id)
    ranked = (
        select(
            TrendForecastRow.report_id,
            func.row_number()
            .over(partition_by=TrendForecastRow.origin, order_by=place)
            .label("rank"),
        )
        .where(*_scope(site_id, catalog_id), TrendForecastRow.period == period)
        .subquery()
    )
    query = (
        select(TrendForecastRow)
        .join(ranked, ranked.c.report_id == TrendForecastRow.report_id)
        .where(ranked.c.rank == 1)
        .order_by(TrendForecastRow.origin.desc())
        .limit(most)
    )
    return [_place(row) for row in tx.session.scalars(query)]


def of_report(tx: Transaction, report_id: str) -> IssuedPlace | None:
    """Return what one report issued; None where it was made before forecasts were kept."""
    row = tx.session.get(TrendForecastRow, report_id)
    return None if row is None else _place(row)


def _scope(site_id: str, catalog_id: str | None) -> tuple[Any, ...]:
    own = TrendForecastRow.site_id == site_id
    if catalog_id is None:
        return own, TrendForecastRow.catalog_id.is_(None)
    return own, TrendForecastRow.catalog_id == catalog_id


def _place(row: TrendForecastRow) -> IssuedPlace:
    return IssuedPlace(**{name: v for name, v in columns_of(row).items() if name != "site_id"})

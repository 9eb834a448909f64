"""Alerts of a site, and those that fired."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import select

from shared import ids
from shared.errors import NotFoundError
from shared.records import webhooks
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import FiredAlertRow, TrendAlertRow
from shared.schemas.alerts import Alert, AlertKind, FiredAlert, Standing
from shared.schemas.webhooks import EventType, TrendTurned

MOST_Q: Final = 0.05
"""A report may be asked to call more; an alert is not fired by what would be chance too often."""

_UNKNOWN: Final = "insufficient"

_Key = tuple[str, str, str, str]


def create(
    tx: Transaction,
    site_id: str,
    *,
    catalog_id: str | None,
    attribute: str | None,
    value: str | None,
    segment: str | None,
    kinds: Sequence[AlertKind],
) -> Alert:
    """Add an alert. What rises or falls already in the newest report is no news to it."""
    row = TrendAlertRow(
        id=ids.new_id(ids.ALERT),
        site_id=site_id,
        catalog_id=catalog_id,
        attribute=attribute,
        value=value,
        segment=segment,
        kinds=list(dict.fromkeys(kinds)),
        created_at=tx.now,
        stopped_at=None,
    )
    tx.session.add(row)
    tx.session.flush()
    return _alert(row)


def page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[Alert]:
    """Return a site's alerts, newest first, stopped ones too."""
    query = select(TrendAlertRow).where(TrendAlertRow.site_id == site_id)
    order = (TrendAlertRow.created_at, TrendAlertRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_alert)


def get(tx: Transaction, site_id: str, alert_id: str) -> Alert:
    """Return an alert.

    Raises:
        NotFoundError: the site has none of that id.
    """
    return _alert(_row(tx, site_id, alert_id))


def stop(tx: Transaction, site_id: str, alert_id: str) -> Alert:
    """Let an alert fire no more; again changes nothing. Those that fired stay listed.

    Raises:
        NotFoundError: the site has none of that id.
    """
    row = _row(tx, site_id, alert_id)
    row.stopped_at = row.stopped_at or tx.now
    tx.session.flush()
    return _alert(row)


def fired_page(
    tx: Transaction,
    site_id: str,
    *,
    alert_id: str | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Page[FiredAlert]:
    """Return what fired, newest first."""
    query = select(FiredAlertRow).where(FiredAlertRow.site_id == site_id)
    if alert_id is not None:
        query = query.where(FiredAlertRow.alert_id == alert_id)
    order = (FiredAlertRow.created_at, FiredAlertRow.id)
    return page_of(tx, query, order=order, cursor=cursor, limit=limit, read=_fired)


def settle(
    tx: Transaction,
    site_id: str,
    catalog_id: str | None,
    report_id: str,
    standings: Iterable[Standing],
) -> list[FiredAlert]:
    """Fire what begins in a new report, and end what is over; in the report's own transaction.

    An alert fires where a value is called rising (or declining) with a q-value of at most 0.05, was
    not called so in the report before, and has not fired for this already. It can fire again once a
    report called the value otherwise. A value that a report does not follow, or of which there is
    too little data, is neither a beginning nor an end.

    Args:
        tx: the transaction that publishes the report; whoever is to be told of what fired writes
            their own rows into it.
        site_id: whose report.
        catalog_id: over which garments it is; None: over all of the site's.
        report_id: the report.
        standings: of all its series.

    Returns:
        What fired.
    """
    known = list(standings)
    query = select(TrendAlertRow).where(
        TrendAlertRow.site_id == site_id,
        TrendAlertRow.stopped_at.is_(None),
        TrendAlertRow.catalog_id.is_(None)
        if catalog_id is None
        else TrendAlertRow.catalog_id == catalog_id,
    )
    # Held, so that of two reports published at once one waits and sees what the other fired.
    fired: list[FiredAlertRow] = []
    for alert in tx.session.scalars(query.order_by(TrendAlertRow.id).with_for_update()).all():
        lasting = _lasting(tx, alert.id)
        for one in known:
            if _concerns(alert, one):
                fired += _settled(tx, alert, one, lasting, report_id)
    tx.session.flush()
    told = [_fired(row) for row in fired]
    for begun in told:
        _announce(tx, site_id, begun)
    return told


def _announce(tx: Transaction, site_id: str, fired: FiredAlert) -> None:
    event = EventType.TREND_RISING if fired.kind == "rising" else EventType.TREND_FALLING
    told = TrendTurned.model_validate(fired.model_dump(include=set(TrendTurned.model_fields)))
    webhooks.announce(tx, site_id, event, subject=fired.id, data=told)


def _settled(
    tx: Transaction,
    alert: TrendAlertRow,
    one: Standing,
    lasting: dict[_Key, FiredAlertRow],
    report_id: str,
) -> list[FiredAlertRow]:
    fired = []
    for kind in alert.kinds:
        before = lasting.get((one.attribute, one.value, one.segment or "", kind))
        if one.kind == kind:
            if before is None and one.was != kind and _is_sure(one):
                fired.append(_new(tx, alert, one, kind, report_id))
        elif before is not None and one.kind != _UNKNOWN:
            before.ended_at, before.ended_report_id = tx.now, report_id
    tx.session.flush()
    return fired


def _is_sure(one: Standing) -> bool:
    return one.q_value is not None and one.q_value <= MOST_Q


def _new(
    tx: Transaction, alert: TrendAlertRow, one: Standing, kind: str, report_id: str
) -> FiredAlertRow:
    row = FiredAlertRow(
        id=ids.new_id(ids.FIRING),
        alert_id=alert.id,
        site_id=alert.site_id,
        report_id=report_id,
        attribute=one.attribute,
        value=one.value,
        segment=one.segment or "",
        kind=kind,
        change=one.change or 0.0,
        q_value=one.q_value or 0.0,
        garments=one.garments,
        created_at=tx.now,
        ended_at=None,
        ended_report_id=None,
    )
    tx.session.add(row)
    return row


def _lasting(tx: Transaction, alert_id: str) -> dict[_Key, FiredAlertRow]:
    query = select(FiredAlertRow).where(
        FiredAlertRow.alert_id == alert_id, FiredAlertRow.ended_at.is_(None)
    )
    return {
        (row.attribute, row.value, row.segment, row.kind): row for row in tx.session.scalars(query)
    }


def _concerns(alert: TrendAlertRow, one: Standing) -> bool:
    return (
        alert.segment == one.segment
        and alert.attribute in {None, one.attribute}
        and alert.value in {None, one.value}
    )


def _row(tx: Transaction, site_id: str, alert_id: str) -> TrendAlertRow:
    row = tx.session.get(TrendAlertRow, alert_id)
    if row is None or row.site_id != site_id:
        raise NotFoundError(
            f"There is no alert {alert_id!r}. GET /v1/trend-alerts lists them.", id=alert_id
        )
    return row


def _alert(row: TrendAlertRow) -> Alert:
    values = {name: value for name, value in columns_of(row).items() if name != "site_id"}
    return Alert(**{**values, "kinds": tuple(row.kinds)}, url=f"/v1/trend-alerts/{row.id}")


def _fired(row: FiredAlertRow) -> FiredAlert:
    hidden = {"site_id", "created_at", "ended_report_id", "segment"}
    values: dict[str, Any] = {n: v for n, v in columns_of(row).items() if n not in hidden}
    return FiredAlert(
        **values,
        segment=row.segment or None,
        fired_at=row.created_at,
        report_url=f"/v1/trend-reports/{row.report_id}",
    )

"""Webhooks of sites, and announcing: an event is written with what it tells of, or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy import insert as into

from shared import ids
from shared.errors import ConflictError, NotFoundError
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import Base, DeliveryRow, ShopperRow, WebhookRow
from shared.records.told import among, listed
from shared.schemas.base import Schema
from shared.schemas.jobs import JobRecord, JobState
from shared.schemas.webhooks import (
    KEEP_TRYING,
    MOST_WEBHOOKS,
    DeliveryState,
    Disabled,
    DisabledReason,
    EventType,
    JobEnded,
    Webhook,
    WebhookDisabled,
)

VERSION: Final = 1
"""Of what is sent. A later one may add to it; what is there keeps its name and meaning."""

_WEBHOOKS: Final = Base.metadata.tables[WebhookRow.__tablename__]
_DELIVERIES: Final = Base.metadata.tables[DeliveryRow.__tablename__]
_ENDS: Final[Mapping[JobState, EventType]] = {
    JobState.SUCCEEDED: EventType.JOB_SUCCEEDED,
    JobState.FAILED: EventType.JOB_FAILED,
    JobState.CANCELLED: EventType.JOB_CANCELLED,
}
WHY: Final[Mapping[DisabledReason, str]] = {
    DisabledReason.CALLER: "It was disabled on request.",
    DisabledReason.GONE: "It answered 410 Gone: it wants no more.",
    DisabledReason.FAILING: "Nothing got through to it for days.",
}


@dataclass(frozen=True)
class Salts:
    """What a webhook's secret is made from, beside the server's own key."""

    salt: str
    key_mark: str


def announce(
    tx: Transaction, site_id: str, event: EventType, *, subject: str, data: Schema
) -> None:
    """Tell a site's webhooks of an event, once this transaction is through.

    A site without webhooks costs one query by index.

    Args:
        tx: the transaction that makes happen what is told.
        site_id: whose event it is.
        event: what happened.
        subject: id of what the event is about.
        data: the payload's data: ids, states and addresses; the API has the rest.
    """
    wanting = _wanting(_listening(tx, {site_id}), site_id, event)
    if wanting:
        _write(tx, _rows(tx, wanting, site_id, event, subject=subject, data=data))


def announce_ends(tx: Transaction, ended: Sequence[JobRecord]) -> None:
    """Tell that jobs came to their ends: one query, and one statement if anybody listens.

    Args:
        tx: the transaction that ends them.
        ended: the jobs, as they stand now.
    """
    if not ended:
        return
    listening = _listening(tx, {job.site_id for job in ended})
    if not listening:
        return
    refs = _refs(tx, {job.shopper_id for job in ended if job.shopper_id is not None})
    rows = []
    for job in ended:
        event = _ENDS[job.state]
        wanting = _wanting(listening, job.site_id, event)
        if wanting:
            data = _told_of(job, refs.get(job.shopper_id or ""), tx)
            made = _rows(tx, wanting, job.site_id, event, subject=job.id, data=data)
            rows += [{**row, "shopper_id": job.shopper_id} for row in made]
    _write(tx, rows)


def tell_one(
    tx: Transaction, webhook: Webhook, site_id: str, event: EventType, data: Schema
) -> str:
    """Send an event to one webhook alone, whatever it wants; returns the delivery's id."""
    rows = _rows(tx, [webhook.id], site_id, event, subject=webhook.id, data=data)
    _write(tx, rows)
    return str(rows[0]["id"])


def create(
    tx: Transaction,
    site_id: str,
    *,
    address: str,
    events: Iterable[EventType] | None,
    description: str,
    salts: Salts,
) -> Webhook:
    """Add a webhook.

    Raises:
        ConflictError: the site has as many as it may.
    """
    count = select(func.count()).where(WebhookRow.site_id == site_id)
    if tx.session.execute(count).scalar_one() >= MOST_WEBHOOKS:
        raise ConflictError(
            f"A site may have {MOST_WEBHOOKS} webhooks, and has them. Remove one first, or let one "
            "take more kinds of events."
        )
    row = WebhookRow(
        id=ids.new_id(ids.WEBHOOK),
        site_id=site_id,
        address=address,
        events=_listed(events),
        description=description,
        salt=salts.salt,
        key_mark=salts.key_mark,
        secret_made_at=tx.now,
        created_at=tx.now,
        failures=0,
    )
    tx.session.add(row)
    tx.session.flush()
    return _webhook(tx, row)


def page(
    tx: Transaction, site_id: str, *, cursor: str | None = None, limit: int = 20
) -> Page[Webhook]:
    """Return a site's webhooks, newest first."""
    query = select(WebhookRow).where(WebhookRow.site_id == site_id)
    order = (WebhookRow.created_at, WebhookRow.id)
    return page_of(
        tx, query, order=order, cursor=cursor, limit=limit, read=lambda row: _webhook(tx, row)
    )


def troubled(tx: Transaction, site_id: str) -> list[Webhook]:
    """Return a site's webhooks that were disabled otherwise than on request, or keep failing."""
    return [
        one
        for one in page(tx, site_id, limit=MOST_WEBHOOKS).items
        if (one.disabled and one.disabled.reason is not DisabledReason.CALLER)
        or (one.failing_since is not None and tx.now - one.failing_since > KEEP_TRYING / 24)
    ]


def get(tx: Transaction, site_id: str, webhook_id: str) -> Webhook:
    """Return a webhook.

    Raises:
        NotFoundError: the site has none of that id.
    """
    return _webhook(tx, _found(tx, site_id, webhook_id))


def hold(tx: Transaction, site_id: str, webhook_id: str) -> Webhook:
    """Return a webhook, which nobody else changes until the transaction ends.

    Raises:
        NotFoundError: the site has none of that id.
    """
    return _webhook(tx, _found(tx, site_id, webhook_id, hold=True))


def change(
    tx: Transaction,
    site_id: str,
    webhook_id: str,
    *,
    address: str | None = None,
    description: str | None = None,
    events: Iterable[EventType] | None = None,
    keep_events: bool = True,
) -> Webhook:
    """Change a webhook. At another address it starts with a clean record.

    Raises:
        NotFoundError: the site has none of that id.
    """
    row = _found(tx, site_id, webhook_id, hold=True)
    if address is not None and address != row.address:
        row.address = address
        _forgive(row)
    if description is not None:
        row.description = description
    if not keep_events:
        row.events = _listed(events)
    tx.session.flush()
    return _webhook(tx, row)


def enable(tx: Transaction, site_id: str, webhook_id: str) -> Webhook:
    """Tell a webhook of events again, from now on; what it missed can be replayed.

    Raises:
        NotFoundError: the site has none of that id.
    """
    row = _found(tx, site_id, webhook_id, hold=True)
    if row.disabled_at is not None:
        row.disabled_at, row.disabled_reason = None, None
        _forgive(row)
    tx.session.flush()
    return _webhook(tx, row)


def disable(tx: Transaction, webhook_id: str, reason: DisabledReason) -> Webhook | None:
    """Tell a webhook of nothing more, and end what is on its way to it.

    The site's other webhooks are told, unless it was asked for.

    Returns:
        The webhook; None where it was disabled already, or is gone.
    """
    row = tx.session.get(WebhookRow, webhook_id, with_for_update=True, populate_existing=True)
    if row is None or row.disabled_at is not None:
        return None
    row.disabled_at, row.disabled_reason, row.paused_until = tx.now, reason.value, None
    tx.session.flush()
    pending = (
        update(_DELIVERIES)
        .where(_DELIVERIES.c.webhook_id == webhook_id, _DELIVERIES.c.state == DeliveryState.PENDING)
        .values(state=DeliveryState.FAILED, due_at=None, leased_until=None, settled_at=tx.now)
    )
    tx.session.execute(pending)
    webhook = _webhook(tx, row)
    if reason is not DisabledReason.CALLER:
        data = WebhookDisabled(id=row.id, reason=reason, message=WHY[reason], url=webhook.url)
        announce(tx, row.site_id, EventType.WEBHOOK_DISABLED, subject=row.id, data=data)
    return webhook


def remove(tx: Transaction, site_id: str, webhook_id: str) -> None:
    """Remove a webhook and all that was or was to be sent to it.

    Raises:
        NotFoundError: the site has none of that id.
    """
    row = _found(tx, site_id, webhook_id, hold=True)
    tx.session.execute(delete(DeliveryRow).where(DeliveryRow.webhook_id == row.id))
    tx.session.delete(row)
    tx.session.flush()


def rotate(
    tx: Transaction, site_id: str, webhook_id: str, *, salts: Salts, overlap_seconds: float
) -> Webhook:
    """Give a webhook a new secret; for a while the old one signs too.

    Raises:
        NotFoundError: the site has none of that id.
    """
    row = _found(tx, site_id, webhook_id, hold=True)
    # A secret that came from another server's key cannot be made here any more.
    is_ours = row.key_mark == salts.key_mark and overlap_seconds > 0
    row.old_salt = row.salt if is_ours else None
    row.old_salt_until = tx.now + timedelta(seconds=overlap_seconds) if is_ours else None
    row.salt, row.key_mark, row.secret_made_at = salts.salt, salts.key_mark, tx.now
    tx.session.flush()
    return _webhook(tx, row)


@cache  # built and compiled once: each end of a job asks
def _listeners() -> Select[Any]:
    hooks = _WEBHOOKS.c
    return select(hooks.id, hooks.site_id, hooks.events).where(
        among(hooks.site_id, "sites"), hooks.disabled_at.is_(None)
    )


_Listener = tuple[str, str, frozenset[str] | None]


def _listening(tx: Transaction, sites: set[str]) -> list[_Listener]:
    rows = tx.session.execute(_listeners(), {"sites": listed(sites)}).all()
    return [
        (webhook_id, site_id, None if events is None else frozenset(events))
        for webhook_id, site_id, events in rows
    ]


def _wanting(listening: Sequence[_Listener], site_id: str, event: EventType) -> list[str]:
    return [
        webhook_id
        for webhook_id, owner, events in listening
        if owner == site_id and (events is None or event in events)
    ]


def _told_of(job: JobRecord, ref: str | None, tx: Transaction) -> JobEnded:
    return JobEnded(
        id=job.id,
        kind=job.kind,
        state=job.state,
        reason=job.reason,
        release_id=job.release_id,
        shopper=ref,
        created_at=job.created_at,
        finished_at=tx.now,
        url=f"/v1/jobs/{job.id}",
    )


def _refs(tx: Transaction, shopper_ids: set[str]) -> dict[str, str]:
    if not shopper_ids:
        return {}
    query = select(ShopperRow.id, ShopperRow.ref).where(among(ShopperRow.id, "ids"))
    rows = tx.session.execute(query, {"ids": listed(shopper_ids)}).all()
    return {row.id: row.ref for row in rows}


def _rows(
    tx: Transaction,
    wanting: Sequence[str],
    site_id: str,
    event: EventType,
    *,
    subject: str,
    data: Schema,
) -> list[dict[str, Any]]:
    """Return one event's deliveries: each try at each of them sends the same id and bytes."""
    body = {"type": event, "timestamp": tx.now, "version": VERSION, "data": data}
    event_id, payload = ids.new_id(ids.EVENT), to_json(body).decode()
    return [
        {
            "id": ids.new_id(ids.DELIVERY), "webhook_id": webhook_id, "site_id": site_id,
            "event_id": event_id, "type": event.value, "subject": subject, "shopper_id": None,
            "payload": payload, "state": DeliveryState.PENDING.value, "attempts": 0, "step": 0,
            "due_at": tx.now, "leased_until": None, "ends_at": tx.now + KEEP_TRYING,
            "created_at": tx.now, "settled_at": None,
        }
        for webhook_id in wanting
    ]  # fmt: skip


def _write(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.session.execute(into(_DELIVERIES), list(rows))
        tx.announced = True


def _found(tx: Transaction, site_id: str, webhook_id: str, *, hold: bool = False) -> WebhookRow:
    row = tx.session.get(WebhookRow, webhook_id, with_for_update=hold or None)
    if row is None or row.site_id != site_id:
        raise NotFoundError(
            f"There is no webhook {webhook_id!r}. GET /v1/webhooks lists them.", id=webhook_id
        )
    return row


def _forgive(row: WebhookRow) -> None:
    row.failures, row.failing_since, row.paused_until = 0, None, None


def _listed(events: Iterable[EventType] | None) -> list[Any] | None:
    return None if events is None else list(dict.fromkeys(event.value for event in events))


_HIDDEN: Final = frozenset(
    {"site_id", "salt", "old_salt", "old_salt_until", "key_mark", "disabled_at", "disabled_reason",
     "served_at"}
)  # fmt: skip


def _webhook(tx: Transaction, row: WebhookRow) -> Webhook:
    values = {name: value for name, value in columns_of(row).items() if name not in _HIDDEN}
    disabled = None
    if row.disabled_at is not None and row.disabled_reason is not None:
        reason = DisabledReason(row.disabled_reason)
        disabled = Disabled(at=row.disabled_at, reason=reason, message=WHY[reason])
    until = row.old_salt_until
    return Webhook(
        **{**values, "events": None if row.events is None else tuple(row.events)},
        disabled=disabled,
        old_secret_until=until if until is not None and until > tx.now else None,
        url=f"/v1/webhooks/{row.id}",
    )
